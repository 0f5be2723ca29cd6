"""FASTA files (Pearson & Lipman 1988)."""

import os
from collections.abc import Iterator
from pathlib import Path

from keras_seq import InputError, data
from keras_seq.data import limits

from .bases import normalize_sequence

SUFFIXES = (".fa", ".fasta", ".fas", ".fna", ".ffn", ".frn")


def is_fasta(path: str | os.PathLike[str]) -> bool:
    """Return whether a path has the suffix of a FASTA file, with or without `.gz`."""
    return str(path).lower().removesuffix(".gz").endswith(SUFFIXES)


def stem(path: Path) -> str:
    """Return the name of a FASTA file without its suffixes."""
    return Path(path.name.removesuffix(".gz")).stem


def read_fasta(path: str | os.PathLike[str], encoding: str = "utf-8") -> Iterator[tuple[str, str]]:
    """Yield the header and the sequence of each record.

    Headers come without ">", sequences as `normalize_sequence` returns them.

    Args:
        path: FASTA file; may be compressed by gzip (`.gz`).
        encoding: Text encoding of the file.

    Raises:
        InputError: If the file is not valid FASTA; the message gives the line.
    """
    header: str | None = None
    lines: list[str] = []
    first_line = num_letters = 0
    for number, line in data.read_lines(path, encoding):
        if line.startswith(">"):
            if header is not None:
                yield header, _join(lines, path, first_line)
            header, lines, first_line, num_letters = line[1:].strip(), [], number, 0
        elif line.strip():
            where = f"{path}, line {number}"
            if header is None:
                raise InputError(
                    f"{where}: FASTA needs a line with > and a name before the first sequence, "
                    f"got {line[:20]!r}."
                )
            num_letters += len(line)
            limits.check("max_sequence_letters", num_letters, where, "the length of the sequence")
            lines.append(normalize_sequence(line, where))
    if header is None:
        raise InputError(f"{path} is empty: it has no line with > and a name.")
    yield header, _join(lines, path, first_line)


def _join(lines: list[str], path: str | os.PathLike[str], first_line: int) -> str:
    if not lines:
        raise InputError(f"{path}, line {first_line}: no sequence follows this name.")
    return "".join(lines)
