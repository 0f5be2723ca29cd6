from typing import Any

import keras
from keras import ops

from keras_seq._internal.float64 import matmul
from keras_seq._internal.types import Config, Initializer, Shape, States, Tensor
from keras_seq.cells.base import Step
from keras_seq.cells.lstm import LSTMCell


@keras.saving.register_keras_serializable(package="keras_seq")
class DiagonalPeepholeLSTMCell(LSTMCell):
    """LSTM cell with diagonal peepholes; for full matrices see `PeepholeLSTMCell`.

    The gates of a unit read h_{t-1} and the unit's own cell state:

        i_t = sigma(W_i x_t + U_i h_{t-1} + p_i * c_{t-1} + b_i)    input
        f_t = sigma(W_f x_t + U_f h_{t-1} + p_f * c_{t-1} + b_f)    forget
        g_t = activation(W_c x_t + U_c h_{t-1} + b_c)               candidate
        c_t = f_t * c_{t-1} + i_t * g_t
        o_t = sigma(W_o x_t + U_o h_{t-1} + p_o * c_t + b_o)        output
        h_t = o_t * activation(c_t)

    Weights, in the order of `get_weights()`, with columns in the order i, f, c, o:

    - W: `kernel` `(features, 4 * units)`
    - U: `recurrent_kernel` `(units, 4 * units)`
    - b: `bias` `(4 * units,)`
    - p_i, p_f, p_o: `input_gate_peephole_weights`, `forget_gate_peephole_weights`,
      `output_gate_peephole_weights`, each `(units,)`

    `PeepholeLSTMCell` of TensorFlow Addons has the same weights in the same order. Recurrent
    dropout does not apply to the peepholes.

    sigma is `recurrent_activation`. States: `[h, c]`. Output: h. Gates: `input`, `forget`,
    `candidate`, `output`.

    >>> import keras
    >>> from keras_seq import cells, layers
    >>> layer = layers.RNN(cells.DiagonalPeepholeLSTMCell(8, peephole_initializer="zeros"))
    >>> tuple(layer(keras.random.normal((2, 5, 3))).shape)
    (2, 8)

    Source: Gers, Schraudolph & Schmidhuber 2002; Sak et al. 2014, arXiv:1402.1128.

    Args:
        units: Number of hidden units, at least 1.
        *args: Further arguments of `GatedCell`, in its order.
        peephole_initializer: Initializer of the peepholes. Default: `kernel_initializer`, as in
            TensorFlow Addons. With "zeros", training starts from a plain LSTM.
        **kwargs: Further arguments of `LSTMCell`.
    """

    def __init__(
        self,
        units: int,
        *args: Any,
        peephole_initializer: Initializer = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, *args, **kwargs)
        self.peephole_initializer = keras.initializers.get(peephole_initializer)

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        self.input_gate_peephole_weights = self.add_peephole("input")
        self.forget_gate_peephole_weights = self.add_peephole("forget")
        self.output_gate_peephole_weights = self.add_peephole("output")

    def add_peephole(self, gate: str) -> keras.Variable:
        """Add the peephole weights `(units,)` of a gate, given by its name."""
        return self.add_weight(
            name=f"{gate}_gate_peephole_weights",
            shape=(self.units,),
            initializer=self.peephole_initializer or self.kernel_initializer,
        )

    def step(self, projected: Tensor, states: States, training: bool | None = False) -> Step:
        h_previous, c_previous = states
        u = matmul(self.drop_state(h_previous, training), self.recurrent_kernel)
        z_i, z_f, z_c, z_o = ops.split(projected + u, 4, axis=-1)
        i = self.gate(z_i + self.input_gate_peephole_weights * c_previous)
        f = self.gate(z_f + self.forget_gate_peephole_weights * c_previous)
        g = self.activate(z_c)
        c = f * c_previous + i * g
        o = self.gate(z_o + self.output_gate_peephole_weights * c)
        h = o * self.activate(c)
        return Step(h, [h, c], {"input": i, "forget": f, "candidate": g, "output": o})

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "peephole_initializer": keras.initializers.serialize(self.peephole_initializer),
        }
