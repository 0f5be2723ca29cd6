"""Export of a `CTCRecognizer`."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_seq._internal.types import Tensor
from keras_seq.decoding import Lexicon
from keras_seq.decoding.ctc_decoding import SCORER_BEAM_WIDTH
from keras_seq.decoding.ctc_lexicon_search import ctc_lexicon_search
from keras_seq.export.signatures.base import Adapter, Endpoint, register
from keras_seq.models.ctc_recognizer import CTCRecognizer
from keras_seq.scan.ctc import BLANK


class CTCRecognizerAdapter(Adapter):
    """Adapter of a `CTCRecognizer`, with the endpoint `recognize`. Examples are recordings."""

    def example_inputs(self) -> list[np.ndarray]:
        """Return noise of 1/2 s and 1/3 s, and an empty recording."""
        rate, rng = self.model.sample_rate, np.random.default_rng(0)
        return [rng.uniform(-0.5, 0.5, length) for length in (rate // 2, rate // 3, 0)]

    def text_signatures(self, examples: Sequence[np.ndarray]) -> dict[str, Endpoint]:
        """Return `recognize`, from samples to texts.

        Inputs: `samples` `(batch, samples)`, float32 from -1 to 1, padded at the end; `lengths`
        `(batch,)`, the numbers of samples. Outputs: `texts` `(batch,)`, those of `transcribe`;
        `scores` `(batch,)`, their log probabilities. Without a lexicon, these are the log
        probabilities of the best alignments.

        Args:
            examples: Recordings to verify the export on.
        """
        import tensorflow as tf

        characters = tf.constant(["", *self.model.alphabet])
        decode = self._search() if self.model.lexicon is not None else _best_path

        def recognize(samples: Tensor, lengths: Tensor) -> dict[str, Tensor]:
            log_probs = self.model({"samples": samples, "lengths": lengths}, training=False)
            labels, scores = decode(log_probs, lengths)
            texts = tf.strings.reduce_join(tf.gather(characters, labels), axis=-1)
            return {"texts": texts, "scores": scores}

        return {"recognize": Endpoint(recognize, _signature(), self._batches(examples))}

    def tensor_signatures(self, examples: Sequence[np.ndarray]) -> dict[str, Endpoint]:
        """Return `recognize`, from samples to log probabilities and the labels of the texts.

        Inputs: `samples` and `lengths`, see `text_signatures`. Outputs: `log_probs`
        `(batch, timesteps, characters + 1)`, blank first. After the end of a recording, the blank
        has probability 1. With a lexicon also `labels` `(batch, timesteps)`, int32, the ids of the
        characters of the texts of `transcribe`, padded with 0.

        Args:
            examples: Recordings to verify the export on.
        """
        search = self._search() if self.model.lexicon is not None else None

        def recognize(samples: Tensor, lengths: Tensor) -> dict[str, Tensor]:
            inputs = {"samples": samples, "lengths": lengths}
            log_probs = self.model(inputs, training=False)
            if search is None:
                return {"log_probs": log_probs}
            labels, _ = search(log_probs, lengths)
            return {"log_probs": log_probs, "labels": labels}

        return {"recognize": Endpoint(recognize, _signature(), self._batches(examples))}

    def _search(self) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Return the search over words of the lexicon.

        Returns:
            Function from log probabilities and numbers of samples to labels and scores, see
            `ctc_lexicon_search`.
        """
        automaton = Lexicon(self.model.lexicon, self.model.alphabet).automaton()
        hop = self.model.front_end.step_hop

        def search(log_probs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
            # The dividend is never negative: runtimes round negative quotients differently.
            num_steps = ops.maximum((lengths + hop - 1) // hop, 1)
            return ctc_lexicon_search(log_probs, num_steps, automaton, SCORER_BEAM_WIDTH)

        return search

    def metadata(self) -> dict[str, Any]:
        """Return the sample rate, step duration, characters by id (0 is the blank), and lexicon."""
        model = self.model
        return {
            "sample_rate": model.sample_rate,
            "seconds_per_step": model.seconds_per_step,
            "characters": ["", *model.alphabet],
            "lexicon": model.lexicon,
        }

    def _batches(self, examples: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
        """Return batches of inputs: of the first recording, and of all."""
        batches = (self.model.encode(batch).inputs for batch in (examples[:1], examples))
        return [[inputs["samples"].astype("float32"), inputs["lengths"]] for inputs in batches]


def _best_path(log_probs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Return the labels of the best alignments, with 0 for blanks, and their log probabilities."""
    import tensorflow as tf

    # The steps after the end are blanks.
    steps = tf.fill(tf.shape(lengths), tf.shape(log_probs)[1])
    paths, _ = ops.ctc_decode(log_probs, steps, strategy="greedy", mask_index=BLANK)
    return tf.maximum(paths[0], 0), tf.reduce_sum(tf.reduce_max(log_probs, axis=-1), axis=-1)


def _signature() -> list[Any]:
    import tensorflow as tf

    return [
        tf.TensorSpec([None, None], tf.float32, "samples"),
        tf.TensorSpec([None], tf.int32, "lengths"),
    ]


register(CTCRecognizer, CTCRecognizerAdapter)
