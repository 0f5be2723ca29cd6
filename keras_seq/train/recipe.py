"""Base class of recipes.

A recipe is a package, or a folder on disk, with a few short modules:

- `config.py`: `Config`, a frozen dataclass that extends `keras_seq.train.config.Config`, and
  `PRESETS`, a dict of name to Config that includes "default";
- `data.py`: reads examples and splits them;
- `model.py`: builds the model and encodes examples for it;
- `metric.py`: evaluates the model, and writes plots and samples;
- `recipe.py`: `Recipe`, which extends `keras_seq.train.recipe.Recipe` and connects the modules.

The docstring of the package is its description. `config.py` must not import a backend, because
`keras-seq ls` and `--help` import it. `recipe.py` is imported when a command runs the recipe.
"""

import abc
import functools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

from keras_seq._internal.errors import InputError
from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.data import huggingface, row_errors
from keras_seq.data.report import DataReport, ExampleColumns, make_report
from keras_seq.data.summaries import ReadSummary, collect_summaries
from keras_seq.text.tokenizer_choice import TokenizerReport
from keras_seq.train import folds
from keras_seq.train.config import Config
from keras_seq.train.metrics import Metrics
from keras_seq.train.recipe_info import RecipeInfo

if TYPE_CHECKING:
    from keras_seq.demo.panels import Panel

Splits = Mapping[str, RawExamples]
"""Examples by split: "train" and, optionally, "validation" and "test". A recipe can add others for
its report."""
Inputs = Any
"""Inputs of a model: an array, or a dict of arrays."""
BATCH_SIZE = 64
"""Batch size of a config without one."""
AnyConfig = TypeVar("AnyConfig", bound=Config)
AnyModel = TypeVar("AnyModel")


class Recipe(RecipeInfo, abc.ABC, Generic[AnyConfig, AnyModel]):
    """Base class of recipes: the functions that the commands of `keras-seq` call.

    A recipe extends this class with its types of Config and model:

        class Recipe(recipe.Recipe[Config, SequenceTagger]):
            load = staticmethod(data.load)
            build = staticmethod(model.build)
            ...

    >>> from keras_seq.train.recipe import Recipe
    >>> sorted(Recipe.__abstractmethods__)
    ['build', 'encode', 'evaluate', 'load', 'predict']
    """

    reads_hf: ClassVar[bool] = False
    """True if `load` reads datasets of the Hugging Face Hub, `--data hf:NAME`."""
    examples: ClassVar[Sequence[str]] = ()
    """Example texts in `keras-seq demo`, for models trained on the builtin data."""

    @abc.abstractmethod
    def load(self, config: AnyConfig) -> Splits:
        """Read the data. Commands call `load_splits`.

        Texts remain strings, which `encode` tokenizes. If the data consists of symbols, such as
        tagged tokens or notes, an example is a list of symbols.

        Returns:
            Examples by split. Only "train" is required.

        Raises:
            InputError: If the data is not valid. The message gives file and line.
        """

    def load_splits(self, config: AnyConfig) -> Splits:
        """Read the data by `load`, with the treatment of bad rows that the Config states.

        A warning on standard error states the number of bad rows that were left out. With `fold`,
        the splits are those of the fold, and the test split of the data is left out.

        Args:
            config: Config of the run.

        Raises:
            InputError: As `load` raises, if a split has no examples or too few for the folds, or
                if the recipe reads no datasets of the Hugging Face Hub.
        """
        if config.data.startswith(huggingface.PREFIX) and not self.reads_hf:
            raise InputError(
                f"The recipe {self.name} reads no datasets of the Hugging Face Hub, got --data "
                f"{config.data}; give the path of your own files."
            )
        with row_errors.policy(config.errors), collect_summaries() as summaries:
            splits = self.load(config)
        row_errors.warn(summaries)
        for split, examples in splits.items():
            if not len(examples):
                raise InputError(
                    f"The {split} split of the data {config.data!r} has no examples; add some, or "
                    "leave out its file."
                )
        if self.fold is None:
            return splits
        return self.fold.select(splits, functools.partial(self.describe_for_folds, config))

    def describe_for_folds(self, config: AnyConfig, examples: RawExamples) -> folds.FoldColumns:
        """Return the columns of examples that determine their folds.

        Default: the inputs, and the labels of `describe` if each example has one.

        Args:
            config: Config of the run.
            examples: Examples of the training and validation splits.
        """
        return folds.FoldColumns.of(examples, self.describe(config, examples).labels)

    def describe(self, config: AnyConfig, examples: RawExamples) -> ExampleColumns:
        """Return the examples of one split for the report of `keras-seq data`.

        Default: what `ExampleColumns.of` makes of their types.

        Args:
            config: Config of the run.
            examples: Examples as `load` returns them.
        """
        return ExampleColumns.of(examples)

    def report_data(
        self, config: AnyConfig, splits: Splits, read: Sequence[ReadSummary] = ()
    ) -> DataReport:
        """Return a report on the examples, with warnings.

        Args:
            config: Config of the run.
            splits: Examples as `load` returns them.
            read: Summaries of the files that `load` read.
        """
        columns = {split: self.describe(config, examples) for split, examples in splits.items()}
        return make_report(columns, read)

    def batch_size(self, config: AnyConfig, train: RawExamples) -> int:
        """Return the number of examples per training step.

        Default: that of the config, or 64 if it is None.

        Args:
            config: Config of the run.
            train: Training examples.
        """
        return BATCH_SIZE if config.batch_size is None else config.batch_size

    @abc.abstractmethod
    def build(self, config: AnyConfig, train: RawExamples) -> AnyModel:
        """Build a compiled model with known input shapes.

        Args:
            config: Config of the run.
            train: Training examples, from which a vocabulary may be built.
        """

    def build_from(self, config: AnyConfig, train: RawExamples, initial: AnyModel) -> AnyModel:
        """Build a model that will start from the weights of a trained one (`--init-from`).

        Default: `build`. A recipe with a vocabulary puts that of `initial` first, see
        `keras_seq.text.merging`; otherwise tokens that the training data lacks are lost.

        Args:
            config: Config of the run.
            train: Training examples.
            initial: Trained model of this recipe.
        """
        return self.build(config, train)

    @abc.abstractmethod
    def encode(self, model: AnyModel, examples: RawExamples) -> EncodedDataset:
        """Return examples as arrays for the training of the model."""

    def calibrate(self, model: AnyModel, examples: RawExamples) -> None:
        """Set what the training leaves to held-out examples, such as the weights of a mixture.

        Called once, after the last epoch, if there is a validation split. Default: nothing.

        Args:
            model: Trained model.
            examples: Validation examples.
        """

    @abc.abstractmethod
    def evaluate(self, model: AnyModel, splits: Splits, name: str) -> Metrics:
        """Evaluate the model on one split.

        Args:
            model: Trained model.
            splits: Examples as `load` returns them.
            name: Name of the split to evaluate on.

        Returns:
            Numbers by name, with details in nested dicts. See `keras_seq.train.metrics`.
        """

    def tokenizer_report(self, model: AnyModel, train: RawExamples) -> TokenizerReport | None:
        """Return how the tokenizer of a model reproduces the training tokens from raw text.

        Default: the result of `TextModel.measure_tokenizer`, or None for other models.

        Args:
            model: Model to train.
            train: Training examples.
        """
        from keras_seq.models.text_model import TextModel

        return model.measure_tokenizer(train.inputs) if isinstance(model, TextModel) else None

    def report(
        self, model: AnyModel, splits: Splits, name: str, folder: Path
    ) -> dict[str, Any] | None:
        """Write plots and samples of the model on one split.

        Args:
            model: Trained model.
            splits: Examples as `load` returns them.
            name: Name of the split.
            folder: Folder to write to.

        Returns:
            Further measurements as a JSON object, or None.
        """
        return None

    @abc.abstractmethod
    def predict(
        self, model: AnyModel, config: AnyConfig, inputs: Sequence[str]
    ) -> Iterable[dict[str, Any]]:
        """Yield the predictions for inputs from the command line.

        Keyword arguments with types and defaults become options of `keras-seq predict`.

        Args:
            model: Trained model.
            config: Config of the run.
            inputs: Inputs as typed: file names, sentences, numbers.

        Yields:
            A row of a table per prediction: column to value.
        """

    def read_example(self, config: AnyConfig, text: str) -> Any:
        """Return an input as typed as an example for `trace_inputs`. Default: the input itself."""
        return text

    def trace_inputs(
        self, model: AnyModel, example: Any, target: Any = None
    ) -> tuple[Inputs, Sequence[str]]:
        """Return one example as inputs of the model, and a label for each time step.

        Default: the result of the model's own `trace_inputs`.

        Args:
            model: Trained model.
            example: Result of `read_example`, or an input that `load` returned.
            target: Target that `load` returned for the input, or None.

        Returns:
            A batch with one example, and the labels of its time steps.
        """
        return cast(Any, model).trace_inputs(example, target)

    def demo(self, model: AnyModel, config: AnyConfig) -> "Panel | None":
        """Return the panel of `keras-seq demo`, or None for the default panel of the model."""
        return None

    def export_inputs(self, model: AnyModel, config: AnyConfig, num_examples: int) -> Sequence[Any]:
        """Return test inputs on which `keras_seq.export` verifies an exported model.

        Args:
            model: Trained model.
            config: Config of the run.
            num_examples: Maximum number of test examples.

        Returns:
            Inputs. Texts are lists of tokens; empty ones are left out.
        """
        from keras_seq.models.text_model import TextModel

        splits = self.load_splits(config)
        inputs = splits.get("test", splits["train"]).inputs[:num_examples]
        if not isinstance(model, TextModel):
            return inputs
        sequences = [model.encoder.tokenize(text) for text in inputs]
        return [tokens for tokens in sequences if tokens]
