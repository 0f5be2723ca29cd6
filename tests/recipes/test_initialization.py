"""Models of the recipes that start from trained ones, on other data."""

import dataclasses

import keras
import numpy as np
import pytest
from helpers import to_numpy

from keras_seq.batching import RawExamples
from keras_seq.models.weight_copy import copy_weights
from keras_seq.train import initialization, registry
from keras_seq.train.runs import Run

CHINESE = [["中", "国", "人"], ["中", "国"]] * 5
TEXTS = ["a fine film", "a dull film", "a fine day", "a dull day"]


def sentences(*words, label="PER"):
    tags = [[f"S-{label}", *["O"] * (len(row) - 1)] for row in words]
    return RawExamples(words, {"tags": tags, "word_tags": [[] for _ in words]})


def opinions(texts, labels):
    ones = np.ones(len(texts), "float32")
    return RawExamples(texts, {"labels": labels, "confidence": ones, "weights": ones})


def recordings(*texts):
    noise = np.random.default_rng(0).normal(0, 0.1, (len(texts), 8_000))
    return RawExamples(list(noise.astype("float32")), list(texts))


CASES = {
    "ner": (
        {"units": 3, "num_layers": 1},
        sentences(*[["Ada", "slept"], ["Grace", "slept"]] * 3),
        sentences(*[["Ada", "ran"], ["Berlin", "ran"]] * 3, label="LOC"),
    ),
    "ner with characters": (
        {"units": 3, "num_layers": 1},
        sentences(*CHINESE),
        sentences(*[["人", "民"], ["中", "民"]] * 5),
    ),
    "sentiment": (
        {"units": 3},
        opinions(TEXTS * 3, ["good", "bad"] * 6),
        opinions(["a new film", "a new day"] * 3, ["good", "neutral"] * 3),
    ),
    "language_model": (
        {"units": 3, "num_layers": 1, "embedding_dim": 4, "match_dim": 2},
        RawExamples(["abc abc", "cab"], None),
        RawExamples(["adb", "dab dab"], None),
    ),
    "music": (
        {"units": 3, "num_layers": 1},
        RawExamples([["c", "d"], ["d", "c"]], ["jig", "reel"]),
        RawExamples([["c", "e"], ["e", "c"]], ["polka", "jig"]),
    ),
    "translation": (
        {"units": 3, "num_layers": 1, "embedding_dim": 4, "tokenizer": "word_metaspace"},
        RawExamples(["a cat", "a dog"] * 2, ["eine Katze", "ein Hund"] * 2),
        RawExamples(["a cow", "a cat"] * 2, ["eine Kuh", "eine Katze"] * 2),
    ),
    "spelling": (
        {"units": 3, "num_layers": 1},
        RawExamples(["cab", "bad"], [["K AE B"], ["B AE D"]]),
        RawExamples(["bed", "deb"], [["B EH D"], ["D EH B"]]),
    ),
    "speech": (
        {"units": 3, "num_layers": 1, "conv_filters": 0},
        recordings("yes", "no"),
        recordings("no", "on", "to"),
    ),
}


PARAMETERS = [
    pytest.param(case, marks=pytest.mark.slow if case == "speech" else ()) for case in sorted(CASES)
]


def names(model):
    """Return the vocabularies and labels of a model that only grow."""
    lists = [
        getattr(encoder, "tokens", None)
        for attribute in ("encoder", "source_encoder", "target_encoder")
        if (encoder := getattr(model, attribute, None)) is not None
    ]
    lists += [getattr(model, name, None) for name in ("styles", "alphabet")]
    return [tuple(names) for names in lists if names]


def build(case):
    fields, old_data, new_data = CASES[case]
    recipe = registry.find(case.split()[0]).import_recipe()
    config = dataclasses.replace(recipe.preset("default"), **fields)
    trained = recipe.build(config, old_data)
    return recipe, config, trained, old_data, new_data


@pytest.mark.parametrize("case", PARAMETERS)
def test_new_data_extends_the_vocabulary(case):
    recipe, config, trained, _, new_data = build(case)
    model = recipe.build_from(config, new_data, trained)
    for old, new in zip(names(trained), names(model), strict=True):
        assert new[: len(old)] == old
        assert len(new) > len(old)
    report = copy_weights(model, trained)
    assert report.copied > 3 and report.new == 0
    recipe.encode(model, new_data)


@pytest.mark.parametrize("case", PARAMETERS)
def test_the_same_data_gives_the_same_predictions(case):
    recipe, config, trained, data, _ = build(case)
    keras.utils.set_random_seed(1)
    model = recipe.build_from(config, data, trained)
    report = copy_weights(model, trained)
    assert all(known == total for known, total in report.names.values())
    assert [weight.shape for weight in model.weights] == [w.shape for w in trained.weights]
    for ours, theirs in zip(model.weights, trained.weights, strict=True):
        np.testing.assert_array_equal(to_numpy(ours), to_numpy(theirs))


def test_sentiment_starts_from_a_language_model(tmp_path):
    language = registry.find("language_model").import_recipe()
    fields = {"units": 96, "num_layers": 1, "embedding_dim": 96, "tokenizer": "word"}
    config = dataclasses.replace(language.preset("reviews"), **fields)
    trained = language.build(config, RawExamples(TEXTS, None))
    run = Run(tmp_path / "pretrained")
    run.start("language_model", "reviews", config)
    trained.save(run.model_path)
    run.finish({})
    recipe = registry.find("sentiment").import_recipe()
    config = dataclasses.replace(recipe.preset("default"), init_from=str(run.folder))
    initialization.check(recipe, config)
    start = initialization.load(recipe, config, Run(tmp_path / "new"))
    data = opinions(["a film", "a day"] * 2, ["good", "bad"] * 2)
    model = start.build(recipe, config, data)
    assert "fine" not in model.encoder.vocabulary
    report = start.initialize(recipe, config, model)
    assert report["summary"] == "3 weights copied, 1 by name (3 of 3 tokens)"
    ours, theirs = (
        to_numpy(m.token_embedding.embeddings)[m.encoder.tokens.index("film")]
        for m in (model, trained)
    )
    np.testing.assert_array_equal(ours, theirs)
