"""Log probabilities for CTC with blanks after the end of each recording."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq._internal.ranges import PositiveInt, check_arguments
from keras_seq._internal.types import Config, Tensor
from keras_seq.scan.ctc import BLANK

NEG_INF = -1e4
"""Log probability of a character after the end of a recording, in place of minus infinity."""


@keras.saving.register_keras_serializable(package="keras_seq")
class BlankAfterEnd(keras.layers.Layer):
    """Log-softmax for CTC in which the blank has probability 1 at masked time steps.

    Neither the loss nor a decoder then needs the lengths of the recordings.

    >>> import numpy as np
    >>> from keras import ops
    >>> from keras_seq.layers.audio.blank_after_end import BlankAfterEnd
    >>> log_probs = BlankAfterEnd()(np.zeros((1, 2, 2)), np.array([[True, False]]))
    >>> ops.convert_to_numpy(ops.exp(log_probs)).tolist()
    [[[0.5, 0.5], [1.0, 0.0]]]

    Args:
        num_offsets: Number of successive rows per recording at inference, see `FrontEnd`. Their
            probabilities are averaged.

    Call arguments:
        logits: `(batch, timesteps, classes)`; class 0 is the blank.
        mask: Bools `(batch, timesteps)`, False after the end of a recording.
        training: Whether there is only one row per recording.

    Returns:
        float32 `(recordings, timesteps, classes)`.
    """

    def __init__(self, num_offsets: PositiveInt = 1, **kwargs: Any) -> None:
        check_arguments(BlankAfterEnd, locals())
        super().__init__(**kwargs)
        self.num_offsets = num_offsets
        self.supports_masking = True

    def call(self, logits: Tensor, mask: Tensor, training: bool | None = False) -> Tensor:
        log_probs = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
        if self.num_offsets > 1 and not training:
            shape = (-1, self.num_offsets, *ops.shape(log_probs)[1:])
            log_probs = ops.logsumexp(ops.reshape(log_probs, shape), axis=1)
            log_probs -= np.float32(np.log(self.num_offsets))
            mask = mask[:: self.num_offsets]
        blank = np.full(logits.shape[-1], NEG_INF, "float32")
        blank[BLANK] = 0.0
        return ops.where(mask[:, :, None], log_probs, blank)

    def compute_mask(self, logits: Tensor, previous_mask: Tensor | None) -> None:
        return None  # Masked time steps are blanks, which the loss reads.

    def compute_output_spec(
        self, logits: Tensor, mask: Tensor, training: bool | None = False
    ) -> keras.KerasTensor:
        return keras.KerasTensor(logits.shape, "float32")

    def get_config(self) -> Config:
        return {**super().get_config(), "num_offsets": self.num_offsets}
