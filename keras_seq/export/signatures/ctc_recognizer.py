"""Export of a `CTCRecognizer`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_seq._internal.types import Tensor
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
        `(batch,)`, the numbers of samples. Outputs: `texts` `(batch,)`, by greedy decoding;
        `scores` `(batch,)`, the log probabilities of the best alignments.

        Args:
            examples: Recordings to verify the export on.
        """
        import tensorflow as tf

        model = self.model
        characters = tf.constant(["", *model.alphabet])

        def recognize(samples: Tensor, lengths: Tensor) -> dict[str, Tensor]:
            log_probs = model({"samples": samples, "lengths": lengths}, training=False)
            steps = tf.fill(tf.shape(lengths), tf.shape(log_probs)[1])
            paths, _ = ops.ctc_decode(log_probs, steps, strategy="greedy", mask_index=BLANK)
            texts = tf.gather(characters, tf.maximum(paths[0], 0))
            return {
                "texts": tf.strings.reduce_join(texts, axis=-1),
                "scores": tf.reduce_sum(tf.reduce_max(log_probs, axis=-1), axis=-1),
            }

        return {"recognize": Endpoint(recognize, _signature(), self._batches(examples))}

    def tensor_signatures(self, examples: Sequence[np.ndarray]) -> dict[str, Endpoint]:
        """Return `recognize`, from samples to log probabilities.

        Inputs: `samples` and `lengths`, see `text_signatures`. Output: `log_probs`
        `(batch, timesteps, characters + 1)`, blank first. After the end of a recording, the blank
        has probability 1.

        Args:
            examples: Recordings to verify the export on.
        """

        def recognize(samples: Tensor, lengths: Tensor) -> dict[str, Tensor]:
            inputs = {"samples": samples, "lengths": lengths}
            return {"log_probs": self.model(inputs, training=False)}

        return {"recognize": Endpoint(recognize, _signature(), self._batches(examples))}

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


def _signature() -> list[Any]:
    import tensorflow as tf

    return [
        tf.TensorSpec([None, None], tf.float32, "samples"),
        tf.TensorSpec([None], tf.int32, "lengths"),
    ]


register(CTCRecognizer, CTCRecognizerAdapter)
