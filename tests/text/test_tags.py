"""Tests of tag sets and tagging schemes."""

import doctest
import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_seq._internal.errors import InputError
from keras_seq.text import tag_scheme_detection, tag_schemes, tags
from keras_seq.text.encoder import TextEncoder
from keras_seq.text.tag_scheme_detection import (
    guess_scheme,
    is_without_labels,
)
from keras_seq.text.tag_schemes import (
    SCHEMES,
    Span,
    allowed_transitions,
    convert_tags,
    make_tags,
    spans_to_tags,
    tags_to_spans,
)
from keras_seq.text.tags import TagSet, TextSpan


@st.composite
def sentences(draw):
    """Draw a number of tokens, and spans that do not overlap."""
    cuts = sorted(draw(st.sets(st.integers(0, 12), min_size=2)))
    spans = [
        Span(draw(st.sampled_from(["A", "B"])), start, end)
        for start, end in itertools.pairwise(cuts)
        if draw(st.booleans())
    ]
    return cuts[-1] + draw(st.integers(0, 3)), spans


@pytest.mark.parametrize("scheme", SCHEMES)
@given(sentences())
def test_spans_to_tags_and_back(scheme, sentence):
    length, spans = sentence
    tags = spans_to_tags(spans, length, scheme)
    assert len(tags) == length
    assert tags_to_spans(tags, scheme) == spans
    assert set(tags) <= set(make_tags(["A", "B"], scheme))
    tag_set = TagSet(["A", "B"], scheme)
    assert tag_set.to_tags(spans, length) == tags and tag_set.to_spans(tags) == spans
    ids = tag_set.encode(tags)
    assert tag_set.decode(ids) == tags
    between, first, last = tag_set.transitions
    assert not ids or (first[ids[0]] and last[ids[-1]])
    assert all(between[pair] for pair in itertools.pairwise(ids))
    for other in SCHEMES:
        assert convert_tags(tags, scheme, other) == spans_to_tags(spans, length, other)


def test_schemes():
    spans = [Span("A", 0, 2), Span("A", 2, 3), Span("B", 4, 5)]
    assert spans_to_tags(spans, 5, "IOB1") == ["I-A", "I-A", "B-A", "O", "I-B"]
    assert spans_to_tags(spans, 5, "IOB2") == ["B-A", "I-A", "B-A", "O", "B-B"]
    assert spans_to_tags(spans, 5, "IOBES") == ["B-A", "E-A", "S-A", "O", "S-B"]
    assert spans_to_tags(spans, 5, "BILOU") == ["B-A", "L-A", "U-A", "O", "U-B"]
    spans = [Span("A", 0, 3), Span("A", 3, 4), Span("B", 5, 6)]
    assert spans_to_tags(spans, 6, "BMES") == ["B-A", "M-A", "E-A", "S-A", "O", "S-B"]
    assert spans_to_tags(spans, 6, "BMEWO") == ["B-A", "M-A", "E-A", "W-A", "O", "W-B"]
    for scheme in SCHEMES:
        assert guess_scheme([spans_to_tags(spans, 6, scheme)]) == scheme


@pytest.mark.parametrize(
    "tags, scheme",
    [
        (["O", "O"], "IOB2"),
        (["B-A", "E-A", "O"], "IOBES"),
        (["S-A", "O"], "IOBES"),
        (["B-A", "E-A", "W-A"], "BMEWO"),
        (["U-A", "O"], "BILOU"),
        (["B-A", "X-A"], "IOB2"),  # Half of the tags fit, so that X-A is an error later.
        (["A", "B-A", "X-A"], "classes"),
        (["A", "O"], "bare"),
        (["A", "A"], "classes"),
    ],
)
def test_the_rule_for_tags_of_several_schemes(tags, scheme):
    assert guess_scheme([tags]) == scheme


def test_letters_without_labels():
    assert is_without_labels({"B", "M", "E", "S"}) and is_without_labels({"I", "O"})
    assert is_without_labels({"B", "I", "O"}, "IOB2")
    assert not is_without_labels({"B", "I", "L"}, "IOB2")
    assert not is_without_labels({"B", "I"}, "classes")
    assert not is_without_labels({"O"}) and not is_without_labels({"B", "B-PER"})


@given(sentences())
def test_tags_of_two_letters_have_the_same_spans_in_each_scheme(sentence):
    length, spans = sentence
    short = [Span(label, start, min(end, start + 2)) for label, start, end in spans]
    tags = spans_to_tags(short, length, "IOBES")
    assert tags_to_spans(tags, "BMES") == short


def test_tags_that_are_labels():
    tags = ["A", "A", "O", "B", "A"]
    assert tags_to_spans(tags, "bare") == [Span("A", 0, 2), Span("B", 3, 4), Span("A", 4, 5)]
    assert spans_to_tags(tags_to_spans(tags, "bare"), 5, "bare") == tags
    classes = [Span("A", 0, 1), Span("A", 1, 2), Span("B", 3, 4), Span("A", 4, 5)]
    assert tags_to_spans(tags, "classes") == classes
    assert spans_to_tags(classes, 5, "classes") == tags
    assert make_tags(["A", "B"], "bare") == make_tags(["A", "B"], "classes") == ["O", "A", "B"]
    with pytest.raises(InputError, match="bare cannot represent the span A from 1 to 2"):
        spans_to_tags(classes, 5, "bare")
    with pytest.raises(InputError, match="classes cannot represent the span A from 0 to 2"):
        spans_to_tags([Span("A", 0, 2)], 5, "classes")
    for scheme in ("bare", "classes"):
        between, first, last = allowed_transitions(["O", "A", "B"], scheme)
        assert between.all() and first.all() and last.all()


@pytest.mark.parametrize("scheme", sorted(set(SCHEMES) - {"IOB1"}))
@given(st.data())
def test_allowed_sequences_are_valid(scheme, data):
    names = make_tags(["A", "B"], scheme)
    ids = data.draw(st.lists(st.integers(0, len(names) - 1), min_size=1, max_size=5))
    follow, first, last = allowed_transitions(names, scheme)
    is_allowed = first[ids[0]] and last[ids[-1]]
    is_allowed = is_allowed and all(follow[pair] for pair in itertools.pairwise(ids))
    tags = [names[id_] for id_ in ids]
    try:
        tags_to_spans(tags, scheme)
        assert is_allowed
    except InputError:
        assert not is_allowed
    # The lenient spans are the complete ones, which seqeval counts in its strict mode.
    lenient = tags_to_spans(tags, scheme, strict=False)
    again = spans_to_tags(lenient, len(tags), scheme)
    assert all(a == b for a, b in zip(again, tags) if a != "O")


@pytest.mark.parametrize(
    "tags, scheme, message",
    [
        (
            ["O", "I-A"],
            "IOB2",
            r"Tag 2, 'I-A', is invalid in IOB2: no span with this label has begun",
        ),
        (["B-A", "I-B"], "IOB2", r"Tag 2, 'I-B'"),
        (
            ["B-A", "O"],
            "IOBES",
            r"Tag 2, 'O', is invalid in IOBES: the span of A before it has no end",
        ),
        (["B-A"], "IOBES", r"has no end"),
        (["E-A"], "IOBES", r"no span has begun"),
        (["X-A"], "IOB2", r"'X-A' is not a tag of IOB2, which has O, B-LABEL, I-LABEL"),
        (["B"], "IOB2", r"'B' is not a tag"),
        (["B-A"], "IOB3", r"no tag scheme 'IOB3'"),
        (["U-A"], "IOBES", r"'U-A' is not a tag of IOBES"),
        (["B-A", "O"], "BILOU", r"has no end"),
        ([""], "bare", r"A tag is empty"),
    ],
)
def test_invalid_tags_are_errors(tags, scheme, message):
    with pytest.raises(InputError, match=message):
        tags_to_spans(tags, scheme)


@pytest.mark.parametrize(
    "spans, message",
    [
        ([Span("A", 0, 0)], "empty or out of range"),
        ([Span("A", 0, 9)], "empty or out of range"),
        ([Span("A", 0, 3), Span("B", 2, 4)], "overlap"),
    ],
)
def test_invalid_spans_are_errors(spans, message):
    with pytest.raises(InputError, match=message):
        spans_to_tags(spans, 5)


def test_allowed_transitions():
    follow, first, last = allowed_transitions(["O", "B-A", "I-A"], "IOB2")
    np.testing.assert_array_equal(follow, [[1, 1, 0], [1, 1, 1], [1, 1, 1]])
    np.testing.assert_array_equal(first, [1, 1, 0])
    np.testing.assert_array_equal(last, [1, 1, 1])


def test_allowed_transitions_in_iob1():
    tags = ["O", "B-A", "I-A", "I-B"]
    between, first, last = allowed_transitions(tags, "IOB1")
    np.testing.assert_array_equal(between, [[1, 0, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1], [1, 0, 1, 1]])
    np.testing.assert_array_equal(first, [1, 0, 1, 1])
    np.testing.assert_array_equal(last, [1, 1, 1, 1])


def test_labels_from_examples():
    tags = [["O", "B-PER", "E-PER"], ["S-LOC"], []]
    assert TagSet.from_examples(tags).labels == ["LOC", "PER"]
    with pytest.raises(InputError, match="'E-PER' is not a tag of IOB2"):
        TagSet.from_examples(tags, "IOB2")


def test_text_spans():
    text = " Ada met  Grace Hopper."
    encoder, tag_set = TextEncoder(["x"], lowercase=True), TagSet(["PER"])
    spans = tag_set.to_text_spans(
        text,
        encoder.tokenize_with_offsets(text),
        ["S-PER", "O", "B-PER", "E-PER", "B-PER"],  # The last span has no end.
        np.array([0.75, 0.5, 1.0, 0.25, 1.0], "float32"),
    )
    assert spans == [
        TextSpan("Ada", "PER", 1, 4, 0.75),
        TextSpan("Grace Hopper", "PER", 10, 22, 0.25),
    ]


def test_config_survives_json():
    own = TagSet(["B", "A"], "IOB2")
    again = TagSet.from_config(json.loads(json.dumps(own.get_config())))
    assert again.tags == own.tags and again.scheme == "IOB2" and len(own) == 5
    assert repr(own) == "TagSet(['B', 'A'], scheme='IOB2')"


MISTAKES = {
    "no label": (lambda: TagSet([]), "at least one label, all different"),
    "a label twice": (lambda: TagSet(["A", "A"]), "all different"),
    "an empty label": (lambda: TagSet([""]), "non-empty"),
    "no such scheme": (lambda: TagSet(["A"], "IOB3"), "no tag scheme 'IOB3'"),
    "a label O": (lambda: TagSet(["A", "O"], "classes"), "'O' is the tag outside spans"),
    "no span": (lambda: TagSet.from_examples([["O"]]), "All tags of the examples are O"),
    "an unknown tag": (lambda: TagSet(["A"]).encode(["S-B"]), "no tag 'S-B'"),
    "an unknown label": (lambda: TagSet(["A"]).to_tags([("B", 0, 1)], 1), "no label 'B'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_errors(mistake):
    call, message = MISTAKES[mistake]
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.parametrize("module", [tags, tag_schemes, tag_scheme_detection])
def test_examples_in_docstrings(module):
    results = doctest.testmod(module)
    assert results.attempted and not results.failed
