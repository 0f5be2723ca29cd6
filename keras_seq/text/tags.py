"""Tag sets of taggers: labels, tagging scheme and ids."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from keras_seq._internal.errors import InputError, check_list, unknown_name
from keras_seq._internal.types import Array
from keras_seq.text.tag_schemes import (
    Span,
    Transitions,
    allowed_transitions,
    make_tags,
    spans_to_tags,
    split_tag,
    tags_to_spans,
)
from keras_seq.text.tokenizers import Token


class TextSpan(NamedTuple):
    """Labeled span `text[start:end]` of a text.

    >>> text = "Ada met Grace"
    >>> span = TextSpan("Grace", "PER", start=8, end=13, score=0.9)
    >>> text[span.start : span.end] == span.text
    True
    """

    text: str
    """Text of the span."""
    label: str
    start: int
    end: int
    score: float
    """Lowest probability of the tags in the span, 0 to 1."""


class TagSet:
    """Set of tags for labeled spans in a tagging scheme.

    The id of a tag is its index in `tags`. The id of "O" is 0.

    >>> tag_set = TagSet(["PER", "LOC"], scheme="IOB2")
    >>> tag_set.tags
    ['O', 'B-PER', 'I-PER', 'B-LOC', 'I-LOC']
    >>> tag_set.to_spans(["B-PER", "I-PER", "O"])
    [Span(label='PER', start=0, end=2)]
    >>> tag_set.encode(tag_set.to_tags([("LOC", 1, 2)], length=2))
    [0, 3]

    Args:
        labels: Distinct labels of spans; at least one.
        scheme: Tag scheme, such as "IOB2"; see `keras_seq.text.tag_schemes`.

    Raises:
        InputError: If there are no labels, a label is empty or occurs twice, or no scheme has that
            name.
    """

    def __init__(self, labels: Iterable[str], scheme: str = "IOBES") -> None:
        check_list(labels, "labels")
        self.labels = list(labels)
        if not self.labels or "" in self.labels or len(set(self.labels)) < len(self.labels):
            raise InputError(
                f"TagSet needs at least one label, all different and non-empty, got {self.labels}."
            )
        self.scheme = scheme
        self.tags = make_tags(self.labels, scheme)
        self._ids = {tag: id_ for id_, tag in enumerate(self.tags)}

    @classmethod
    def from_examples(cls, examples: Iterable[Sequence[str]], scheme: str = "IOBES") -> TagSet:
        """Create a tag set from the labels in tags, in alphabetical order.

        >>> TagSet.from_examples([["O", "B-X"], ["B-A", "I-A"]], scheme="IOB2").labels
        ['A', 'X']

        Args:
            examples: Lists of tags.
            scheme: Scheme of the tags.

        Raises:
            InputError: If all tags are "O", or a tag does not belong to the scheme.
        """
        examples = list(examples)
        for tags in (examples, *examples):
            check_list(tags, "tags")
        distinct = dict.fromkeys(itertools.chain.from_iterable(examples))
        labels = {split_tag(tag, scheme)[1] for tag in distinct} - {None}
        if not labels:
            raise InputError("All tags of the examples are O: at least one span is needed.")
        return cls(sorted(label for label in labels if label), scheme)

    def __len__(self) -> int:
        """Return the number of tags."""
        return len(self.tags)

    def __repr__(self) -> str:
        return f"TagSet({self.labels}, scheme={self.scheme!r})"

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor, serializable to JSON."""
        return {"labels": self.labels, "scheme": self.scheme}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TagSet:
        """Create a tag set from the configuration that `get_config` returns.

        Args:
            config: Arguments of the constructor.
        """
        return cls(**config)

    def encode(self, tags: Sequence[str], strict: bool = False) -> list[int]:
        """Return the ids of tags.

        Args:
            tags: Tags.
            strict: If True, a sequence of tags that is invalid in the scheme is an error.

        Raises:
            InputError: If a tag is not in the set, or if `strict` is True and the sequence of tags
                is invalid. The message counts tags from 1.
        """
        check_list(tags, "tags")
        ids = []
        for tag in tags:
            if tag not in self._ids:
                raise unknown_name("tag", tag, self.tags)
            ids.append(self._ids[tag])
        try:
            self.to_spans(tags if strict else [])
        except InputError as error:
            raise InputError(
                f"{error} Convert tags of another scheme with keras_seq.text.tag_schemes."
                "convert_tags, or create the TagSet with their scheme."
            ) from None
        return ids

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Return the tags of ids.

        Args:
            ids: Ids, from 0 to `len(self) - 1`.
        """
        return [self.tags[id_] for id_ in ids]

    def to_tags(self, spans: Iterable[tuple[str, int, int]], length: int) -> list[str]:
        """Return the tags that encode spans, one per token.

        Args:
            spans: Triples (label, start, end), see `Span`, that do not overlap.
            length: Number of tokens.

        Raises:
            InputError: If a label is not in the set, or a span is empty, is out of range, or
                overlaps another.
        """
        spans = list(spans)
        for label, *_ in spans:
            if label not in self.labels:
                raise unknown_name("label", label, self.labels)
        return spans_to_tags(spans, length, self.scheme)

    def to_spans(self, tags: Sequence[str], strict: bool = True) -> list[Span]:
        """Return the spans that tags encode.

        Args:
            tags: Tags, one per token.
            strict: If True, an invalid sequence of tags is an error. If False, spans that do not
                begin or end as the scheme requires are skipped.

        Raises:
            InputError: If a tag does not belong to the scheme, or if `strict` is True and the
                sequence of tags is invalid.
        """
        return tags_to_spans(tags, self.scheme, strict)

    def to_text_spans(
        self,
        text: str,
        tokens: Sequence[Token],
        tags: Sequence[str],
        scores: Sequence[float] | Array,
    ) -> list[TextSpan]:
        """Return the spans that tags encode, with their text and score.

        Spans that do not begin or end as the scheme requires are skipped.

        >>> tokens = [Token("Ada", 0, 3), Token("slept", 4, 9)]
        >>> TagSet(["PER"]).to_text_spans("Ada slept", tokens, ["S-PER", "O"], [0.75, 1.0])
        [TextSpan(text='Ada', label='PER', start=0, end=3, score=0.75)]

        Args:
            text: Text.
            tokens: Tokens of the text, as `TextEncoder.tokenize_with_offsets` returns them.
            tags: Tags, one per token.
            scores: Probability of each tag, 0 to 1.
        """
        text_spans = []
        for label, first, last in self.to_spans(tags, strict=False):
            start, end = tokens[first].start, tokens[last - 1].end
            score = float(min(scores[first:last]))
            text_spans.append(TextSpan(text[start:end], label, start, end, score))
        return text_spans

    @functools.cached_property
    def transitions(self) -> Transitions:
        """Allowed transitions between tags, and allowed first and last tags."""
        return allowed_transitions(self.tags, self.scheme)
