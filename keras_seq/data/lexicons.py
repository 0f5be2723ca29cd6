"""Pronunciation lexicons: tab-separated, comma-separated, or as the CMU Pronouncing Dictionary."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from keras_seq._internal.errors import InputError, excerpt
from keras_seq._internal.unicode import BLANKS, split_at_blanks
from keras_seq.data import summaries
from keras_seq.data.delimited import Row, check_header, parse_delimiter, read_table_rows
from keras_seq.data.encodings import detect_format
from keras_seq.data.files import read_lines
from keras_seq.data.opening import unpacked_suffix
from keras_seq.data.pair_columns import detect_pair_delimiter
from keras_seq.data.row_errors import BadRows

WORD_NAMES = {"word", "words", "grapheme", "graphemes", "spelling", "orthography", "headword"}
PRONUNCIATION_NAMES = {
    "pronunciation",
    "pronunciations",
    "phoneme",
    "phonemes",
    "phone",
    "phones",
    "ipa",
    "transcription",
}
"""Names of columns in headers, in lower case."""

Entry = tuple[int, str, str]
"""Number of the line, a word in lower case, and one pronunciation."""

_VARIANT = re.compile(r"(?<=.)\(\d+\)$")
"""Pattern of the number of a further pronunciation, as in "read(2)"."""
_COMMENT = re.compile(r"[ \t]#.*$")
"""Pattern of a comment after a pronunciation."""
_NUMBER = re.compile(r"-?\d*\.\d+(?:e-?\d+)?|[01]")
"""Pattern of a probability."""
_SLASHES = re.compile(r"/[^/]+/(?:\s*,\s*/[^/]+/)*")
"""Pattern of pronunciations in IPA between slashes."""


def read_lexicon(
    path: str | os.PathLike[str], encoding: str = "utf-8", delimiter: str | None = None
) -> Iterator[Entry]:
    r"""Read the pronunciations of words, one at a time.

    The format is that of the first entry:

    - A .csv file, or any file for which a delimiter other than tab is given, has the word and its
      pronunciation in the first two columns, or in those of a header.
    - A line with a tab has a word, a tab and its pronunciation. Probabilities between them, as the
      Montreal Forced Aligner writes them, are skipped.
    - Other lines have a word, blanks and its phonemes, as in the CMU Pronouncing Dictionary. What
      follows a blank and `#` is a comment.

    Lines that begin with `;;;` are comments, and the number in parentheses of a further
    pronunciation, such as `read(2)`, is not part of the word. Pronunciations between slashes, such
    as `/ə/, /eɪ/`, are separated at the commas.

    Args:
        path: File.
        encoding: Character encoding of the file.
        delimiter: Delimiter of the columns. Default: detected.

    Yields:
        Number of the line, the word in lower case, and a pronunciation with single blanks.

    Raises:
        InputError: If a word or a pronunciation is missing, or there are no words. The message
            states the line.
    """
    path = Path(path)
    bad_rows = BadRows()
    source = _open(path, encoding, parse_delimiter(delimiter), bad_rows)
    num_variants = num_rows = 0
    words: set[str] = set()
    columns: tuple[int, int] | None = None
    has_header = False
    for number, cells in source.rows:
        if columns is None:
            header_columns = _find_columns(cells)
            columns, has_header = header_columns or (0, 1), header_columns is not None
            if has_header:
                names = [cell.strip() for cell in cells]
                check_header(names, [names[column] for column in columns], path)
                continue
        with bad_rows:
            word, pronunciation = _parse_entry(cells, columns, f"{path}, line {number}", source)
            if _VARIANT.search(word):
                num_variants += 1
                word = _VARIANT.sub("", word)
            words.add(word)
            for single in _split_slashes(pronunciation):
                num_rows += 1
                yield number, word, single
    notes = [f"{len(words):,} word{'s' * (len(words) != 1)}"]
    if num_variants:
        notes.append(f"{num_variants:,} entries such as read(2)")
    encoding_name = str(detect_format(path, encoding))
    summary = summaries.ReadSummary(
        str(path),
        source.format,
        num_rows,
        encoding_name,
        source.delimiter,
        has_header if source.delimiter else None,
        notes=tuple(notes),
    )
    summary = bad_rows.finish(summary)
    if not num_rows:
        raise InputError(f"{path} contains no words.")
    summaries.add(summary)


class _Source(NamedTuple):
    """Rows of a lexicon with their line numbers, and its format."""

    rows: Iterator[Row]
    format: str
    delimiter: str = ""


def _open(path: Path, encoding: str, delimiter: str | None, bad_rows: BadRows) -> _Source:
    """Return the rows of a lexicon in any format."""
    suffix = unpacked_suffix(path)
    if delimiter is None and suffix == ".csv":
        delimiter = detect_pair_delimiter(path, suffix, encoding, None)
    elif delimiter is None:
        first = next((line for _, line in read_lines(path, encoding) if _is_entry(line)), "")
        delimiter = "\t" if "\t" in first else ""
    if delimiter == "\t":
        return _Source(_read_tabs(path, encoding), "tab-separated text", delimiter)
    if delimiter:
        rows = read_table_rows(path, encoding, delimiter, bad_rows)
        return _Source(rows, "delimited text", delimiter)
    return _Source(_read_cmu(path, encoding), "lexicon in the format of CMUdict")


def _parse_entry(
    cells: list[str], columns: tuple[int, int], where: str, source: _Source
) -> tuple[str, str]:
    """Return the word in lower case and the pronunciation of a row."""
    if len(cells) < 2:
        name = summaries.DELIMITER_NAMES.get(source.delimiter, source.delimiter) or "blank"
        raise InputError(
            f"{where}: {excerpt(cells[0].strip())!r} has no {name}; a line needs a word, a {name} "
            "and its phonemes."
        )
    if source.delimiter == "\t":
        cells = _drop_probabilities(cells)
    word, pronunciation = (
        " ".join(split_at_blanks(cells[column])) if column < len(cells) else ""
        for column in columns
    )
    if not word.strip() or not pronunciation.strip():
        raise InputError(f"{where}: the {'phonemes are' if word.strip() else 'word is'} missing.")
    return word.lower(), pronunciation


def _is_entry(line: str) -> bool:
    return bool(line.strip()) and not line.startswith(";;;")


def _read_tabs(path: Path, encoding: str) -> Iterator[Row]:
    for number, line in read_lines(path, encoding):
        if _is_entry(line):
            yield number, line.split("\t")


def _read_cmu(path: Path, encoding: str) -> Iterator[Row]:
    for number, line in read_lines(path, encoding):
        if _is_entry(line):
            yield number, split_at_blanks(_COMMENT.sub("", line.strip(BLANKS)), maxsplit=1)


def _find_columns(cells: list[str]) -> tuple[int, int] | None:
    """Return the columns of word and pronunciation in a header, or None for another row."""
    names = [cell.strip().lower() for cell in cells]
    word = next((column for column, name in enumerate(names) if name in WORD_NAMES), None)
    pronunciation = next(
        (column for column, name in enumerate(names) if name in PRONUNCIATION_NAMES), None
    )
    return None if word is None or pronunciation is None else (word, pronunciation)


def _drop_probabilities(cells: list[str]) -> list[str]:
    """Return cells without the numbers between the word and its pronunciation."""
    rest = cells[1:]
    while len(rest) > 1 and _NUMBER.fullmatch(rest[0].strip()):
        del rest[0]
    return [cells[0], *rest]


def _split_slashes(pronunciation: str) -> list[str]:
    """Return the pronunciations in IPA between slashes, or the pronunciation itself."""
    if not _SLASHES.fullmatch(pronunciation):
        return [pronunciation]
    return [" ".join(split_at_blanks(single)) for single in pronunciation.split("/")[1::2]]
