"""Tagged sentences in tables with one token per row, such as Kaggle's `ner_dataset.csv`."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence

from keras_seq._internal.errors import InputError, excerpt
from keras_seq.data.conll import TaggedTokens
from keras_seq.data.files import read_first_line
from keras_seq.data.row_errors import BadRows
from keras_seq.data.tables import Table

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
    first = read_first_line(path, encoding)
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
    path: str | os.PathLike[str],
    columns: dict[str, str],
    encoding: str = "utf-8",
    bad_rows: BadRows | None = None,
) -> Iterator[TaggedTokens]:
    """Read the sentences of a table with one token per row, one at a time.

    A sentence begins where the sentence column has another value. Rows with an empty value continue
    the sentence.

    Args:
        path: File.
        columns: Columns, as `detect_columns` returns them.
        encoding: Character encoding of the file.
        bad_rows: Collection of sentences with bad rows, if these may be left out. If the sentence
            of a row cannot be read, those before and after it are left out.

    Raises:
        InputError: If a token or tag is empty, or the first row has no sentence.
    """
    bad_rows = bad_rows or BadRows("strict")
    # The sentence of an empty token must be known.
    table = Table(path, columns, encoding, may_be_empty=(*columns,))
    current, num_bad = "", 0
    sentence, is_bad = TaggedTokens([], [], 0), False
    for number, name, token, tag in table:
        is_after_bad = table.bad_rows.num_bad > num_bad
        num_bad = table.bad_rows.num_bad
        is_bad |= is_after_bad
        if name and name != current:
            if sentence.tokens and not is_bad:
                yield sentence
            current, sentence, is_bad = name, TaggedTokens([], [], number), is_after_bad
        error = ""
        if not current:
            error = f"the column {excerpt(columns['sentence'])!r} is empty"
        elif not token or not tag:
            error = f"the {'tag' if token else 'token'} is empty"
        if error and not is_bad:
            bad_rows.add(InputError(f"{path}, line {number}: {error}."))
            is_bad = True
        sentence.tokens.append(token)
        sentence.tags.append(tag)
    is_bad |= table.bad_rows.num_bad > num_bad
    if sentence.tokens and not is_bad:
        yield sentence
    bad_rows.include(table.bad_rows)
