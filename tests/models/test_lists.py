"""Strings in place of lists, which must not be split into letters, and invalid tags."""

import pytest

from keras_seq import layers
from keras_seq._internal.errors import InputError
from keras_seq.models import SequenceClassifier, SequenceGenerator, SequenceTagger
from keras_seq.text import TagSet, TextEncoder
from keras_seq.text.alphabet import Alphabet

ENCODER = TextEncoder(["Ada", "lived", "a", "b"])


@pytest.fixture(scope="module")
def tagger():
    tagger = SequenceTagger(ENCODER, TagSet(["PER"]), stack=layers.RNNStack("GRU", 2))
    tagger.compile("sgd")
    return tagger


@pytest.fixture(scope="module")
def classifier():
    stack = layers.RNNStack("GRU", 2, return_sequences=False)
    classifier = SequenceClassifier(ENCODER, ["good", "bad"], stack=stack)
    classifier.compile("sgd")
    return classifier


ONE_STRING = {
    "texts of a vocabulary": (
        lambda: TextEncoder.from_examples("a b"),
        "texts, got one text: 'a b'",
    ),
    "labels of tags": (lambda: TagSet("PER"), "labels, got one label: 'PER'"),
    "tags of one text": (lambda: TagSet.from_examples(["O", "B-X"]), "tags, got one tag: 'O'"),
    "tags of all texts": (lambda: TagSet.from_examples("O"), "tags, got one tag: 'O'"),
    "tags to encode": (lambda: TagSet(["X"]).encode("O"), "tags, got one tag: 'O'"),
    "texts of an alphabet": (lambda: Alphabet("ab").encode("ab"), "texts, got one text: 'ab'"),
    "labels": (lambda: SequenceClassifier(ENCODER, "ab"), "labels, got one label: 'ab'"),
    "styles": (
        lambda: SequenceGenerator(TextEncoder(["a"], end=True), styles="ab"),
        "styles, got one style: 'ab'",
    ),
}


@pytest.mark.parametrize("kind", ONE_STRING)
def test_one_string(kind):
    call, message = ONE_STRING[kind]
    with pytest.raises(InputError) as error:
        call()
    assert str(error.value) == f"Expected a list of {message}. Put it in a list."


@pytest.mark.parametrize("wrong", [b"Ada", [1, 2], [["Ada"]], None, 3])
def test_neither_a_text_nor_its_tokens(wrong, tagger):
    with pytest.raises(
        InputError, match="Expected a text, or a list of its tokens as strings, got"
    ):
        ENCODER.encode(wrong)
    with pytest.raises(
        InputError, match="Expected a text, or a list of its tokens as strings, got"
    ):
        tagger.encode([wrong])


def test_taggers_take_lists(tagger):
    for call in (
        lambda: tagger.tag_tokens("Ada"),
        lambda: tagger.encode("Ada"),
        lambda: tagger.encode(["Ada"], "O"),
        lambda: tagger.fit("Ada", [["O"]]),
    ):
        with pytest.raises(InputError, match=r"Expected a list of .*, got one .*: '(Ada|O)'. Put"):
            call()
    with pytest.raises(InputError, match="Text 1: expected a list of tags, got 'O'"):
        tagger.fit(["Ada"], ["O"])


def test_tags_of_another_scheme(tagger):
    texts = ["Ada lived", "Ada lived"]
    for tags, message in (
        (["B-PER", "O"], "Tag 2, 'O', is invalid in IOBES: the span of PER before it has no end"),
        (["B-PER", "I-PER"], "'O', is invalid in IOBES: the span of PER before it has no end"),
        (["O", "I-PER"], "Tag 2, 'I-PER', is invalid in IOBES: no span has begun"),
    ):
        with pytest.raises(InputError, match=f"Text 2: .*{message}. Convert .*convert_tags, or"):
            tagger.fit(texts, [["O", "O"], tags])
    assert tagger.encode(texts, [["S-PER", "O"], ["B-PER", "E-PER"]]).targets.tolist() == [
        [4, 0],
        [1, 3],
    ]


def test_classifiers_take_lists(classifier):
    for call in (
        lambda: classifier.classify("Ada"),
        lambda: classifier.encode(["Ada"], "good"),
        lambda: classifier.fit("Ada", ["good"]),
    ):
        with pytest.raises(InputError, match=r"Expected a list of .*, got one .*: '(Ada|good)'"):
            call()
    with pytest.raises(InputError, match="There are 1 texts but 2 labels"):
        classifier.encode(["Ada"], ["good", "bad"])
