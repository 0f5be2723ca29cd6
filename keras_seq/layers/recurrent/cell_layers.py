"""Recurrent layers of the cells of `keras_seq.cells`, with the arguments of Keras's layers."""

from typing import TYPE_CHECKING, Any, Literal

import keras

from keras_seq import cells
from keras_seq._internal.types import Activation, Constraint, Initializer, Regularizer
from keras_seq.layers.recurrent.cell_layer import CellLayer, CudnnLayer


@keras.saving.register_keras_serializable(package="keras_seq")
class SimpleRNN(CellLayer):
    """Simple recurrent layer; a drop-in replacement for `keras.layers.SimpleRNN`.

    Equations and weights are those of `keras_seq.cells.SimpleRNNCell`. It is called like
    `keras_seq.layers.RNN`.

    >>> import keras
    >>> from keras_seq.layers import SimpleRNN
    >>> tuple(SimpleRNN(8, return_sequences=True)(keras.random.normal((2, 5, 3))).shape)
    (2, 5, 8)

    Args:
        units: Number of hidden units.
        activation: Activation of the output.
        use_bias: Whether to add a bias.
        kernel_*, recurrent_*, bias_*: Initializer, regularizer and constraint of each weight.
        dropout: Fraction of the inputs to drop in training; one mask for all time steps.
        recurrent_dropout: Fraction of the state to drop in training; one mask for all time steps.
        seed: Random seed of dropout.
        return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask,
            checkpoint: See `keras_seq.layers.RNN`.
        activity_regularizer: Regularizer of the outputs.
    """

    cell_class = cells.SimpleRNNCell

    if TYPE_CHECKING:

        def __init__(
            self,
            units: int,
            activation: Activation = "tanh",
            use_bias: bool = True,
            kernel_initializer: Initializer = "glorot_uniform",
            recurrent_initializer: Initializer = "orthogonal",
            bias_initializer: Initializer = "zeros",
            kernel_regularizer: Regularizer = None,
            recurrent_regularizer: Regularizer = None,
            bias_regularizer: Regularizer = None,
            kernel_constraint: Constraint = None,
            recurrent_constraint: Constraint = None,
            bias_constraint: Constraint = None,
            dropout: float = 0.0,
            recurrent_dropout: float = 0.0,
            seed: int | None = None,
            *,
            return_sequences: bool = False,
            return_state: bool = False,
            go_backwards: bool = False,
            stateful: bool = False,
            unroll: bool = False,
            zero_output_for_mask: bool = False,
            activity_regularizer: Regularizer = None,
            checkpoint: bool = False,
            **kwargs: Any,
        ) -> None: ...


@keras.saving.register_keras_serializable(package="keras_seq")
class GRU(CudnnLayer):
    """Gated recurrent unit (GRU) layer; a drop-in replacement for `keras.layers.GRU`.

    Equations and weights are those of `keras_seq.cells.GRUCell`. It is called like
    `keras_seq.layers.RNN`.

    >>> import keras
    >>> from keras_seq.layers import GRU
    >>> tuple(GRU(8, return_sequences=True)(keras.random.normal((2, 5, 3))).shape)
    (2, 5, 8)

    Args:
        units: Number of hidden units.
        activation: Activation of the candidate.
        recurrent_activation: Activation of the gates.
        use_bias: Whether to add a bias.
        kernel_*, recurrent_*, bias_*: Initializer, regularizer and constraint of each weight.
        dropout: Fraction of the inputs to drop in training; one mask for all time steps.
        recurrent_dropout: Fraction of the state to drop in training; one mask for all time steps.
        seed: Random seed of dropout.
        reset_after: Whether the reset gate acts after the recurrent product, as in cuDNN.
        return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask,
            checkpoint: See `keras_seq.layers.RNN`.
        use_cudnn: Whether to require cuDNN. "auto" uses it on a GPU where the arguments allow it.
        activity_regularizer: Regularizer of the outputs.
    """

    cell_class = cells.GRUCell

    if TYPE_CHECKING:

        def __init__(
            self,
            units: int,
            activation: Activation = "tanh",
            recurrent_activation: Activation = "sigmoid",
            use_bias: bool = True,
            kernel_initializer: Initializer = "glorot_uniform",
            recurrent_initializer: Initializer = "orthogonal",
            bias_initializer: Initializer = "zeros",
            kernel_regularizer: Regularizer = None,
            recurrent_regularizer: Regularizer = None,
            bias_regularizer: Regularizer = None,
            kernel_constraint: Constraint = None,
            recurrent_constraint: Constraint = None,
            bias_constraint: Constraint = None,
            dropout: float = 0.0,
            recurrent_dropout: float = 0.0,
            seed: int | None = None,
            *,
            reset_after: bool = True,
            return_sequences: bool = False,
            return_state: bool = False,
            go_backwards: bool = False,
            stateful: bool = False,
            unroll: bool = False,
            zero_output_for_mask: bool = False,
            use_cudnn: bool | Literal["auto"] = "auto",
            activity_regularizer: Regularizer = None,
            checkpoint: bool = False,
            **kwargs: Any,
        ) -> None: ...


@keras.saving.register_keras_serializable(package="keras_seq")
class LSTM(CudnnLayer):
    """Long short-term memory (LSTM) layer; a drop-in replacement for `keras.layers.LSTM`.

    Equations and weights are those of `keras_seq.cells.LSTMCell`. It is called like
    `keras_seq.layers.RNN`.

    >>> import keras
    >>> from keras_seq.layers import LSTM
    >>> tuple(LSTM(8, return_sequences=True)(keras.random.normal((2, 5, 3))).shape)
    (2, 5, 8)

    Args:
        units: Number of hidden units.
        activation: Activation of the candidate and of the cell state.
        recurrent_activation: Activation of the gates.
        use_bias: Whether to add a bias.
        kernel_*, recurrent_*, bias_*: Initializer, regularizer and constraint of each weight.
        dropout: Fraction of the inputs to drop in training; one mask for all time steps.
        recurrent_dropout: Fraction of the state to drop in training; one mask for all time steps.
        seed: Random seed of dropout.
        unit_forget_bias: Whether the bias of the forget gate is initialized to 1.
        return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask,
            checkpoint: See `keras_seq.layers.RNN`.
        use_cudnn: Whether to require cuDNN. "auto" uses it on a GPU where the arguments allow it.
        activity_regularizer: Regularizer of the outputs.
    """

    cell_class = cells.LSTMCell

    if TYPE_CHECKING:

        def __init__(
            self,
            units: int,
            activation: Activation = "tanh",
            recurrent_activation: Activation = "sigmoid",
            use_bias: bool = True,
            kernel_initializer: Initializer = "glorot_uniform",
            recurrent_initializer: Initializer = "orthogonal",
            bias_initializer: Initializer = "zeros",
            kernel_regularizer: Regularizer = None,
            recurrent_regularizer: Regularizer = None,
            bias_regularizer: Regularizer = None,
            kernel_constraint: Constraint = None,
            recurrent_constraint: Constraint = None,
            bias_constraint: Constraint = None,
            dropout: float = 0.0,
            recurrent_dropout: float = 0.0,
            seed: int | None = None,
            *,
            unit_forget_bias: bool = True,
            return_sequences: bool = False,
            return_state: bool = False,
            go_backwards: bool = False,
            stateful: bool = False,
            unroll: bool = False,
            zero_output_for_mask: bool = False,
            use_cudnn: bool | Literal["auto"] = "auto",
            activity_regularizer: Regularizer = None,
            checkpoint: bool = False,
            **kwargs: Any,
        ) -> None: ...


@keras.saving.register_keras_serializable(package="keras_seq")
class PeepholeLSTM(CellLayer):
    """LSTM layer with full peephole matrices; see `DiagonalPeepholeLSTM` for peephole vectors.

    The gates read the previous cell state in place of the previous output. Equations and weights
    are those of `keras_seq.cells.PeepholeLSTMCell`. It is called like `keras_seq.layers.RNN`.

    >>> import keras
    >>> from keras_seq.layers import PeepholeLSTM
    >>> tuple(PeepholeLSTM(8, return_sequences=True)(keras.random.normal((2, 5, 3))).shape)
    (2, 5, 8)

    Args:
        units: Number of hidden units.
        activation: Activation of the candidate and of the cell state.
        recurrent_activation: Activation of the gates.
        use_bias: Whether to add a bias.
        kernel_*, recurrent_*, bias_*: Initializer, regularizer and constraint of each weight.
        dropout: Fraction of the inputs to drop in training; one mask for all time steps.
        recurrent_dropout: Fraction of the state to drop in training; one mask for all time steps.
        seed: Random seed of dropout.
        unit_forget_bias: Whether the bias of the forget gate is initialized to 1.
        return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask,
            checkpoint: See `keras_seq.layers.RNN`.
        activity_regularizer: Regularizer of the outputs.
    """

    cell_class = cells.PeepholeLSTMCell

    if TYPE_CHECKING:

        def __init__(
            self,
            units: int,
            activation: Activation = "tanh",
            recurrent_activation: Activation = "sigmoid",
            use_bias: bool = True,
            kernel_initializer: Initializer = "glorot_uniform",
            recurrent_initializer: Initializer = "orthogonal",
            bias_initializer: Initializer = "zeros",
            kernel_regularizer: Regularizer = None,
            recurrent_regularizer: Regularizer = None,
            bias_regularizer: Regularizer = None,
            kernel_constraint: Constraint = None,
            recurrent_constraint: Constraint = None,
            bias_constraint: Constraint = None,
            dropout: float = 0.0,
            recurrent_dropout: float = 0.0,
            seed: int | None = None,
            *,
            unit_forget_bias: bool = True,
            return_sequences: bool = False,
            return_state: bool = False,
            go_backwards: bool = False,
            stateful: bool = False,
            unroll: bool = False,
            zero_output_for_mask: bool = False,
            activity_regularizer: Regularizer = None,
            checkpoint: bool = False,
            **kwargs: Any,
        ) -> None: ...


@keras.saving.register_keras_serializable(package="keras_seq")
class DiagonalPeepholeLSTM(CellLayer):
    """LSTM layer with peephole vectors (Gers et al. 2002); see `PeepholeLSTM` for full matrices.

    The gates read the previous output and the cell state. Equations and weights are those of
    `keras_seq.cells.DiagonalPeepholeLSTMCell`. It is called like `keras_seq.layers.RNN`.

    >>> import keras
    >>> from keras_seq.layers import DiagonalPeepholeLSTM
    >>> tuple(DiagonalPeepholeLSTM(8, return_sequences=True)(keras.random.normal((2, 5, 3))).shape)
    (2, 5, 8)

    Args:
        units: Number of hidden units.
        activation: Activation of the candidate and of the cell state.
        recurrent_activation: Activation of the gates.
        use_bias: Whether to add a bias.
        kernel_*, recurrent_*, bias_*: Initializer, regularizer and constraint of each weight.
        dropout: Fraction of the inputs to drop in training; one mask for all time steps.
        recurrent_dropout: Fraction of the state to drop in training; one mask for all time steps.
        seed: Random seed of dropout.
        peephole_initializer: Initializer of the peephole vectors. Default: `kernel_initializer`.
        unit_forget_bias: Whether the bias of the forget gate is initialized to 1.
        return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask,
            checkpoint: See `keras_seq.layers.RNN`.
        activity_regularizer: Regularizer of the outputs.
    """

    cell_class = cells.DiagonalPeepholeLSTMCell

    if TYPE_CHECKING:

        def __init__(
            self,
            units: int,
            activation: Activation = "tanh",
            recurrent_activation: Activation = "sigmoid",
            use_bias: bool = True,
            kernel_initializer: Initializer = "glorot_uniform",
            recurrent_initializer: Initializer = "orthogonal",
            bias_initializer: Initializer = "zeros",
            kernel_regularizer: Regularizer = None,
            recurrent_regularizer: Regularizer = None,
            bias_regularizer: Regularizer = None,
            kernel_constraint: Constraint = None,
            recurrent_constraint: Constraint = None,
            bias_constraint: Constraint = None,
            dropout: float = 0.0,
            recurrent_dropout: float = 0.0,
            seed: int | None = None,
            *,
            peephole_initializer: Initializer = None,
            unit_forget_bias: bool = True,
            return_sequences: bool = False,
            return_state: bool = False,
            go_backwards: bool = False,
            stateful: bool = False,
            unroll: bool = False,
            zero_output_for_mask: bool = False,
            activity_regularizer: Regularizer = None,
            checkpoint: bool = False,
            **kwargs: Any,
        ) -> None: ...
