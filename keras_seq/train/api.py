"""Training and use of runs in Python. The commands of `keras-seq` call these functions."""

import contextlib
import dataclasses
import functools
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from keras_seq._internal.errors import InputError, unknown_name
from keras_seq._internal.ranges import find_ranges
from keras_seq.train import distribution, fingerprints, registry, results, runs
from keras_seq.train.config import Config
from keras_seq.train.metrics import Metrics
from keras_seq.train.prediction import BATCH_SIZE, OnBadInput, Row, predict_in_batches
from keras_seq.train.recipe import Recipe, RecipeInfo
from keras_seq.train.runs import Run

if TYPE_CHECKING:
    from keras_seq.tracing import Trace

Split = Literal["test", "validation", "train"]
"""Name of a split of the data."""


@dataclasses.dataclass(frozen=True)
class TrainedRun:
    """Finished run. Its model is loaded when it is first used.

    >>> import tempfile
    >>> from keras_seq.train import load_run
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load_run(folder)
    Traceback (most recent call last):
        ...
    keras_seq._internal.errors.InputError: ... is not a run: it has no config.json.

    Args:
        run: Folder of the run.
        info: Recipe, as the caller trusts its code.
    """

    run: Run
    info: RecipeInfo

    @property
    def folder(self) -> Path:
        """Folder of the run."""
        return self.run.folder

    @property
    def recipe(self) -> Recipe:
        """Recipe with its code imported."""
        return self._loaded[0]

    @property
    def config(self) -> Config:
        """Config that the run was trained with."""
        return self._loaded[1]

    @property
    def model(self) -> Any:
        """Trained model of `keras_seq.models`."""
        return self._loaded[2]

    @property
    def metrics(self) -> dict[str, Any]:
        """Content of `metrics.json`: metrics by split, and facts about the training."""
        return self.run.metrics

    @functools.cached_property
    def _loaded(self) -> tuple[Recipe, Config, Any]:
        return self.run.load(self.info)

    def predict(self, inputs: Iterable[str], **options: Any) -> list[Row]:
        """Return the predictions for inputs.

        Args:
            inputs: Inputs as on the command line: texts, file names or numbers.
            **options: Options of the recipe's `predict`.

        Returns:
            Rows of a table: column to value.

        Raises:
            InputError: If the recipe cannot read an input.
        """
        batches = self.predict_in_batches(inputs, **options)
        return [row for batch in batches for row in batch]

    def predict_in_batches(
        self,
        inputs: Iterable[str],
        batch_size: int = BATCH_SIZE,
        on_bad_input: OnBadInput | None = None,
        **options: Any,
    ) -> Iterator[list[Row]]:
        """Yield the predictions for each batch of inputs, which are read as they are needed.

        Args:
            inputs: Inputs as on the command line.
            batch_size: Number of inputs that are predicted together, at least 1.
            on_bad_input: Function that is called with each bad input, which is then left out, and
                with its error. Default: the error is raised.
            **options: Options of the recipe's `predict`.

        Raises:
            InputError: If an input cannot be read and there is no `on_bad_input`, or an option is
                out of its range.
        """
        for name, option_range in find_ranges(self.recipe.predict).items():
            if options.get(name) is not None:
                option_range.check(f"--{name.replace('_', '-')}", options[name])

        def predict(batch: Sequence[str]) -> Iterable[Row]:
            return self.recipe.predict(self.model, self.config, batch, **options)

        return predict_in_batches(predict, inputs, batch_size, on_bad_input)

    def evaluate(self, split: Split = "test", record: bool = False) -> Metrics:
        """Evaluate the model on one split of the data that it was trained on.

        Args:
            split: Name of the split.
            record: If True, add the result to the recipe's results.json and to `metrics`.

        Returns:
            Numbers by name, with details in nested dicts.

        Raises:
            InputError: If the data has no such split, or the result cannot be recorded.
        """
        with self.run.lock() if record else contextlib.nullcontext():
            if record:
                self._check_recordable(split)
            splits = self.recipe.load_splits(self.config)
            if split not in splits:
                raise InputError(f"The data {self.config.data!r} has no {split} split.")
            current = fingerprints.hash_data(splits)
            if difference := fingerprints.compare_data(self.run.fingerprint, current):
                message = f"{self.folder} was trained with other data: {difference}"
                if record:
                    raise InputError(f"{message}. Results on other data are not recorded.")
                print(f"keras-seq: warning: {message}.", file=sys.stderr)
            metrics = self.recipe.evaluate(self.model, splits, split)
            if record:
                report = self.recipe.report(self.model, splits, split, self.folder)
                new = {split: metrics, **({"report": report} if report else {})}
                content = {**self.metrics, **new}
                self.run.write_json("metrics.json", content)
                results.record(self.recipe, content, self.config)
        return metrics

    def trace(self, example: Any) -> "Trace":
        """Run the model on one example and record gates and states at every time step.

        Args:
            example: Input that the recipe reads, such as a sentence, or an example of the data.

        Raises:
            InputError: If the recipe cannot read the input.
        """
        from keras_seq.tracing import trace

        inputs, _ = self.recipe.trace_inputs(self.model, example)
        return trace(self.model, inputs)

    def write_trace_page(self, example: str) -> Path:
        """Trace the model on one example, and write a page with gates and gradients to the folder.

        Args:
            example: Input that the recipe reads, or the index of an example in the test split.

        Returns:
            Path of the page.

        Raises:
            InputError: If there is no such example, or the recipe cannot read the input.
        """
        from keras_seq.train.trace_page import write_example_page

        return write_example_page(self.recipe, self.config, self.model, example, self.folder)

    def export(
        self,
        format: Literal["savedmodel", "onnx", "litert"] = "savedmodel",
        folder: str | os.PathLike[str] | None = None,
        num_examples: int = 8,
        **options: Any,
    ) -> dict[str, Any]:
        """Export the model, and verify the exported model on test examples.

        Args:
            format: Key of `keras_seq.export.FORMATS`.
            folder: Folder to write. Default: the format's name in the folder of the run.
            num_examples: Number of test examples, at least 1.
            **options: Options of the export function, such as `portable` of ONNX.

        Returns:
            Report with latencies and the largest difference between the outputs.

        Raises:
            InputError: If the folder exists already, or the model cannot be exported.
        """
        from keras_seq import export

        if format not in export.FORMATS:
            raise unknown_name("format", format, export.FORMATS)
        inputs = self.recipe.export_inputs(self.model, self.config, num_examples)
        target = self.folder / format if folder is None else Path(folder)
        return export.FORMATS[format](self.model, target, inputs, **options)

    def _check_recordable(self, split: str) -> None:
        _, preset, config = self.run.read_config(self.info)
        results.check_recordable(self.info, preset, config, split == "test")
        if "test" in self.metrics:
            raise InputError(
                f"{self.folder} was trained without --no-test. Only runs that were selected "
                "without their test result are recorded."
            )


def load_run(folder: str | os.PathLike[str], recipe: str | None = None) -> TrainedRun:
    """Return a finished run.

    Args:
        folder: Folder of the run.
        recipe: Folder of the run's recipe, if it is not registered. Its code is executed.

    Raises:
        InputError: If the folder does not hold a finished run, or the recipe is missing.
    """
    run = Run(Path(folder))
    info, _, _ = run.read_config(recipe)
    if not run.is_finished:
        raise InputError(
            f"{run.folder} is not finished. Continue it with `keras-seq train ... --resume`."
        )
    return TrainedRun(run, info)


def train_run(
    recipe: str,
    *,
    preset: str = "default",
    run: str | None = None,
    runs_folder: str | os.PathLike[str] = "runs",
    resume: bool = False,
    record: bool = False,
    test: bool = True,
    distribute: distribution.Kind = None,
    command: str = "",
    **fields: Any,
) -> TrainedRun | None:
    """Train a model, evaluate it and save the run, like the command `keras-seq train`.

    `keras_seq.train(recipe, ...)` is a short form.

    Args:
        recipe: Name of a recipe, or the path of its folder, such as `./my_digits`.
        preset: Preset that sets the defaults of the fields.
        run: Name of the run, saved in RUNS_FOLDER/RECIPE/RUN. Default: the name of the preset.
        runs_folder: Folder of all runs.
        resume: Whether to continue the run from its checkpoint after an interruption.
        record: Whether to add the result to the recipe's results.json.
        test: Whether to evaluate on the test split at the end.
        distribute: "mirrored" or "multiworker" for data parallelism; None for one device.
        command: Command line, saved with the metrics.
        **fields: Fields of the recipe's Config.

    Returns:
        The finished run; None in a worker whose chief saves the run.

    Raises:
        InputError: If an argument or the data is not valid, or the folder holds another run.
    """
    info = registry.find(recipe)
    training_run = runs.get_run(Path(runs_folder), info, preset if run is None else run)
    preset, defaults = (
        training_run.read_unfinished(info) if resume else (preset, info.preset(preset))
    )
    if unknown := [name for name in fields if name not in info.field_names()]:
        raise unknown_name(f"field of {info.name}", unknown[0], info.field_names())
    config = dataclasses.replace(defaults, **fields)
    if record:
        results.check_recordable(info, preset, config, test)
    is_chief = distribution.is_chief(distribute)
    with training_run.lock() if is_chief else contextlib.nullcontext():
        if resume:
            training_run.read_unfinished(info)  # again: another process may have finished it
            _check_unchanged(defaults, config, training_run)
        elif is_chief:
            training_run.ensure_new()
        devices = distribution.start_backend(distribute)
        from keras_seq.train import loop

        code = info.import_recipe()
        metrics = loop.train(code, preset, config, training_run, command, test, devices)
        if metrics is None:
            return None
        if record:
            results.record(info, metrics, config)
    return TrainedRun(training_run, info)


def _check_unchanged(stored: Config, current: Config, run: Run) -> None:
    """Check that a run resumes with the config that it was started with.

    Raises:
        InputError: If a field has another value.
    """
    for field in dataclasses.fields(stored):
        was, now = getattr(stored, field.name), getattr(current, field.name)
        if was != now:
            option = field.name.replace("_", "-")
            raise InputError(f"{run.folder} was started with --{option} {was}, not {now}.")
