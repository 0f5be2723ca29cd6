"""The same layer at every time step."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_seq")
class TimeDistributed(keras.layers.TimeDistributed):
    """Keras's `TimeDistributed` for sequences of any length: all steps of all rows are one batch.

    Keras's own goes through as many steps as the batch has rows where the number of steps is not
    known (Keras 3.15), and through one after the other where it is. A mask goes on to the next
    layer; the layer inside sees none.

    Args:
        layer: A `keras.layers.Layer`.

    Input: `(batch, timesteps, ...)`. Output: `(batch, timesteps, ...)`.
    """

    def call(self, inputs, training=None, mask=None):
        batch, timesteps = ops.shape(inputs)[:2]
        # `training` reaches the layer by itself.
        outputs = self.layer(ops.reshape(inputs, (-1, *inputs.shape[2:])))
        return ops.reshape(outputs, (batch, timesteps, *outputs.shape[1:]))
