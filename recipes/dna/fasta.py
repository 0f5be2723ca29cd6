"""Sequences in files of the format FASTA (Pearson & Lipman 1988)."""

from pathlib import Path

from keras_seq import InputError, data
from keras_seq.data import limits

from .bases import checked

SUFFIXES = (".fa", ".fasta", ".fas", ".fna", ".ffn", ".frn")


def is_fasta(path):
    """Whether that is what the name of a file says."""
    return str(path).lower().removesuffix(".gz").endswith(SUFFIXES)


def stem(path):
    """The name of a FASTA file without its endings."""
    return Path(path.name.removesuffix(".gz")).stem


def read_fasta(path, encoding="utf-8"):
    """The sequences of a FASTA file, which may be packed by gzip (.gz).

    Yields:
        The text after ">", and the sequence as `bases.checked` returns it.

    Raises:
        InputError: It is no such file, or not whole; the message gives the line.
    """
    name, parts, begun, letters = None, [], 0, 0
    for number, line in data.read_lines(path, encoding):
        if line.startswith(">"):
            if name is not None:
                yield name, _joined(parts, path, begun)
            name, parts, begun, letters = line[1:].strip(), [], number, 0
        elif line.strip():
            if name is None:
                raise InputError(
                    f"{path}, line {number}: before the first sequence, FASTA has a line with > "
                    f"and its name, not {line[:20]!r}."
                )
            where = f"{path}, line {number}"
            letters += len(line)
            limits.check("max_sequence_letters", letters, where, "the length of the sequence")
            parts.append(checked(line, where))
    if name is None:
        raise InputError(f"{path} is empty: it has no line with > and the name of a sequence.")
    yield name, _joined(parts, path, begun)


def _joined(parts, path, begun):
    if not parts:
        raise InputError(f"{path}, line {begun}: after this name there is no sequence.")
    return "".join(parts)
