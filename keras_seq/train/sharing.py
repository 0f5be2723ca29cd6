"""Push of finished runs to other places, and pull from there.

A pulled run is as untrusted as any other file: only files of fixed names are read, no file is a
program, and the recipe's code is that of the installed recipe or of the one that a command names.
"""

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from keras_seq._internal import files
from keras_seq._internal.errors import InputError
from keras_seq.data import limits
from keras_seq.train import card, registry, runs, storages
from keras_seq.train.hub import PREFIX, HubRepository
from keras_seq.train.recipe_info import RecipeInfo
from keras_seq.train.runs import Run
from keras_seq.train.storages import FsspecFolder, LocalFolder, Storage

CONFIG = "config.json"
REQUIRED = (CONFIG, "model.keras", storages.LAST)
"""Files without which a folder is not a finished run."""
DOCUMENTS = (".json", ".csv", ".md")
"""Suffixes of files that are read as a whole."""


def open_storage(address: str, private: bool = False) -> Storage:
    """Return the place at an address.

    Args:
        address: Local folder, `hf:OWNER/NAME`, or an address of fsspec such as `s3://bucket/folder`.
        private: Whether a new repository of the Hub is private.

    Raises:
        InputError: If the address is not valid, or a package for it is not installed.
    """
    if address.startswith(PREFIX):
        return HubRepository(address, private)
    if private:
        raise InputError(f"--private is for the Hugging Face Hub, got {address}.")
    if not address.strip():
        raise InputError("The address is empty; give a folder, hf:OWNER/NAME, or s3://BUCKET/RUN.")
    return FsspecFolder(address) if "://" in address else LocalFolder(address)


def push_run(
    run: Run, recipe: RecipeInfo, target: str, overwrite: bool = False, private: bool = False
) -> None:
    """Write a finished run to another place, with its model card and its exports.

    Args:
        run: Finished run. Its model card is written first, unless a person edited it.
        recipe: Recipe of the run.
        target: Address, as for `open_storage`.
        overwrite: Whether to replace another run at the address.
        private: Whether a new repository of the Hub is private.

    Raises:
        InputError: If the run is damaged, or the address holds another run or cannot be written.
    """
    storage = open_storage(target, private)
    run.ensure_model()
    old = storage.list_files()
    _check_target(storage, old, run, overwrite)
    if not card.is_edited(run):
        card.write(run, recipe)
    local = LocalFolder(str(run.folder))
    new = {name: run.folder / name for name in local.list_files() if _is_shared(name)}
    storage.write(new, [name for name in old if _is_shared(name) and name not in new])


def _is_shared(name: str) -> bool:
    first, *rest = name.split("/")
    return name in storages.RUN_FILES or (first in storages.EXPORT_FOLDERS and bool(rest))


def _check_target(storage: Storage, old: dict[str, int], run: Run, overwrite: bool) -> None:
    """Check that a place holds no other run.

    Raises:
        InputError: If it does, and must not be overwritten.
    """
    if isinstance(storage, LocalFolder) and Path(storage.address).resolve() == run.folder.resolve():
        raise InputError(f"{storage.address} is the run itself; choose another folder.")
    if CONFIG not in old or storages.LAST not in old:
        others = [name for name in old if not _is_shared(name) and not name.startswith(".")]
        if others and not isinstance(storage, HubRepository):
            raise InputError(
                f"{storage.address} is not a run, and contains {others[0]}; choose an empty folder."
            )
        return
    # The config has fingerprints of code and data, so that equal ones mean equal runs.
    if not overwrite and _read(storage, CONFIG, old) != (run.folder / CONFIG).read_bytes():
        raise InputError(
            f"{storage.address} holds another run; add --overwrite to replace it, or choose "
            "another name."
        )


def pull_run(
    source: str, name: str | None = None, runs_folder: str | os.PathLike[str] = "runs"
) -> Path:
    """Copy a finished run from another place to RUNS_FOLDER/RECIPE/NAME, after checks.

    Exports are not copied, because a SavedModel can contain operations that write files.
    `keras-seq export` makes them again.

    Args:
        source: Address, as for `open_storage`.
        name: Name of the run. Default: the last part of the address.
        runs_folder: Folder of all runs.

    Returns:
        Folder of the run, for `keras_seq.load_run`.

    Raises:
        InputError: If there is no finished run at the address, it is damaged, contains code or
            exceeds a limit, or the folder of the run exists.
    """
    storage = open_storage(source)
    sizes = {n: size for n, size in storage.list_files().items() if n in storages.RUN_FILES}
    if not sizes:
        raise InputError(f"There is no run at {source}: {storage.advice}.")
    for required in REQUIRED:
        if required not in sizes:
            raise InputError(f"{source} is not a finished run: it has no {required}.")
    _check_sizes(source, sizes)
    with tempfile.TemporaryDirectory() as temporary:
        config = Path(temporary) / CONFIG
        config.write_bytes(_read(storage, CONFIG, sizes))
        with _at(source, config.parent):
            recipe = Run(config.parent).recipe_name
        if not re.fullmatch(r"\w[\w.-]*", recipe):
            raise InputError(
                f"{source}: config.json names the recipe {recipe!r}, which is not a name."
            )
        target = runs.get_run(
            Path(runs_folder), RecipeInfo(recipe, ""), name or storage.default_name
        )
        if target.folder.exists():
            raise InputError(f"{target.folder} exists already; give another name after the source.")
        with (
            storages.remove_empty_parents(target.folder),
            files.atomic_write(target.folder) as folder,
        ):
            folder.mkdir()
            shutil.copyfile(config, folder / CONFIG)
            for file_name in sizes:
                if file_name != CONFIG:
                    _download(storage, file_name, sizes, folder)
            with _at(source, folder):
                _check_content(Run(folder), recipe)
    return target.folder


def _check_sizes(source: str, sizes: dict[str, int]) -> None:
    for name, size in sizes.items():
        if name.endswith(DOCUMENTS):
            limits.check("max_document_bytes", size, f"{source}/{name}", "the size in bytes")
    limits.check("max_run_bytes", sum(sizes.values()), source, "the size in bytes")


def _read(storage: Storage, name: str, sizes: dict[str, int]) -> bytes:
    """Return the content of a small file."""
    limits.check(
        "max_document_bytes", sizes[name], f"{storage.address}/{name}", "the size in bytes"
    )
    return b"".join(_chunks(storage, name, sizes))


def _download(storage: Storage, name: str, sizes: dict[str, int], folder: Path) -> None:
    with (folder / name).open("xb") as file:
        for chunk in _chunks(storage, name, sizes):
            file.write(chunk)


def _chunks(storage: Storage, name: str, sizes: dict[str, int]) -> Iterator[bytes]:
    """Yield the content of a file, which must have the listed size.

    Raises:
        InputError: If it is longer or shorter.
    """
    num_bytes = 0
    for chunk in storage.read(name):
        num_bytes += len(chunk)
        if num_bytes > sizes[name]:
            break
        yield chunk
    if num_bytes != sizes[name]:
        kind = "more" if num_bytes > sizes[name] else "less"
        raise InputError(
            f"{storage.address}/{name} has {kind} than the {sizes[name]:,} bytes that are listed; "
            "try again."
        )


def _check_content(run: Run, recipe: str) -> None:
    """Check the files of a downloaded run against their checksums, without running any code.

    Raises:
        InputError: If a file is damaged, or the model contains code.
    """
    run.ensure_model()
    _ = run.metrics
    if recipe in registry.list_recipes() and run.recipe_folder is None:
        run.read_config()


@contextlib.contextmanager
def _at(source: str, folder: Path) -> Iterator[None]:
    """Name the source in place of a temporary folder in errors.

    Raises:
        InputError: If the block raises one.
    """
    try:
        yield
    except InputError as error:
        raise InputError(str(error).replace(str(folder), source)) from error
