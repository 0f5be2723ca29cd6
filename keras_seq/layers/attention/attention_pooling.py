"""One vector of a sequence: a weighted mean of its steps."""

import keras
from keras import ops

from keras_seq._internal.float64 import matmul, tanh
from keras_seq.scan.padding import zero_masked


@keras.saving.register_keras_serializable(package="keras_seq")
class AttentionPooling(keras.layers.Layer):
    """The mean of the steps of a sequence, weighted by how much each says (Yang et al. 2016).

        weight_t = softmax_t(v . tanh(W x_t + b)),  output = sum_t weight_t x_t

    Masked steps have the weight 0; a sequence that is masked as a whole gives zeros.

    Args:
        units: Width of W x_t.

    Input: `(batch, timesteps, features)`. Output: `(batch, features)`; with
    `return_weights=True` in the call also the weights `(batch, timesteps)`.

    Weights: `kernel` (features, units), `bias` (units,), `query` (units,).
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.supports_masking = True

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
        self.bias = self.add_weight(shape=(self.units,), name="bias", initializer="zeros")
        self.query = self.add_weight(
            shape=(self.units,), name="query", initializer=keras.initializers.RandomNormal(0.1)
        )

    def call(self, inputs, mask=None, return_weights=False):
        if mask is not None:
            inputs = zero_masked(inputs, mask)
        scores = tanh(matmul(inputs, self.kernel) + self.bias)
        scores = ops.sum(scores * self.query, axis=-1)
        if mask is not None:
            scores = ops.where(mask, scores, -1e9)
        weights = ops.softmax(scores, axis=-1)
        if mask is not None:
            weights = weights * ops.cast(mask, weights.dtype)
        pooled = ops.sum(weights[:, :, None] * inputs, axis=1)
        return (pooled, weights) if return_weights else pooled

    def compute_mask(self, inputs, previous=None):
        return None

    def compute_output_spec(self, inputs, mask=None, return_weights=False):
        batch, timesteps, features = inputs.shape
        pooled = keras.KerasTensor((batch, features), inputs.dtype)
        weights = keras.KerasTensor((batch, timesteps), inputs.dtype)
        return (pooled, weights) if return_weights else pooled

    def get_config(self):
        return {**super().get_config(), "units": self.units}
