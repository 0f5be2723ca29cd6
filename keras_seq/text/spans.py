"""Spans as tags, one a token, in the schemes of the field.

- IOB1 (Ramshaw & Marcus 1995): I-X within a span; B-X only where a span follows one of its kind.
- IOB2: a span begins with B-X and goes on with I-X.
- IOBES: as IOB2, but the last token has E-X, and a span of one token S-X.

Tokens outside have O.
"""

from typing import NamedTuple

import numpy as np

from keras_seq._internal.errors import InputError, excerpt, unknown

SCHEMES = {"IOB1": "BIO", "IOB2": "BIO", "IOBES": "BIOES"}
"""The schemes, and the letters that a tag of each begins with."""


class Span(NamedTuple):
    """Tokens from `start` until before `end`, and what they are."""

    label: str
    start: int
    end: int


def spans_of(tags, scheme="IOB2", strict=True):
    """The spans that tags stand for.

    Args:
        tags: One a token, such as "B-PER".
        scheme: A name of `SCHEMES`.
        strict: Whether tags that break the scheme are an error; if not, a span that does not
            begin or end as the scheme says is none.

    Raises:
        InputError: A tag breaks the scheme; the message says which, and its number from 1.
    """
    _known(scheme)
    found, label, start = [], None, None

    def broken(position, tag, why):
        if strict:
            raise InputError(f"Tag {position + 1}, {excerpt(tag)!r}, breaks {scheme}: {why}.")

    for position, tag in enumerate([*tags, "O"]):
        letter, of = split_tag(tag, scheme)
        going_on = of is not None and of == label
        if scheme == "IOBES":
            if label is not None and not (going_on and letter in "IE"):
                broken(position, tag, f"the span of {label} before it has no end")
                label = None
            elif label is None and letter in "IE":
                broken(position, tag, "no span has begun")
            if letter in "BS":
                label, start = of, position
            if letter in "ES" and label is not None:
                found.append(Span(label, start, position + 1))
                label = None
        else:
            if letter == "I" and not going_on and scheme == "IOB2":
                broken(position, tag, "no span of its kind has begun")
            if letter != "I" or not going_on:
                if label is not None:
                    found.append(Span(label, start, position))
                begins = letter == "B" or (letter == "I" and scheme == "IOB1")
                label, start = (of, position) if begins else (None, None)
    return found


def tags_of(spans, length, scheme="IOB2"):
    """The tags of tokens that spans cover.

    Args:
        spans: Triples (label, start, end) that do not overlap.
        length: Number of tokens.
        scheme: A name of `SCHEMES`.

    Raises:
        InputError: A span is empty, lies outside, or overlaps with another.
    """
    _known(scheme)
    tags, before = ["O"] * length, None
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


def all_tags(labels, scheme="IOB2"):
    """Every tag that spans with these labels can have; "O" is the first."""
    letters = SCHEMES[_known(scheme)].replace("O", "")
    return ["O", *(f"{letter}-{label}" for label in labels for letter in letters)]


def scheme_of(sentences):
    """The scheme that tags are written in, told from all sentences of a file.

    Args:
        sentences: Lists of tags.
    """
    pairs = {pair for tags in sentences for pair in zip(["O", *tags], tags)}
    if any(tag[:2] in ("E-", "S-") for _, tag in pairs):
        return "IOBES"
    alone = any(tag.startswith("I-") and before[2:] != tag[2:] for before, tag in pairs)
    return "IOB1" if alone else "IOB2"


def allowed(tags, scheme="IOB2"):
    """Which tags can follow each other, which can begin and which can end a sentence.

    Args:
        tags: Names of tags.
        scheme: "IOB2" or "IOBES".

    Returns:
        Bools: (tags, tags) from tag to tag, (tags,), (tags,).
    """
    _known(scheme)
    parts = [split_tag(tag, scheme) for tag in tags]

    def follows(before, after):
        goes_on = after[0] in ("IE" if scheme == "IOBES" else "I")
        is_open = before[0] in "BI" and before[1] is not None
        if goes_on:
            return is_open and before[1] == after[1]
        return not (is_open and scheme == "IOBES")

    outside = ("O", None)
    return (
        np.array([[follows(before, after) for after in parts] for before in parts]),
        np.array([follows(outside, after) for after in parts]),
        np.array([follows(before, outside) for before in parts]),
    )


def split_tag(tag, scheme):
    """The letter of a tag and its label, None for O.

    Raises:
        InputError: It is no tag of the scheme.
    """
    letter, dash, label = tag.partition("-")
    if tag == "O":
        return "O", None
    if not dash or not label or len(letter) != 1 or letter not in SCHEMES[_known(scheme)]:
        letters = ", ".join(f"{letter}-LABEL" for letter in SCHEMES[scheme] if letter != "O")
        raise InputError(f"{excerpt(tag)!r} is no tag of {scheme}, which has O, {letters}.")
    return letter, label


def _known(scheme):
    if scheme not in SCHEMES:
        raise unknown("tag scheme", scheme, SCHEMES)
    return scheme
