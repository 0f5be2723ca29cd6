"""Finished run: predictions, evaluation, traces and exports of its model."""

import contextlib
import dataclasses
import functools
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from keras_seq._internal import startup
from keras_seq._internal.errors import InputError, check_list, unknown_name
from keras_seq._internal.ranges import find_ranges
from keras_seq.train import card, fingerprints, results, sharing
from keras_seq.train.config import Config
from keras_seq.train.metrics import Metrics
from keras_seq.train.prediction import (
    Input,
    OnBadInput,
    Row,
    default_batch_size,
    predict_in_batches,
)
from keras_seq.train.recipe import Recipe
from keras_seq.train.recipe_info import RecipeInfo
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

    def __repr__(self) -> str:
        return f"TrainedRun({str(self.folder)!r}, recipe={self.info.name!r})"

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

    def predict(self, inputs: Iterable[Input], **options: Any) -> list[Row]:
        """Return the predictions for inputs.

        Args:
            inputs: Inputs as on the command line: texts, files or numbers.
            **options: Options of the recipe's `predict`.

        Returns:
            Rows of a table: column to value.

        Raises:
            InputError: If the recipe cannot read an input, or there is one string, not a list. If
                an input is neither text, path nor number, the message has its index.
        """
        check_list(inputs, "inputs")
        batches = self.predict_in_batches(inputs, **options)
        return [row for batch in batches for row in batch]

    def predict_in_batches(
        self,
        inputs: Iterable[Input],
        batch_size: int | None = None,
        on_bad_input: OnBadInput | None = None,
        **options: Any,
    ) -> Iterator[list[Row]]:
        """Yield the predictions for each batch of inputs, which are read as they are needed.

        Args:
            inputs: Inputs as on the command line.
            batch_size: Number of inputs that are predicted together, at least 1. Default: as
                `prediction.default_batch_size` returns.
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

        if batch_size is None:
            batch_size = default_batch_size(self.model)
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
                raise InputError(
                    f"The data {self.config.data!r} has no {split} split, only {', '.join(splits)}."
                )
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
        startup.import_backend()
        from keras_seq.tracing import trace

        if isinstance(example, str):
            example = self.recipe.read_example(self.config, example)
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
        startup.import_backend()
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
        startup.import_backend()
        from keras_seq import export

        if format not in export.FORMATS:
            raise unknown_name("format", format, export.FORMATS)
        inputs = self.recipe.export_inputs(self.model, self.config, num_examples)
        target = self.folder / format if folder is None else Path(folder)
        return export.FORMATS[format](self.model, target, inputs, **options)

    def write_card(self, overwrite: bool = False) -> Path:
        """Write a model card, README.md in the folder of the run, like `keras-seq card`.

        Args:
            overwrite: Whether to replace a card that a person edited.

        Returns:
            Path of the card.

        Raises:
            InputError: If a person edited the card.
        """
        return card.write(self.run, self.info, overwrite)

    def push(self, target: str, overwrite: bool = False, private: bool = False) -> None:
        """Write the run with its card and exports to another place, like `keras-seq push`.

        Args:
            target: Folder, `hf:OWNER/NAME`, or an address of fsspec such as `s3://bucket/folder`.
            overwrite: Whether to replace another run there.
            private: Whether a new repository of the Hugging Face Hub is private.

        Raises:
            InputError: If the place holds another run or cannot be written.
        """
        sharing.push_run(self.run, self.info, target, overwrite, private)

    def _check_recordable(self, split: str) -> None:
        _, preset, config = self.run.read_config(self.info)
        results.check_recordable(self.info, preset, config, split == "test")
        if "test" in self.metrics:
            raise InputError(
                f"{self.folder} was trained without --no-test. Only runs that were selected "
                "without their test result are recorded."
            )
