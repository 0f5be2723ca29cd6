"""`keras-seq serve`."""

import os
import re
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from keras_seq._internal import sockets
from keras_seq._internal.errors import InputError
from keras_seq.cli._common import app
from keras_seq.cli.export import export
from keras_seq.serving import Limits
from keras_seq.train import runs


@app.command
def serve(
    *models: str,
    host: str = "127.0.0.1",
    port: int = 8501,
    max_versions: Annotated[int, Parameter(validator=validators.Number(gte=1))] = 1,
    poll_interval: Annotated[float, Parameter(validator=validators.Number(gt=0))] = 2.0,
    limits: Annotated[Limits, Parameter(name="*")] = Limits(),  # noqa: B008
) -> None:
    """Answer requests over the network, as TensorFlow Serving does and by the protocol v2.

    Args:
        models: FOLDER or NAME=FOLDER. The folder is a run, which is exported first if needed, a
            SavedModel, or a folder of versions: SavedModels named by numbers, of which the latest
            answers.
        host: Where to listen; 0.0.0.0 for every address of this machine.
        port: Where to listen.
        max_versions: How many versions of a model answer, the latest ones.
        poll_interval: Seconds between two looks for new versions.
        limits: What is accepted, and how requests are batched.
    """
    if not models:
        raise InputError("serve needs at least one model.")
    try:
        from keras_seq.serving import server
    except ImportError as error:
        raise InputError(f"serve needs {error.name}: pip install 'keras-seq[serve]'.") from error
    # Requests run beside each other; operations that each use all cores as well cost a tenth of
    # the throughput. TensorFlow reads it when it starts, which an export below may make it do.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    # All models share these threads. One more than a model has runs is left for other models;
    # each further one costs time, since threads without work keep looking for some.
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", str(limits.max_concurrent_runs + 1))
    # It makes a program for every shape it meets, which with requests of all lengths are many.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    folders: dict[str, Path] = {}
    for given in models:
        name, folder = _named_model(given)
        if name in folders:
            raise InputError(f"Two models are called {name!r}: give one as NAME=FOLDER.")
        folders[name] = folder
    # Before anything is exported or loaded, which takes minutes.
    listening, address = sockets.listen(host, port)
    with listening:
        for folder in folders.values():
            if not folder.exists():
                export(folder.parent)
        server.serve(folders, listening, address, limits, max_versions, poll_interval)


def _named_model(given: str) -> tuple[str, Path]:
    """Return the name and the folder of a model to serve; the folder of a run may not exist yet."""
    name, _, path = given.rpartition("=")
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
            f"{name!r} cannot be the name of a model: only letters, digits, _, . and -."
        )
    return name, folder
