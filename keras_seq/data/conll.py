"""Tagged sentences in CoNLL files with one token per line, and spans in JSON lines files."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from keras_seq._internal.errors import InputError, excerpt
from keras_seq._internal.unicode import check_text
from keras_seq.data.files import read_lines
from keras_seq.data.json_lines import parse_object
from keras_seq.text.tag_schemes import Span


def read_conll(
    path: str | os.PathLike[str],
    token_column: int = 0,
    tag_column: int = -1,
    encoding: str = "utf-8",
) -> list[tuple[list[str], list[str], int]]:
    """Read tagged sentences from a file in a CoNLL format.

    The file has one token per line and a blank line after each sentence. Columns are separated by
    tabs or spaces. Lines that begin with -DOCSTART- are skipped.

    Args:
        path: File.
        token_column: Index of the column with the token. Negative indices count from the last.
        tag_column: Index of the column with the tag.
        encoding: Character encoding of the file.

    Returns:
        A list of (tokens, tags, number of the first line).

    Raises:
        InputError: If a line has too few columns, or the file has no sentences.
    """
    sentences: list[tuple[list[str], list[str], int]] = []
    tokens: list[str] = []
    tags: list[str] = []
    first_line = 0
    min_columns = max(c + 1 if c >= 0 else -c for c in (token_column, tag_column))
    min_columns = max(min_columns, 2)
    for number, line in read_lines(path, encoding):
        columns = line.split("\t") if "\t" in line else line.split()
        if not line.strip() or columns[0] == "-DOCSTART-":
            if tokens:
                sentences.append((tokens, tags, first_line))
            tokens, tags = [], []
            continue
        if len(columns) < min_columns:
            raise InputError(
                f"{path}, line {number}: {excerpt(line.strip())!r} has {len(columns)} column"
                f"{'s' * (len(columns) != 1)}, but token and tag need {min_columns}."
            )
        first_line = first_line if tokens else number
        tokens.append(columns[token_column].strip())
        tags.append(columns[tag_column].strip())
    if tokens:
        sentences.append((tokens, tags, first_line))
    if not sentences:
        raise InputError(f"{path} contains no sentences.")
    return sentences


def read_spans(
    path: str | os.PathLike[str],
    tokenizer: Callable[[str], Sequence[tuple[str, int, int]]],
    encoding: str = "utf-8",
) -> list[tuple[list[str], list[Span]]]:
    """Read sentences with labeled spans from a JSON lines file.

    Each object has a "text" and a list of "spans", whose "start" and "end" count characters:
    `{"text": "Ada lived", "spans": [{"start": 0, "end": 3, "label": "PER"}]}`.

    Args:
        path: File.
        tokenizer: Function from a text to a list of (token, start, end).
        encoding: Character encoding of the file.

    Returns:
        A list of (tokens, spans), where spans count tokens.

    Raises:
        InputError: If a line is not such an object, or a span begins or ends inside a token.
    """
    sentences = []
    for number, line in read_lines(path, encoding):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        text, text_spans = _parse_text_and_spans(parse_object(line, where), where)
        tokens = tokenizer(text)
        if not tokens:
            raise InputError(f"{where}: the text is empty.")
        starts = {start: i for i, (_, start, _) in enumerate(tokens)}
        ends = {end: i + 1 for i, (_, _, end) in enumerate(tokens)}
        spans = []
        for label, start, end in text_spans:
            if start not in starts or end not in ends or start >= end:
                raise InputError(
                    f"{where}: the span {excerpt(label)} from {start} to {end} does not begin and "
                    f"end with a token of {excerpt(text)!r}."
                )
            spans.append(Span(label, starts[start], ends[end]))
        sentences.append(([token for token, _, _ in tokens], spans))
    if not sentences:
        raise InputError(f"{path} contains no sentences.")
    return sentences


def _parse_text_and_spans(
    content: dict[str, Any], where: str
) -> tuple[str, list[tuple[str, int, int]]]:
    """Return the text of an object, and the label, start and end of each of its spans."""
    text, objects = content.get("text"), content.get("spans")
    if not isinstance(text, str) or not isinstance(objects, list):
        raise InputError(f"{where}: expected an object with a string text and a list spans.")
    check_text(text, where)
    spans = []
    for span in objects:
        try:
            label, start, end = str(span["label"]), int(span["start"]), int(span["end"])
        except (KeyError, OverflowError, TypeError, ValueError):
            raise InputError(
                f"{where}: expected a span with a label and whole numbers start and end, not "
                f"{excerpt(str(span))}."
            ) from None
        check_text(label, where)
        spans.append((label, start, end))
    return text, spans
