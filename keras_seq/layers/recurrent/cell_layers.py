"""The cells as layers: the same arguments as Keras's layers, each stated once, by its cell."""

import inspect

import keras

from keras_seq import cells
from keras_seq._internal.errors import InputError
from keras_seq.layers.recurrent.rnn import RNN
from keras_seq.scan import cudnn_applies, manages_own_jit


def _arguments(cls):
    """The named arguments of a class, those that it passes on to its base classes included."""
    found = {}
    for base in cls.__mro__:
        if base.__module__.startswith("keras_seq.") or base is keras.layers.RNN:
            init = vars(base).get("__init__")
            parameters = inspect.signature(init).parameters.values() if init else ()
            for p in parameters:
                if p.name != "self" and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY):
                    found.setdefault(p.name, p)
    return sorted(found.values(), key=lambda p: p.kind)


def _cell_property(name):
    return property(lambda layer: getattr(layer.cell, name), doc=f"`{name}` of the cell.")


class CellLayer(RNN):
    """Base of the layers that bring their own cell, named by `cell_class`.

    The arguments of the cell and of `RNN` are given side by side. Every argument of the cell can
    be read from the layer too: `layer.units` is `layer.cell.units`.
    """

    cell_class = cells.RecurrentCell

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls.cell_arguments = _arguments(cls.cell_class)
        own = [p for p in _arguments(cls) if p.name not in ("self", "cell")]
        keyword = [p.replace(kind=p.KEYWORD_ONLY) for p in own]
        cls.__signature__ = inspect.Signature([*cls.cell_arguments, *keyword])
        for argument in cls.cell_arguments:
            if not hasattr(cls, argument.name):
                setattr(cls, argument.name, _cell_property(argument.name))

    def __init__(self, *args, activity_regularizer=None, **kwargs):
        # `implementation` picks between two ways to compute in Keras's cells; here there is one.
        kwargs.pop("implementation", None)
        of_cell = {p.name: kwargs.pop(p.name) for p in self.cell_arguments if p.name in kwargs}
        given = inspect.Signature(self.cell_arguments).bind(*args, **of_cell).arguments
        shared = {name: kwargs[name] for name in ("dtype", "trainable") if name in kwargs}
        super().__init__(
            self.cell_class(**given, **shared), activity_regularizer=activity_regularizer, **kwargs
        )
        self.input_spec = keras.layers.InputSpec(ndim=3)
        if manages_own_jit(self.cell):
            self.supports_jit = False  # then `jit_compile="auto"` leaves it to compile itself

    def build(self, sequences_shape, initial_state_shape=None):
        super().build(sequences_shape, initial_state_shape)
        self.input_spec = keras.layers.InputSpec(ndim=3, axes={-1: sequences_shape[-1]})

    def get_config(self):
        config = super().get_config()
        del config["cell"]
        config["activity_regularizer"] = keras.regularizers.serialize(self.activity_regularizer)
        cell_config = self.cell.get_config()
        return config | {p.name: cell_config[p.name] for p in self.cell_arguments}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class CudnnLayer(CellLayer):
    """Base of the layers whose equations cuDNN computes too.

    Args:
        use_cudnn: True, False, or "auto": on a GPU, whenever the arguments allow it.
    """

    def __init__(self, *args, use_cudnn="auto", **kwargs):
        super().__init__(*args, **kwargs)
        if use_cudnn not in (True, False, "auto"):
            raise InputError(
                f"{type(self).__name__}: `use_cudnn` must be True, False or 'auto', "
                f"got {use_cudnn!r}."
            )
        self.use_cudnn = use_cudnn
        if use_cudnn and cudnn_applies(self.cell, self.unroll):
            self.supports_jit = False  # XLA cannot compile cuDNN's kernels

    def get_config(self):
        return {**super().get_config(), "use_cudnn": self.use_cudnn}


@keras.saving.register_keras_serializable(package="keras_seq")
class SimpleRNN(CellLayer):
    """`keras_seq.cells.SimpleRNNCell` over a sequence; drop-in for `keras.layers.SimpleRNN`.

    Arguments: those of the cell, then those of `keras_seq.layers.RNN`, whose call it shares.
    """

    cell_class = cells.SimpleRNNCell


@keras.saving.register_keras_serializable(package="keras_seq")
class GRU(CudnnLayer):
    """`keras_seq.cells.GRUCell` over a sequence; drop-in for `keras.layers.GRU`.

    Arguments: those of the cell, then those of `keras_seq.layers.RNN`, whose call it shares.
    """

    cell_class = cells.GRUCell


@keras.saving.register_keras_serializable(package="keras_seq")
class LSTM(CudnnLayer):
    """`keras_seq.cells.LSTMCell` over a sequence; drop-in for `keras.layers.LSTM`.

    Arguments: those of the cell, then those of `keras_seq.layers.RNN`, whose call it shares.
    """

    cell_class = cells.LSTMCell


@keras.saving.register_keras_serializable(package="keras_seq")
class PeepholeLSTM(CellLayer):
    """`keras_seq.cells.PeepholeLSTMCell` over a sequence: peepholes through full matrices.

    Arguments: those of the cell, then those of `keras_seq.layers.RNN`, whose call it shares.
    """

    cell_class = cells.PeepholeLSTMCell


@keras.saving.register_keras_serializable(package="keras_seq")
class DiagonalPeepholeLSTM(CellLayer):
    """`keras_seq.cells.DiagonalPeepholeLSTMCell` over a sequence: peepholes of Gers et al. (2002).

    Arguments: those of the cell, then those of `keras_seq.layers.RNN`, whose call it shares.
    """

    cell_class = cells.DiagonalPeepholeLSTMCell
