"""`keras-seq evaluate`."""

from pathlib import Path

from keras_seq.cli._common import Flag, JsonFlag, RecipeOption, app, limited, print_metrics
from keras_seq.train.api import load_run
from keras_seq.train.metrics import Metrics
from keras_seq.train.outputs import make_reporter, to_json
from keras_seq.train.trained_run import Split


@app.command
@limited
def evaluate(
    run: Path,
    /,
    *,
    split: Split = "test",
    record: Flag = False,
    recipe: RecipeOption = None,
    json_output: JsonFlag = False,
    quiet: Flag = False,
) -> None:
    """Evaluate a finished run on one split.

    Args:
        run: Folder of the run.
        split: Split to evaluate on.
        record: Add the result to the recipe's results.json. The run must be trained with --no-test
            and an unchanged preset; only --seed may differ.
        recipe: Folder of the run's recipe, if it is not registered. Its code is executed.
        json_output: Print the metrics as a JSON object.
        quiet: Print nothing but the metrics, warnings and errors.
    """
    trained = load_run(run, recipe)
    with make_reporter("quiet" if quiet else "progress", use_stderr=True) as reporter:
        reporter.start_phase("loading the model")
        _ = trained.model
        reporter.start_phase(f"evaluating the model on the {split} split")
        metrics: dict[str, Metrics] = {split: trained.evaluate(split, record)}
    if json_output:
        print(to_json(metrics))
    else:
        print_metrics(metrics, trained.info.monitor)
