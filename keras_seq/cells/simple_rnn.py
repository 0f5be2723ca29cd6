import keras

from keras_seq._internal.float64 import matmul
from keras_seq.cells.base import RecurrentCell, Step


@keras.saving.register_keras_serializable(package="keras_seq")
class SimpleRNNCell(RecurrentCell):
    """The plain recurrent cell: the new state is one layer over the input and the old state.

        h_t = activation(W x_t + U h_{t-1} + b)

    Symbols and weights, in the order of `get_weights()`:

    - W: `kernel` (features, units); W_ax in the notes
    - U: `recurrent_kernel` (units, units); W_aa in the notes
    - b: `bias` (units,); b_a in the notes

    States: [h]. Output: h. Gates: `candidate` (h_t itself). Arguments as `RecurrentCell`.

    Source: Elman (1990), Finding structure in time.
    """

    def build(self, input_shape):
        self.kernel = self.add_kernel(input_shape[-1], self.units)
        self.recurrent_kernel = self.add_recurrent_kernel(self.units)
        self.bias = self.add_bias((self.units,))

    def project(self, inputs):
        projected = matmul(inputs, self.kernel)
        return projected + self.bias if self.use_bias else projected

    def step(self, projected, states, training=False):
        (h_previous,) = states
        u = matmul(self.drop_state(h_previous, training), self.recurrent_kernel)
        h = self.activate(projected + u)
        return Step(h, [h], {"candidate": h})
