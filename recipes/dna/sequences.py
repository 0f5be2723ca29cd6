"""Files of sequences: FASTA (Pearson & Lipman 1988) and FASTQ (Cock et al. 2010)."""

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from keras_seq import InputError, data
from keras_seq.data import limits
from keras_seq.data.encodings import detect_format
from keras_seq.data.opening import open_unpacked

from .bases import LetterCounts, normalize_sequence
from .headers import ClassField

SUFFIXES = (
    *(".fa", ".fasta", ".fas", ".fna", ".ffn", ".frn", ".fsa", ".mfa", ".fq", ".fastq"),
    # Proteins are an error that says so.
    *(".faa", ".pep"),
)
TEXT_SUFFIXES = (".txt", ".seq")
"""Suffixes of files that are FASTA if they begin with ">"."""
COMMENTS = (";", "#", "!")
"""Beginnings of the lines of a FASTA file that are comments."""

Lines = Iterator[tuple[int, str]]
"""Lines that are not blank, with their numbers."""


class Record(NamedTuple):
    """Sequence of a file, with its name.

    >>> Record("one|EI", "ACGT", "EI").label
    'EI'
    """

    header: str
    """Line of the name, without ">" or "@"."""
    sequence: str
    label: str | None
    """Class that the header gives, if it is to be read."""


def is_sequence_file(path: str | os.PathLike[str]) -> bool:
    """Return whether a path has the suffix of FASTA or FASTQ, or is text that begins with ">".

    Args:
        path: Path. The suffix `.gz` may follow.
    """
    name = str(path).lower().removesuffix(".gz")
    if not name.endswith(TEXT_SUFFIXES):
        return name.endswith(SUFFIXES)
    with contextlib.suppress(InputError), open_unpacked(path) as file:
        return file.read(1) == b">"
    return False


def stem(path: Path) -> str:
    """Return the name of a FASTA or FASTQ file without its suffixes."""
    name = path.name
    return Path(name[:-3] if name.lower().endswith(".gz") else name).stem


class SequenceFile:
    """Records of a FASTA or FASTQ file, read one at a time.

    Sequences may have several lines, also in FASTQ. Lines of FASTA that begin with `COMMENTS` are
    left out. Of FASTQ, the qualities are not read, and "." is read as N. Letters are read by
    `normalize_sequence`.

    Args:
        path: File whose first character that is not part of a comment is ">" (FASTA) or "@"
            (FASTQ); may be compressed by gzip (`.gz`).
        encoding: Text encoding of the file.
        class_field: Part of each header to read as the class of the sequence. Default: none.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        encoding: str = "utf-8",
        class_field: ClassField | None = None,
    ) -> None:
        self._path, self._encoding, self._class_field = path, encoding, class_field
        self._num_comments = 0
        self.summary = data.ReadSummary(str(path), "FASTA", 0)
        """Summary of the records that were read in the last iteration."""

    def __iter__(self) -> Iterator[Record]:
        """Yield the records.

        Raises:
            InputError: If the file is neither FASTA nor FASTQ; the message gives the line.
        """
        counts, bad_records, num_empty = LetterCounts(), data.BadRows(), 0
        for header, number, rows in self._split():
            if not rows and self.summary.format == "FASTQ":
                num_empty += 1  # Programs that cut off adapters leave such reads.
                continue
            with bad_records:
                sequence = "".join(
                    normalize_sequence(text, f"{self._path}, line {row}") for row, text in rows
                )
                where = f"{self._path}, line {number}"
                if not sequence:
                    raise InputError(f"{where}: no sequence follows this name.")
                label = self._class_field and self._class_field.read(header, where)
                counts.add("".join(text for _, text in rows))
                yield Record(header, sequence, label)
        left_out = {"comment lines": self._num_comments, "empty reads": num_empty}
        self.summary = bad_records.finish(
            self.summary.replace(
                num_rows=bad_records.num_good,
                encoding=str(detect_format(self._path, self._encoding)),
                columns={"label": str(self._class_field)} if self._class_field else {},
                left_out={name: count for name, count in left_out.items() if count},
                notes=counts.notes(),
            )
        )

    def headers(self) -> Iterator[str]:
        """Yield the header of each record. The letters of the sequences are not checked."""
        for header, _, _ in self._split():
            yield header

    def _split(self) -> Iterator[tuple[str, int, list[tuple[int, str]]]]:
        """Yield header, its line, and the lines of the sequence of each record."""
        self._num_comments = 0
        lines = (row for row in data.read_lines(self._path, self._encoding) if row[1].strip())
        first = next((row for row in lines if not self._is_comment(row[1])), None)
        if first is None:
            raise InputError(f"{self._path} is empty: it has no line with > and a name.")
        number, line = first
        if line[0] not in ">@":
            raise InputError(
                f"{self._path}, line {number}: FASTA needs a line with > and a name before the "
                f"first sequence, got {line[:20]!r}."
            )
        is_fasta = line[0] == ">"
        self.summary = self.summary.replace(format="FASTA" if is_fasta else "FASTQ")
        split = self._split_fasta if is_fasta else self._split_fastq
        yield from split(itertools.chain([first], lines))

    def _is_comment(self, line: str) -> bool:
        is_comment = line.startswith(COMMENTS)
        self._num_comments += is_comment
        return is_comment

    def _split_fasta(self, lines: Lines) -> Iterator[tuple[str, int, list[tuple[int, str]]]]:
        header, first, num_letters = "", 0, 0
        rows: list[tuple[int, str]] = []
        for number, line in lines:
            if line.startswith(">"):
                if first:
                    yield header, first, rows
                header, first, rows, num_letters = line[1:].strip(), number, [], 0
            elif not self._is_comment(line):
                num_letters += self._check_length(num_letters, line, number)
                rows.append((number, line))
        yield header, first, rows

    def _split_fastq(self, lines: Lines) -> Iterator[tuple[str, int, list[tuple[int, str]]]]:
        for first, line in lines:
            if not line.startswith("@"):
                raise InputError(
                    f"{self._path}, line {first}: a record of FASTQ begins with @ and a name, got "
                    f"{line[:20]!r}."
                )
            rows, num_letters = [], 0
            for number, text in lines:
                if text.startswith("+"):
                    break
                num_letters += self._check_length(num_letters, text.strip(), number)
                rows.append((number, text.replace(".", "N")))
            else:
                raise InputError(
                    f"{self._path}, line {first}: the record has no line with + and qualities; is "
                    "the file cut off?"
                )
            num_qualities = 0
            while num_qualities < num_letters:
                number, text = next(lines, (first, ""))
                num_qualities += len(text.strip())
                if not text or num_qualities > num_letters:
                    raise InputError(
                        f"{self._path}, line {number}: a record has {num_letters} letters and "
                        f"{num_qualities} qualities."
                    )
            yield line[1:].strip(), first, rows

    def _check_length(self, num_letters: int, line: str, number: int) -> int:
        """Return the length of a line, after a check of that of the sequence."""
        limits.check(
            "max_sequence_letters",
            num_letters + len(line),
            f"{self._path}, line {number}",
            "the length of the sequence",
        )
        return len(line)
