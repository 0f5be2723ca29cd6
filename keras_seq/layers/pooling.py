"""One vector per sequence: its largest values, or its middle."""

from typing import Any

import keras
from keras import ops

from keras_seq._internal.errors import InputError


class _Pooling(keras.layers.Layer):
    """Base of the layers from sequences to one vector each."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_mask(self, sequences: Any, mask: Any = None) -> None:
        return None  # no time steps are left

    def compute_output_shape(self, sequences_shape: Any) -> Any:
        return (sequences_shape[0], sequences_shape[-1])


@keras.saving.register_keras_serializable(package="keras_seq")
class MaxPooling(_Pooling):
    """Largest value of each feature over the time steps that are not masked.

    >>> import numpy as np
    >>> from keras_seq.layers import MaxPooling
    >>> x = np.array([[[1.0], [3.0], [7.0]]])
    >>> MaxPooling()(x, mask=np.array([[True, True, False]])).numpy().tolist()
    [[3.0]]

    Call arguments:
        sequences: `(batch, timesteps, features)`.
        mask: Bools `(batch, timesteps)`, False where a time step is to be skipped.

    Returns:
        `(batch, features)`.
    """

    def call(self, sequences: Any, mask: Any = None) -> Any:
        if mask is not None:
            sequences = ops.where(mask[:, :, None], sequences, -1e9)
        return ops.max(sequences, axis=1)


@keras.saving.register_keras_serializable(package="keras_seq")
class MiddlePooling(_Pooling):
    """Outputs of a bidirectional layer at the middle of a sequence, where its directions meet.

    If there are two middle time steps, each direction gives its output one step past the middle.
    For sequences whose class is decided in the middle, such as splice sites in DNA.

    >>> import numpy as np
    >>> from keras_seq.layers import MiddlePooling
    >>> x = np.array([[[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 40.0]]])
    >>> MiddlePooling()(x).numpy().tolist()
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

    def build(self, sequences_shape: Any) -> None:
        if sequences_shape[-1] % 2:
            raise InputError(
                "MiddlePooling needs the outputs of a bidirectional layer, got "
                f"{sequences_shape[-1]} features."
            )

    def call(self, sequences: Any, mask: Any = None) -> Any:
        if mask is None:
            mask = ops.ones(ops.shape(sequences)[:2], "bool")
        number = ops.cumsum(ops.cast(mask, "int32"), axis=1)  # from 1; constant after the end
        count = number[:, -1:]
        places = count // 2 + 1, (count + 1) // 2
        halves = [
            ops.sum(ops.where((mask & ops.equal(number, place))[:, :, None], half, 0.0), axis=1)
            for half, place in zip(ops.split(sequences, 2, axis=-1), places)
        ]
        return ops.concatenate(halves, axis=-1)
