"""`keras-seq evaluate`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from keras_seq.cli._common import RecipeOption, app, limited, print_metrics
from keras_seq.train.api import load_run
from keras_seq.train.trained_run import Split


@app.command
@limited
def evaluate(
    run: Path,
    *,
    split: Split = "test",
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
    trained = load_run(run, recipe)
    print_metrics({split: trained.evaluate(split, record)}, trained.info.monitor)
