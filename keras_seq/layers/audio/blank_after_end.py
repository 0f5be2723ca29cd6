"""Log probabilities of CTC that need no lengths beside them."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq.scan.ctc import BLANK

NEVER = -1e4
"""Log probability of a letter after the end of a recording."""


@keras.saving.register_keras_serializable(package="keras_seq")
class BlankAfterEnd(keras.layers.Layer):
    """Log probabilities of logits, with a certain blank wherever the mask is False.

    So neither the loss nor a decoder needs to know how long a recording is.

    Args:
        num_offsets: Number of rows in the batch for each recording, one after the other, outside of
            training. The mean of their probabilities is returned. See `FrontEnd`.

    Call arguments:
        logits: `(batch, timesteps, classes)`; class 0 is the blank.
        mask: Bools `(batch, timesteps)`.
        training: Whether each recording has one row.

    Returns:
        float32 `(recordings, timesteps, classes)`.
    """

    def __init__(self, num_offsets: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_offsets = num_offsets
        self.supports_masking = True

    def call(self, logits: Any, mask: Any, training: bool | None = False) -> Any:
        log_probs = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
        if self.num_offsets > 1 and not training:
            shape = (-1, self.num_offsets, *ops.shape(log_probs)[1:])
            log_probs = ops.logsumexp(ops.reshape(log_probs, shape), axis=1)
            log_probs -= np.float32(np.log(self.num_offsets))
            mask = mask[:: self.num_offsets]
        blank = np.full(logits.shape[-1], NEVER, "float32")
        blank[BLANK] = 0.0
        return ops.where(mask[:, :, None], log_probs, blank)

    def compute_mask(self, logits: Any, previous_mask: Any) -> None:
        # All time steps count from here on.
        return None

    def compute_output_spec(self, logits: Any, mask: Any, training: bool | None = False) -> Any:
        return keras.KerasTensor(logits.shape, "float32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_offsets": self.num_offsets}
