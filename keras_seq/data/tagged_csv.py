"""Tagged sentences in tables with one token per row, such as Kaggle's `ner_dataset.csv`."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence

from keras_seq._internal.errors import InputError, excerpt
from keras_seq.data.conll import TaggedTokens
from keras_seq.data.files import read_lines
from keras_seq.data.tables import read_table

SENTENCE_COLUMNS = (
    "sentence #",
    "sentence",
    "sentence_id",
    "sentence_idx",
    "sent_id",
    "sentence id",
)
"""Names of the column with the number of the sentence, in lower case."""
TOKEN_COLUMNS = ("word", "words", "token", "tokens")
"""Names of the column with the token."""
TAG_COLUMNS = ("tag", "tags", "ner_tag", "ner", "label", "labels", "pos", "upos")
"""Names of the column with the tag. The first that exists is read."""


def detect_columns(
    path: str | os.PathLike[str],
    token_column: str | None = None,
    tag_column: str | None = None,
    encoding: str = "utf-8",
) -> dict[str, str] | None:
    """Return the columns of a table with one token per row.

    Args:
        path: File.
        token_column: Name of the column with the token. Default: the first of `TOKEN_COLUMNS`.
        tag_column: Name of the column with the tag. Default: the first of `TAG_COLUMNS`.
        encoding: Character encoding of the file.

    Returns:
        Dictionary of the names of the columns "sentence", "token" and "tag". None if the first line
        is not the header of such a table.
    """
    first = next((line for _, line in read_lines(path, encoding) if line.strip()), "")
    for delimiter in ",;\t|":
        try:
            header = next(csv.reader([first], delimiter=delimiter), [])
        except csv.Error:
            continue
        names = [name.strip() for name in header]
        columns = {
            "sentence": _find(names, SENTENCE_COLUMNS),
            "token": _find(names, TOKEN_COLUMNS, token_column),
            "tag": _find(names, TAG_COLUMNS, tag_column),
        }
        if all(columns.values()):
            return columns
    return None


def _find(names: Sequence[str], known: Sequence[str], chosen: str | None = None) -> str:
    """Return the chosen or the first known name in a header, or an empty string."""
    if chosen:
        return chosen if chosen in names else ""
    by_lower = {name.lower(): name for name in reversed(names)}
    return next((by_lower[name] for name in known if name in by_lower), "")


def iterate_csv(
    path: str | os.PathLike[str], columns: dict[str, str], encoding: str = "utf-8"
) -> Iterator[TaggedTokens]:
    """Read the sentences of a table with one token per row, one at a time.

    A sentence begins where the sentence column has another value. Rows with an empty value continue
    the sentence.

    Args:
        path: File.
        columns: Columns, as `detect_columns` returns them.
        encoding: Character encoding of the file.

    Raises:
        InputError: If a token or tag is empty, or the first row has no sentence.
    """
    current = ""
    tokens: list[str] = []
    tags: list[str] = []
    first_line = 0
    for line, sentence, token, tag in read_table(
        path, columns, encoding, may_be_empty=("sentence",)
    ):
        if sentence and sentence != current:
            if tokens:
                yield TaggedTokens(tokens, tags, first_line)
            current, tokens, tags, first_line = sentence, [], [], line
        if not current:
            column = excerpt(columns["sentence"])
            raise InputError(f"{path}, line {line}: the column {column!r} is empty.")
        tokens.append(token)
        tags.append(tag)
    if tokens:
        yield TaggedTokens(tokens, tags, first_line)
