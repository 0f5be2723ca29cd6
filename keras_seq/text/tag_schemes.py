"""Tagging schemes: spans as tags, one per token.

- IOB1 (Ramshaw & Marcus 1995): the tokens of a span with label X have I-X. The first has B-X if the
  span immediately follows another with the same label.
- IOB2: the first token of a span has B-X, the others I-X.
- IOBES: as IOB2, but the last token has E-X, and the only token of a span S-X.

Tokens outside all spans have O.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from keras_seq._internal.errors import InputError, excerpt, unknown_name
from keras_seq._internal.types import Array

SCHEMES = {"IOB1": "BIO", "IOB2": "BIO", "IOBES": "BIOES"}
"""Letters with which the tags of each scheme begin."""

OUTSIDE = "O"
"""Tag of tokens outside all spans."""

TagParts: TypeAlias = tuple[str, str | None]
"""Letter and label of a tag; the label of "O" is None."""
TagError: TypeAlias = tuple[int, str]
"""Index of an invalid tag, and the reason as a clause."""


class Span(NamedTuple):
    """Labeled span of the tokens `tokens[start:end]`.

    >>> tokens, span = ["Ada", "met", "Grace"], Span("PER", start=2, end=3)
    >>> tokens[span.start : span.end]
    ['Grace']
    """

    label: str
    start: int
    end: int


class Transitions(NamedTuple):
    """Allowed transitions between tags, and allowed first and last tags."""

    between: Array
    """bool `(tags, tags)`: element `[i, j]` is True if tag j may follow tag i."""
    first: Array
    """bool `(tags,)`: True if a sequence may begin with the tag."""
    last: Array
    """bool `(tags,)`: True if a sequence may end with the tag."""


def tags_to_spans(tags: Sequence[str], scheme: str = "IOB2", strict: bool = True) -> list[Span]:
    """Return the spans that tags encode.

    >>> tags_to_spans(["B-PER", "I-PER", "O", "B-LOC"])
    [Span(label='PER', start=0, end=2), Span(label='LOC', start=3, end=4)]

    Args:
        tags: Tags, one per token, such as "B-PER".
        scheme: A key of `SCHEMES`.
        strict: If True, an invalid sequence of tags is an error. If False, spans that do not begin
            or end as the scheme requires are skipped.

    Raises:
        InputError: If a tag does not belong to the scheme, or if `strict` is True and the sequence
            of tags is invalid. The message counts tags from 1.
    """
    _check_scheme(scheme)
    parts = [split_tag(tag, scheme) for tag in tags]
    spans, errors = _parse_iobes(parts) if scheme == "IOBES" else _parse_iob(parts, scheme)
    if strict and errors:
        i, reason = errors[0]
        tag = tags[i] if i < len(tags) else OUTSIDE
        raise InputError(f"Tag {i + 1}, {excerpt(tag)!r}, is invalid in {scheme}: {reason}.")
    return spans


def _parse_iobes(parts: Sequence[TagParts]) -> tuple[list[Span], list[TagError]]:
    """Return the valid spans of tags in IOBES, and the errors.

    Args:
        parts: Letter and label of each tag.
    """
    spans: list[Span] = []
    errors: list[TagError] = []
    label: str | None = None
    start = 0
    for i, (letter, new_label) in enumerate([*parts, (OUTSIDE, None)]):
        if label is not None and (letter not in "IE" or new_label != label):
            errors.append((i, f"the span of {label} before it has no end"))
            label = None
        elif label is None and letter in "IE":
            errors.append((i, "no span has begun"))
        if letter in "BS":
            label, start = new_label, i
        if letter in "ES" and label is not None:
            spans.append(Span(label, start, i + 1))
            label = None
    return spans, errors


def _parse_iob(parts: Sequence[TagParts], scheme: str) -> tuple[list[Span], list[TagError]]:
    """Return the valid spans of tags in IOB1 or IOB2, and the errors.

    Args:
        parts: Letter and label of each tag.
        scheme: "IOB1" or "IOB2".
    """
    spans: list[Span] = []
    errors: list[TagError] = []
    label: str | None = None
    start = 0
    for i, (letter, new_label) in enumerate([*parts, (OUTSIDE, None)]):
        if letter == "I" and new_label == label:
            continue
        if letter == "I" and scheme == "IOB2":
            errors.append((i, "no span with this label has begun"))
        if label is not None:
            spans.append(Span(label, start, i))
        begins = letter == "B" or (letter == "I" and scheme == "IOB1")
        label, start = (new_label, i) if begins else (None, 0)
    return spans, errors


def spans_to_tags(
    spans: Iterable[tuple[str, int, int]], length: int, scheme: str = "IOB2"
) -> list[str]:
    """Return the tags that encode spans, one per token.

    >>> spans_to_tags([("PER", 0, 2)], length=3, scheme="IOBES")
    ['B-PER', 'E-PER', 'O']

    Args:
        spans: Triples (label, start, end), see `Span`, that do not overlap.
        length: Number of tokens.
        scheme: A key of `SCHEMES`.

    Raises:
        InputError: If a span is empty, is out of range, or overlaps another.
    """
    _check_scheme(scheme)
    tags = [OUTSIDE] * length
    previous: tuple[str, int, int] | None = None
    for label, start, end in sorted(spans, key=lambda span: span[1]):
        if not 0 <= start < end <= length:
            raise InputError(
                f"The span {label} from {start} to {end} is empty or out of range for {length} "
                "tokens."
            )
        if previous is not None and start < previous[2]:
            raise InputError(f"The spans {tuple(previous)} and {(label, start, end)} overlap.")
        tags[start:end] = [f"I-{label}"] * (end - start)
        is_adjacent = previous is not None and previous[2] == start and previous[0] == label
        if scheme != "IOB1" or is_adjacent:
            tags[start] = f"B-{label}"
        if scheme == "IOBES":
            tags[end - 1] = f"{'E' if end - start > 1 else 'S'}-{label}"
        previous = (label, start, end)
    return tags


def convert_tags(tags: Sequence[str], scheme: str, new_scheme: str) -> list[str]:
    """Return the tags of the same spans in another scheme.

    >>> convert_tags(["B-PER", "I-PER", "O"], "IOB2", "IOBES")
    ['B-PER', 'E-PER', 'O']

    Args:
        tags: Tags, one per token.
        scheme: Scheme of the tags.
        new_scheme: Scheme of the returned tags.

    Raises:
        InputError: If the tags are invalid in their scheme.
    """
    if scheme == new_scheme:
        return list(tags)
    return spans_to_tags(tags_to_spans(tags, scheme), len(tags), new_scheme)


def make_tags(labels: Iterable[str], scheme: str = "IOB2") -> list[str]:
    """Return all tags for spans with these labels, "O" first.

    >>> make_tags(["PER"])
    ['O', 'B-PER', 'I-PER']

    Args:
        labels: Labels of spans.
        scheme: A key of `SCHEMES`.
    """
    letters = SCHEMES[_check_scheme(scheme)].replace(OUTSIDE, "")
    return [OUTSIDE, *(f"{letter}-{label}" for label in labels for letter in letters)]


def guess_scheme(sentences: Iterable[Sequence[str]]) -> str:
    """Guess the scheme of tags from their letters.

    >>> guess_scheme([["O", "I-PER"]])
    'IOB1'

    Args:
        sentences: Lists of tags, preferably those of a whole file.
    """
    pairs = {pair for tags in sentences for pair in zip([OUTSIDE, *tags], tags, strict=False)}
    if any(tag[:2] in ("E-", "S-") for _, tag in pairs):
        return "IOBES"
    has_initial_i = any(tag.startswith("I-") and before[2:] != tag[2:] for before, tag in pairs)
    return "IOB1" if has_initial_i else "IOB2"


def allowed_transitions(tags: Sequence[str], scheme: str = "IOB2") -> Transitions:
    """Return the allowed transitions between tags, and the allowed first and last tags.

    Args:
        tags: Tags, such as `make_tags` returns.
        scheme: A key of `SCHEMES`.

    Raises:
        InputError: If a tag does not belong to the scheme.
    """
    _check_scheme(scheme)
    parts = [split_tag(tag, scheme) for tag in tags]

    def may_follow(before: TagParts, after: TagParts) -> bool:
        is_open = before[0] in "BI"
        is_same_span = is_open and before[1] == after[1]
        if scheme == "IOB1":
            return after[0] != "B" or is_same_span
        if after[0] in "IE":
            return is_same_span
        return scheme == "IOB2" or not is_open

    outside = (OUTSIDE, None)
    return Transitions(
        np.array([[may_follow(before, after) for after in parts] for before in parts]),
        np.array([may_follow(outside, after) for after in parts]),
        np.array([may_follow(before, outside) for before in parts]),
    )


def split_tag(tag: str, scheme: str) -> TagParts:
    """Return the letter and the label of a tag. The label of "O" is None.

    Args:
        tag: Tag, such as "B-PER".
        scheme: A key of `SCHEMES`.

    Raises:
        InputError: If the tag does not belong to the scheme.
    """
    if tag == OUTSIDE:
        return OUTSIDE, None
    letter, _, label = tag.partition("-")
    if not label or len(letter) != 1 or letter not in SCHEMES[_check_scheme(scheme)]:
        letters = ", ".join(f"{letter}-LABEL" for letter in SCHEMES[scheme] if letter != OUTSIDE)
        raise InputError(f"{excerpt(tag)!r} is not a tag of {scheme}, which has O, {letters}.")
    return letter, label


def _check_scheme(scheme: str) -> str:
    if scheme not in SCHEMES:
        raise unknown_name("tag scheme", scheme, SCHEMES)
    return scheme
