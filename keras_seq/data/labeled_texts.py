"""Labeled texts for classification: tables, fastText files, or folders with one text per file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from keras_seq._internal.errors import InputError, excerpt
from keras_seq._internal.unicode import BLANKS, split_at_blanks
from keras_seq.data import limits, summaries
from keras_seq.data.encodings import detect_format
from keras_seq.data.files import (
    STEMS,
    list_files_by_class,
    list_files_by_split,
    read_first_line,
    read_lines,
)
from keras_seq.data.opening import is_file, list_folder
from keras_seq.data.row_errors import BadRows
from keras_seq.data.tables import Table

LABEL_PREFIX = "__label__"
"""Prefix of labels in the format of fastText."""
TEXT_SUFFIXES = (".txt", ".text", ".gz", "")
"""Suffixes of the files in folders with one text per file."""
HINT = "Name the columns by --text-column and --label-column."
"""Advice for the user if a table lacks a column."""
UNLABELED_FOLDERS = ("unsup", "unlabeled")
"""Names of folders in place of a class whose texts have no label."""

_BREAK = re.compile(r"[ \t]*<br\s*/?\s*>[ \t]*", re.IGNORECASE)
"""Pattern of an HTML line break."""


class LabeledFile(NamedTuple):
    """File with labeled texts, or with one text whose label is the name of its folder.

    >>> LabeledFile(Path("train/pos/1.txt"), split="train", label="pos").label
    'pos'
    """

    path: Path
    split: str | None
    label: str | None


class LabeledText(NamedTuple):
    """Text with its label, and the split that its file has.

    >>> LabeledText("A fine film.", "good", split=None).label
    'good'
    """

    text: str
    label: str
    split: str | None


def list_labeled_files(path: str | os.PathLike[str]) -> list[LabeledFile]:
    """Return the files of a dataset of labeled texts.

    Args:
        path: One file, a folder with files named train.*, test.* and perhaps validation.*, or a
            folder with one sub-folder of text files per class. The latter may be in sub-folders
            train and test, as in the movie reviews "aclImdb".

    Raises:
        InputError: If the path does not exist, or is a folder of another kind.
    """
    path = Path(path)
    if is_file(path) or not path.is_dir() or _has_split_files(path):
        return [LabeledFile(file, split, None) for split, file in list_files_by_split(path)]
    _, files = list_files_by_class(path, TEXT_SUFFIXES, skip=UNLABELED_FOLDERS)
    return [LabeledFile(file, split, label) for file, label, split in files]


def _has_split_files(folder: Path) -> bool:
    """Return whether a folder has a file of the training split, or no folder for classes."""
    entries = list_folder(folder)
    is_table = any(e.name.split(".")[0] in STEMS["train"] and is_file(e) for e in entries)
    return is_table or not any(entry.is_dir() for entry in entries)


def read_labeled_texts(
    files: Sequence[LabeledFile],
    text_column: str = "text",
    label_column: str = "label",
    encoding: str = "utf-8",
    delimiter: str | None = None,
) -> Iterator[LabeledText]:
    r"""Read labeled texts, one at a time.

    HTML line breaks, such as `<br />`, become "\n".

    Args:
        files: Files as `list_labeled_files` returns them. A file whose first line begins with
            `__label__` is in the format of fastText. Others are tables, see
            `keras_seq.data.read_table`.
        text_column: Column of the texts in tables.
        label_column: Column of the labels in tables.
        encoding: Character encoding of the files.
        delimiter: Delimiter of the columns. Default: detected.

    Raises:
        InputError: If a file is not in its format, or a text or label is empty. The message states
            the line.
    """
    single_texts = [file for file in files if file.label is not None]
    if single_texts:
        yield from _read_folder(single_texts, encoding)
    for file in files:
        if file.label is not None:
            continue
        rows: _FastText | Table
        breaks = _Breaks()
        if _is_fasttext(file.path, encoding):
            rows = _FastText(file.path, encoding, breaks)
        else:
            columns = {"text": text_column, "label": label_column}
            rows = Table(
                file.path, columns, encoding, HINT, delimiter=delimiter, parse=breaks.replace
            )
        for _, text, label in rows:
            yield LabeledText(text, label, file.split)
        summaries.add(rows.summary.replace(notes=(*breaks.notes(), *rows.summary.notes)))


def replace_breaks(text: str) -> str:
    r"""Return a text with "\n" in place of each HTML line break.

    >>> replace_breaks("Fine.<br /><br />Go and see it.")
    'Fine.\n\nGo and see it.'

    Args:
        text: Text.
    """
    return _BREAK.sub("\n", text).strip(BLANKS)


class _Breaks:
    """Replacement of HTML line breaks, and the number of texts that have some."""

    def __init__(self) -> None:
        self._num_texts = 0

    def replace(self, where: str, text: str, label: str) -> tuple[str, str]:
        """Return a text without HTML line breaks, and its label.

        Raises:
            InputError: If the text has nothing else.
        """
        if not _BREAK.search(text):
            return text, label
        self._num_texts += 1
        text = replace_breaks(text)
        if not text.strip():
            raise InputError(f"{where}: the text has only line breaks.")
        return text, label

    def notes(self) -> list[str]:
        """Return a remark, if there are such texts."""
        number = self._num_texts
        return [f"HTML line breaks in {number:,} texts became line ends"] * bool(number)


def _read_folder(files: Sequence[LabeledFile], encoding: str) -> Iterator[LabeledText]:
    """Read files that hold one text each."""
    formats, labels = set(), set()
    breaks, bad_rows = _Breaks(), BadRows()
    for path, split, label in files:
        with bad_rows:
            formats.add(str(detect_format(path, encoding)))
            text = "\n".join(line for _, line in read_lines(path, encoding)).strip(BLANKS)
            if not text.strip():
                raise InputError(f"{path} contains no text.")
            limits.check("max_cell_characters", len(text), path, "the length of the text")
            labels.add(label or "")
            yield LabeledText(*breaks.replace(str(path), text, label or ""), split)
    summary = summaries.ReadSummary(
        os.path.commonpath([path.parent for path, *_ in files]),
        f"one text per file, labels {excerpt(', '.join(sorted(labels)))} from folders",
        bad_rows.num_good,
        " and ".join(sorted(formats)),
        notes=(*breaks.notes(), *_unlabeled_notes(files)),
    )
    summaries.add(bad_rows.finish(summary))


def _unlabeled_notes(files: Sequence[LabeledFile]) -> list[str]:
    """Return remarks on the folders in place of a class that are left out."""
    folders = sorted({file.path.parent.parent for file in files})
    return [
        f"{folder / name} was left out, because its texts have no label"
        for folder in folders
        for name in UNLABELED_FOLDERS
        if (folder / name).is_dir()
    ]


def _is_fasttext(path: Path, encoding: str) -> bool:
    """Return whether the first line of a file begins with a label of fastText."""
    if path.suffix.lower() == ".parquet":
        return False
    first = read_first_line(path, encoding)
    return first.startswith(LABEL_PREFIX)


class _FastText:
    """Lines of a file in the format of fastText: `__label__NAME`, a blank and the text.

    Args:
        path: File.
        encoding: Character encoding of the file.
        breaks: Replacement of line breaks.
    """

    def __init__(self, path: Path, encoding: str, breaks: _Breaks) -> None:
        self._path, self._encoding, self._breaks = path, encoding, breaks
        self.summary = summaries.ReadSummary(str(path), "fastText labels", 0)

    def __iter__(self) -> Iterator[tuple[int, str, str]]:
        bad_rows = BadRows()
        for number, line in read_lines(self._path, self._encoding):
            if line.strip():
                where = f"{self._path}, line {number}"
                with bad_rows:
                    yield number, *self._breaks.replace(where, *_parse_fasttext(line, where))
        encoding = str(detect_format(self._path, self._encoding))
        self.summary = bad_rows.finish(
            self.summary.replace(num_rows=bad_rows.num_good, encoding=encoding)
        )


def _parse_fasttext(line: str, where: str) -> tuple[str, str]:
    """Return the text and the label of a line."""
    label, *rest = split_at_blanks(line, maxsplit=1) or [""]
    text = rest[0] if rest else ""
    if not label.startswith(LABEL_PREFIX) or label == LABEL_PREFIX:
        raise InputError(f"{where}: expected {LABEL_PREFIX}NAME and a text, got {excerpt(line)!r}.")
    if text.startswith(LABEL_PREFIX):
        raise InputError(f"{where}: the text has more than one label; keep one.")
    if not text.strip():
        raise InputError(f"{where}: the text is empty.")
    limits.check("max_cell_characters", len(text), where, "the length of the text")
    return text, label.removeprefix(LABEL_PREFIX)
