"""Base class of the configurations of recipes, and their tunable fields."""

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from keras_seq._internal import field_types, ranges
from keras_seq._internal.errors import InputError
from keras_seq._internal.field_types import NOT_EMPTY, Form
from keras_seq._internal.ranges import (
    FiniteFloat,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Probability,
    Range,
)
from keras_seq.data import delimited, encodings, opening

__all__ = [
    "CELLS",
    "RESERVED",
    "Cell",
    "ClassifierConfig",
    "Config",
    "Delimiter",
    "Encoding",
    "FiniteFloat",
    "Form",
    "Name",
    "NonNegativeFloat",
    "NonNegativeInt",
    "PositiveFloat",
    "PositiveInt",
    "Probability",
    "Range",
    "Space",
    "field_groups",
    "field_texts",
    "tunable",
]

Cell = Literal["SimpleRNN", "GRU", "LSTM", "PeepholeLSTM", "DiagonalPeepholeLSTM"]
"""Name of a recurrent layer of `keras_seq.layers`."""
CELLS = get_args(Cell)
Name = Annotated[str, NOT_EMPTY]
"""Name of a file, folder or column, or another text that is not empty."""
Encoding = Annotated[str, Form("an encoding of Python, such as utf-8", encodings.is_encoding)]
Delimiter = Annotated[
    str, Form('one character other than a quote, or "tab"', delimited.is_delimiter)
]
_RESERVED = """
    config debug distribute fields folds help json limit logger preset quiet record resume run runs
    search tensorboard test trials workers
"""
RESERVED = frozenset(_RESERVED.split())
"""Names that fields of a Config cannot have: options of `keras-seq train`, `tune` and `data`."""

Group = Literal["Data", "Model", "Training"]
"""Group of fields in `--help`."""
DATA_FIELDS = frozenset({"data", "errors"})
"""Fields of the base class about the data. Its other fields are about the training."""
TRAINING_FIELDS = frozenset(
    {"augment", "class_weights", "learning_rate", "momentum", "optimizer", "weight_decay"}
)
"""Names that are about the training in every recipe."""


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
    """Return a dataclass field that `keras-seq tune` searches unless it is set.

    >>> from keras_seq.train.config import tunable
    >>> field = tunable(0.003, low=0.0005, high=0.01, log=True)
    >>> field.metadata["space"].low
    0.0005

    Args:
        default: Value of the field when it is not tuned.
        choices: Values to choose from. Give either these, or `low` and `high`, or for a bool
            neither.
        low: Smallest value, inclusive.
        high: Largest value, inclusive.
        log: Whether values are sampled on a logarithmic scale.
    """
    space = Space(tuple(choices), low, high, log)
    return dataclasses.field(default=default, metadata={"space": space})


@dataclasses.dataclass(frozen=True)
class Config:
    """Base class of the configurations of recipes. Fields become command-line options.

    The string below a field is the help of its option. The type of a number states its range:
    `PositiveInt`, `NonNegativeInt`, `PositiveFloat`, `NonNegativeFloat`, `FiniteFloat`,
    `Probability`, or `Annotated` with a `Range`.

    A recipe has fields for settings that its presets change, that `keras-seq tune` searches, or
    that the format of the data requires. All other settings are constants in its `model.py`.
    Choices are `Literal` types; a text may have the type `Name`, `Encoding`, `Delimiter`, or
    `Annotated` with a `Form`.
    Fields about the data come first; `field_groups` groups them for `--help`.

    >>> import dataclasses
    >>> from keras_seq.train.config import Config, PositiveInt, tunable
    >>> @dataclasses.dataclass(frozen=True)
    ... class MyConfig(Config):
    ...     units: PositiveInt = tunable(64, choices=(32, 64, 128))
    >>> MyConfig(steps=200).units
    64

    Raises:
        InputError: If a number is out of its range, a text is none of the choices or has another
            form, a field has the name of an option, or both `steps` and `epochs` are None.
    """

    data: Name = "builtin"
    """Source of the examples: builtin (the recipe's own), tfds:NAME[/CONFIG] (TensorFlow Datasets),
    hf:NAME[/CONFIG] (Hugging Face Hub), or the path of a file or folder."""
    errors: Literal["strict", "skip"] = "strict"
    """Treatment of rows or files of your own data that cannot be read: strict stops at the first,
    skip leaves them out, counts them and shows three. Errors of a whole file stop both."""
    seed: Annotated[int, Range(0, 2**32 - 1, is_integer=True)] = 0
    """Random seed for weight initialization, shuffling and dropout."""
    # None leaves the choice to `Recipe.batch_size`.
    batch_size: PositiveInt | None = 64
    """Number of examples per training step, at least 1."""
    steps: PositiveInt | None = 1000
    """Number of optimizer steps, rounded to whole epochs; see --epochs."""
    epochs: PositiveInt | None = 60
    """Number of passes over the training data. Training ends at whichever of --steps and --epochs
    comes first. If only one of them is given, the other does not apply."""
    patience: NonNegativeInt | None = None
    """Number of epochs without a better validation metric after which training ends, with the best
    weights; 0 for no such end. Default: a quarter of the epochs if more than 30 are planned, as on
    small data, else 0."""
    time_limit: PositiveFloat | None = None
    """Maximum time of the training in minutes, including loading, validation and earlier parts of a
    resumed run. The model is then evaluated and saved as usual."""
    init_from: Name | None = None
    """Folder of a finished run of the same recipe, whose weights the model starts from."""
    keep_best: bool = True
    """Keep the weights of the epoch with the best validation metric, not of the last epoch."""

    monitor: ClassVar[str] = "accuracy"
    """Validation metric by which `keep_best` and `keras-seq tune` choose."""
    mode: ClassVar[Literal["min", "max"]] = "max"
    """Goal for the monitored metric: "min" if lower is better, "max" if higher is."""
    hub_task: ClassVar[str | None] = None
    """Task of the model on the Hugging Face Hub, such as "token-classification", or None."""
    named_data: ClassVar[tuple[str, ...]] = ("builtin",)
    """Values of `data` that are the recipe's own examples, not paths."""
    init_recipes: ClassVar[tuple[str, ...]] = ()
    """Other recipes whose runs `init_from` may name. Embeddings and the first recurrent layer start
    from their weights."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if field.name in RESERVED:
                raise InputError(
                    f"The field {field.name!r} of {type(self).__module__} has the name of an "
                    "option of keras-seq. Rename it."
                )
        for module in (ranges, field_types):
            module.check_fields(self, lambda name: f"--{name.replace('_', '-')}")
        if self.steps is None and self.epochs is None:
            raise InputError("Training needs an end: give --steps, --epochs or both.")

    def override(self, **fields: Any) -> Self:
        """Return a copy with other values of some fields.

        If only one of `steps` and `epochs` is among them, the other is set to None, so that it does
        not end the training earlier.

        >>> from keras_seq.train.config import Config
        >>> Config(steps=1000, epochs=60).override(epochs=100).steps is None
        True

        Args:
            **fields: New values by field.

        Raises:
            InputError: If a number is out of its range, or both `steps` and `epochs` are None.
        """
        for name, other in (("steps", "epochs"), ("epochs", "steps")):
            if fields.get(name) is not None and other not in fields:
                fields[other] = None
        return dataclasses.replace(self, **fields)

    def check_files(self) -> None:
        """Check that the files and folders that the fields name exist.

        Commands call it before they import the backend. A recipe extends it if its Config has other
        fields that name files, or if data other than a single path can be given.

        Raises:
            InputError: If the data does not exist.
        """
        self._check_data(self.data)

    def _check_data(self, source: str) -> None:
        if source not in self.named_data and not source.startswith(("tfds:", "hf:")):
            opening.check_exists(source)

    @classmethod
    def spaces(cls) -> dict[str, Space]:
        """Return the search space of each tunable field, by name."""
        return {
            f.name: f.metadata["space"] for f in dataclasses.fields(cls) if "space" in f.metadata
        }


@dataclasses.dataclass(frozen=True)
class ClassifierConfig(Config):
    """Base class of the configurations of recipes whose examples have one label of several.

    >>> from keras_seq.train.config import ClassifierConfig
    >>> ClassifierConfig(class_weights="balanced").class_weights
    'balanced'
    """

    class_weights: Literal["none", "balanced"] = "none"
    """Weights of the training examples in the loss: balanced divides by the number of examples with
    the same label, so that rare labels count as much as frequent ones."""


def field_groups(config_class: type[Config]) -> dict[str, Group]:
    """Return the group of each field.

    A recipe's own fields are about the data before the first tunable one, and about the model from
    there on, except for `TRAINING_FIELDS`.

    >>> from keras_seq.train.config import Config, field_groups
    >>> field_groups(Config)["data"], field_groups(Config)["seed"]
    ('Data', 'Training')

    Args:
        config_class: Class of the Config of a recipe.
    """
    training = TRAINING_FIELDS.union(f.name for f in dataclasses.fields(Config)) - DATA_FIELDS
    groups: dict[str, Group] = {}
    own: Group = "Data"
    for field in dataclasses.fields(config_class):
        if field.name in training:
            groups[field.name] = "Training"
        elif field.name in DATA_FIELDS:
            groups[field.name] = "Data"
        else:
            own = "Model" if "space" in field.metadata else own
            groups[field.name] = own
    return groups


def field_texts(config_class: type) -> dict[str, str]:
    """Return the string below each field of a class and of its bases, by name of the field."""
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
