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
    """Evaluate a finished run on one split.

    Args:
        run: Folder of the run.
        split: Split to evaluate on.
        record: Add the result to the recipe's results.json. The run must be trained with --no-test
            and an unchanged preset; only --seed may differ.
        recipe: Folder of the run's recipe, if it is not registered. Its code is executed.
    """
    finished = runs.Run(run)
    with finished.lock() if record else contextlib.nullcontext():
        info, preset, config = finished.read_config(recipe)
        if record:
            results.check_recordable(info, preset, config, split == "test")
        loaded, _, model = finished.load(info)
        if record and "test" in finished.metrics:
            raise InputError(
                f"{run} was trained without --no-test. Only runs that were selected without their "
                "test result are recorded."
            )
        splits = loaded.load_splits(config)
        if split not in splits:
            raise InputError(f"The data {config.data!r} has no {split} split.")
        current = fingerprints.hash_data(splits)
        if difference := fingerprints.compare_data(finished.fingerprint, current):
            message = f"{run} was trained with other data: {difference}"
            if record:
                raise InputError(f"{message}. Results on other data are not recorded.")
            print(f"keras-seq: warning: {message}.", file=sys.stderr)
        metrics: dict[str, Any] = {split: loaded.evaluate(model, splits, split)}
        print_metrics(metrics)
        if record:
            report = loaded.report(model, splits, split, finished.folder)
            content = finished.metrics | metrics | ({"report": report} if report else {})
            finished.write_json("metrics.json", content)
            results.record(loaded, content, config)
