"""Tagged sentences in JSON lines or arrays: tokens with tags, and texts with spans."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from keras_seq._internal.errors import InputError, excerpt
from keras_seq._internal.unicode import check_text
from keras_seq.data.conll import TaggedTokens
from keras_seq.data.json_lines import read_objects
from keras_seq.data.row_errors import BadRows
from keras_seq.text.tag_schemes import Span

TOKEN_KEYS = ("tokens", "words")
"""Names of lists of tokens. The first that exists is read."""
TAG_KEYS = ("ner_tags", "tags", "ner", "labels", "label", "upos", "pos_tags")
"""Names of lists of tags, one per token."""
SPAN_KEYS = ("spans", "entities", "label", "labels")
"""Names of lists of spans of a text: prodigy, spaCy, doccano."""
NAMES_KEYS = ("names", "tag_names", "label_names")
"""Names of lists of the names of numeric tags."""

Tokenizer = Callable[[str], Sequence[tuple[str, int, int]]]
"""Function from a text to a list of (token, start, end)."""


class TaggedText(NamedTuple):
    """Text with labeled spans, before it is split into tokens."""

    text: str
    spans: list[tuple[str, int, int]]
    """Label, start and end of each span, in characters."""
    line: int


class ObjectReader:
    """Reader of the JSON objects of one file.

    An object has tokens and tags, `{"tokens": ["Ada"], "ner_tags": ["B-PER"]}`, or a text and spans
    (see `read_spans`), or is a task of Label Studio.

    >>> reader = ObjectReader("a.jsonl")
    >>> next(reader.read([(1, {"words": ["Ada"], "tags": ["B-PER"]})]))
    TaggedTokens(tokens=['Ada'], tags=['B-PER'], line=1, text='')
    >>> reader.keys
    {'token': 'words', 'tag': 'tags'}

    Args:
        path: File, for error messages.
        unit: Unit of the numbers of objects: "line" or "element".
        token_key: Name of the list of tokens. Default: the first of `TOKEN_KEYS` that exists.
        tag_key: Name of the list of tags. Default: the first of `TAG_KEYS` that exists.
        tag_names: Names of numeric tags. Default: the list "names" of the object.
        bad_rows: Collection of objects of other kinds, if these may be left out.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        unit: str = "line",
        token_key: str | None = None,
        tag_key: str | None = None,
        tag_names: Sequence[str] = (),
        bad_rows: BadRows | None = None,
    ) -> None:
        self._path, self._unit, self._tag_names = path, unit, tag_names
        self._token_key, self._tag_key = token_key, tag_key
        self._bad_rows = bad_rows or BadRows("strict")
        self.keys: dict[str, str] = {}
        """Names of what was read, such as `{"token": "tokens", "tag": "ner_tags"}`."""
        self.left_out: Counter[str] = Counter()
        """Number of objects without an example, by reason."""

    def read(
        self, objects: Iterable[tuple[int, dict[str, Any]]]
    ) -> Iterator[TaggedTokens | TaggedText]:
        """Read the sentences of objects, one at a time.

        Args:
            objects: Objects with their numbers.

        Raises:
            InputError: If an object is of another kind.
        """
        for number, content in objects:
            try:
                row = self._parse(content, number, f"{self._path}, {self._unit} {number}")
            except InputError as error:
                self._bad_rows.add(error)
                continue
            if row is not None:
                yield row

    def _parse(
        self, content: dict[str, Any], number: int, where: str
    ) -> TaggedTokens | TaggedText | None:
        token_key = self._token_key or _first_key(content, TOKEN_KEYS)
        tag_key = self._tag_key or _first_key(content, TAG_KEYS)
        if token_key in content and tag_key in content:
            tokens = _parse_strings(content[token_key], token_key, "token", where)
            tags = _parse_tags(content, tag_key, self._tag_names, where)
            if len(tokens) != len(tags):
                raise InputError(f"{where}: {len(tokens)} tokens have {len(tags)} tags.")
            self.keys.update(token=token_key, tag=tag_key)
            if not tokens:
                self.left_out["sentences without tokens"] += 1
                return None
            text = content.get("text")
            text = text if isinstance(text, str) else ""
            check_text(text, where)
            return TaggedTokens(tokens, tags, number, text)
        if isinstance(content.get("data"), dict) and isinstance(content.get("annotations"), list):
            task = _parse_task(content, where)
            if task is None:
                self.left_out["tasks without an annotation"] += 1
                return None
            self.keys.update(text=f"data.{task.text_key}", spans="annotations")
            spans = [_parse_span(span, where) for span in task.spans]
            return TaggedText(task.text, spans, number)
        key = _span_key(content, where)
        self.keys.update(text="text", spans=key)
        return _parse_text(content, key, number, where)


def read_spans(
    path: str | os.PathLike[str], tokenizer: Tokenizer, encoding: str = "utf-8"
) -> list[tuple[list[str], list[Span]]]:
    """Read sentences with labeled spans from a JSON lines file.

    Each object has a "text" and a list of "spans", whose "start" and "end" count characters:
    `{"text": "Ada lived", "spans": [{"start": 0, "end": 3, "label": "PER"}]}`. The list can also be
    named "entities" (spaCy), "label" or "labels" (doccano), and a span can be a list such as
    `[0, 3, "PER"]`. An array of tasks as exported by Label Studio is read too.

    Args:
        path: File.
        tokenizer: Function from a text to a list of (token, start, end).
        encoding: Character encoding of the file.

    Returns:
        A list of (tokens, spans), where spans count tokens.

    Raises:
        InputError: If a line is not such an object, a span begins or ends inside a token, or two
            spans overlap.
    """
    sentences = []
    unit, objects = read_objects(path, encoding)
    for row in ObjectReader(path, unit).read(objects):
        where = f"{path}, {unit} {row.line}"
        if isinstance(row, TaggedTokens):
            raise InputError(f"{where}: expected an object with a string text and a list spans.")
        sentences.append(align_spans(row, tokenizer, where))
    if not sentences:
        raise InputError(f"{path} contains no sentences.")
    return sentences


def align_spans(row: TaggedText, tokenizer: Tokenizer, where: str) -> tuple[list[str], list[Span]]:
    """Return the tokens of a text, and its spans in tokens.

    Args:
        row: Text with spans.
        tokenizer: Function from a text to a list of (token, start, end).
        where: File and line number, for error messages.

    Raises:
        InputError: If the text has no tokens, a span begins or ends inside a token, or two spans
            overlap.
    """
    tokens = tokenizer(row.text)
    if not tokens:
        raise InputError(f"{where}: the text is empty.")
    starts = {start: i for i, (_, start, _) in enumerate(tokens)}
    ends = {end: i + 1 for i, (_, _, end) in enumerate(tokens)}
    spans: list[Span] = []
    for label, start, end in sorted(row.spans, key=lambda span: span[1:]):
        if start not in starts or end not in ends or start >= end:
            raise InputError(
                f"{where}: the span {excerpt(label)} from {start} to {end} does not begin and "
                f"end with a token of {excerpt(row.text)!r}."
            )
        span = Span(label, starts[start], ends[end])
        if spans and span.start < spans[-1].end:
            raise InputError(
                f"{where}: the span {excerpt(label)} from {start} to {end} overlaps with another."
            )
        spans.append(span)
    return [token for token, _, _ in tokens], spans


class _Task(NamedTuple):
    """Text of a task of Label Studio, and the spans of its annotation."""

    text: str
    text_key: str
    spans: list[Any]


def _parse_task(content: dict[str, Any], where: str) -> _Task | None:
    """Return the text and the spans of a task of Label Studio, or None without an annotation.

    The first annotation counts that is not cancelled. Its results of other types than "labels",
    such as relations, are not read.
    """
    fields, annotations = content["data"], content["annotations"]
    texts = [key for key, value in fields.items() if isinstance(value, str)]
    key = "text" if "text" in texts else texts[0] if len(texts) == 1 else ""
    if not key:
        raise InputError(
            f"{where}: the data of the task needs a string text; there are "
            f"{excerpt(', '.join(fields)) or 'none'}."
        )
    check_text(fields[key], where)
    for annotation in annotations:
        results = annotation.get("result") if isinstance(annotation, dict) else None
        if not isinstance(results, list) or not all(isinstance(r, dict) for r in results):
            raise InputError(f"{where}: an annotation of the task has no list result.")
        if not annotation.get("was_cancelled"):
            spans = [r.get("value") for r in results if r.get("type") == "labels"]
            return _Task(fields[key], key, spans)
    return None


def _first_key(content: dict[str, Any], keys: Sequence[str]) -> str:
    return next((key for key in keys if key in content), keys[0])


def _parse_strings(value: Any, key: str, kind: str, where: str) -> list[str]:
    if not isinstance(value, list):
        raise InputError(
            f"{where}: {excerpt(key)!r} must be a list of {kind}s, not {excerpt(repr(value))}."
        )
    for item in value:
        if not isinstance(item, str) or not item:
            raise InputError(f"{where}: the {kind} {excerpt(repr(item))} is not a text.")
        check_text(item, where)
    return value


def _parse_tags(
    content: dict[str, Any], key: str, tag_names: Sequence[str], where: str
) -> list[str]:
    """Return a list of tags, in which names replace numbers."""
    tags = content[key]
    if not isinstance(tags, list) or not any(type(tag) is int for tag in tags):
        return _parse_strings(tags, key, "tag", where)
    names = list(tag_names)
    names_key = next((name for name in NAMES_KEYS if name in content), None)
    if not names and names_key:
        names = _parse_strings(content[names_key], names_key, "name", where)
    if not names:
        raise InputError(
            f"{where}: {excerpt(key)!r} has numbers; give the names of the tags with --tag-names."
        )
    for tag in tags:
        if type(tag) is not int or not 0 <= tag < len(names):
            raise InputError(
                f"{where}: the tag {excerpt(repr(tag))} is not a number from 0 to "
                f"{len(names) - 1}, one for each name."
            )
    return [names[tag] for tag in tags]


def _span_key(content: dict[str, Any], where: str) -> str:
    """Return the name of the list of spans in an object with a text."""
    key = next((key for key in SPAN_KEYS if isinstance(content.get(key), list)), "")
    if not isinstance(content.get("text"), str) or not key:
        raise InputError(
            f"{where}: expected an object with a string text and a list spans, entities or label, "
            f"or with lists tokens and ner_tags; there are {excerpt(', '.join(content)) or 'none'}."
        )
    return key


def _parse_text(content: dict[str, Any], key: str, line: int, where: str) -> TaggedText:
    """Return the text of an object, and the label, start and end of each of its spans."""
    text = content["text"]
    check_text(text, where)
    return TaggedText(text, [_parse_span(span, where) for span in content[key]], line)


def _parse_span(span: Any, where: str) -> tuple[str, int, int]:
    label, start, end = None, None, None
    if isinstance(span, dict):
        label = span.get("label")
        if isinstance(span.get("labels"), list) and len(span["labels"]) == 1:  # Label Studio
            [label] = span["labels"]
        start = span.get("start", span.get("start_offset"))
        end = span.get("end", span.get("end_offset"))
    elif isinstance(span, list) and len(span) == 3:
        start, end, label = span
    if type(label) is int:
        label = str(label)
    try:
        first, last = _to_index(start), _to_index(end)
    except (OverflowError, TypeError, ValueError):
        label = None
        first = last = 0
    if not isinstance(label, str) or not label:
        raise InputError(
            f"{where}: expected a span with a label and whole numbers start and end, not "
            f"{excerpt(str(span))}."
        )
    check_text(label, where)
    return label, first, last


def _to_index(number: Any) -> int:
    """Return a whole number.

    Raises:
        TypeError: If it is neither a number nor a string.
        ValueError: If it is not a whole number.
        OverflowError: If it is infinite.
    """
    if isinstance(number, bool) or int(number) != float(number):
        raise ValueError
    return int(number)
