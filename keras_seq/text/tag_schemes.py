"""Spans as tags, one per token, in the schemes of the field.

- IOB1 (Ramshaw & Marcus 1995): I-X within a span; B-X only where a span follows one of its kind.
- IOB2: a span begins with B-X and goes on with I-X.
- IOBES: as IOB2, but the last token has E-X, and a span of one token S-X.

Tokens outside have O.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from keras_seq._internal.errors import InputError, excerpt, unknown_name

SCHEMES = {"IOB1": "BIO", "IOB2": "BIO", "IOBES": "BIOES"}
"""The schemes, and the letters that a tag of each begins with."""

OUTSIDE = "O"
"""The tag of tokens in no span."""


class Span(NamedTuple):
    """The tokens from `start` until before `end`, and what they are."""

    label: str
    start: int
    end: int


class Transitions(NamedTuple):
    """Allowed transitions between tags, and allowed first and last tags."""

    between: np.ndarray
    """bool `(tags, tags)`, from a tag to the next one."""
    first: np.ndarray
    """bool `(tags,)`: whether a sequence may begin with the tag."""
    last: np.ndarray
    """bool `(tags,)`: whether a sequence may end with the tag."""


def tags_to_spans(tags: Sequence[str], scheme: str = "IOB2", strict: bool = True) -> list[Span]:
    """Return the spans that tags stand for.

    Args:
        tags: Tags, one per token, such as "B-PER".
        scheme: A key of `SCHEMES`.
        strict: Whether tags that break the scheme are an error; if not, a span that does not
            begin or end as the scheme says is left out.

    Raises:
        InputError: If a tag breaks the scheme; the message has its number, from 1.
    """
    _check_scheme(scheme)
    found: list[Span] = []
    label: str | None = None
    start = 0

    def broken(position: int, tag: str, why: str) -> None:
        if strict:
            raise InputError(f"Tag {position + 1}, {excerpt(tag)!r}, breaks {scheme}: {why}.")

    for position, tag in enumerate([*tags, OUTSIDE]):
        letter, new = split_tag(tag, scheme)
        continues = new is not None and new == label
        if scheme == "IOBES":
            if label is not None and not (continues and letter in "IE"):
                broken(position, tag, f"the span of {label} before it has no end")
                label = None
            elif label is None and letter in "IE":
                broken(position, tag, "no span has begun")
            if letter in "BS":
                label, start = new, position
            if letter in "ES" and label is not None:
                found.append(Span(label, start, position + 1))
                label = None
        else:
            if letter == "I" and not continues and scheme == "IOB2":
                broken(position, tag, "no span of its kind has begun")
            if letter != "I" or not continues:
                if label is not None:
                    found.append(Span(label, start, position))
                begins = letter == "B" or (letter == "I" and scheme == "IOB1")
                label, start = (new, position) if begins else (None, 0)
    return found


def spans_to_tags(
    spans: Iterable[tuple[str, int, int]], length: int, scheme: str = "IOB2"
) -> list[str]:
    """Return the tags of tokens that spans cover.

    Args:
        spans: Triples (label, start, end) that do not overlap.
        length: Number of tokens.
        scheme: A key of `SCHEMES`.

    Raises:
        InputError: If a span is empty, lies outside, or overlaps with another.
    """
    _check_scheme(scheme)
    tags = [OUTSIDE] * length
    before: tuple[str, int, int] | None = None
    for label, start, end in sorted(spans, key=lambda span: span[1]):
        if not 0 <= start < end <= length:
            raise InputError(
                f"The span {label} from {start} to {end} does not fit {length} tokens."
            )
        if before is not None and start < before[2]:
            raise InputError(f"The spans {tuple(before)} and {(label, start, end)} overlap.")
        tags[start:end] = [f"I-{label}"] * (end - start)
        touches = before is not None and before[2] == start and before[0] == label
        if scheme != "IOB1" or touches:
            tags[start] = f"B-{label}"
        if scheme == "IOBES":
            tags[end - 1] = f"{'E' if end - start > 1 else 'S'}-{label}"
        before = (label, start, end)
    return tags


def convert_tags(tags: Sequence[str], scheme: str, new_scheme: str) -> list[str]:
    """Return the tags of the same spans in another scheme.

    >>> convert_tags(["B-PER", "I-PER", "O"], "IOB2", "IOBES")
    ['B-PER', 'E-PER', 'O']

    Args:
        tags: Tags, one per token.
        scheme: The scheme of these.
        new_scheme: The scheme of the tags to return.

    Raises:
        InputError: If a tag breaks the scheme.
    """
    if scheme == new_scheme:
        return list(tags)
    return spans_to_tags(tags_to_spans(tags, scheme), len(tags), new_scheme)


def make_tags(labels: Iterable[str], scheme: str = "IOB2") -> list[str]:
    """Return every tag that spans with these labels can have; "O" is the first.

    Args:
        labels: Labels.
        scheme: A key of `SCHEMES`.
    """
    letters = SCHEMES[_check_scheme(scheme)].replace(OUTSIDE, "")
    return [OUTSIDE, *(f"{letter}-{label}" for label in labels for letter in letters)]


def guess_scheme(sentences: Iterable[Sequence[str]]) -> str:
    """Return the scheme that tags are written in, told from all sentences of a file.

    Args:
        sentences: Lists of tags.
    """
    pairs = {pair for tags in sentences for pair in zip([OUTSIDE, *tags], tags, strict=False)}
    if any(tag[:2] in ("E-", "S-") for _, tag in pairs):
        return "IOBES"
    alone = any(tag.startswith("I-") and before[2:] != tag[2:] for before, tag in pairs)
    return "IOB1" if alone else "IOB2"


def allowed_transitions(tags: Sequence[str], scheme: str = "IOB2") -> Transitions:
    """Return which tags may follow each other, begin and end a sequence.

    Args:
        tags: Names of tags.
        scheme: A key of `SCHEMES`.

    Raises:
        InputError: If a tag is not one of the scheme.
    """
    _check_scheme(scheme)
    parts = [split_tag(tag, scheme) for tag in tags]

    def may_follow(before: tuple[str, str | None], after: tuple[str, str | None]) -> bool:
        """Return whether a letter and label may follow on others."""
        is_open = before[0] in "BI"
        same = is_open and before[1] == after[1]
        if scheme == "IOB1":
            return after[0] != "B" or same
        if after[0] in "IE":
            return same
        return scheme == "IOB2" or not is_open

    outside = (OUTSIDE, None)
    return Transitions(
        np.array([[may_follow(before, after) for after in parts] for before in parts]),
        np.array([may_follow(outside, after) for after in parts]),
        np.array([may_follow(before, outside) for before in parts]),
    )


def split_tag(tag: str, scheme: str) -> tuple[str, str | None]:
    """Return the letter of a tag and its label, None for "O".

    Args:
        tag: Tag, such as "B-PER".
        scheme: A key of `SCHEMES`.

    Raises:
        InputError: If it is not a tag of the scheme.
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
