"""`keras-seq cp`."""

import os
import shlex
import shutil
from pathlib import Path

from keras_seq._internal.errors import InputError
from keras_seq._internal.files import atomic_write
from keras_seq.cli._common import app, console
from keras_seq.train import registry


@app.command
def cp(recipe: str, folder: Path | None = None, /) -> None:
    """Copy a recipe to a folder, where you can edit it. `keras-seq train ./FOLDER` runs it.

    Args:
        recipe: Name of the recipe.
        folder: Folder to create. Default: my_RECIPE.
    """
    info = registry.find(recipe)
    source = info.folder
    folder = Path(f"my_{info.name}") if folder is None else folder
    if folder.exists():
        raise InputError(f"{folder} exists already. Choose another folder.")
    with atomic_write(folder) as new:
        shutil.copytree(source, new, ignore=shutil.ignore_patterns("__pycache__", "results.json"))
    name = str(folder)
    name = name if registry.is_folder(name) else os.path.join(os.curdir, name)  # noqa: PTH118
    console.print(f"Copied to {folder}. Train it with: keras-seq train {shlex.quote(name)}")
