"""Layers that apply one layer at every time step."""

from typing import Any

import keras
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.keras_compat import takes_mask, takes_training
from keras_seq._internal.types import Tensor


@keras.saving.register_keras_serializable(package="keras_seq")
class TimeDistributed(keras.layers.TimeDistributed):
    """`keras.layers.TimeDistributed` that also supports an unknown number of time steps.

    Keras 3.15 takes the batch size for an unknown number of time steps on TensorFlow. Each time
    step is one call of the layer, with the mask of that step. `FlattenTime` makes one call for all
    steps.

    >>> import keras
    >>> from keras_seq.layers import TimeDistributed
    >>> layer = TimeDistributed(keras.layers.Dense(4))
    >>> tuple(layer(keras.random.normal((2, 5, 3))).shape)
    (2, 5, 4)

    Args:
        layer: A `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, timesteps, ...)`.
        mask: Bools `(batch, timesteps, ...)`, for a layer that takes a mask.
        training: Passed to the layer.

    Returns:
        `(batch, timesteps, ...)`.

    Raises:
        InputError: If the mask does not have the batch size and the time steps of the inputs.
    """

    def call(
        self, inputs: Tensor, training: bool | None = None, mask: Tensor | None = None
    ) -> Tensor:
        _check_mask(self, inputs, mask)
        if inputs.shape[1] is not None:
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        options = {"training": training} if takes_training(self.layer) else {}
        is_masked = mask is not None and takes_mask(self.layer)
        step_inputs = keras.KerasTensor((inputs.shape[0], *inputs.shape[2:]), inputs.dtype.name)
        dtype = self.layer.compute_output_spec(step_inputs).dtype
        if keras.backend.is_float_dtype(dtype):
            dtype = self.compute_dtype

        def step(elements: list[Tensor]) -> Tensor:
            if is_masked:
                options["mask"] = elements[1]
            return ops.cast(self.layer.call(elements[0], **options), dtype)

        elements = [inputs, mask] if is_masked else [inputs]
        outputs = tf.map_fn(
            step,
            [ops.swapaxes(element, 0, 1) for element in elements],
            # One after the other, since a step may change a variable.
            parallel_iterations=1,
            fn_output_signature=tf.as_dtype(dtype),
        )
        return ops.swapaxes(outputs, 0, 1)


@keras.saving.register_keras_serializable(package="keras_seq")
class FlattenTime(keras.layers.TimeDistributed):
    """Wrapper that applies a layer to all time steps in one call, as `batch * timesteps` rows.

    It is faster than `TimeDistributed`, and equivalent to it for layers that process each row on
    its own. `BatchNormalization` computes its statistics over all time steps. The wrapper has the
    dtype policy of the layer.

    >>> import keras
    >>> from keras_seq.layers import FlattenTime
    >>> layer = FlattenTime(keras.layers.Dense(4))
    >>> tuple(layer(keras.random.normal((2, 5, 3))).shape)
    (2, 5, 4)

    Args:
        layer: A `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, timesteps, ...)`.
        mask: Bools `(batch, timesteps, ...)`, for a layer that takes a mask. It is also the mask of
            the outputs. If these have fewer axes, it is reduced to `(batch, timesteps)` by
            `ops.any`.
        training: Passed to the layer.

    Returns:
        `(batch, timesteps, ...)`.

    Raises:
        InputError: If the mask does not have the batch size and the time steps of the inputs.
    """

    def __init__(self, layer: keras.layers.Layer, **kwargs: Any) -> None:
        super().__init__(layer, **{"dtype": getattr(layer, "dtype_policy", None), **kwargs})

    def call(
        self, inputs: Tensor, training: bool | None = None, mask: Tensor | None = None
    ) -> Tensor:
        _check_mask(self, inputs, mask)
        batch, timesteps = ops.shape(inputs)[:2]

        def flatten(x: Tensor) -> Tensor:
            return ops.reshape(x, (batch * timesteps, *x.shape[2:]))

        options = {}
        if mask is not None and takes_mask(self.layer):
            options["mask"] = flatten(mask)
        # Keras passes `training` on to the layer.
        outputs = self.layer(flatten(inputs), **options)
        return ops.reshape(outputs, (batch, timesteps, *outputs.shape[1:]))

    def compute_output_spec(self, inputs: Tensor, *args: Any, **kwargs: Any) -> keras.KerasTensor:
        step = keras.KerasTensor((inputs.shape[0], *inputs.shape[2:]), inputs.dtype)
        output = self.layer.compute_output_spec(step)
        shape = (*inputs.shape[:2], *output.shape[1:])
        return keras.KerasTensor(shape, output.dtype)

    def compute_mask(self, inputs: Tensor, mask: Tensor | None) -> Tensor | None:
        if mask is None or len(mask.shape) < len(self.compute_output_shape(tuple(inputs.shape))):
            return mask
        return ops.any(mask, axis=tuple(range(2, len(mask.shape))))


def _check_mask(layer: keras.layers.Layer, inputs: Tensor, mask: Tensor | None) -> None:
    """Raise an error if a mask does not fit the inputs."""
    if mask is None:
        return
    kind = "FlattenTime" if isinstance(layer, FlattenTime) else "TimeDistributed"
    expected, shape = tuple(inputs.shape[:2]), tuple(mask.shape)
    pairs = zip(shape, expected)
    if len(shape) < 2 or any(None not in pair and pair[0] != pair[1] for pair in pairs):
        # Keras's error begins with the same words, which users may search for.
        raise InputError(
            f"{layer.name}: The `mask` passed to the `{kind}` layer has a shape {shape}; "
            f"it must begin with the axes (batch, timesteps) of the inputs, {expected}."
        )
