"""What a recipe is, and where recipes are found.

A recipe is a package of a few short modules:

- `config.py`: `Config`, a frozen dataclass that extends `keras_seq.train.recipe.Config`, some
  fields of it `tunable`, and `PRESETS`, a dict of name to Config, of which "default" is one;
- `data.py`: `load(config)` returns the splits, a dict of "train", "validation" and "test" to
  `keras_seq.batching.Examples`; a split may be missing, except "train";
- `model.py`: `build(config, train)` returns a compiled `keras.Model`, its input shapes known, which
  may depend on the training examples, as a vocabulary does; `arrays(model, examples)` makes of
  examples what the model is trained on, if they are not arrays already;
- `metric.py`: `evaluate(model, splits, name)` returns a dict of metric to number, for one split of
  `load` (a metric of one label has its name after a space), and `show(model, splits, name,
  folder)` writes what people would rather see than read, and may return what it measured on it;
- `predict.py`: `predict(model, config, inputs)` takes what people type (file names, sentences)
  and yields a dict of what to show for each; its keyword arguments become options;
  `look(model, example, target)` returns one example as inputs of the model, and the names of its
  time steps, for `keras-seq look`. The example is what people type (and the target None), or a row
  of `load`. It is not needed where the model has `tokens_of(text)` and `encode(sentences)`;
  `demo(model, config)` returns the `keras_seq.demo.panels.Panel` of `keras-seq demo`, where that of
  the kind of model will not do; `EXAMPLES` are texts to try there, if the data is builtin.

The docstring of the package is its description. Packages register under the entry-point group
`keras_seq.recipes`; a folder on disk is a recipe too, which runs only where a command names it by a
path with a separator (`./my_digits`). Listing recipes and reading their configs imports no backend.
"""

import dataclasses
import functools
import importlib
import importlib.metadata
import importlib.util
import json
import os
import re
import sys
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from keras_seq._internal.errors import InputError, unknown

ENTRY_POINTS = "keras_seq.recipes"

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
    """Where `keras-seq tune` looks for the value of a field; see `tunable`."""

    among: tuple = ()
    between: tuple = ()
    log: bool = False


def tunable(default, among=(), between=(), log=False) -> Any:
    """A field of a Config whose value `keras-seq tune` may choose.

    Args:
        default: Its value when nothing is tuned.
        among: The values to choose from; or else
        between: the least and the greatest value.
        log: Whether a factor counts, not a difference: 0.001 to 0.01 is as far as 0.01 to 0.1.
    """
    space = Space(tuple(among), tuple(between), log)
    return dataclasses.field(default=default, metadata={"space": space})


@dataclasses.dataclass(frozen=True)
class Config:
    """What the configs of all recipes share. Fields become options of the command line."""

    data: str = "builtin"
    """Where the examples come from: builtin, tfds:NAME[/CONFIG], or a path of your own."""
    seed: int = 0
    """Of the weights, the order of the examples, and dropout."""
    batch_size: int = 64
    """Examples an update."""
    updates: int = 1000
    """Optimizer steps in all, rounded to whole passes over the training examples (epochs)."""
    keep_best: bool = True
    """Keep the weights of the epoch that did best on the validation split, not the last."""
    test_every_epoch: bool = False
    """Report the test split after every epoch; nothing is ever chosen by it."""

    objective: ClassVar[str] = "accuracy"
    """The metric by which `keep_best` chooses."""
    less_is_better: ClassVar[bool] = False
    """Whether that metric is to be small."""

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if field.name in RESERVED:
                raise InputError(
                    f"The field {field.name!r} of {type(self).__module__} has the name of an "
                    "option of keras-seq; rename it."
                )
        for name in ("batch_size", "updates"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name.replace('_', '-')} must be at least 1.")

    @classmethod
    def spaces(cls):
        """The tunable fields: name to `Space`."""
        return {
            f.name: f.metadata["space"] for f in dataclasses.fields(cls) if "space" in f.metadata
        }


@dataclasses.dataclass(frozen=True)
class Seq2SeqConfig(Config):
    """What the configs of recipes with a `keras_seq.models.Seq2Seq` share."""

    cell: Cell = tunable("LSTM", among=CELLS)
    """The recurrent cell."""
    units: int = tunable(256, among=(128, 192, 256, 384))
    """Hidden units a layer and direction."""
    layers: int = tunable(1, among=(1, 2))
    """Recurrent layers that read, each from both ends."""
    decoder_layers: int = 1
    """Recurrent layers that write."""
    embedding: int | None = 128
    """Width of the embeddings of tokens; none for one-hot input."""
    tied: bool = False
    """Use the embedding of what is written as the kernel of the output too."""
    ngrams: int = 0
    """Length of the longest run of tokens read that has vectors of its own; 0 for none."""
    attention: Literal["additive", "dot", "general"] = tunable(
        "general", among=("additive", "dot", "general")
    )
    """How the decoder finds the tokens to look at."""
    input_feeding: bool = False
    """Let the decoder read where it has looked, for about twice the time."""
    dropout: float = tunable(0.3, between=(0.1, 0.6))
    """Share of the features dropped between layers."""
    recurrent_dropout: float = 0.0
    """Share of the state dropped from step to step."""
    scheduled_sampling: float = 0.0
    """Share of the tokens written that are, in training, the model's own, in the end."""
    label_smoothing: float = 0.0
    """Share of the probability that the loss spreads over all tokens."""
    weight_decay: float = tunable(0.01, between=(0.001, 0.1), log=True)
    """Of all weights, an update, in units of the learning rate."""
    learning_rate: float = tunable(0.003, between=(0.0005, 0.01), log=True)
    """The highest of the schedule."""

    @property
    def architecture(self):
        """Arguments of `keras_seq.models.Seq2Seq`."""
        alike = "cell units embedding tied ngrams attention input_feeding dropout"
        alike += " recurrent_dropout scheduled_sampling label_smoothing"
        return {name: getattr(self, name) for name in alike.split()} | {
            "depth": self.layers,
            "decoder_depth": self.decoder_layers,
            "sampling_updates": self.updates // 2,
        }


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A recipe, its modules imported when they are first used.

    Args:
        name: As the command line knows it.
        package: Import name of the package.
    """

    name: str
    package: str

    def _module(self, name):
        return importlib.import_module(f"{self.package}.{name}")

    @functools.cached_property
    def folder(self):
        """Where the recipe's files lie."""
        return Path(importlib.import_module(self.package).__file__).parent

    @property
    def description(self):
        """The first line of the package's docstring."""
        return (importlib.import_module(self.package).__doc__ or "").strip().split("\n")[0]

    @property
    def presets(self):
        """Preset name to Config."""
        return self._module("config").PRESETS

    def preset(self, name):
        """The Config of a preset."""
        if name not in self.presets:
            raise unknown(f"preset of {self.name}", name, self.presets)
        return self.presets[name]

    @property
    def results(self):
        """The recorded results of the presets: a list of records, as a run writes them."""
        path = self.folder / "results.json"
        return json.loads(path.read_text()) if path.exists() else []

    def import_model(self):
        """Imports `model.py`, whose own layers must be known before a saved model is loaded."""
        self._module("model")

    def load(self, config):
        """The splits of the data."""
        return self._module("data").load(config)

    def build(self, config, train):
        """The compiled model, for these training examples."""
        return self._module("model").build(config, train)

    def arrays(self, model, examples):
        """Examples as the model is trained on them."""
        make = getattr(self._module("model"), "arrays", None)
        return examples if make is None else make(model, examples)

    def evaluate(self, model, splits, name):
        """Metrics of a model on the split of that name."""
        return self._module("metric").evaluate(model, splits, name)

    def show(self, model, splits, name, folder):
        """Pictures and samples of a model on the split of that name; measures of them, if any."""
        return self._module("metric").show(model, splits, name, folder) or {}

    @property
    def predict(self):
        """The function that says what a model makes of inputs as people type them."""
        return self._module("predict").predict

    def look(self, model, example, target=None):
        """One example as inputs of the model, a batch of one, and the names of its time steps.

        Args:
            model: As `build` makes it.
            example: As people type it, or as `load` has it.
            target: The example's, if it is one of `load`.
        """
        own = getattr(self._module("predict"), "look", None)
        if own is not None:
            return own(model, example, target)
        tokens = model.tokens_of(example) if isinstance(example, str) else list(example)
        return model.encode([tokens]).inputs, tokens

    def demo(self, model, config):
        """The `keras_seq.demo.panels.Panel` that the recipe has of its own, or None."""
        own = getattr(self._module("predict"), "demo", None)
        return None if own is None else own(model, config)

    @property
    def examples(self):
        """What one could ask a model that was trained on the builtin data, as people type it."""
        return getattr(self._module("predict"), "EXAMPLES", [])


def recipes():
    """All registered recipes by name."""
    points = importlib.metadata.entry_points(group=ENTRY_POINTS)
    return {point.name: Recipe(point.name, point.value) for point in points}


def find(name: str) -> Recipe:
    """Return the recipe of a registered name, or the one in a folder, whose code runs now.

    Args:
        name: Registered name, or a path with a separator, such as `./my_digits`. A folder in the
            current directory never takes the place of a registered recipe.

    Raises:
        InputError: If there is none.
    """
    if is_folder(name):
        return _in_folder(Path(name))
    known = recipes()
    if name in known:
        return known[name]
    if (Path(name) / "config.py").is_file():
        raise InputError(
            f"There is no recipe {name!r}: for that in the folder {name}, write .{os.sep}{name}."
        )
    raise unknown("recipe", name, known)


def is_folder(name: str) -> bool:
    """Return whether what a command calls a recipe is the path of a folder, not a name."""
    separators = [os.sep] if os.altsep is None else [os.sep, os.altsep]
    return name in (os.curdir, os.pardir) or any(separator in name for separator in separators)


def _in_folder(folder: Path) -> Recipe:
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.")
    if not (folder / "config.py").is_file():
        raise InputError(f"The folder {folder} is no recipe: it has no config.py.")
    folder = folder.resolve()
    package = "keras_seq_recipe_in_folder_" + re.sub(r"\W", "_", folder.name)
    if package in sys.modules and sys.modules[package].__path__ != [str(folder)]:
        # Another folder of the same name.
        for name in [m for m in sys.modules if m == package or m.startswith(f"{package}.")]:
            del sys.modules[name]
    if package not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            package, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        assert spec is not None and spec.loader is not None  # for a path with .py
        module = importlib.util.module_from_spec(spec)
        sys.modules[package] = module
        spec.loader.exec_module(module)
    return Recipe(folder.name, package)
