import keras
from keras import ops

from keras_seq._internal.float64 import matmul
from keras_seq.cells.base import GatedCell, Step


@keras.saving.register_keras_serializable(package="keras_seq")
class LSTMCell(GatedCell):
    """Long short-term memory: gates decide what the cell state takes in, keeps and shows.

        i_t = sigma(W_i x_t + U_i h_{t-1} + b_i)         input
        f_t = sigma(W_f x_t + U_f h_{t-1} + b_f)         forget
        g_t = activation(W_c x_t + U_c h_{t-1} + b_c)    candidate
        o_t = sigma(W_o x_t + U_o h_{t-1} + b_o)         output
        c_t = f_t * c_{t-1} + i_t * g_t
        h_t = o_t * activation(c_t)

    Symbols and weights, in the order of `get_weights()`; columns in the order i, f, c, o:

    - W: `kernel` (features, 4 * units)
    - U: `recurrent_kernel` (units, 4 * units)
    - b: `bias` (4 * units,)
    - sigma: `recurrent_activation`

    States: [h, c]. Output: h. Gates: `input`, `forget`, `candidate`, `output`.

    Source: Hochreiter and Schmidhuber (1997); the forget gate: Gers et al. (2000).

    Args:
        unit_forget_bias: Whether the forget gate's bias starts at 1 (Jozefowicz et al., 2015). The
            other arguments are those of `RecurrentCell` and `recurrent_activation`.
    """

    def __init__(self, units, *args, unit_forget_bias=True, **kwargs):
        super().__init__(units, *args, **kwargs)
        self.unit_forget_bias = unit_forget_bias
        self.state_size = [self.units, self.units]

    def build(self, input_shape):
        self.kernel = self.add_kernel(input_shape[-1], 4 * self.units)
        self.recurrent_kernel = self.add_recurrent_kernel(4 * self.units)
        self.bias = self.add_bias((4 * self.units,), self.initial_bias)

    def initial_bias(self, shape, dtype=None):
        """`bias_initializer`, with ones for the forget gate if `unit_forget_bias`."""
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

    def project(self, inputs):
        projected = matmul(inputs, self.kernel)
        return projected + self.bias if self.use_bias else projected

    def step(self, projected, states, training=False):
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

    def get_config(self):
        return {**super().get_config(), "unit_forget_bias": self.unit_forget_bias}
