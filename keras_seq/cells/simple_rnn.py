import keras

from keras_seq._internal.float64 import matmul
from keras_seq._internal.types import Shape, States, Tensor
from keras_seq.cells.base import RecurrentCell, Step


@keras.saving.register_keras_serializable(package="keras_seq")
class SimpleRNNCell(RecurrentCell):
    """Simple (Elman) recurrent cell.

        h_t = activation(W x_t + U h_{t-1} + b)

    Weights, in the order of `get_weights()`:

    - W: `kernel` `(features, units)`; also written W_ax
    - U: `recurrent_kernel` `(units, units)`; also written W_aa
    - b: `bias` `(units,)`; also written b_a

    States: `[h]`. Output: h. Gates: `candidate`, which is h_t. The arguments are those of
    `RecurrentCell`.

    >>> import keras
    >>> from keras_seq import cells, layers
    >>> layer = layers.RNN(cells.SimpleRNNCell(8))
    >>> tuple(layer(keras.random.normal((2, 5, 3))).shape)
    (2, 8)

    Source: Elman 1990, "Finding structure in time".
    """

    def build(self, input_shape: Shape) -> None:
        self.kernel = self.add_kernel(input_shape[-1], self.units)
        self.recurrent_kernel = self.add_recurrent_kernel(self.units)
        self.bias = self.add_bias((self.units,))

    def project(self, inputs: Tensor) -> Tensor:
        projected = matmul(inputs, self.kernel)
        return projected + self.bias if self.use_bias else projected

    def step(self, projected: Tensor, states: States, training: bool | None = False) -> Step:
        (h_previous,) = states
        u = matmul(self.drop_state(h_previous, training), self.recurrent_kernel)
        h = self.activate(projected + u)
        return Step(h, [h], {"candidate": h})
