"""Tagged sentences in files with a token a line (CoNLL shared tasks), and in JSON lines."""

from typing import Any

from keras_seq._internal.errors import InputError, excerpt
from keras_seq._internal.unicode import check_text
from keras_seq.data.files import read_lines
from keras_seq.data.json_lines import parse_object
from keras_seq.text.tag_schemes import Span


def read_conll(path, token_column=0, tag_column=-1, encoding="utf-8"):
    """Sentences of a file with a token a line and a blank line after each sentence.

    Columns stand apart by tabs or spaces. Lines that begin with -DOCSTART- are left out.

    Args:
        path: File.
        token_column, tag_column: From 0; below 0 they count from the last.
        encoding: Of the file.

    Returns:
        A list of (tokens, tags, number of the first line).

    Raises:
        InputError: A line has too few columns, or the file no sentence.
    """
    found, tokens, tags, begun = [], [], [], 0
    needed = max(c + 1 if c >= 0 else -c for c in (token_column, tag_column))
    needed = max(needed, 2)
    for number, line in read_lines(path, encoding):
        columns = line.split("\t") if "\t" in line else line.split()
        if not line.strip() or columns[0] == "-DOCSTART-":
            if tokens:
                found.append((tokens, tags, begun))
            tokens, tags = [], []
            continue
        if len(columns) < needed:
            raise InputError(
                f"{path}, line {number}: {excerpt(line.strip())!r} has {len(columns)} column"
                f"{'s' * (len(columns) != 1)}, but token and tag need {needed}."
            )
        begun = begun if tokens else number
        tokens.append(columns[token_column].strip())
        tags.append(columns[tag_column].strip())
    if tokens:
        found.append((tokens, tags, begun))
    if not found:
        raise InputError(f"{path} has no sentence in it.")
    return found


def read_spans(path, split, encoding="utf-8"):
    """Sentences of a file with a JSON object a line.

    An object has "text" and "spans", a list of objects with "start" and "end" in characters and
    "label": `{"text": "Ada lived", "spans": [{"start": 0, "end": 3, "label": "PER"}]}`.

    Args:
        path: File.
        split: Function from a text to `[(token, start, end)]`.
        encoding: Of the file.

    Returns:
        A list of (tokens, spans in tokens).

    Raises:
        InputError: A line is not such an object, or a span cuts through a token.
    """
    found = []
    for number, line in read_lines(path, encoding):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        text, given = _text_and_spans(parse_object(line, where), where)
        tokens = split(text)
        if not tokens:
            raise InputError(f"{where}: the text is empty.")
        begins = {start: i for i, (_, start, _) in enumerate(tokens)}
        ends = {end: i + 1 for i, (_, _, end) in enumerate(tokens)}
        spans = []
        for label, start, end in given:
            if start not in begins or end not in ends or start >= end:
                raise InputError(
                    f"{where}: the span {excerpt(label)} from {start} to {end} does not begin and "
                    f"end with a token of {excerpt(text)!r}."
                )
            spans.append(Span(label, begins[start], ends[end]))
        found.append(([token for token, _, _ in tokens], spans))
    if not found:
        raise InputError(f"{path} has no sentence in it.")
    return found


def _text_and_spans(content: dict[str, Any], where: str) -> tuple[str, list[tuple[str, int, int]]]:
    """Return the text of an object, and label, start and end of its spans."""
    text, given = content.get("text"), content.get("spans")
    if not isinstance(text, str) or not isinstance(given, list):
        raise InputError(f"{where}: expected an object with a string text and a list spans.")
    check_text(text, where)
    spans = []
    for span in given:
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
