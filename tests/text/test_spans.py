"""Spans as tags and back, in all schemes."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_seq._internal.errors import InputError
from keras_seq.text import spans
from keras_seq.text.spans import Span


@st.composite
def sentences(draw):
    """A length, and spans that do not overlap."""
    cuts = sorted(draw(st.sets(st.integers(0, 12), min_size=2)))
    found = [
        Span(draw(st.sampled_from(["A", "B"])), start, end)
        for start, end in itertools.pairwise(cuts)
        if draw(st.booleans())
    ]
    return cuts[-1] + draw(st.integers(0, 3)), found


@pytest.mark.parametrize("scheme", spans.SCHEMES)
@given(sentences())
def test_spans_to_tags_and_back(scheme, sentence):
    length, found = sentence
    tags = spans.tags_of(found, length, scheme)
    assert len(tags) == length
    assert spans.spans_of(tags, scheme) == found
    assert set(tags) <= set(spans.all_tags(["A", "B"], scheme))
    if scheme != "IOB1":
        follow, first, last = spans.allowed(names := spans.all_tags(["A", "B"], scheme), scheme)
        numbers = [names.index(tag) for tag in tags]
        if numbers:
            assert first[numbers[0]] and last[numbers[-1]]
        assert all(follow[pair] for pair in itertools.pairwise(numbers))


def test_the_three_schemes():
    found = [Span("A", 0, 2), Span("A", 2, 3), Span("B", 4, 5)]
    assert spans.tags_of(found, 5, "IOB1") == ["I-A", "I-A", "B-A", "O", "I-B"]
    assert spans.tags_of(found, 5, "IOB2") == ["B-A", "I-A", "B-A", "O", "B-B"]
    assert spans.tags_of(found, 5, "IOBES") == ["B-A", "E-A", "S-A", "O", "S-B"]
    for scheme in spans.SCHEMES:
        assert spans.scheme_of([spans.tags_of(found, 5, scheme)]) == scheme


@pytest.mark.parametrize("scheme", ["IOB2", "IOBES"])
@given(st.data())
def test_what_is_allowed_is_what_can_be_read(scheme, data):
    names = spans.all_tags(["A", "B"], scheme)
    numbers = data.draw(st.lists(st.integers(0, len(names) - 1), min_size=1, max_size=5))
    follow, first, last = spans.allowed(names, scheme)
    legal = first[numbers[0]] and last[numbers[-1]]
    legal = legal and all(follow[pair] for pair in itertools.pairwise(numbers))
    tags = [names[number] for number in numbers]
    try:
        spans.spans_of(tags, scheme)
        assert legal
    except InputError:
        assert not legal
    # Read leniently, it is what seqeval counts in its strict mode: whole spans alone.
    lenient = spans.spans_of(tags, scheme, strict=False)
    again = spans.tags_of(lenient, len(tags), scheme)
    assert all(a == b for a, b in zip(again, tags) if a != "O")


@pytest.mark.parametrize(
    "tags, scheme, message",
    [
        (["O", "I-A"], "IOB2", r"Tag 2, 'I-A', breaks IOB2: no span of its kind has begun"),
        (["B-A", "I-B"], "IOB2", r"Tag 2, 'I-B'"),
        (["B-A", "O"], "IOBES", r"Tag 2, 'O', breaks IOBES: the span of A before it has no end"),
        (["B-A"], "IOBES", r"has no end"),
        (["E-A"], "IOBES", r"no span has begun"),
        (["X-A"], "IOB2", r"'X-A' is no tag of IOB2, which has O, B-LABEL, I-LABEL"),
        (["B"], "IOB2", r"'B' is no tag"),
        (["B-A"], "BILOU", r"no tag scheme 'BILOU'"),
    ],
)
def test_broken_tags_are_named(tags, scheme, message):
    with pytest.raises(InputError, match=message):
        spans.spans_of(tags, scheme)


@pytest.mark.parametrize(
    "found, message",
    [
        ([Span("A", 0, 0)], "does not fit"),
        ([Span("A", 0, 9)], "does not fit"),
        ([Span("A", 0, 3), Span("B", 2, 4)], "overlap"),
    ],
)
def test_impossible_spans_are_named(found, message):
    with pytest.raises(InputError, match=message):
        spans.tags_of(found, 5)


def test_allowed_shapes():
    follow, first, last = spans.allowed(["O", "B-A", "I-A"], "IOB2")
    np.testing.assert_array_equal(follow, [[1, 1, 0], [1, 1, 1], [1, 1, 1]])
    np.testing.assert_array_equal(first, [1, 1, 0])
    np.testing.assert_array_equal(last, [1, 1, 1])
