"""Folds of a cross-validation."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras_seq_recipes.dna.bases import reverse_complement
from keras_seq_recipes.sentiment.data import make_examples

from keras_seq._internal.errors import InputError
from keras_seq.batching import RawExamples
from keras_seq.train import registry
from keras_seq.train.folds import Fold, FoldColumns, assign_folds, join, make_key, take


def columns(labels, keys=None):
    """Return columns of examples with different keys unless given."""
    keys = keys or [f"{number}" for number in range(len(labels))]
    return FoldColumns(keys, labels, [True] * len(keys))


@given(st.lists(st.sampled_from("aab"), min_size=20, max_size=60), st.integers(3, 5))
def test_each_fold_has_its_share_of_each_label(labels, count):
    labels += "a" * count + "b" * count
    folds = assign_folds(columns(labels), count)
    assert folds.keys() == {str(number) for number in range(len(labels))}
    for label in ("a", "b", "ab"):
        sizes = Counter(folds[str(n)] for n, value in enumerate(labels) if value in label)
        assert len(sizes) == count and max(sizes.values()) - min(sizes.values()) <= 1


def test_the_order_of_the_examples_does_not_matter():
    labels = ["a", "b"] * 20
    keys = [str(number) for number in range(40)]
    forwards = assign_folds(columns(labels, keys), 5)
    assert assign_folds(columns(labels[::-1], keys[::-1]), 5) == forwards
    order = sorted(forwards, key=int)
    assert [forwards[key] for key in order] != [n % 5 for n in range(40)], "not the given order"


def test_every_example_tests_once_and_validates_once():
    inputs = [f"text {number}" for number in range(20)]
    data = {
        "train": RawExamples(inputs[:15], {"labels": ["a", "b", "b"] * 5, "none": None}),
        "validation": RawExamples(inputs[15:], {"labels": ["a"] * 5, "none": None}),
        "test": RawExamples(["never"], {"labels": ["c"], "none": None}),
    }
    folds = [Fold(n, 4).select(data, FoldColumns.of) for n in (1, 2, 3, 4)]
    for number, fold in enumerate(folds):
        assert list(fold) == ["train", "validation", "test"]
        parts = [text for examples in fold.values() for text in examples.inputs]
        assert sorted(parts) == sorted(inputs)
        assert fold["validation"].inputs == folds[(number + 1) % 4]["test"].inputs
        assert fold["train"].targets["none"] is None
    tested = [text for fold in folds for text in fold["test"].inputs]
    assert sorted(tested) == sorted(inputs)
    labels = dict(zip(inputs, ["a", "b", "b"] * 5 + ["a"] * 5))
    for examples in folds[0].values():
        assert examples.targets["labels"] == [labels[text] for text in examples.inputs]


def test_equal_inputs_are_in_the_same_fold():
    assert make_key("A  text\n") == make_key("a text") != make_key("another text")
    assert make_key(["a", "b"]) == make_key(("a", "b")) != make_key(["ab"])
    image = np.arange(6).reshape(2, 3)
    assert make_key(image) == make_key(image.copy()) == make_key(image.T.copy().T)
    assert make_key(image) != make_key(image.T) and make_key(image) != make_key(image.astype("f4"))
    inputs = ["Same", "same", " same "] + [f"text {number}" for number in range(9)]
    for number in range(1, 4):
        fold = Fold(number, 3).select({"train": RawExamples(inputs)}, FoldColumns.of)
        counts = [sum(t.strip().lower() == "same" for t in e.inputs) for e in fold.values()]
        assert sorted(counts) == [0, 0, 3]


def test_examples_that_only_train():
    inputs = [f"text {number}" for number in range(9)]
    is_testable = [True] * 9 + [False] * 2
    examples = RawExamples([*inputs, "other", "text 0"])
    data = {"train": examples}

    def describe(examples):
        return FoldColumns.of(examples).replace(is_testable=is_testable)

    for number in (1, 2, 3):
        fold = Fold(number, 3).select(data, describe)
        assert "other" in fold["train"].inputs
        assert sum(e.inputs.count("text 0") for e in fold.values()) == (
            2 if "text 0" in fold["train"].inputs else 1
        )


@pytest.mark.parametrize(
    "labels, keys, message",
    [
        ("aaa", None, r"have 3 different inputs, fewer than --folds 4; .*\(at least 3\)"),
        ("aaaaa", list("11112"), "have 2 different inputs, fewer"),
        ("aaaaab", None, "have 1 different input with the label 'b', fewer than --folds 4"),
        ("aaaabbbb", list("12341234"), "have 0 different inputs with the label 'b'"),
    ],
)
def test_too_few_examples(labels, keys, message):
    with pytest.raises(InputError, match=message):
        assign_folds(columns(list(labels), keys), 4)


def test_several_labels_per_example_do_not_matter():
    examples = RawExamples(["a", "b", "c"])
    assert FoldColumns.of(examples, [["x"], ["y"], ["x"]]).labels == ["x", "y", "x"]
    assert FoldColumns.of(examples, [["x"], [], ["x"]]).labels is None
    assert FoldColumns.of(examples, None).labels is None


def test_examples_as_arrays():
    images, digits = np.arange(24).reshape(6, 4), np.arange(6)
    parts = [take(RawExamples(images, digits), indices) for indices in ([4, 0], [], [5])]
    joined = join(parts)
    assert joined.inputs.tolist() == images[[4, 0, 5]].tolist()
    assert joined.targets.tolist() == [4, 0, 5]


def find(name):
    recipe = registry.find(name).import_recipe()
    return recipe, recipe.preset("default")


def test_both_strands_of_a_sequence_are_in_the_same_fold():
    recipe, config = find("dna")
    sequences = ["ACGTT", "AACCG"]
    examples = RawExamples(
        [*sequences, *map(reverse_complement, sequences)], {"labels": list("abab")}
    )
    assert len(set(recipe.describe_for_folds(config, examples).keys)) == 4
    config = type(config)(strands="both")
    keys = recipe.describe_for_folds(config, examples).keys
    assert keys[:2] == keys[2:] and keys[0] != keys[1]


def test_sentences_of_other_domains_only_train():
    recipe, config = find("sentiment")
    examples = make_examples(["a", "b"], ["good", "bad"], weights=np.array([1, 0.3]))
    assert recipe.describe_for_folds(config, examples).is_testable == [True, False]


def test_labels_of_classifiers_and_taggers():
    recipe, config = find("ner")
    tags = {"tags": [["S-PER"], ["S-LOC"]], "word_tags": None, "texts": ["", ""]}
    assert recipe.describe_for_folds(config, RawExamples([["a"], ["b"]], tags)).labels is None
    recipe, config = find("mnist_rows")
    digits = RawExamples(np.zeros((2, 28, 28), "uint8"), np.array([3, 7]))
    assert recipe.describe_for_folds(config, digits).labels == ["3", "7"]
    recipe, config = find("video")
    clips = RawExamples([np.zeros((2, 4, 4), "uint8")] * 2, ["up", "down"])
    assert recipe.describe_for_folds(config, clips).labels == ["up", "down"]
