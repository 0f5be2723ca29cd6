from typing import Any

import keras
from keras import ops

from keras_seq._internal.float64 import matmul
from keras_seq._internal.types import Config, Shape, States, Tensor
from keras_seq.cells.base import GatedCell, Step


@keras.saving.register_keras_serializable(package="keras_seq")
class LSTMCell(GatedCell):
    """Long short-term memory (LSTM) cell.

        i_t = sigma(W_i x_t + U_i h_{t-1} + b_i)         input
        f_t = sigma(W_f x_t + U_f h_{t-1} + b_f)         forget
        g_t = activation(W_c x_t + U_c h_{t-1} + b_c)    candidate
        o_t = sigma(W_o x_t + U_o h_{t-1} + b_o)         output
        c_t = f_t * c_{t-1} + i_t * g_t
        h_t = o_t * activation(c_t)

    Weights, in the order of `get_weights()`, with columns in the order i, f, c, o:

    - W: `kernel` `(features, 4 * units)`
    - U: `recurrent_kernel` `(units, 4 * units)`
    - b: `bias` `(4 * units,)`

    sigma is `recurrent_activation`. States: `[h, c]`. Output: h. Gates: `input`, `forget`,
    `candidate`, `output`.

    >>> import keras
    >>> from keras_seq import cells, layers
    >>> layer = layers.RNN(cells.LSTMCell(8), return_state=True)
    >>> output, h, c = layer(keras.random.normal((2, 5, 3)))
    >>> tuple(output.shape), tuple(c.shape)
    ((2, 8), (2, 8))

    Source: Hochreiter & Schmidhuber 1997; forget gate: Gers, Schmidhuber & Cummins 2000.

    Args:
        units: Number of hidden units, at least 1.
        *args: Further arguments of `GatedCell`, in its order.
        unit_forget_bias: Whether the bias of the forget gate is initialized to 1 (Jozefowicz et al.
            2015).
        **kwargs: Further arguments of `GatedCell`.
    """

    def __init__(
        self, units: int, *args: Any, unit_forget_bias: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(units, *args, **kwargs)
        self.unit_forget_bias = unit_forget_bias
        self.state_size = [self.units, self.units]

    def build(self, input_shape: Shape) -> None:
        self.kernel = self.add_kernel(input_shape[-1], 4 * self.units)
        self.recurrent_kernel = self.add_recurrent_kernel(4 * self.units)
        self.bias = self.add_bias((4 * self.units,), self.initial_bias)

    def initial_bias(self, shape: Shape, dtype: str | None = None) -> Tensor:
        """Return the initial bias: ones for the forget gate if `unit_forget_bias`.

        Args:
            shape: Shape of the bias, `(4 * units,)`.
            dtype: Data type of the bias.
        """
        if not self.unit_forget_bias:
            return self.bias_initializer(shape, dtype=dtype)
        i, f, c_o = (self.units,), (self.units,), (2 * self.units,)
        return ops.concatenate(
            [
                self.bias_initializer(i, dtype=dtype),
                ops.ones(f, dtype=dtype),
                self.bias_initializer(c_o, dtype=dtype),
            ]
        )

    def project(self, inputs: Tensor) -> Tensor:
        projected = matmul(inputs, self.kernel)
        return projected + self.bias if self.use_bias else projected

    def step(self, projected: Tensor, states: States, training: bool | None = False) -> Step:
        h_previous, c_previous = states
        u = matmul(self.drop_state(h_previous, training), self.recurrent_kernel)
        z_i, z_f, z_c, z_o = ops.split(projected + u, 4, axis=-1)
        i = self.gate(z_i)
        f = self.gate(z_f)
        g = self.activate(z_c)
        o = self.gate(z_o)
        c = f * c_previous + i * g
        h = o * self.activate(c)
        return Step(h, [h, c], {"input": i, "forget": f, "candidate": g, "output": o})

    def get_config(self) -> Config:
        return {**super().get_config(), "unit_forget_bias": self.unit_forget_bias}
