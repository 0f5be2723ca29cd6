"""Tagged sentences in files with one token per line: CoNLL, CoNLL-U, UNER and the like."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from keras_seq._internal.errors import InputError, excerpt
from keras_seq.data.conll_columns import (
    DOCUMENT_START,
    SKIPPED_NUMBER,
    TOKEN_NUMBER,
    ColumnLayout,
    detect_layout,
    read_rows,
)


class TaggedTokens(NamedTuple):
    """Sentence with a tag for each token."""

    tokens: list[str]
    tags: list[str]
    line: int
    """Number of the first line."""


def read_conll(
    path: str | os.PathLike[str],
    token_column: int | str | None = None,
    tag_column: int | str | None = None,
    encoding: str = "utf-8",
) -> list[TaggedTokens]:
    """Read tagged sentences from a file in a CoNLL format.

    The file has one token per line and a blank line after each sentence. Columns are separated by
    tabs or ASCII spaces. Not read are lines that begin with -DOCSTART-, comments before a sentence,
    and the ranges and empty nodes of CoNLL-U.

    Args:
        path: File.
        token_column: Index of the column with the token, or its name. Negative indices count from
            the last. Default: detected, as `keras_seq.data.conll_columns.detect_layout` describes.
        tag_column: Index or name of the column with the tag.
        encoding: Character encoding of the file.

    Returns:
        A list of (tokens, tags, number of the first line).

    Raises:
        InputError: If a line has too few columns, a token or tag is empty, or the file has no
            sentences.
    """
    layout = detect_layout(path, token_column, tag_column, encoding)
    sentences = list(iterate_conll(path, layout, encoding))
    if not sentences:
        raise InputError(f"{path} contains no sentences.")
    return sentences


def iterate_conll(
    path: str | os.PathLike[str],
    layout: ColumnLayout,
    encoding: str = "utf-8",
    left_out: Counter[str] | None = None,
) -> Iterator[TaggedTokens]:
    """Read the sentences of a file in a CoNLL format, one at a time.

    Args:
        path: File.
        layout: Columns of the file.
        encoding: Character encoding of the file.
        left_out: Counter to which the numbers of comments, ranges and empty nodes are added.

    Raises:
        InputError: As `read_conll` raises.
    """
    left_out = Counter() if left_out is None else left_out
    tokens: list[str] = []
    tags: list[str] = []
    first_line = 0
    is_new = True
    for number, line, cells in read_rows(path, encoding):
        is_document_start = DOCUMENT_START in cells[:1]
        if not cells or is_document_start:
            if tokens:
                yield TaggedTokens(tokens, tags, first_line)
            tokens, tags, is_new = [], [], True
            left_out["document starts"] += is_document_start
            continue
        if number == layout.header_line:
            continue
        if is_new and layout.is_comment(line, cells):
            left_out["comments"] += 1
            continue
        is_new = False
        where = f"{path}, line {number}"
        _check_columns(line, cells, layout, where)
        if layout.has_ids and re.fullmatch(SKIPPED_NUMBER, cells[0]):
            left_out["empty nodes" if "." in cells[0] else "ranges of tokens"] += 1
            continue
        values = {"token": layout.token.value(cells), "tag": layout.tag.value(cells)}
        for name, value in values.items():
            if not value:
                raise InputError(f"{where}: the {name} is empty.")
        first_line = first_line if tokens else number
        tokens.append(values["token"])
        tags.append(values["tag"])
    if tokens:
        yield TaggedTokens(tokens, tags, first_line)


def _check_columns(line: str, cells: list[str], layout: ColumnLayout, where: str) -> None:
    if len(cells) < layout.min_columns:
        raise InputError(
            f"{where}: {excerpt(line.strip())!r} has {len(cells)} column"
            f"{'s' * (len(cells) != 1)}, but token and tag need {layout.min_columns}."
        )
    if layout.needs_equal_columns and layout.num_columns not in (0, len(cells)):
        raise InputError(
            f"{where}: {excerpt(line.strip())!r} has {len(cells)} columns, but other lines have "
            f"{layout.num_columns}; separate columns by tabs if tokens contain spaces."
        )
    if layout.has_ids and not re.fullmatch(f"{TOKEN_NUMBER}|{SKIPPED_NUMBER}", cells[0]):
        raise InputError(
            f"{where}: {excerpt(cells[0])!r} is not the number of a token, which the first column "
            "of the other lines has."
        )
