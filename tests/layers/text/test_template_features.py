"""Template features, compared with features as strings that Python computes."""

import itertools

import keras
import numpy as np
import pytest
from helpers import assert_close, to_numpy

from keras_seq import layers
from keras_seq._internal.errors import InputError
from keras_seq.layers.text.template_features import DEFAULT_TEMPLATES, parse_template
from keras_seq.layers.text.token_attributes import ATTRIBUTES
from keras_seq.text.code_points import token_code_points

SENTENCES = [
    ["Ada", "ADA", "ada", "Ada,", "ad", "A", "a"],
    ["8128", "8129", "81-28", "#", "-", "P.O.", "PO", "abcde", "xbcde"],
    ["Straße", "STRASSE", "Σίσυφος", "σίσυφος", "中", "国", "中国", "𐐀", "😀", "e\u0301", "٣", "3"],
    ["Übermäßig", "übermäßig", "Ab1Cd2", "AB1CD2", "aab", "abb", "aabb", "Iﬁ"],
    ["one"],
]
LENGTH = 14


def lower(text):
    """Return a text in lower case, each character by itself."""
    return "".join({"İ": "i", "Σ": "σ"}.get(c, c.lower()) if c < "\U00010000" else c for c in text)


def shape(text):
    def one(character):
        if character >= "\U00010000":
            return "a"
        for is_kind, letter in ((str.isdigit, "0"), (str.isupper, "X"), (str.islower, "x")):
            if is_kind(character):
                return letter
        return "a" if character.isalpha() else character

    return "".join(map(one, text))


def word(text):
    kept = [c for c in lower(text) if c.isalnum() or c >= "\U00010000"]
    return "".join("0" if c.isdigit() else c for c in kept) or lower(text)


def attribute(name, tokens, index):
    """Return an attribute of a token; None outside of the sentence."""
    if not 0 <= index < len(tokens):
        return None
    token, size = tokens[index], int(name[-1]) if name[-1].isdigit() else 0
    return {
        "token": lambda: token,
        "lower": lambda: lower(token),
        "word": lambda: word(token),
        "shape": lambda: shape(token),
        "outline": lambda: "".join(c for c, _ in itertools.groupby(shape(token))),
        "prefix": lambda: lower(token)[:size],
        "suffix": lambda: lower(token)[-size:],
        "position": lambda: min(index, 4),
        "distance_to_end": lambda: min(len(tokens) - 1 - index, 4),
    }[name.rstrip("1234")]()


def features(template, tokens):
    parts = parse_template(template)
    return [
        tuple(attribute(part.attribute, tokens, index + part.step) for part in parts)
        for index in range(len(tokens))
    ]


def codes(sentences=SENTENCES, length=LENGTH):
    return token_code_points(sentences, 20, length)


def make(sentences=SENTENCES, width=3, **options):
    layer = layers.TemplateFeatures.from_examples(sentences, width, **options)
    layer.build((None, None, 20))
    layer.table.assign(np.random.default_rng(0).normal(size=layer.table.shape))
    return layer


@pytest.mark.parametrize("template", [*(f"{name}[0]" for name in ATTRIBUTES), *DEFAULT_TEMPLATES])
def test_equal_features_have_equal_hashes(template):
    layer = layers.TemplateFeatures([0], 1, [template])
    hashes = to_numpy(layer.hash(codes()))
    pairs = {
        (feature, int(hashed))
        for tokens, row in zip(SENTENCES, hashes[:, :, 0])
        for feature, hashed in zip(features(template, tokens), row)
    }
    assert len({feature for feature, _ in pairs}) == len(pairs)
    assert len({hashed for _, hashed in pairs}) == len(pairs)


def test_templates_have_different_hashes():
    hashes = to_numpy(layers.TemplateFeatures([0], 1).hash(codes([["word", "word"]])))
    assert len({*hashes[0, 0].tolist()}) == len(DEFAULT_TEMPLATES)


def test_hashes_are_the_same_on_every_backend_and_machine():
    templates = ["token[0]", "word[-1] shape[0]", "position[0]"]
    layer = layers.TemplateFeatures([0], 1, templates)
    hashes = to_numpy(layer.hash(codes([["Ada", "80,"]])))
    assert hashes.dtype == "int32"
    assert hashes[0, 1].tolist() == HASHES


HASHES = [14278442, 1642583, 5505129]
"""Saved models contain such hashes."""


def test_the_output_is_the_sum_over_known_features():
    templates = ["lower[0]", "lower[-1] suffix2[0]", "bias"]
    layer = make(templates=templates, min_count=2)
    counts = {}
    for number, template in enumerate(templates):
        for tokens in SENTENCES:
            for feature in features(template, tokens):
                key = number, feature
                counts[key] = counts.get(key, 0) + 1
    assert len(layer.keys) == sum(count >= 2 for count in counts.values())
    hashes, table = to_numpy(layer.hash(codes())), to_numpy(layer.table)
    rows = {key: row for row, key in enumerate(layer.keys.tolist())}
    for tokens, output, row in zip(SENTENCES, to_numpy(layer(codes())), hashes):
        for t in range(len(tokens)):
            known = [
                table[rows[int(row[t, number])]]
                for number, template in enumerate(templates)
                if counts[number, features(template, tokens)[t]] >= 2
            ]
            np.testing.assert_allclose(output[t], np.sum(known, axis=0), rtol=1e-5, atol=1e-6)


def test_padding_does_not_matter():
    layer = make()
    long, short = to_numpy(layer(codes())), to_numpy(layer(codes(SENTENCES[:1], 7)))
    np.testing.assert_allclose(long[:1, :7], short, rtol=1e-5, atol=1e-6)


def test_the_most_frequent_features_are_kept():
    sentences = [["a", "a", "a", "b", "b", "c"]]
    options = {"templates": ["lower[0]"]}
    assert len(make(sentences, **options).keys) == 3
    frequent = make(sentences, max_features=1, **options)
    assert frequent.keys.tolist() == make([["a"]], **options).keys.tolist()


def test_dropout_in_training_only():
    layer = make(templates=["lower[0]"], dropout=0.5, seed=0)
    x = codes([["Ada"] * 10] * 100, 10)
    kept = to_numpy(layer(x))[0, 0]
    outputs = to_numpy(layer(x, training=True)).reshape(-1, 3)
    is_dropped = (outputs == 0).all(axis=1)
    np.testing.assert_allclose(is_dropped.mean(), 0.5, atol=0.06)
    np.testing.assert_allclose(outputs[~is_dropped], 2 * np.tile(kept, (sum(~is_dropped), 1)), 1e-5)


def test_saved_and_loaded(tmp_path):
    layer = make(dropout=0.2)
    inputs = keras.Input((None, 20), dtype="int32")
    keras.Model(inputs, layer(inputs)).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert_close(to_numpy(loaded(codes())), to_numpy(layer(codes())))


MISTAKES = {
    "no step": ({"templates": ["lower"]}, r"has the part 'lower'; write an attribute and a step"),
    "an unknown attribute": ({"templates": ["lowr[0]"]}, "no attribute of the template 'lowr.0.'"),
    "an empty template": ({"templates": [" "]}, "template of TemplateFeatures is empty"),
    "no templates": ({"templates": []}, "at least one template"),
    "dropout": ({"dropout": 1.0}, "`dropout` must be a number"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(mistake):
    options, message = MISTAKES[mistake]
    with pytest.raises(InputError, match=message):
        make(**options)


def test_no_feature_is_frequent_enough():
    with pytest.raises(InputError, match="at least one key"):
        make([["one"]], min_count=2)
