from typing import Any

import keras
from keras import ops

from keras_seq._internal.float64 import matmul
from keras_seq._internal.types import Config, Shape, States, Tensor
from keras_seq.cells.base import GatedCell, Step


@keras.saving.register_keras_serializable(package="keras_seq")
class GRUCell(GatedCell):
    """Gated recurrent unit (GRU) cell.

        z_t = sigma(W_z x_t + U_z h_{t-1} + b_z + b'_z)                  update
        r_t = sigma(W_r x_t + U_r h_{t-1} + b_r + b'_r)                  reset
        g_t = activation(W_h x_t + b_h + r_t * (U_h h_{t-1} + b'_h))     candidate
        h_t = z_t * h_{t-1} + (1 - z_t) * g_t

    These are the equations of cuDNN, for `reset_after=True`. With `reset_after=False`, as in the
    first version of the paper, the reset gate acts before the product, and b' is absent:

        g_t = activation(W_h x_t + b_h + U_h (r_t * h_{t-1}))

    Weights, in the order of `get_weights()`, with columns in the order z, r, h:

    - W: `kernel` `(features, 3 * units)`
    - U: `recurrent_kernel` `(units, 3 * units)`
    - b, b': `bias` `(2, 3 * units)`; with `reset_after=False` only b, `(3 * units,)`

    sigma is `recurrent_activation`. States: `[h]`. Output: h. Gates: `update`, `reset`,
    `candidate`.

    >>> import keras
    >>> from keras_seq import cells, layers
    >>> layer = layers.RNN(cells.GRUCell(8), return_sequences=True)
    >>> tuple(layer(keras.random.normal((2, 5, 3))).shape)
    (2, 5, 8)

    Source: Cho et al. 2014, arXiv:1406.1078.

    Args:
        units: Number of hidden units, at least 1.
        *args: Further arguments of `GatedCell`, in its order.
        reset_after: Whether the reset gate acts after the recurrent product.
        **kwargs: Further arguments of `GatedCell`.
    """

    def __init__(self, units: int, *args: Any, reset_after: bool = True, **kwargs: Any) -> None:
        super().__init__(units, *args, **kwargs)
        self.reset_after = reset_after

    def build(self, input_shape: Shape) -> None:
        self.kernel = self.add_kernel(input_shape[-1], 3 * self.units)
        self.recurrent_kernel = self.add_recurrent_kernel(3 * self.units)
        self.bias = self.add_bias((2, 3 * self.units) if self.reset_after else (3 * self.units,))

    def project(self, inputs: Tensor) -> Tensor:
        projected = matmul(inputs, self.kernel)
        if self.bias is None:
            return projected
        return projected + (self.bias[0] if self.reset_after else self.bias)

    def step(self, projected: Tensor, states: States, training: bool | None = False) -> Step:
        (h_previous,) = states
        h_read = self.drop_state(h_previous, training)
        x_z, x_r, x_h = ops.split(projected, 3, axis=-1)
        if self.reset_after:
            u = matmul(h_read, self.recurrent_kernel)
            u_z, u_r, u_h = ops.split(u if self.bias is None else u + self.bias[1], 3, axis=-1)
        else:
            gates_kernel, candidate_kernel = ops.split(
                self.recurrent_kernel, [2 * self.units], axis=-1
            )
            u_z, u_r = ops.split(matmul(h_read, gates_kernel), 2, axis=-1)
        z = self.gate(x_z + u_z)
        r = self.gate(x_r + u_r)
        g = r * u_h if self.reset_after else matmul(r * h_read, candidate_kernel)
        g = self.activate(x_h + g)
        h = z * h_previous + (1 - z) * g
        return Step(h, [h], {"update": z, "reset": r, "candidate": g})

    def get_config(self) -> Config:
        return {**super().get_config(), "reset_after": self.reset_after}
