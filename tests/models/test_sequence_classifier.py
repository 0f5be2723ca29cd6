"""Texts in, labels out."""

import functools

import keras
import numpy as np
import pytest
from helpers import BACKEND, eagerly, to_numpy

from keras_seq import export, layers
from keras_seq._internal.errors import InputError
from keras_seq.layers.text.token_embedding import vector_table
from keras_seq.models import SequenceClassifier
from keras_seq.text.encoder import TextEncoder

GOOD, BAD = ["so good", "a very good film", "Fine and good"], ["so bad", "a bad film", "bad bad"]
TEXTS, LABELS = GOOD + BAD, ["good"] * 3 + ["bad"] * 3
WORDS = ["so", "good", "a", "very", "film", "fine", "and", "bad"]
ENCODER = TextEncoder(WORDS, lowercase=True)
PAIRS = [ENCODER.encode(pair) for pair in ("very good", "so bad")]
EYE = dict(zip(WORDS, np.eye(8).tolist()))


def small(cell="LSTM", encoder=ENCODER, **parts):
    """A classifier without dropout, of 8 units if no stack is given."""
    keras.utils.set_random_seed(0)
    parts.setdefault("features", [layers.TokenEmbedding(encoder, 8)])
    parts.setdefault("stack", layers.RNNStack(cell, 8, bidirectional=True, name="stack"))
    return SequenceClassifier(encoder, ["bad", "good"], dropout=0.0, **parts)


def learned(**parts):
    model = small(**parts)
    model.compile(keras.optimizers.Adam(0.03))
    model.fit(TEXTS, LABELS, epochs=40, verbose=0)
    return model


@functools.cache
def usual():
    return learned()


def one_hot():
    return [layers.OneHotTokens(ENCODER.vocab_size), layers.BigramEmbedding(PAIRS, 4)]


def fixed(encoder=ENCODER, vectors=EYE):
    return layers.TokenEmbedding(encoder, vectors=vectors, trainable=False)


VARIANTS = {
    "last": lambda: {
        "features": one_hot(),
        "stack": layers.RNNStack("GRU", 8, 2, bidirectional=True, return_sequences=False),
    },
    "middle": lambda: {
        "features": [fixed()],
        "convolution": layers.MaskedConv1D(8, 3, 2),
        "pooling": layers.MiddlePooling(),
    },
    "max": lambda: {
        "stack": layers.RNNStack("PeepholeLSTM", 8),
        "pooling": layers.MaxPooling(),
    },
    "keras": lambda: {"pooling": keras.layers.GlobalAveragePooling1D()},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "variant",
    ["last", "middle", *(pytest.param(v, marks=pytest.mark.slow) for v in ("max", "keras"))],
)
def test_learns(variant):
    model = learned(**VARIANTS[variant]())
    with eagerly():
        assert [answer.label for answer in model.classify(TEXTS)] == LABELS


@pytest.mark.usefixtures("eagerly")
def test_encoder_and_labels_are_enough():
    model = SequenceClassifier(ENCODER, ["bad", "good"])
    model.compile()
    model.fit(TEXTS, LABELS, verbose=0)
    assert {answer.label for answer in model.classify(TEXTS)} <= {"bad", "good"}


@pytest.mark.slow
def test_tells_how_sure_it_is_and_why():
    (answer,) = usual().classify(["A very GOOD film"])
    assert answer.label == "good" and answer.probability == answer.probabilities["good"] > 0.5
    np.testing.assert_allclose(sum(answer.probabilities.values()), 1, atol=1e-5)
    assert [token for token, _ in answer.token_weights] == ["A", "very", "GOOD", "film"]
    np.testing.assert_allclose(sum(weight for _, weight in answer.token_weights), 1, atol=1e-5)
    assert len({weight for _, weight in answer.token_weights}) > 1
    assert usual().has_token_weights
    with eagerly():
        model = small(**VARIANTS["last"]())
        assert model.classify(["so"])[0].token_weights is None and not model.has_token_weights


@pytest.mark.usefixtures("eagerly")
def test_tokens_that_no_text_spells_are_shown_as_the_encoder_makes_them():
    model = small(encoder=TextEncoder(["▁so"], "word_metaspace", lowercase=True))
    (answer,) = model.classify(["So bad"])
    assert [token for token, _ in answer.token_weights] == ["▁so", "▁bad"]
    assert answer == model.classify([["▁so", "▁bad"]])[0]


def test_alone_or_in_a_batch_is_the_same():
    texts = [*TEXTS, "never seen words only"]
    together = usual().classify(texts, batch_size=4)
    for text, answer in zip(texts, together):
        (alone,) = usual().classify([text])
        np.testing.assert_allclose(alone.probability, answer.probability, atol=1e-5)
    assert usual().classify([]) == []


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("pooling", [layers.MaxPooling, layers.MiddlePooling])
def test_padding_is_not_read(pooling):
    model = small(pooling=pooling(), convolution=layers.MaskedConv1D(3, 4, 2))
    for count in (1, 5, 6):
        tokens = model.encode([WORDS[:count]]).inputs["tokens"]
        padded = np.pad(tokens, [[0, 0], [0, 3]])
        alone, found = (to_numpy(model({"tokens": ids})) for ids in (tokens, padded))
        np.testing.assert_allclose(found, alone, atol=1e-6)


@pytest.mark.usefixtures("eagerly")
def test_given_vectors_stay(tmp_path):
    vectors = {word: [float(n), 1.0] for n, word in enumerate(WORDS)} | {"<UNK>": [0.5, 0.5]}
    model = small(features=[fixed(vectors=vectors)])
    assert model.token_embedding is None
    model.save(tmp_path / "classifier.keras")
    for one in (model, keras.saving.load_model(tmp_path / "classifier.keras")):
        (layer,) = one.features
        assert not layer.trainable_weights
        expected = [[0, 0], [0.5, 0.5], *map(vectors.get, WORDS)]
        np.testing.assert_array_equal(to_numpy(layer.embeddings), expected)


def expected_answers(model, logits):
    p = np.exp(logits[:, 1]) / np.exp(logits).sum(axis=1)
    return dict(zip(model.labels, np.transpose([1 - p, p]).T))


@pytest.mark.usefixtures("eagerly")
def test_naive_bayes_is_an_expert(tmp_path):
    pairs = [ENCODER.encode("a bad")]
    model = small(experts=[layers.NaiveBayesExpert(ENCODER.vocab_size, 2, pairs)])
    examples = model.encode(TEXTS, LABELS)
    assert set(examples.targets) == {"labels", "naive_bayes"}
    model.adapt_experts(TEXTS, LABELS)
    out = {name: to_numpy(value) for name, value in model(examples.inputs).items()}
    # Untrained, the recurrent part knows nothing; the counts know the words.
    assert (out["naive_bayes"].argmax(1) == examples.targets["labels"]).all()
    p = expected_answers(model, out["labels"] + out["naive_bayes"])["good"]
    found = [answer.probabilities["good"] for answer in model.classify(TEXTS)]
    np.testing.assert_allclose(found, p, atol=1e-5)
    # A pair counts in addition to its words.
    ratios = to_numpy(model.experts[0].naive_bayes.log_count_ratios)
    ids = model.encode(["a bad"]).inputs["tokens"]
    expected = 0.05 * (ratios[ids[0]].sum(axis=0) + ratios[-1])
    found = to_numpy(model({"tokens": ids})["naive_bayes"])[0]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    model.save(tmp_path / "classifier.keras")
    loaded = keras.saving.load_model(tmp_path / "classifier.keras")
    assert loaded.classify(TEXTS) == model.classify(TEXTS)


@pytest.mark.usefixtures("eagerly")
def test_every_output_trains():
    model = small(experts=[layers.NaiveBayesExpert(ENCODER.vocab_size, 2)])
    model.adapt_experts(model.encode(TEXTS).inputs, np.eye(2)[[1, 1, 1, 0, 0, 0]])
    model.compile("sgd")
    before = [to_numpy(weight) for weight in model.trainable_weights]
    model.fit(TEXTS, LABELS, verbose=0)
    after = [to_numpy(weight) for weight in model.trainable_weights]
    assert all(np.abs(new - old).max() > 0 for new, old in zip(after, before))


@pytest.mark.usefixtures("eagerly")
def test_a_weight_array_is_an_expert(tmp_path):
    encoder = TextEncoder(["a", "b"], "char")
    vectors = {"a": [1.0, 0.0], "b": [0.0, 1.0]}
    expert = layers.WeightArrayExpert(vector_table(encoder, vectors), 2, order=2, window=4)
    model = small(
        encoder=encoder, features=[fixed(encoder, vectors)], experts=[expert], mixture="mean"
    )
    # The same pairs; what is in the middle decides.
    texts, labels = ["aabb", "bbaa", "bbbaabbb", "aaabbaaa"], ["bad", "bad", "good", "good"]
    examples = model.encode(texts, labels)
    model.adapt_experts(texts, labels)
    out = {name: to_numpy(value) for name, value in model(examples.inputs).items()}
    assert (out["weight_array"].argmax(1) == examples.targets["labels"]).all()
    p = expected_answers(model, (out["labels"] + out["weight_array"]) / 2)["good"]
    found = [answer.probabilities["good"] for answer in model.classify(texts)]
    np.testing.assert_allclose(found, p, atol=1e-5)
    model.save(tmp_path / "classifier.keras")
    loaded = keras.saving.load_model(tmp_path / "classifier.keras")
    assert loaded.classify(texts) == model.classify(texts)


@keras.saving.register_keras_serializable(package="tests")
class Length(keras.layers.Layer):
    """A user's own expert, which knows nothing but how long a text is."""

    def call(self, ids):
        length = keras.ops.sum(keras.ops.cast(ids > 0, "float32"), axis=1, keepdims=True)
        return keras.ops.concatenate([length, -length], axis=1)


@pytest.mark.usefixtures("eagerly")
def test_an_expert_of_ones_own(tmp_path):
    model = small(experts=[Length(name="length")])
    model.adapt_experts(TEXTS, LABELS)  # nothing to count
    tokens = model.encode(["so very bad"]).inputs
    np.testing.assert_array_equal(to_numpy(model(tokens)["length"]), [[3, -3]])
    model.save(tmp_path / "classifier.keras")
    loaded = keras.saving.load_model(tmp_path / "classifier.keras")
    assert loaded.classify(TEXTS) == model.classify(TEXTS)


def test_case_counts_unless_the_encoder_ignores_it():
    assert len({usual().classify([text])[0].probability for text in ("so good", "SO Good")}) == 1
    with eagerly():
        one, other = small(encoder=TextEncoder(WORDS)).classify(["good", "GOOD"])
    assert one.probability != other.probability


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("variant", ["usual", *VARIANTS])
def test_saved_and_loaded(tmp_path, variant):
    model = usual() if variant == "usual" else small(**VARIANTS[variant]())
    model.save(tmp_path / "classifier.keras")
    loaded = keras.saving.load_model(tmp_path / "classifier.keras")
    assert loaded.classify(TEXTS) == model.classify(TEXTS)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="exports from TensorFlow")
def test_exported_with_raw_strings(tmp_path):
    import tensorflow as tf

    report = export.savedmodel(usual(), tmp_path / "saved")
    assert report["endpoints"] == ["classify"] and report["max_abs_error"] < 1e-5
    loaded = tf.saved_model.load(tmp_path / "saved")
    texts = ["A very GOOD film", "bad", ""]
    out = loaded.classify(tf.constant(texts))
    expected = usual().classify([*texts[:2], ["<UNK>"]])
    assert [label.decode() for label in out["labels"].numpy()] == [e.label for e in expected]
    for row, answer in zip(out["probabilities"].numpy(), expected):
        np.testing.assert_allclose(row, list(answer.probabilities.values()), atol=1e-5)
    assert loaded.classify(tf.constant([""]))["labels"].shape == (1,)


def expert(name):
    return layers.NaiveBayesExpert(ENCODER.vocab_size, 2, name=name)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: usual().classify(["good", "  "]), "Text 2 is empty"),
        (lambda: usual().classify("good"), "Expected a list of texts, got one text"),
        (lambda: usual().encode(["a"], ["fair"]), r"There is no label \(text 1\) 'fair'"),
        (
            lambda: SequenceClassifier(ENCODER, ["x"]),
            r"at least two labels.*\['x'\]",
        ),
        (
            lambda: SequenceClassifier(ENCODER, ["x", "x", "y"]),
            "at least two labels, all different",
        ),
        (
            lambda: small(pooling=layers.MiddlePooling(), stack=layers.RNNStack("LSTM", 2)),
            "MiddlePooling needs a stack with bidirectional=True",
        ),
        (
            lambda: small(
                pooling=layers.MaxPooling(),
                stack=layers.RNNStack("LSTM", 2, return_sequences=False),
            ),
            "needs the outputs of all time steps: set return_sequences=True",
        ),
        (lambda: small(experts=[expert("labels")]), r"names other than 'labels', got \['labels'\]"),
        (lambda: small(experts=[expert("a"), expert("a")]), r"need different names.*\['a', 'a'\]"),
        (lambda: small(mixture="max"), "There is no mode of LogitMixture 'max'"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
