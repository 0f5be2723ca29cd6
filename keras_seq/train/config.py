"""The settings of a recipe: what a `Config` holds, and which of its fields may be tuned."""

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, get_args

from keras_seq._internal.errors import InputError

Cell = Literal["SimpleRNN", "GRU", "LSTM", "PeepholeLSTM", "DiagonalPeepholeLSTM"]
"""The cells, by the names of their layers in `keras_seq.layers`."""
CELLS = get_args(Cell)
_RESERVED = """
    debug distribute fields help limit preset record resume run runs search test trials workers
"""
RESERVED = frozenset(_RESERVED.split())
"""Options of `keras-seq train` and `tune`, which no field of a Config may be called."""


@dataclasses.dataclass(frozen=True)
class Space:
    """Search space of a tunable field; see `tunable`."""

    choices: tuple[Any, ...] = ()
    low: float | None = None
    high: float | None = None
    log: bool = False


def tunable(
    default: Any,
    choices: Sequence[Any] = (),
    low: float | None = None,
    high: float | None = None,
    log: bool = False,
) -> Any:
    """Return a field of a Config whose value `keras-seq tune` may choose.

    Args:
        default: Value of the field when it is not tuned.
        choices: Values to choose from. Give either these, or `low` and `high`.
        low: Smallest value, inclusive.
        high: Largest value, inclusive.
        log: Whether values are sampled on a logarithmic scale.
    """
    space = Space(tuple(choices), low, high, log)
    return dataclasses.field(default=default, metadata={"space": space})


@dataclasses.dataclass(frozen=True)
class Config:
    """What the configs of all recipes share. Fields become options of the command line.

    A field exists if a preset sets it, `keras-seq tune` chooses it, or the format of data needs it.
    What nobody sets is a constant in the recipe's `model.py`.
    """

    data: str = "builtin"
    """Where the examples come from: builtin, tfds:NAME[/CONFIG], or a path of your own."""
    seed: int = 0
    """Random seed for weight initialization, shuffling and dropout."""
    batch_size: int = 64
    """Batch size."""
    steps: int = 1000
    """Optimizer steps in all, rounded to whole passes over the training examples (epochs)."""
    keep_best: bool = True
    """Keep the weights of the epoch that did best on the validation split, not the last."""

    monitor: ClassVar[str] = "accuracy"
    """Validation metric by which `keep_best` and `keras-seq tune` choose."""
    mode: ClassVar[Literal["min", "max"]] = "max"
    """Whether the monitored metric is better when lower ("min") or higher ("max")."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if field.name in RESERVED:
                raise InputError(
                    f"The field {field.name!r} of {type(self).__module__} has the name of an "
                    "option of keras-seq; rename it."
                )
        for name in ("batch_size", "steps"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name.replace('_', '-')} must be at least 1.")

    @classmethod
    def spaces(cls) -> dict[str, Space]:
        """Return the tunable fields: name to `Space`."""
        return {
            f.name: f.metadata["space"] for f in dataclasses.fields(cls) if "space" in f.metadata
        }


def field_texts(config_class: type) -> dict[str, str]:
    """Return the strings below the fields of a class and of its bases, by field."""
    texts: dict[str, str] = {}
    for base in reversed(config_class.__mro__[:-1]):
        [tree] = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        assert isinstance(tree, ast.ClassDef)
        for field, text in zip(tree.body, tree.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
            ):
                texts[field.target.id] = " ".join(str(text.value.value).split())
    return texts
