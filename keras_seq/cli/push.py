"""`keras-seq push`."""

from pathlib import Path

from rich.markup import escape

from keras_seq.cli._common import Flag, RecipeOption, app, console
from keras_seq.train.api import load_run
from keras_seq.train.outputs import make_reporter


@app.command
def push(
    run: Path,
    target: str,
    /,
    *,
    overwrite: Flag = False,
    private: Flag = False,
    recipe: RecipeOption = None,
) -> None:
    """Copy a finished run, with a model card and its exports, to another place.

    Checkpoints, logs, and pages and pictures with examples of the data are not copied.

    Args:
        run: Folder of the run.
        target: A folder; hf:OWNER/NAME for the Hugging Face Hub; or an address of fsspec, such as
            s3://BUCKET/FOLDER.
        overwrite: Replace another run at the target.
        private: Make a new repository of the Hugging Face Hub private.
        recipe: Folder of the run's recipe, if it is not registered. Its code is executed.
    """
    trained = load_run(run, recipe)
    with make_reporter("progress", use_stderr=True) as reporter:
        reporter.start_phase("copying the run")
        trained.push(target, overwrite, private)
    console.print(f"[bold]pushed to[/] {escape(target)}")
    console.print(f"Copy it from there with: keras-seq pull {escape(target)}")
