"""Places to which runs are pushed: local folders, the Hugging Face Hub, addresses of fsspec."""

import abc
import contextlib
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from keras_seq._internal import files
from keras_seq._internal.errors import InputError, excerpt, is_disk_full
from keras_seq.data import network

RUN_FILES = (
    "config.json",
    "history.csv",
    "model.keras",
    "learning_curve.png",
    "confusion_matrix.png",
    "calibration.png",
    "README.md",
    "metrics.json",
)
"""Files of a run that are shared. Other pictures and pages show examples of the data."""
EXPORT_FOLDERS = ("savedmodel", "onnx", "litert")
"""Folders of a run that are pushed, with all their files."""
LAST = "metrics.json"
"""File that is written last, because it marks a run as finished."""
READ_SECONDS = 10.0
"""Maximum time to wait for the next part of a download, in seconds."""
WRITE_SECONDS = 60.0
"""Maximum time to wait until a part of an upload is written, in seconds."""
CHUNK_BYTES = 2**20

T = TypeVar("T")


class Storage(abc.ABC):
    """Folder of a run, perhaps on another machine.

    Args:
        address: Address as the user writes it.
    """

    advice = "check the address"
    """Advice if there is nothing at the address, as a clause."""

    def __init__(self, address: str) -> None:
        self.address = address

    @property
    def default_name(self) -> str:
        """Last part of the address."""
        return re.split(r"[/\\:]", self.address.rstrip("/\\"))[-1]

    @abc.abstractmethod
    def list_files(self) -> dict[str, int]:
        """Return the sizes of the files that may belong to a run, by path with slashes.

        These are all files at the top level, and those in folders of exports. Without a folder, the
        result is empty.

        Raises:
            InputError: If the files cannot be listed.
        """

    @abc.abstractmethod
    def read(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file.

        Args:
            name: Path that `list_files` returned.

        Raises:
            InputError: If the file cannot be read.
        """

    @abc.abstractmethod
    def write(self, new: Mapping[str, Path], old: Collection[str]) -> None:
        """Write files, all or none of them.

        Args:
            new: Local file by path. `LAST` is written last.
            old: Paths of existing files that are removed.

        Raises:
            InputError: If the files cannot be written.
        """


class LocalFolder(Storage):
    """Folder on a local disk.

    >>> LocalFolder("nowhere").list_files()
    {}
    """

    def list_files(self) -> dict[str, int]:
        """Return the sizes of the files, as `Storage` describes.

        Raises:
            InputError: If the folder is a file, or has a link among its files.
        """
        folder = Path(self.address)
        if not folder.exists():
            return {}
        if not folder.is_dir():
            raise InputError(f"{folder} is a file, not a folder.")
        sizes = self._list(folder, "")
        for name in EXPORT_FOLDERS:
            if (folder / name).is_dir():
                sizes |= self._list_all(folder / name, f"{name}/")
        return sizes

    def _list(self, folder: Path, prefix: str) -> dict[str, int]:
        sizes = {}
        for entry in os.scandir(folder):
            name = prefix + entry.name
            if entry.is_symlink() and name.split("/")[0] in (*RUN_FILES, *EXPORT_FOLDERS):
                raise InputError(f"{entry.path} is a link, which is not followed; copy the file.")
            if entry.is_file(follow_symlinks=False):
                sizes[name] = entry.stat(follow_symlinks=False).st_size
        return sizes

    def _list_all(self, folder: Path, prefix: str) -> dict[str, int]:
        sizes = self._list(folder, prefix)
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                sizes |= self._list_all(Path(entry.path), f"{prefix}{entry.name}/")
        return sizes

    def read(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file."""
        with (Path(self.address) / name).open("rb") as file:
            yield from iter(lambda: file.read(CHUNK_BYTES), b"")

    def write(self, new: Mapping[str, Path], old: Collection[str]) -> None:
        """Write files to a temporary folder, and rename it, or each file if the folder exists."""
        folder = Path(self.address)
        with contextlib.suppress(OSError):
            folder.rmdir()  # if it is empty
        if not folder.exists():
            with remove_empty_parents(folder):
                _create(folder.parent)
                with files.atomic_write(folder) as staged:
                    _copy(new, staged)
            return
        with files.atomic_write(folder / LAST) as last:
            staged = last.parent / "staged"
            _copy(new, staged)
            (folder / LAST).unlink(missing_ok=True)
            for name in old:
                (folder / name).unlink(missing_ok=True)
            for name in new:
                target = last if name == LAST else folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                (staged / name).replace(target)


@contextlib.contextmanager
def remove_empty_parents(path: Path) -> Iterator[None]:
    """Remove the parent folders of a path that the block created and left empty.

    Args:
        path: Path that the block writes.
    """
    missing = [parent for parent in path.parents if not parent.exists()]
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # not empty
            for parent in missing:
                parent.rmdir()


def _create(folder: Path) -> None:
    """Create a folder to write to.

    Raises:
        InputError: If it cannot be created or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder):
            pass
    except OSError as error:
        if is_disk_full(error):
            raise
        reason = error.strerror or str(error)
        raise InputError(f"Nothing can be written to the folder {folder}: {reason}.") from error


def _copy(new: Mapping[str, Path], folder: Path) -> None:
    for name, path in new.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)


class FsspecFolder(Storage):
    """Folder at an address that a file system of fsspec reads, such as `s3://bucket/folder`.

    >>> FsspecFolder("memory://shared/ner").default_name
    'ner'
    """

    def __init__(self, address: str) -> None:
        super().__init__(address)
        try:
            import fsspec
        except ImportError:
            raise InputError(
                f"{address} needs the package fsspec: run pip install 'keras-seq[share]'."
            ) from None
        self._file_system, self._root = self._call(lambda: fsspec.core.url_to_fs(address))

    def _call(self, function: Callable[[], T], seconds: float | None = None) -> T:
        return call_with_timeout(self.address, function, seconds)

    def list_files(self) -> dict[str, int]:
        """Return the sizes of the files, as `Storage` describes."""
        return self._call(self._list)

    def _list(self) -> dict[str, int]:
        system = self._file_system
        system.invalidate_cache()
        if not system.exists(self._root):
            return {}
        entries = list(system.ls(self._root, detail=True))
        for name in EXPORT_FOLDERS:
            if system.isdir(f"{self._root}/{name}"):
                entries += system.find(f"{self._root}/{name}", detail=True).values()
        return {
            self._relative(entry["name"]): entry["size"] or 0
            for entry in entries
            if entry["type"] == "file" and not entry.get("islink")
        }

    def _relative(self, name: str) -> str:
        return name.strip("/").removeprefix(self._root.strip("/")).lstrip("/")

    def read(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file, with a timeout for each part."""
        path = f"{self._root}/{name}"
        return read_with_timeout(self.address, lambda: self._file_system.open(path, "rb"))

    def write(self, new: Mapping[str, Path], old: Collection[str]) -> None:
        """Upload files to a temporary folder, and move them when all are complete."""
        system, staged = self._file_system, f"{self._root}/.writing-{secrets.token_hex(4)}"
        try:
            for name, path in new.items():
                self._upload(path, f"{staged}/{name}")
            for name in (LAST, *old):
                self._remove(f"{self._root}/{name}")
            for name in sorted(new, key=lambda name: name == LAST):
                source, target = f"{staged}/{name}", f"{self._root}/{name}"

                def move(source: str = source, target: str = target) -> None:
                    system.makedirs(target.rpartition("/")[0], exist_ok=True)
                    system.mv(source, target)

                self._call(move, WRITE_SECONDS)
        finally:
            with contextlib.suppress(InputError):  # the network may be down
                self._remove(staged)

    def _upload(self, path: Path, target: str) -> None:
        def write_chunks() -> Iterator[int]:
            self._file_system.makedirs(target.rpartition("/")[0], exist_ok=True)
            with self._file_system.open(target, "wb") as remote, path.open("rb") as local:
                for chunk in iter(lambda: local.read(CHUNK_BYTES), b""):
                    yield remote.write(chunk)

        with translate_errors(self.address):
            for _ in network.iter_with_timeout(write_chunks(), WRITE_SECONDS):
                pass

    def _remove(self, path: str) -> None:
        def remove() -> None:
            if self._file_system.exists(path):
                self._file_system.rm(path, recursive=True)

        self._call(remove, WRITE_SECONDS)


def call_with_timeout(address: str, function: Callable[[], T], seconds: float | None = None) -> T:
    """Return the result of a function that uses the network.

    Args:
        address: Address for messages.
        function: Function without arguments.
        seconds: Maximum time to wait. Default: `network.TIMEOUT_SECONDS`.

    Raises:
        InputError: If the function raises an error, or takes longer.
    """
    with translate_errors(address):
        return next(network.iter_with_timeout((function() for _ in range(1)), seconds))


def read_with_timeout(address: str, open_file: Callable[[], Any]) -> Iterator[bytes]:
    """Yield the content of a file that is read over the network.

    Args:
        address: Address for messages.
        open_file: Function that opens the file.

    Raises:
        InputError: If a part cannot be read, or does not arrive within `READ_SECONDS`.
    """

    def read_chunks() -> Iterator[bytes]:
        with open_file() as file:
            yield from iter(lambda: file.read(CHUNK_BYTES), b"")

    chunks = network.iter_with_timeout(read_chunks(), READ_SECONDS)
    while True:
        with translate_errors(address):
            chunk = next(chunks, b"")
        if not chunk:
            return
        yield chunk


@contextlib.contextmanager
def translate_errors(address: str) -> Iterator[None]:
    """Translate the errors of other packages; each file system of fsspec has its own.

    Args:
        address: Address for messages.

    Raises:
        InputError: If the block raises an error.
    """
    try:
        yield
    except InputError:
        raise
    except TimeoutError as error:
        raise InputError(f"{address} does not answer: {error}; try again later.") from error
    except Exception as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{address} cannot be used: {excerpt(text, 300).rstrip('.')}.") from error
