"""Tagged sentences in files with one token per line: CoNLL, CoNLL-U, UNER and the like."""

from __future__ import annotations

import itertools
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
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
from keras_seq.data.row_errors import BadRows

_TEXT_COMMENT = re.compile(r"#[ \t]*text[ \t]*=(.*)", re.DOTALL)


class TaggedTokens(NamedTuple):
    """Sentence with a tag for each token."""

    tokens: list[str]
    tags: list[str]
    line: int
    """Number of the first line."""
    text: str = ""
    """Original text, or an empty string if the file does not have it."""


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
        A list of (tokens, tags, number of the first line, original text). The text is that of a
        comment `# text = ...`, or follows from SpaceAfter=No in the column MISC.

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
    bad_rows: BadRows | None = None,
) -> Iterator[TaggedTokens]:
    """Read the sentences of a file in a CoNLL format, one at a time.

    Args:
        path: File.
        layout: Columns of the file.
        encoding: Character encoding of the file.
        left_out: Counter to which the numbers of comments, ranges and empty nodes are added.
        bad_rows: Collection of sentences with bad lines, if these may be left out.

    Raises:
        InputError: As `read_conll` raises.
    """
    left_out = Counter() if left_out is None else left_out
    bad_rows = bad_rows or BadRows("strict")
    sentence = _Sentence(layout)
    is_bad = False
    for number, line, cells in itertools.chain(read_rows(path, encoding), [(0, "", [])]):
        is_document_start = DOCUMENT_START in cells[:1]
        if not cells or is_document_start:
            if sentence.tokens and not is_bad:
                yield sentence.to_tagged_tokens()
            sentence, is_bad = _Sentence(layout), False
            left_out["document starts"] += is_document_start
            continue
        if number == layout.header_line:
            continue
        if sentence.is_new and layout.is_comment(line, cells):
            left_out["comments"] += 1
            sentence.read_comment(line)
            continue
        sentence.is_new = False
        if is_bad:
            continue
        try:
            reason = sentence.read_line(line, cells, number, f"{path}, line {number}")
        except InputError as error:
            bad_rows.add(error)
            is_bad = True
            continue
        left_out[reason] += bool(reason)


class _Sentence:
    """Sentence whose lines are read one at a time."""

    def __init__(self, layout: ColumnLayout) -> None:
        self.layout = layout
        self.is_new = True
        self.tokens: list[str] = []
        self.tags: list[str] = []
        self.first_line = 0
        self.text = ""
        self.surface, self.space = "", ""
        self.last_in_range = 0

    def to_tagged_tokens(self) -> TaggedTokens:
        """Return what was read."""
        return TaggedTokens(self.tokens, self.tags, self.first_line, self.text or self.surface)

    def read_comment(self, line: str) -> None:
        """Take the text from a comment `# text = ...`."""
        if comment := _TEXT_COMMENT.fullmatch(line):
            self.text = comment[1].strip(" \t")

    def read_surface(self, cells: Sequence[str]) -> None:
        """Add a token or a range of tokens to the text that follows from the column MISC."""
        misc = self.layout.space_after
        if misc is None or "." in cells[0]:
            return
        # Python does not convert numbers of thousands of digits.
        first, last = (int(number[:9] or 0) for number in cells[0].partition("-")[::2])
        if first <= self.last_in_range:
            return
        self.last_in_range = last
        self.surface += self.space + cells[self.layout.token.index]
        self.space = "" if len(cells) > misc.index and misc.value(cells) == "No" else " "

    def read_line(self, line: str, cells: list[str], number: int, where: str) -> str:
        """Read a line. Return the kind of a line that is not a token, or an empty string.

        Raises:
            InputError: If the line has too few columns, or the token or the tag is empty.
        """
        _check_columns(line, cells, self.layout, where)
        self.read_surface(cells)
        if self.layout.has_ids and re.fullmatch(SKIPPED_NUMBER, cells[0]):
            return "empty nodes" if "." in cells[0] else "ranges of tokens"
        token, tag = self.layout.token.value(cells), self.layout.tag.value(cells)
        if not token or not tag:
            raise InputError(f"{where}: the {'tag' if token else 'token'} is empty.")
        self.first_line = self.first_line or number
        self.tokens.append(token)
        self.tags.append(tag)
        return ""


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
