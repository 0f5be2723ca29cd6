"""`keras-seq pull`."""

import shlex

from rich.markup import escape

from keras_seq.cli._common import RUNS, RunsOption, app, console, limited
from keras_seq.train.outputs import make_reporter
from keras_seq.train.runs import Run
from keras_seq.train.sharing import pull_run


@app.command
@limited
def pull(source: str, run: str | None = None, /, *, runs_folder: RunsOption = RUNS) -> None:
    """Copy a finished run from another place to RUNS/RECIPE/RUN, after checks.

    No code is copied: neither recipes nor exports.

    Args:
        source: A folder; hf:OWNER/NAME for the Hugging Face Hub; or an address of fsspec, such as
            s3://BUCKET/FOLDER.
        run: Name of the run. Default: the last part of the source.
        runs_folder: Folder of all runs.
    """
    with make_reporter("progress", use_stderr=True) as reporter:
        reporter.start_phase("copying the run")
        folder = pull_run(source, run, runs_folder)
    console.print(f"[bold]run[/] {escape(str(folder))}")
    command = f"keras-seq predict {shlex.quote(str(folder))} INPUT"
    if Run(folder).recipe_folder is None:
        console.print(f"Use it with: {escape(command)}")
    else:
        console.print(
            "Its recipe is not part of the run. With a copy of it that you trust: "
            f"{escape(command)} --recipe FOLDER"
        )
