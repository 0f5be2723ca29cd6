"""What a recipe is.

A recipe is a package, or a folder on disk, of a few short modules:

- `config.py`: `Config`, a frozen dataclass that extends `keras_seq.train.config.Config`, some
  fields of it `tunable`, and `PRESETS`, a dict of name to Config, of which "default" is one;
- `data.py`: reads examples and splits them;
- `model.py`: builds the model and encodes examples for it;
- `metric.py`: measures the model, and writes what people would rather see than read;
- `recipe.py`: `Recipe`, which extends `keras_seq.train.recipe.Recipe`: it says which function does
  what, and what the model answers to what people type.

The docstring of the package is its description. `config.py` is imported to list recipes and their
options: it imports no backend. `recipe.py` is imported once a command needs the recipe's code.
"""

import abc
import dataclasses
import functools
import importlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from keras_seq._internal import startup
from keras_seq._internal.errors import InputError, unknown_name
from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.train.config import Config
from keras_seq.train.metrics import Metrics

if TYPE_CHECKING:
    from keras_seq.demo.panels import Panel

Splits = Mapping[str, RawExamples]
"""Examples by split: "train" and, if there are such, "validation" and "test"."""
Inputs = Any
"""What a model takes: an array, or a dict of arrays."""
AnyConfig = TypeVar("AnyConfig", bound=Config)
AnyModel = TypeVar("AnyModel")


@dataclasses.dataclass(frozen=True)
class RecipeInfo:
    """What is known of a recipe before its code is imported.

    Args:
        name: Name on the command line.
        package: Import name of the package.
        path: Folder as the command names it, of a recipe that is not registered; else None.
    """

    name: str
    package: str
    path: str | None = None

    @functools.cached_property
    def folder(self) -> Path:
        """Folder of the recipe's files."""
        file = importlib.import_module(self.package).__file__
        assert file is not None  # a recipe is a package with an `__init__.py`
        return Path(file).parent

    @property
    def description(self) -> str:
        """First line of the package's docstring."""
        return (importlib.import_module(self.package).__doc__ or "").strip().split("\n")[0]

    @property
    def presets(self) -> dict[str, Config]:
        """Config of each preset."""
        return importlib.import_module(f"{self.package}.config").PRESETS

    def preset(self, name: str) -> Config:
        """Return the Config of a preset.

        Raises:
            InputError: If there is none of that name.
        """
        if name not in self.presets:
            raise unknown_name(f"preset of {self.name}", name, self.presets)
        return self.presets[name]

    @property
    def results(self) -> list[dict[str, Any]]:
        """Recorded results of the presets, as runs write them."""
        path = self.folder / "results.json"
        return json.loads(path.read_text()) if path.exists() else []

    def import_recipe(self) -> "Recipe":
        """Import the recipe's code, and with it the backend, whose messages are held back.

        The layers of its own that a saved model may have are known from then on.

        Raises:
            InputError: If the recipe has no class `Recipe` in `recipe.py`, or it lacks a method.
        """
        if not (self.folder / "recipe.py").is_file():
            raise InputError(f"The recipe {self.folder} has no recipe.py.")
        startup.import_backend()
        recipe_class = getattr(importlib.import_module(f"{self.package}.recipe"), "Recipe", None)
        if not (isinstance(recipe_class, type) and issubclass(recipe_class, Recipe)):
            raise InputError(
                f"{self.folder / 'recipe.py'} has no class Recipe that extends "
                "keras_seq.train.recipe.Recipe."
            )
        if missing := sorted(recipe_class.__abstractmethods__):
            raise InputError(
                f"The class Recipe in {self.folder / 'recipe.py'} lacks {', '.join(missing)}."
            )
        return recipe_class(self.name, self.package, self.path)


class Recipe(RecipeInfo, abc.ABC, Generic[AnyConfig, AnyModel]):
    """What the commands of `keras-seq` ask of a recipe.

    A recipe of your own extends this class, with its Config and the class of its models:
    `class Recipe(recipe.Recipe[Config, SequenceTagger])`. Functions of other modules become
    methods by `load = staticmethod(data.load)`.
    """

    examples: ClassVar[Sequence[str]] = ()
    """Texts to try in `keras-seq demo`, if the data is builtin."""

    @abc.abstractmethod
    def load(self, config: AnyConfig) -> Splits:
        """Read the data.

        Texts stay texts: `encode` makes tokens of them. Where the data itself consists of symbols,
        such as tagged tokens or the notes of a tune, an example is a list of these.

        Returns:
            Examples by split; all but "train" may be missing.

        Raises:
            InputError: If the data is not as it should be; the message gives file and line.
        """

    @abc.abstractmethod
    def build(self, config: AnyConfig, train: RawExamples) -> AnyModel:
        """Build a compiled `keras.Model`, its input shapes known.

        Args:
            config: Config of the run.
            train: Training examples, which a vocabulary may be made of.
        """

    @abc.abstractmethod
    def encode(self, model: AnyModel, examples: RawExamples) -> EncodedDataset:
        """Return examples as the arrays that the model is trained on."""

    @abc.abstractmethod
    def evaluate(self, model: AnyModel, splits: Splits, name: str) -> Metrics:
        """Measure the model on one split.

        Args:
            model: Trained model.
            splits: Examples as `load` returns them.
            name: Name of the split to measure on.

        Returns:
            Numbers by name, and details in nested dicts, such as `per_label`: label to numbers by
            name. See `keras_seq.train.metrics`.
        """

    def report(
        self, model: AnyModel, splits: Splits, name: str, folder: Path
    ) -> dict[str, Any] | None:
        """Write pictures and samples of the model on one split.

        Args:
            model, splits, name: As for `evaluate`.
            folder: Folder to write to.

        Returns:
            More measurements, which JSON can hold, or None.
        """
        return None

    @abc.abstractmethod
    def predict(
        self, model: AnyModel, config: AnyConfig, inputs: Sequence[str]
    ) -> Iterable[dict[str, Any]]:
        """Yield a row of a table for each answer: column to value.

        A recipe may add keyword arguments with types and defaults, which become options of
        `keras-seq predict`.

        Args:
            model: Trained model.
            config: Config of the run.
            inputs: What people type: file names, sentences, numbers.
        """

    def trace_inputs(
        self, model: AnyModel, example: Any, target: Any = None
    ) -> tuple[Inputs, Sequence[str]]:
        """Return one example as inputs of the model, and the names of its time steps.

        Default: as the model's own `trace_inputs` returns them.

        Args:
            model: Trained model.
            example: What people type, or an input as `load` returns it.
            target: The target of an input of `load`; else None.

        Returns:
            A batch of one, and a name for each time step.
        """
        traceable: Any = model
        return traceable.trace_inputs(example, target)

    def demo(self, model: AnyModel, config: AnyConfig) -> "Panel | None":
        """Return the panel of `keras-seq demo`, or None for that of the kind of model."""
        return None

    def export_inputs(self, model: AnyModel, config: AnyConfig, num_examples: int) -> Sequence[Any]:
        """Return test inputs as `keras_seq.export` compares a model with its export on them.

        Args:
            model: Trained model.
            config: Config of the run.
            num_examples: Number of test examples.

        Returns:
            Inputs; texts as lists of tokens, without those that have none.
        """
        from keras_seq.models.text_model import TextModel

        splits = self.load(config)
        inputs = splits.get("test", splits["train"]).inputs[:num_examples]
        if not isinstance(model, TextModel):
            return inputs
        sequences = [model.encoder.tokenize(text) for text in inputs]
        return [tokens for tokens in sequences if tokens]
