"""Folders of audio files, and the splits that names of files and folders stand for."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from keras_seq._internal.errors import InputError, excerpt
from keras_seq.data.audio import AUDIO_SUFFIXES
from keras_seq.data.files import STEMS
from keras_seq.data.opening import is_file, list_folder


def absolute(path: Path) -> str:
    """Return the absolute path of a file without "..", links not followed.

    Args:
        path: Path.
    """
    return os.path.normpath(path.absolute())


def find_named_file(
    folder: Path, name: str, where: str, subfolders: Iterable[str] = ()
) -> Path | None:
    """Return the file that a table or list names, or None if it does not exist.

    Args:
        folder: Folder to which relative paths refer, and which has all files.
        name: Path in the table.
        where: File and line, for error messages.
        subfolders: Folders to which relative paths may refer too.

    Raises:
        InputError: If the path leads out of the folder, or cannot be a path.
    """
    if not Path(absolute(folder / name)).is_relative_to(absolute(folder)):
        raise InputError(
            f"{where}: {excerpt(name, 200)!r} is outside of the folder {folder}; name the folder "
            "that has the recordings by --audio-folder."
        )
    try:
        places = (folder / subfolder / name for subfolder in ("", *subfolders))
        return next(filter(is_file, places), None)
    except InputError as error:
        raise type(error)(f"{where}: {error}") from None


class AudioFolder:
    """Audio files below a folder, by name without suffix.

    Args:
        folder: Folder.
        entries: Files below it. Default: all.
    """

    def __init__(self, folder: Path, entries: Iterable[Path] | None = None) -> None:
        self.folder = folder
        entries = list_folder(folder, "**/*") if entries is None else entries
        self.files = [file for file in entries if file.suffix.lower() in AUDIO_SUFFIXES]
        self._paths = {*self.files}
        self._by_path = {file.with_suffix(""): file for file in reversed(self.files)}
        self._by_stem: dict[str, list[Path]] = {}
        for file in self.files:
            self._by_stem.setdefault(file.stem, []).append(file)

    def find(self, *places: Path) -> Path | None:
        """Return the audio file at the first place that has one.

        Args:
            places: Paths of files without or with suffix.
        """
        for place in places:
            if place in self._by_path:
                return self._by_path[place]
            if place in self._paths:
                return place
        return None

    def find_stem(self, stem: str, near: Path) -> Path | None:
        """Return the audio file with a name that has most folders in common with another file.

        Args:
            stem: Name without folder and suffix.
            near: The other file.
        """
        files = self._by_stem.get(stem, [])
        return max(files, key=lambda file: len(os.path.commonpath([file, near])), default=None)


def split_of_name(name: str) -> str | None:
    """Return the split that the first word of a name stands for, or None.

    >>> split_of_name("train-clean-100"), split_of_name("dev_manifest.json"), split_of_name("a.csv")
    ('train', 'validation', None)

    Args:
        name: Name of a file or folder.
    """
    letters = "".join(c if c.isalpha() else " " for c in name.lower()).split(" ")[0]
    return next((split for split, stems in STEMS.items() if letters in stems), None)


def split_of_folder(file: Path, root: Path) -> str | None:
    """Return the split of the first folder below a root that stands for one, or None.

    Args:
        file: File below the root.
        root: Folder.
    """
    names = file.relative_to(root).parts[:-1]
    return next(filter(None, map(split_of_name, names)), None)
