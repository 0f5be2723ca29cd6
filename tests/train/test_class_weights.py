"""Weights of training examples by their labels, and the loss with them, compared to NumPy."""

import dataclasses

import keras
import numpy as np
import pytest
import tiny_models

from keras_seq import layers
from keras_seq._internal.errors import InputError
from keras_seq.batching import RawExamples, make_batches
from keras_seq.models import SequenceClassifier
from keras_seq.text.encoder import TextEncoder
from keras_seq.train import registry
from keras_seq.train.class_weights import balanced_weights, weight_examples

TEXTS = ["Ada met Grace .", "Ada met .", "Grace", "met ."] * 2
LABELS = ["bad", "bad", "bad", "good"] * 2
WEIGHTS = np.array([8 / (2 * 6)] * 3 + [8 / (2 * 2)])
EXAMPLES = {
    "sentiment": RawExamples(TEXTS, {"labels": LABELS}),
    "dna": RawExamples(["ACG"] * 8, {"labels": LABELS}),
    "mnist_rows": RawExamples(np.zeros((8, 28, 28), "uint8"), np.array([3, 3, 3, 9] * 2)),
    "video": RawExamples([np.zeros((2, 8, 8), "uint8")] * 8, LABELS),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_classifiers_have_class_weights(name):
    recipe = registry.find(name).import_recipe()
    config, examples = recipe.preset("default"), EXAMPLES[name]
    encoded = tiny_models.classifier().encode(TEXTS, LABELS)
    assert weight_examples(recipe, config, examples, encoded) is encoded
    config = dataclasses.replace(config, class_weights="balanced")
    weighted = weight_examples(recipe, config, examples, encoded)
    np.testing.assert_allclose(weighted.weights, np.tile(WEIGHTS, 2))


def test_examples_without_one_label_each_are_refused():
    recipe = registry.find("sentiment").import_recipe()
    config = dataclasses.replace(recipe.preset("default"), class_weights="balanced")
    with pytest.raises(InputError, match="needs one label per example, which sentiment does not"):
        weight_examples(recipe, config, RawExamples(TEXTS), tiny_models.classifier().encode(TEXTS))


def test_a_tagger_has_no_class_weights():
    assert "class_weights" not in registry.find("ner").field_names()


def test_the_mean_weight_is_one():
    labels = np.random.default_rng(0).choice(list("abc"), 99, p=[0.1, 0.2, 0.7]).tolist()
    weights = balanced_weights(labels)
    assert weights.mean() == pytest.approx(1)
    for label in "abc":
        total = sum(w for w, other in zip(weights, labels) if other == label)
        assert total == pytest.approx(33, rel=1e-5)


def cross_entropy(logits, ids):
    """Return the cross-entropy of each row."""
    return np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(ids)), ids]


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="batches of TensorFlow")
def test_the_loss_is_the_weighted_mean_of_each_output():
    encoder = TextEncoder(tiny_models.WORDS)
    model = SequenceClassifier(
        encoder,
        ["bad", "good"],
        features=[layers.TokenEmbedding(encoder, 4)],
        stack=layers.RNNStack("LSTM", 4, bidirectional=True, name="stack"),
        experts=[layers.NaiveBayesExpert(encoder.vocab_size, 2, [])],
        dropout=0.0,
    )
    model.adapt_experts(TEXTS, LABELS)
    random = np.random.default_rng(0)
    model.set_weights([random.normal(0, 3, weight.shape) for weight in model.get_weights()])
    encoded = dataclasses.replace(model.encode(TEXTS, LABELS), weights=balanced_weights(LABELS))
    outputs = model.predict(encoded.inputs, verbose=0)
    ids = np.array([0, 0, 0, 1] * 2)
    losses = [(np.tile(WEIGHTS, 2) * cross_entropy(x, ids)).mean() for x in outputs.values()]
    assert len(losses) == 2
    unweighted = sum(cross_entropy(logits, ids).mean() for logits in outputs.values())
    assert sum(losses) != pytest.approx(unweighted, rel=0.01)
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    batches = make_batches(encoded, 8, 0, 0, 1)
    history = model.fit(batches, steps_per_epoch=1, shuffle=False, verbose=0).history
    assert history["loss"] == [pytest.approx(sum(losses), rel=1e-5)]
