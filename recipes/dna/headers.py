"""Classes in the headers of FASTA and FASTQ files."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from keras_seq import InputError, data
from keras_seq.data import excerpt

CLASS_KEYS = ("class", "label", "category")
"""Keys of a class in a header, such as in `class=EI` or `[label=EI]`."""
MAX_CLASSES = 1_000
"""Number of different values up to which a field may be the class."""
MAX_WORDS = 3
"""Number of words up to which each word of a header may be the class."""
SPLIT_NAMES = {*data.SPLITS, "training", "testing", "valid", "dev"}
"""Values that tell the split of a sequence."""


class ClassField(NamedTuple):
    """Part of a header that is the class of the sequence.

    >>> [ClassField(name).find("s1|EI class=IE") for name in ("1", "2", "class", "4")]
    ['s1', 'EI class=IE', 'IE', None]
    """

    name: str
    """Number of a field, from 1, or a key. Fields stand between "|", or else between blanks."""

    def find(self, header: str) -> str | None:
        """Return the class in a header, or None if the header has no such field.

        Args:
            header: Header without ">" or "@".
        """
        if self.name.isdecimal():
            number, fields = int(self.name), split_header(header)
            return fields[number - 1] or None if 0 < number <= len(fields) else None
        key = re.escape(self.name)
        # Values within brackets may contain blanks, as in [organism=Homo sapiens].
        match = re.search(rf"\[{key}=([^\]]+)\]|(?<![^\s|;,]){key}[=:]([^\s|;,]+)", header)
        return (match[1] or match[2]).strip() or None if match else None

    def read(self, header: str, where: str) -> str:
        """Return the class in a header.

        Args:
            header: Header without ">" or "@".
            where: File and line, for the error message.

        Raises:
            InputError: If the header has no such field.
        """
        label = self.find(header)
        if label is None:
            raise InputError(f"{where}: the header {excerpt(header)!r} has no {self}.")
        return label

    def __str__(self) -> str:
        """Return a description for a summary."""
        return f"field {self.name}" if self.name.isdecimal() else f"key {self.name}"


def split_header(header: str) -> list[str]:
    """Return the fields of a header.

    Args:
        header: Header without ">" or "@".
    """
    fields = header.split("|") if "|" in header else header.split()
    return [field.strip() for field in fields]


def detect_field(headers: Iterable[str], source: object) -> ClassField:
    """Return the part of headers that is the class.

    This is the key of `CLASS_KEYS` that all headers have. Otherwise, it is the field that has at
    least two values, and at most half as many as there are headers.

    Args:
        headers: Headers without ">" or "@".
        source: File or folder, for error messages.

    Raises:
        InputError: If there is no such field, or more than one.
    """
    keys = [ClassField(key) for key in CLASS_KEYS]
    values: list[set[str]] | None = None
    num_headers = 0
    for header in headers:
        num_headers += 1
        keys = [key for key in keys if key.find(header)]
        fields = split_header(header)
        if values is None:
            may_be_class = "|" in header or len(fields) <= MAX_WORDS
            values = [set() for _ in fields] if may_be_class else []
        if len(fields) != len(values):
            values = []  # Words of free text, or of headers of several kinds, tell nothing.
        for known, field in zip(values, fields):
            if len(known) <= MAX_CLASSES:
                known.add(field)
    if keys:
        return keys[0]
    max_values = min(MAX_CLASSES, num_headers // 2)
    candidates = {
        number: min(known)
        for number, known in enumerate(values or (), 1)
        if 2 <= len(known) <= max_values and not {value.lower() for value in known} <= SPLIT_NAMES
    }
    if len(candidates) == 1:
        return ClassField(str(*candidates))
    advice = (
        "name it by --header-label: the number of a field between | or blanks, or KEY for KEY=CLASS"
    )
    if not candidates:
        raise InputError(
            f"The headers of {source} do not show the class of a sequence; {advice}. Or give a "
            "folder with one file, or one folder, for each of at least two classes."
        )
    examples = ", ".join(f"{number} ({excerpt(value)!r})" for number, value in candidates.items())
    raise InputError(
        f"The fields {examples} of the headers of {source} may be the class; {advice}."
    )
