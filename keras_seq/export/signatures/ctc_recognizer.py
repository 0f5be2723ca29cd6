"""Export of a `CTCRecognizer`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_seq.export.signatures.base import Adapter, Endpoint, register
from keras_seq.models.ctc_recognizer import CTCRecognizer
from keras_seq.scan.ctc import BLANK


class CTCRecognizerAdapter(Adapter):
    """Adapter of a `CTCRecognizer`: `recognize`; examples are recordings."""

    def example_inputs(self) -> list[np.ndarray]:
        """Return noises of a half and a third of a second, and an empty recording."""
        rate, random = self.model.sample_rate, np.random.default_rng(0)
        return [random.uniform(-0.5, 0.5, length) for length in (rate // 2, rate // 3, 0)]

    def text_signatures(self, examples: Sequence[np.ndarray]) -> dict[str, Endpoint]:
        """Return `recognize`, from samples to texts.

        It takes `samples` float32 `(batch, time)` within -1 to 1, padded at the end, and their
        `lengths` `(batch,)`. It returns a dict of `texts` `(batch,)` and `scores` `(batch,)`, the
        log probability of the likeliest alignment, of which the text is.

        Args:
            examples: Recordings to compare on.
        """
        import tensorflow as tf

        model = self.model
        letters = tf.constant(["", *model.alphabet])

        def recognize(samples: Any, lengths: Any) -> dict[str, Any]:
            log_probs = model({"samples": samples, "lengths": lengths}, training=False)
            steps = tf.fill(tf.shape(lengths), tf.shape(log_probs)[1])
            paths, _ = ops.ctc_decode(log_probs, steps, strategy="greedy", mask_index=BLANK)
            texts = tf.gather(letters, tf.maximum(paths[0], 0))
            return {
                "texts": tf.strings.reduce_join(texts, axis=-1),
                "scores": tf.reduce_sum(tf.reduce_max(log_probs, axis=-1), axis=-1),
            }

        return {"recognize": Endpoint(recognize, _signature(), self._batches(examples))}

    def tensor_signatures(self, examples: Sequence[np.ndarray]) -> dict[str, Endpoint]:
        """Return `recognize`, from samples to probabilities.

        It takes `samples` and `lengths` as the endpoint of that name in `text_signatures`, and
        returns a dict of `log_probs` `(batch, steps, letters + 1)`, the blank first, which is
        certain after the end.

        Args:
            examples: Recordings to compare on.
        """

        def recognize(samples: Any, lengths: Any) -> dict[str, Any]:
            inputs = {"samples": samples, "lengths": lengths}
            return {"log_probs": self.model(inputs, training=False)}

        return {"recognize": Endpoint(recognize, _signature(), self._batches(examples))}

    def metadata(self) -> dict[str, Any]:
        """Return the letters in the order of their numbers, from 0, the blank; and the lexicon."""
        model = self.model
        return {
            "sample_rate": model.sample_rate,
            "seconds_per_step": model.seconds_per_step,
            "characters": ["", *model.alphabet],
            "lexicon": model.lexicon,
        }

    def _batches(self, examples: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
        """Return the model's inputs for the first recording alone, and for all of them."""
        batches = (self.model.encode(batch).inputs for batch in (examples[:1], examples))
        return [[inputs["samples"].astype("float32"), inputs["lengths"]] for inputs in batches]


def _signature() -> list[Any]:
    import tensorflow as tf

    return [
        tf.TensorSpec([None, None], tf.float32, "samples"),
        tf.TensorSpec([None], tf.int32, "lengths"),
    ]


register(CTCRecognizer, CTCRecognizerAdapter)
