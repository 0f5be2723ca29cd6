"""Tagging schemes: spans as tags, one per token.

- IOB1 (Ramshaw & Marcus 1995): the tokens of a span with label X have I-X. The first has B-X if the
  span immediately follows another with the same label.
- IOB2: the first token of a span has B-X, the others I-X.
- IOBES: as IOB2, but the last token has E-X, and the only token of a span S-X.
- BILOU: as IOBES, with L for E and U for S.
- BMES: as IOBES, with M for I.
- BMEWO: as IOBES, with M for I and W for S.

Two schemes have the labels themselves as tags:

- bare: every token of a span with label X has X, so that adjacent spans with equal labels are one.
- classes: every token that is not outside is a span by itself, as in part-of-speech tagging.

Tokens outside all spans have O.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from keras_seq._internal.errors import InputError, excerpt, unknown_name
from keras_seq._internal.types import Array

SCHEMES = {
    "IOB1": "BIO",
    "IOB2": "BIO",
    "IOBES": "BIOES",
    "BILOU": "BILOU",
    "BMES": "BMESO",
    "BMEWO": "BMEWO",
}
"""Letters with which the tags of each scheme begin."""

LABEL_SCHEMES = ("bare", "classes")
"""Schemes whose tags are labels. They cannot represent all spans."""

ALIASES = {"BIO": "IOB2", "BIOES": "IOBES"}
"""Other names of schemes."""

OUTSIDE = "O"
"""Tag of tokens outside all spans."""

_INSIDE_LAST_SINGLE = {"IOBES": "IES", "BILOU": "ILU", "BMES": "MES", "BMEWO": "MEW"}
"""Letters of inner and last tokens and of spans of one token, for schemes that have them."""
_ROLES = {"M": "I", "L": "E", "U": "S", "W": "S"}
"""Letters of IOBES with the same meaning as letters of other schemes."""

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
        scheme: A key of `SCHEMES`, or one of `LABEL_SCHEMES`.
        strict: If True, an invalid sequence of tags is an error. If False, spans that do not begin
            or end as the scheme requires are skipped.

    Raises:
        InputError: If a tag does not belong to the scheme, or if `strict` is True and the sequence
            of tags is invalid. The message counts tags from 1.
    """
    _check_scheme(scheme)
    parts = [split_role(tag, scheme) for tag in tags]
    is_iob = scheme in ("IOB1", "IOB2", "bare")
    spans, errors = _parse_iob(parts, scheme) if is_iob else _parse_iobes(parts)
    if strict and errors:
        i, reason = errors[0]
        tag = tags[i] if i < len(tags) else OUTSIDE
        raise InputError(f"Tag {i + 1}, {excerpt(tag)!r}, is invalid in {scheme}: {reason}.")
    return spans


def _parse_iobes(parts: Sequence[TagParts]) -> tuple[list[Span], list[TagError]]:
    """Return the valid spans of tags in IOBES, and the errors.

    Args:
        parts: Letter of IOBES, and label of each tag.
    """
    spans: list[Span] = []
    errors: list[TagError] = []
    label: str | None = None
    start = 0
    for i, (letter, new_label) in enumerate([*parts, (OUTSIDE, None)]):
        if label is not None and (letter not in "IE" or new_label != label):
            errors.append((i, f"the span of {excerpt(label)} before it has no end"))
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
    """Return the valid spans of tags in IOB1, IOB2 or bare, and the errors.

    Args:
        parts: Letter and label of each tag.
        scheme: "IOB1", "IOB2" or "bare".
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
        begins = letter == "B" or (letter == "I" and scheme != "IOB2")
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
        scheme: A key of `SCHEMES`, or one of `LABEL_SCHEMES`.

    Raises:
        InputError: If a span is empty, is out of range, or overlaps another, or if the scheme
            cannot represent the spans.
    """
    _check_scheme(scheme)
    letters = _INSIDE_LAST_SINGLE.get(scheme)
    inside = letters[0] if letters else "I"
    tags = [OUTSIDE] * length
    previous: tuple[str, int, int] | None = None
    for label, start, end in sorted(spans, key=lambda span: span[1]):
        if not 0 <= start < end <= length:
            raise InputError(
                f"The span {excerpt(label)} from {start} to {end} is empty or out of range for "
                f"{length} tokens."
            )
        if previous is not None and start < previous[2]:
            raise InputError(f"The spans {tuple(previous)} and {(label, start, end)} overlap.")
        is_adjacent = previous is not None and previous[2] == start and previous[0] == label
        if scheme in LABEL_SCHEMES:
            if (is_adjacent and scheme == "bare") or (end - start > 1 and scheme == "classes"):
                raise InputError(
                    f"The scheme {scheme} cannot represent the span {excerpt(label)} from {start} "
                    f"to {end}; use IOB2 or IOBES."
                )
            tags[start:end] = [label] * (end - start)
        else:
            tags[start:end] = [f"{inside}-{label}"] * (end - start)
            if scheme != "IOB1" or is_adjacent:
                tags[start] = f"B-{label}"
            if letters:
                tags[end - 1] = f"{letters[1 if end - start > 1 else 2]}-{label}"
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
        scheme: A key of `SCHEMES`, or one of `LABEL_SCHEMES`.

    Raises:
        InputError: If the scheme is one of `LABEL_SCHEMES`, and a label is "O".
    """
    _check_scheme(scheme)
    if scheme in LABEL_SCHEMES:
        labels = list(labels)
        if OUTSIDE in labels:
            raise InputError(f"In the scheme {scheme}, 'O' is the tag outside spans, not a label.")
        return [OUTSIDE, *labels]
    letters = SCHEMES[scheme].replace(OUTSIDE, "")
    return [OUTSIDE, *(f"{letter}-{label}" for label in labels for letter in letters)]


def allowed_transitions(tags: Sequence[str], scheme: str = "IOB2") -> Transitions:
    """Return the allowed transitions between tags, and the allowed first and last tags.

    Args:
        tags: Tags, such as `make_tags` returns.
        scheme: A key of `SCHEMES`, or one of `LABEL_SCHEMES`.

    Raises:
        InputError: If a tag does not belong to the scheme.
    """
    _check_scheme(scheme)
    parts = [split_role(tag, scheme) for tag in tags]

    def may_follow(before: TagParts, after: TagParts) -> bool:
        is_open = before[0] in "BI"
        is_same_span = is_open and before[1] == after[1]
        if scheme == "IOB1":
            return after[0] != "B" or is_same_span
        if after[0] in "IE" and scheme != "bare":
            return is_same_span
        return scheme in ("IOB2", "bare") or not is_open

    outside = (OUTSIDE, None)
    return Transitions(
        np.array([[may_follow(before, after) for after in parts] for before in parts]),
        np.array([may_follow(outside, after) for after in parts]),
        np.array([may_follow(before, outside) for before in parts]),
    )


def split_tag(tag: str, scheme: str) -> TagParts:
    """Return the letter and the label of a tag. The label of "O" is None.

    Tags of the scheme bare have the letter I, and those of the scheme classes the letter S.

    Args:
        tag: Tag, such as "B-PER".
        scheme: A key of `SCHEMES`, or one of `LABEL_SCHEMES`.

    Raises:
        InputError: If the tag does not belong to the scheme.
    """
    if tag == OUTSIDE:
        return OUTSIDE, None
    if _check_scheme(scheme) in LABEL_SCHEMES:
        if not tag:
            raise InputError("A tag is empty.")
        return "I" if scheme == "bare" else "S", tag
    letter, _, label = tag.partition("-")
    if not label or len(letter) != 1 or letter not in SCHEMES[scheme]:
        letters = ", ".join(f"{letter}-LABEL" for letter in SCHEMES[scheme] if letter != OUTSIDE)
        raise InputError(f"{excerpt(tag)!r} is not a tag of {scheme}, which has O, {letters}.")
    return letter, label


@functools.lru_cache(maxsize=4096)
def split_role(tag: str, scheme: str) -> TagParts:
    """Return the letter that a tag would have in IOB1, IOB2 or IOBES, and its label.

    >>> split_role("L-PER", "BILOU")
    ('E', 'PER')

    Args:
        tag: Tag, such as "B-PER".
        scheme: A key of `SCHEMES`, or one of `LABEL_SCHEMES`.

    Raises:
        InputError: If the tag does not belong to the scheme.
    """
    letter, label = split_tag(tag, scheme)
    return _ROLES.get(letter, letter), label


def _check_scheme(scheme: str) -> str:
    if scheme not in SCHEMES and scheme not in LABEL_SCHEMES:
        raise unknown_name("tag scheme", scheme, (*SCHEMES, *LABEL_SCHEMES))
    return scheme
