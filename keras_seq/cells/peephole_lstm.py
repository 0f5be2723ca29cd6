import keras
from keras import ops

from keras_seq._internal.float64 import matmul
from keras_seq._internal.types import Shape, States, Tensor
from keras_seq.cells.base import Step
from keras_seq.cells.lstm import LSTMCell


@keras.saving.register_keras_serializable(package="keras_seq")
class PeepholeLSTMCell(LSTMCell):
    """LSTM cell with full-matrix peepholes; for diagonal ones see `DiagonalPeepholeLSTMCell`.

    The gates read the cell state c_{t-1}, through full matrices, in place of h_{t-1}:

        i_t = sigma(W_i x_t + U_i c_{t-1} + b_i)    input
        f_t = sigma(W_f x_t + U_f c_{t-1} + b_f)    forget
        o_t = sigma(W_o x_t + U_o c_{t-1} + b_o)    output
        g_t = activation(W_c x_t + b_c)             candidate
        c_t = f_t * c_{t-1} + i_t * g_t
        h_t = o_t * activation(c_t)

    The recurrence is through c only. h_t is a state as in every LSTM, but no equation reads it.

    Weights, in the order of `get_weights()`:

    - W: `kernel` `(features, 4 * units)`, columns in the order i, f, c, o
    - U: `recurrent_kernel` `(units, 3 * units)`, columns in the order i, f, o
    - b: `bias` `(4 * units,)`, in the order i, f, c, o

    sigma is `recurrent_activation`. States: `[h, c]`. Output: h. Gates: `input`, `forget`,
    `candidate`, `output`. The arguments are those of `LSTMCell`; recurrent dropout applies to the
    c_{t-1} that the gates read.

    >>> import keras
    >>> from keras_seq import cells, layers
    >>> layer = layers.RNN(cells.PeepholeLSTMCell(8))
    >>> tuple(layer(keras.random.normal((2, 5, 3))).shape)
    (2, 8)

    Source: course notes on sequence models; peepholes within each unit: Gers & Schmidhuber 2000.
    """

    def build(self, input_shape: Shape) -> None:
        self.kernel = self.add_kernel(input_shape[-1], 4 * self.units)
        self.recurrent_kernel = self.add_recurrent_kernel(3 * self.units)
        self.bias = self.add_bias((4 * self.units,), self.initial_bias)

    def step(self, projected: Tensor, states: States, training: bool | None = False) -> Step:
        _, c_previous = states
        x_i, x_f, x_c, x_o = ops.split(projected, 4, axis=-1)
        u = matmul(self.drop_state(c_previous, training), self.recurrent_kernel)
        u_i, u_f, u_o = ops.split(u, 3, axis=-1)
        i = self.gate(x_i + u_i)
        f = self.gate(x_f + u_f)
        o = self.gate(x_o + u_o)
        g = self.activate(x_c)
        c = f * c_previous + i * g
        h = o * self.activate(c)
        return Step(h, [h, c], {"input": i, "forget": f, "candidate": g, "output": o})
