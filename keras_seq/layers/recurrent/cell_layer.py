"""Base classes of the recurrent layers of one cell class."""

import inspect
from typing import Any, Literal, Self

import keras

from keras_seq import cells
from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Config, Regularizer, Shape
from keras_seq.layers.recurrent.rnn import RNN
from keras_seq.scan import cudnn_applies, manages_own_jit


def _arguments(cls: type) -> list[inspect.Parameter]:
    """Return the named arguments of a class, including those of its base classes."""
    arguments: dict[str, inspect.Parameter] = {}
    for base in cls.__mro__:
        if base.__module__.startswith("keras_seq.") or base is keras.layers.RNN:
            init = vars(base).get("__init__")
            parameters = inspect.signature(init).parameters.values() if init else ()
            for p in parameters:
                if p.name != "self" and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY):
                    arguments.setdefault(p.name, p)
    return sorted(arguments.values(), key=lambda p: p.kind)


def _cell_property(name: str) -> property:
    return property(lambda layer: getattr(layer.cell, name), doc=f"`{name}` of the cell.")


class CellLayer(RNN):
    """Base class of the layers of one cell class.

    Every argument of the cell is an attribute of the layer: `layer.units` is `layer.cell.units`.
    Subclasses repeat their signature for type checkers. At run time it is computed.

    Args:
        *args: Positional arguments of the cell.
        activity_regularizer: Regularizer of the outputs.
        **kwargs: Keyword arguments of the cell and of `RNN`.
    """

    cell_class: type[cells.RecurrentCell] = cells.RecurrentCell
    cell_arguments: list[inspect.Parameter]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.cell_arguments = _arguments(cls.cell_class)
        rnn_arguments = [
            p.replace(kind=p.KEYWORD_ONLY) for p in _arguments(cls) if p.name != "cell"
        ]
        cls.__signature__ = inspect.Signature([*cls.cell_arguments, *rnn_arguments])
        for argument in cls.cell_arguments:
            if not hasattr(cls, argument.name):
                setattr(cls, argument.name, _cell_property(argument.name))

    def __init__(self, *args: Any, activity_regularizer: Regularizer = None, **kwargs: Any) -> None:
        # `implementation` of Keras chooses between two computations. Here there is only one.
        kwargs.pop("implementation", None)
        keywords = {p.name: kwargs.pop(p.name) for p in self.cell_arguments if p.name in kwargs}
        arguments = inspect.Signature(self.cell_arguments).bind(*args, **keywords).arguments
        shared = {name: kwargs[name] for name in ("dtype", "trainable") if name in kwargs}
        cell = self.cell_class(**arguments, **shared)
        super().__init__(cell, activity_regularizer=activity_regularizer, **kwargs)
        self.input_spec = keras.layers.InputSpec(ndim=3)
        if manages_own_jit(self.cell):
            self.supports_jit = False  # so that `jit_compile="auto"` leaves jit to the layer

    def build(self, sequences_shape: Shape, initial_state_shape: Any = None) -> None:
        super().build(sequences_shape, initial_state_shape)
        self.input_spec = keras.layers.InputSpec(ndim=3, axes={-1: sequences_shape[-1]})

    def get_config(self) -> Config:
        config = super().get_config()
        del config["cell"]
        config["activity_regularizer"] = keras.regularizers.serialize(self.activity_regularizer)
        cell_config = self.cell.get_config()
        return config | {p.name: cell_config[p.name] for p in self.cell_arguments}

    @classmethod
    def from_config(cls, config: Config) -> Self:
        return cls(**config)


class CudnnLayer(CellLayer):
    """Base class of the layers whose equations cuDNN supports.

    Args:
        *args: Positional arguments of the cell.
        use_cudnn: Whether to require cuDNN. "auto" uses it on a GPU where the arguments allow it.
        **kwargs: Keyword arguments of the cell and of `RNN`.

    Raises:
        InputError: If `use_cudnn` is none of these.
    """

    def __init__(
        self, *args: Any, use_cudnn: bool | Literal["auto"] = "auto", **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        if use_cudnn not in (True, False, "auto"):
            raise InputError(
                f"{type(self).__name__}: `use_cudnn` must be True, False or 'auto', "
                f"got {use_cudnn!r}."
            )
        self.use_cudnn = use_cudnn
        is_tensorflow = keras.backend.backend() == "tensorflow"
        if is_tensorflow and use_cudnn and cudnn_applies(self.cell, self.unroll):
            self.supports_jit = False  # XLA cannot compile TensorFlow's operators of cuDNN

    def get_config(self) -> Config:
        return {**super().get_config(), "use_cudnn": self.use_cudnn}
