"""Pooling over time: maximum, and middle time step of a bidirectional layer."""

from typing import Any, cast

import keras
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Shape, Tensor


class _Pooling(keras.layers.Layer):
    """Base class of layers from a sequence to one vector."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_mask(self, sequences: Tensor, mask: Tensor | None = None) -> None:
        return None  # The output has no time steps.

    def compute_output_shape(self, sequences_shape: Shape) -> Shape:
        return (sequences_shape[0], sequences_shape[-1])


@keras.saving.register_keras_serializable(package="keras_seq")
class MaxPooling(_Pooling):
    """Max pooling over the unmasked time steps of a sequence.

    >>> import numpy as np
    >>> from keras import ops
    >>> from keras_seq.layers import MaxPooling
    >>> x = np.array([[[1.0], [3.0], [7.0]]])
    >>> ops.convert_to_numpy(MaxPooling()(x, mask=np.array([[True, True, False]]))).tolist()
    [[3.0]]

    Call arguments:
        sequences: `(batch, timesteps, features)`.
        mask: Bools `(batch, timesteps)`, False where a time step is skipped.

    Returns:
        `(batch, features)`, -1e9 for a sequence that is masked as a whole.
    """

    def call(self, sequences: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is not None:
            sequences = ops.where(mask[:, :, None], sequences, -1e9)
        return ops.max(sequences, axis=1)


@keras.saving.register_keras_serializable(package="keras_seq")
class MiddlePooling(_Pooling):
    """Pooling by taking the outputs of a bidirectional layer at the middle of each sequence.

    In a sequence of odd length, both directions contribute their output at the middle step. In one
    of even length, each contributes its first output past the middle, in its reading direction.
    This suits sequences that are aligned at their middle, such as splice sites in DNA.

    >>> import numpy as np
    >>> from keras import ops
    >>> from keras_seq.layers import MiddlePooling
    >>> x = np.array([[[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 40.0]]])
    >>> ops.convert_to_numpy(MiddlePooling()(x)).tolist()
    [[3.0, 20.0]]

    Call arguments:
        sequences: `(batch, timesteps, features)`. The first half of the features belongs to the
            forward direction.
        mask: Bools `(batch, timesteps)`, False only after the end of a sequence.

    Returns:
        `(batch, features)`.

    Raises:
        InputError: If the number of features is odd.
    """

    def build(self, sequences_shape: Shape) -> None:
        if cast(int, sequences_shape[-1]) % 2:
            raise InputError(
                "MiddlePooling needs the outputs of a bidirectional layer, got "
                f"{sequences_shape[-1]} features."
            )

    def call(self, sequences: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is None:
            mask = ops.ones(ops.shape(sequences)[:2], "bool")
        position = ops.cumsum(ops.cast(mask, "int32"), axis=1)  # from 1; constant after the end
        length = position[:, -1:]
        middles = length // 2 + 1, (length + 1) // 2  # of the forward and the backward direction
        outputs = [
            ops.sum(ops.where((mask & ops.equal(position, middle))[:, :, None], x, 0.0), axis=1)
            for x, middle in zip(ops.split(sequences, 2, axis=-1), middles)
        ]
        return ops.concatenate(outputs, axis=-1)
