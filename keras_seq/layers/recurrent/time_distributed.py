"""The same layer at every time step."""

from typing import Any

import keras
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.keras_compat import takes_mask, takes_training


@keras.saving.register_keras_serializable(package="keras_seq")
class TimeDistributed(keras.layers.TimeDistributed):
    """Keras's `TimeDistributed`, also where TensorFlow does not know the number of time steps.

    Keras's own (3.15) then takes the number of rows for that of the steps. Each step is one call of
    the layer, with the mask of that step. `FlattenTime` makes one call for all steps.

    Args:
        layer: A `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, timesteps, ...)`.
        mask: Bools `(batch, timesteps, ...)`, for a layer that takes a mask.
        training: Whether the layer trains.

    Returns:
        `(batch, timesteps, ...)`.

    Raises:
        InputError: If the mask has another batch or another number of time steps.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        _check_mask(self, inputs, mask)
        if inputs.shape[1] is not None:
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        options = {"training": training} if takes_training(self.layer) else {}
        masked = mask is not None and takes_mask(self.layer)
        first = keras.KerasTensor((inputs.shape[0], *inputs.shape[2:]), inputs.dtype.name)
        dtype = self.layer.compute_output_spec(first).dtype
        if keras.backend.is_float_dtype(dtype):
            dtype = self.compute_dtype

        def step(elements: list) -> Any:
            if masked:
                options["mask"] = elements[1]
            return ops.cast(self.layer.call(elements[0], **options), dtype)

        elements = [inputs, mask] if masked else [inputs]
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
    """A layer applied to all time steps in one call: all steps of all rows are one batch.

    That is faster than `TimeDistributed`, and the same for layers that treat each row by itself.
    `BatchNormalization` takes its statistics over all steps. The layer computes in its own dtype.

    Args:
        layer: A `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, timesteps, ...)`.
        mask: Bools `(batch, timesteps, ...)`, for a layer that takes a mask. The next layer gets it
            too, or `(batch, timesteps)`, where the outputs have not its further axes: True where
            any was.
        training: Whether the layer trains.

    Returns:
        `(batch, timesteps, ...)`.

    Raises:
        InputError: If the mask has another batch or another number of time steps.
    """

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        super().__init__(layer, **{"dtype": getattr(layer, "dtype_policy", None), **kwargs})

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        _check_mask(self, inputs, mask)
        batch, timesteps = ops.shape(inputs)[:2]

        def flat(x: Any) -> Any:
            return ops.reshape(x, (batch * timesteps, *x.shape[2:]))

        options = {}
        if mask is not None and takes_mask(self.layer):
            options["mask"] = flat(mask)
        # `training` reaches the layer by itself.
        outputs = self.layer(flat(inputs), **options)
        return ops.reshape(outputs, (batch, timesteps, *outputs.shape[1:]))

    def compute_output_spec(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        step = keras.KerasTensor((inputs.shape[0], *inputs.shape[2:]), inputs.dtype)
        output = self.layer.compute_output_spec(step)
        shape = (*inputs.shape[:2], *output.shape[1:])
        return keras.KerasTensor(shape, output.dtype)

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        if mask is None or len(mask.shape) < len(self.compute_output_shape(tuple(inputs.shape))):
            return mask
        return ops.any(mask, axis=tuple(range(2, len(mask.shape))))


def _check_mask(layer: Any, inputs: Any, mask: Any) -> None:
    """Refuse a mask that is not of these inputs."""
    if mask is None:
        return
    kind = "FlattenTime" if isinstance(layer, FlattenTime) else "TimeDistributed"
    wanted, found = tuple(inputs.shape[:2]), tuple(mask.shape)
    pairs = zip(found, wanted)
    if len(found) < 2 or any(None not in pair and pair[0] != pair[1] for pair in pairs):
        # Begins as Keras's own sentence does.
        raise InputError(
            f"{layer.name}: The `mask` passed to the `{kind}` layer has a shape {found}; "
            f"it must begin with the axes (batch, timesteps) of the inputs, {wanted}."
        )
