"""Spans as tags, one per token, in the schemes of the field.

- IOB1 (Ramshaw & Marcus 1995): I-X within a span; B-X only where a span follows one of its kind.
- IOB2: a span begins with B-X and goes on with I-X.
- IOBES: as IOB2, but the last token has E-X, and a span of one token S-X.

Tokens outside have O.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_seq._internal.errors import InputError, excerpt, unknown
from keras_seq.text.tokenizers import Token

SCHEMES = {"IOB1": "BIO", "IOB2": "BIO", "IOBES": "BIOES"}
"""The schemes, and the letters that a tag of each begins with."""

OUTSIDE = "O"
"""The tag of tokens in no span."""


class Span(NamedTuple):
    """The tokens from `start` until before `end`, and what they are."""

    label: str
    start: int
    end: int


class TextSpan(NamedTuple):
    """A part of a text, `text[start:end]`, what it is, and its probability."""

    text: str
    label: str
    start: int
    end: int
    score: float
    """The lowest probability of a tag in it, 0 to 1."""


class Transitions(NamedTuple):
    """Which tags may stand where."""

    between: np.ndarray
    """bool `(tags, tags)`, from a tag to the next one."""
    first: np.ndarray
    """bool `(tags,)`: whether a sequence may begin with the tag."""
    last: np.ndarray
    """bool `(tags,)`: whether a sequence may end with the tag."""


class TagSet:
    """The labels of spans, and the tags that stand for them.

    The id of a tag is its place in `tags`; that of "O" is 0.

    >>> tag_set = TagSet(["PER", "LOC"], scheme="IOB2")
    >>> tag_set.tags
    ['O', 'B-PER', 'I-PER', 'B-LOC', 'I-LOC']
    >>> tag_set.to_spans(["B-PER", "I-PER", "O"])
    [Span(label='PER', start=0, end=2)]
    >>> tag_set.encode(tag_set.to_tags([("LOC", 1, 2)], length=2))
    [0, 3]

    Args:
        labels: Different names of what a span can be, at least one.
        scheme: A key of `SCHEMES`.

    Raises:
        InputError: If there is no label, a label twice, or no such scheme.
    """

    def __init__(self, labels: Iterable[str], scheme: str = "IOBES") -> None:
        self.labels = list(labels)
        if not self.labels or "" in self.labels or len(set(self.labels)) < len(self.labels):
            raise InputError(
                f"A TagSet needs different labels, at least one and none empty, got {self.labels}."
            )
        self.scheme = scheme
        self.tags = make_tags(self.labels, scheme)
        self._ids = {tag: id_ for id_, tag in enumerate(self.tags)}

    @classmethod
    def from_examples(cls, examples: Iterable[Sequence[str]], scheme: str = "IOBES") -> TagSet:
        """Return the tag set of the labels that tags have, in alphabetical order.

        >>> TagSet.from_examples([["O", "B-X"], ["B-A", "I-A"]], scheme="IOB2").labels
        ['A', 'X']

        Args:
            examples: Lists of tags.
            scheme: The scheme of these tags.

        Raises:
            InputError: If there is no span, or a tag is not one of the scheme.
        """
        labels = {split_tag(tag, scheme)[1] for tags in examples for tag in tags} - {None}
        if not labels:
            raise InputError("No tag of the examples belongs to a span: all are O.")
        return cls(sorted(label for label in labels if label), scheme)

    def __len__(self) -> int:
        """Return the number of tags."""
        return len(self.tags)

    def __repr__(self) -> str:
        return f"TagSet({self.labels}, scheme={self.scheme!r})"

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` makes an equal tag set of, as JSON can hold it."""
        return {"labels": self.labels, "scheme": self.scheme}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TagSet:
        """Return the tag set of a configuration.

        Args:
            config: What `get_config` returned.
        """
        return cls(**config)

    def encode(self, tags: Iterable[str]) -> list[int]:
        """Return the ids of tags.

        Args:
            tags: Tags.

        Raises:
            InputError: If a tag is not in the set.
        """
        ids = []
        for tag in tags:
            if tag not in self._ids:
                raise unknown("tag", tag, self.tags)
            ids.append(self._ids[tag])
        return ids

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Return the tags of ids.

        Args:
            ids: Ids, from 0 to `len(self) - 1`.
        """
        return [self.tags[id_] for id_ in ids]

    def to_tags(self, spans: Iterable[tuple[str, int, int]], length: int) -> list[str]:
        """Return the tags of tokens that spans cover.

        Args:
            spans: Triples (label, start, end) that do not overlap.
            length: Number of tokens.

        Raises:
            InputError: If a label is not in the set, or a span is empty, lies outside, or overlaps
                with another.
        """
        spans = list(spans)
        for label, *_ in spans:
            if label not in self.labels:
                raise unknown("label", label, self.labels)
        return spans_to_tags(spans, length, self.scheme)

    def to_spans(self, tags: Sequence[str], strict: bool = True) -> list[Span]:
        """Return the spans that tags stand for.

        Args:
            tags: Tags, one per token.
            strict: As for `tags_to_spans`.

        Raises:
            InputError: As for `tags_to_spans`.
        """
        return tags_to_spans(tags, self.scheme, strict)

    def to_text_spans(
        self,
        text: str,
        tokens: Sequence[Token],
        tags: Sequence[str],
        scores: Sequence[float] | np.ndarray,
    ) -> list[TextSpan]:
        """Return the spans that tags stand for, with their places in the text.

        A span that does not begin or end as the scheme says is left out.

        >>> tokens = [Token("Ada", 0, 3), Token("slept", 4, 9)]
        >>> TagSet(["PER"]).to_text_spans("Ada slept", tokens, ["S-PER", "O"], [0.75, 1.0])
        [TextSpan(text='Ada', label='PER', start=0, end=3, score=0.75)]

        Args:
            text: Text.
            tokens: Its tokens, as `TextEncoder.tokenize_with_offsets` returns them.
            tags: Tags, one per token.
            scores: Probability of each tag.
        """
        found = []
        for label, first, last in self.to_spans(tags, strict=False):
            start, end = tokens[first].start, tokens[last - 1].end
            score = float(min(scores[first:last]))
            found.append(TextSpan(text[start:end], label, start, end, score))
        return found

    @functools.cached_property
    def transitions(self) -> Transitions:
        """Which tags may follow each other, begin and end a sequence."""
        return allowed_transitions(self.tags, self.scheme)


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
        raise unknown("tag scheme", scheme, SCHEMES)
    return scheme
