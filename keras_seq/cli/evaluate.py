"""`keras-seq evaluate`."""

import contextlib
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from keras_seq._internal.errors import InputError
from keras_seq.cli._common import RecipeOption, app, limited, print_metrics
from keras_seq.train import fingerprints, results, runs


@app.command
@limited
def evaluate(
    run: Path,
    *,
    split: Literal["test", "validation", "train"] = "test",
    record: Annotated[bool, Parameter(negative="")] = False,
    recipe: RecipeOption = None,
) -> None:
    """Measure a finished run again.

    Args:
        run: Folder of the run.
        split: The examples to measure on.
        record: Add the result to the recipe's results.json. The run must be of an unchanged preset
            and trained with --no-test, so that it was chosen on the validation split.
    """
    finished = runs.Run(run)
    with finished.lock() if record else contextlib.nullcontext():
        info, preset, config = finished.read_config(recipe)
        if record:
            results.check_recordable(info, preset, config, split == "test")
        used, _, model = finished.load(info)
        if record and "test" in finished.metrics:
            raise InputError(
                f"{run} was trained without --no-test: its result on the test split was known "
                "before it was chosen."
            )
        splits = used.load(config)
        if split not in splits:
            raise InputError(f"The data {config.data!r} has no {split} split.")
        now = fingerprints.hash_data(splits)
        if difference := fingerprints.compare_data(finished.fingerprint, now):
            problem = f"{run} was trained with other data: {difference}"
            if record:
                raise InputError(f"{problem}; no result on other data is recorded.")
            print(f"keras-seq: warning: {problem}.", file=sys.stderr)
        measured: dict[str, Any] = {split: used.evaluate(model, splits, split)}
        print_metrics(measured)
        if record:
            report = used.report(model, splits, split, finished.folder)
            metrics = finished.metrics | measured | ({"report": report} if report else {})
            finished.write_json("metrics.json", metrics)
            results.record(used, metrics, config)
