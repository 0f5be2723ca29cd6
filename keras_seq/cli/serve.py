"""`keras-seq serve`."""

import os
import re
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators
from rich.markup import escape

from keras_seq._internal import sockets
from keras_seq._internal.errors import InputError
from keras_seq.cli._common import app, console
from keras_seq.cli.export import export
from keras_seq.serving import Limits
from keras_seq.train import runs


@app.command(usage="Usage: keras-seq serve MODELS... [OPTIONS]")
def serve(
    *models: str,
    host: str = "127.0.0.1",
    port: int = 8501,
    max_versions: Annotated[int, Parameter(validator=validators.Number(gte=1))] = 1,
    poll_interval: Annotated[float, Parameter(validator=validators.Number(gt=0, lte=86_400))] = 2.0,
    limits: Annotated[Limits, Parameter(name="*")] = Limits(),  # noqa: B008
) -> None:
    """Serve models over HTTP: TensorFlow Serving's REST API and Open Inference Protocol v2.

    Args:
        models: One or more FOLDER or NAME=FOLDER. FOLDER is a run, which is exported first if
            needed; a SavedModel; or a folder of versions: SavedModels whose names are numbers.
        host: Host name or address to listen on; 0.0.0.0 for all addresses of this machine.
        port: Port to listen on, 0 to 65535; 0 for any free port.
        max_versions: Number of latest versions to serve per model.
        poll_interval: Seconds between scans for new versions.
        limits: Limits on requests and batches.
    """
    if not models:
        raise InputError("serve needs at least one model: FOLDER or NAME=FOLDER.")
    try:
        from keras_seq.serving import server
    except ImportError as error:
        raise InputError(
            f"The server needs {error.name}. Install it with: pip install 'keras-seq[serve]'."
        ) from error
    # Batches run concurrently. If each operation also used all cores, throughput would drop by a
    # tenth. TensorFlow reads these variables when it is imported, perhaps by an export below.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    # All models share these threads. One more than the concurrent batches of a model remains for
    # other models. Each further thread costs time, since idle threads poll for work.
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", str(limits.max_concurrent_batches + 1))
    # oneDNN compiles a program for each shape, and requests have many shapes.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    folders: dict[str, Path] = {}
    for model in models:
        name, folder = _parse_model(model)
        if name in folders:
            raise InputError(f"Two models are called {name!r}: give one as NAME=FOLDER.")
        folders[name] = folder
    # Reserve the port before exporting or loading, which takes minutes.
    listening, address = sockets.listen(host, port)
    with listening:
        for folder in folders.values():
            if not folder.exists():
                console.print(f"[bold]exporting[/] {escape(str(folder.parent))}")
                export(folder.parent)
        server.serve(folders, listening, address, limits, max_versions, poll_interval)


def _parse_model(argument: str) -> tuple[str, Path]:
    """Return the name and the folder of a model. The export of a run may not exist yet.

    Args:
        argument: FOLDER or NAME=FOLDER.

    Raises:
        InputError: If the folder does not exist, its recipe must be given for the export, or the
            name has characters other than letters, digits, `_`, `.` and `-`.
    """
    name, _, path = argument.rpartition("=")
    folder = Path(path)
    if not folder.is_dir():
        raise InputError(f"There is no folder {path}.")
    if runs.Run(folder).is_started:
        run, folder = folder, folder / "savedmodel"
        name = name or runs.Run(run).recipe_name
        if not folder.exists() and (recipe_folder := runs.Run(run).recipe_folder):
            raise InputError(
                f"{run} is not exported yet, and its recipe is in the folder {recipe_folder}: "
                f"export it first, with `keras-seq export {run} --recipe {recipe_folder}`."
            )
    name = name or folder.resolve().name
    if not re.fullmatch(r"[\w.-]+", name):
        raise InputError(
            f"{name!r} cannot be the name of a model: use only letters, digits, _, . and -."
        )
    return name, folder
