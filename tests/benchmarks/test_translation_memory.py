"""Baselines of translation: the memory and the dictionary."""

import itertools
import math
from collections import Counter

import pytest

from benchmarks.translation_memory import ModelOne, Nearest

TEXTS = ["Open the file", "Close the file", "Open a door", "the the file (x)"]


def features(text):
    words = text.lower().replace("(", "( ").replace(")", " )").split()
    return {*words, *(f"{a} {b}" for a, b in itertools.pairwise(words))}


def test_nearest_is_the_one_of_largest_cosine():
    counts = Counter(feature for text in TEXTS for feature in features(text))

    def weight(feature):
        return 1 + math.log(len(TEXTS) / max(counts[feature], 1))

    def norm(features):
        return math.sqrt(sum(weight(feature) ** 2 for feature in features))

    for query in ("open the door", "Close (x)", "file it", "the"):
        similarities = []
        for text in TEXTS:
            common = features(text) & features(query)
            similarities.append(norm(common) ** 2 / norm(features(text)) / norm(features(query)))
        index, similarity = Nearest(TEXTS).find(query)
        assert similarities[index] == pytest.approx(max(similarities)) == pytest.approx(similarity)
    assert Nearest(TEXTS).find("nothing known")[1] == 0


def test_dictionary():
    """Only all pairs together determine the translation of each word."""
    sources = ["red house", "red door", "green door", "green house"]
    targets = ["maison rouge", "porte rouge", "porte verte", "maison verte"]
    dictionary = ModelOne(sources, targets)
    assert dictionary.translate("green red zoo door") == "verte rouge zoo porte"
    assert dictionary.translate("Red House") == "Rouge maison"
