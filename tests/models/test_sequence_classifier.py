"""SequenceClassifier: training, layers, experts, saving and export."""

import functools

import keras
import numpy as np
import pytest
from helpers import BACKEND, eagerly, to_numpy

from keras_seq import export, layers
from keras_seq._internal.errors import InputError
from keras_seq.layers.text.experts import fit_factor
from keras_seq.layers.text.token_embedding import vector_table
from keras_seq.models import SequenceClassifier
from keras_seq.text.encoder import TextEncoder

GOOD, BAD = ["so good", "a very good film", "Fine and good"], ["so bad", "a bad film", "bad bad"]
TEXTS, LABELS = GOOD + BAD, ["good"] * 3 + ["bad"] * 3
WORDS = ["so", "good", "a", "very", "film", "fine", "and", "bad"]
ENCODER = TextEncoder(WORDS, lowercase=True)
PAIRS = [ENCODER.encode(pair) for pair in ("very good", "so bad")]
EYE = dict(zip(WORDS, np.eye(8).tolist()))


def small(cell="LSTM", encoder=ENCODER, **options):
    """Return a classifier without dropout; by default of 8 units."""
    keras.utils.set_random_seed(0)
    options.setdefault("features", [layers.TokenEmbedding(encoder, 8)])
    options.setdefault("stack", layers.RNNStack(cell, 8, bidirectional=True, name="stack"))
    return SequenceClassifier(encoder, ["bad", "good"], dropout=0.0, **options)


def trained(**options):
    model = small(**options)
    model.compile(keras.optimizers.Adam(0.03))
    model.fit(TEXTS, LABELS, epochs=40, verbose=0)
    return model


@functools.cache
def default():
    return trained()


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
def test_training(variant):
    model = trained(**VARIANTS[variant]())
    with eagerly():
        assert [prediction.label for prediction in model.classify(TEXTS)] == LABELS


@pytest.mark.usefixtures("eagerly")
def test_default_layers():
    model = SequenceClassifier(ENCODER, ["bad", "good"])
    model.compile()
    model.fit(TEXTS, LABELS, verbose=0)
    assert {prediction.label for prediction in model.classify(TEXTS)} <= {"bad", "good"}


@pytest.mark.slow
def test_probabilities_and_token_weights():
    (prediction,) = default().classify(["A very GOOD film"])
    assert (
        prediction.label == "good"
        and prediction.probability == prediction.probabilities["good"] > 0.5
    )
    np.testing.assert_allclose(sum(prediction.probabilities.values()), 1, atol=1e-5)
    assert [token for token, _ in prediction.token_weights] == ["A", "very", "GOOD", "film"]
    np.testing.assert_allclose(sum(weight for _, weight in prediction.token_weights), 1, atol=1e-5)
    assert len({weight for _, weight in prediction.token_weights}) > 1
    assert default().has_token_weights
    with eagerly():
        model = small(**VARIANTS["last"]())
        assert model.classify(["so"])[0].token_weights is None and not model.has_token_weights


@pytest.mark.usefixtures("eagerly")
def test_tokens_that_differ_from_the_text_are_returned_as_encoded():
    model = small(encoder=TextEncoder(["▁so"], "word_metaspace", lowercase=True))
    (prediction,) = model.classify(["So bad"])
    assert [token for token, _ in prediction.token_weights] == ["▁so", "▁bad"]
    assert prediction == model.classify([["▁so", "▁bad"]])[0]


@pytest.mark.slow
def test_batch_size_does_not_matter():
    texts = [*TEXTS, "never seen words only"]
    together = default().classify(texts, batch_size=4)
    for text, prediction in zip(texts, together):
        (alone,) = default().classify([text])
        np.testing.assert_allclose(alone.probability, prediction.probability, atol=1e-5)
    assert default().classify([]) == []


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("pooling", [layers.MaxPooling, layers.MiddlePooling])
def test_padding_is_masked(pooling):
    model = small(pooling=pooling(), convolution=layers.MaskedConv1D(3, 4, 2))
    for length in (1, 5, 6):
        tokens = model.encode([WORDS[:length]]).inputs["tokens"]
        padded = np.pad(tokens, [[0, 0], [0, 3]])
        alone, actual = (to_numpy(model({"tokens": ids})) for ids in (tokens, padded))
        np.testing.assert_allclose(actual, alone, atol=1e-6)


@pytest.mark.usefixtures("eagerly")
def test_frozen_vectors_are_saved(tmp_path):
    vectors = {word: [float(n), 1.0] for n, word in enumerate(WORDS)} | {"<UNK>": [0.5, 0.5]}
    model = small(features=[fixed(vectors=vectors)])
    assert model.token_embedding is None
    model.save(tmp_path / "classifier.keras")
    for classifier in (model, keras.saving.load_model(tmp_path / "classifier.keras")):
        (layer,) = classifier.features
        assert not layer.trainable_weights
        expected = [[0, 0], [0.5, 0.5], *map(vectors.get, WORDS)]
        np.testing.assert_array_equal(to_numpy(layer.embeddings), expected)


def expected_probabilities(model, logits):
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
    # The network is untrained; the counts alone predict the labels.
    assert (out["naive_bayes"].argmax(1) == examples.targets["labels"]).all()
    p = expected_probabilities(model, out["labels"] + out["naive_bayes"])["good"]
    actual = [prediction.probabilities["good"] for prediction in model.classify(TEXTS)]
    np.testing.assert_allclose(actual, p, atol=1e-5)
    # A bigram counts in addition to its words.
    ratios = to_numpy(model.experts[0].naive_bayes.log_count_ratios)
    ids = model.encode(["a bad"]).inputs["tokens"]
    expected = 0.05 * (ratios[ids[0]].sum(axis=0) + ratios[-1])
    actual = to_numpy(model({"tokens": ids})["naive_bayes"])[0]
    np.testing.assert_allclose(actual, expected, atol=1e-5)
    model.save(tmp_path / "classifier.keras")
    loaded = keras.saving.load_model(tmp_path / "classifier.keras")
    assert loaded.classify(TEXTS) == model.classify(TEXTS)


@pytest.mark.usefixtures("eagerly")
def test_character_ngrams_are_an_expert(tmp_path):
    model = small(experts=[layers.CharNgramExpert(2, num_buckets=256)], word_dropout=0.5)
    assert model.reads_characters and not small().reads_characters
    examples = model.encode(TEXTS, LABELS)
    assert set(examples.targets) == {"labels", "char_ngrams"}
    assert examples.inputs["characters"].shape == (6, 4, 20)
    model.adapt_experts(TEXTS, LABELS)
    # Both words are unknown.
    unknown = model.encode(["GOODISH", "badly"]).inputs
    assert set(unknown["tokens"].ravel()) == {ENCODER.unk_id}
    out = {name: to_numpy(value) for name, value in model(unknown).items()}
    assert out["char_ngrams"].argmax(1).tolist() == [1, 0]
    p = expected_probabilities(model, out["labels"] + out["char_ngrams"])["good"]
    predictions = model.classify(["GOODISH", "badly"])
    np.testing.assert_allclose([row.probabilities["good"] for row in predictions], p, atol=1e-5)
    model.save(tmp_path / "classifier.keras")
    loaded = keras.saving.load_model(tmp_path / "classifier.keras")
    assert loaded.classify(TEXTS) == model.classify(TEXTS)


@pytest.mark.usefixtures("eagerly")
def test_a_feature_reads_characters():
    model = small(features=[layers.TokenEmbedding(ENCODER, 2), layers.CharEncoder(2)])
    # Unknown words have the same id.
    one, other = model.classify(["abc", "xyz"])
    assert one.probability != other.probability


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
def test_experts_are_calibrated_on_texts_without_their_own_counts(tmp_path):
    def with_experts():
        size = ENCODER.vocab_size
        frozen = layers.NaiveBayesExpert(size, 2, initial_weight=0.5, trainable=False)
        return small(experts=[frozen, layers.CharNgramExpert(2, num_buckets=256)])

    def logits(model, rows):
        out = model({name: array[rows] for name, array in model.encode(TEXTS).inputs.items()})
        return to_numpy(out["naive_bayes"] + out["char_ngrams"])

    model, plain, others = with_experts(), with_experts(), with_experts()
    left_out = []
    for number in range(len(TEXTS)):
        rest = [row for row in range(len(TEXTS)) if row != number]
        others.adapt_experts([TEXTS[row] for row in rest], [LABELS[row] for row in rest])
        left_out.append(logits(others, [number])[0])
    labels = np.eye(2)[model.encode(TEXTS, LABELS).targets["labels"]]
    factor = fit_factor(np.array(left_out), labels)
    assert abs(factor - 1) > 0.01
    model.adapt_experts(TEXTS, LABELS, calibrate=True)
    plain.adapt_experts(TEXTS, LABELS)
    everything = slice(None)
    actual, uncalibrated = logits(model, everything), logits(plain, everything)
    np.testing.assert_allclose(actual, factor * uncalibrated, rtol=1e-3, atol=1e-4)
    model.save(tmp_path / "classifier.keras")
    for classifier in (model, keras.saving.load_model(tmp_path / "classifier.keras")):
        paths = [weight.path for weight in classifier.trainable_weights]
        assert any("char_ngrams" in path for path in paths)
        assert not any(path.startswith("naive_bayes") for path in paths)


@pytest.mark.usefixtures("eagerly")
def test_a_weight_array_is_an_expert(tmp_path):
    encoder = TextEncoder(["a", "b"], "char")
    vectors = {"a": [1.0, 0.0], "b": [0.0, 1.0]}
    expert = layers.WeightArrayExpert(vector_table(encoder, vectors), 2, order=2, window=4)
    model = small(
        encoder=encoder, features=[fixed(encoder, vectors)], experts=[expert], mixture="mean"
    )
    # All texts have the same bigrams; the middle decides.
    texts, labels = ["aabb", "bbaa", "bbbaabbb", "aaabbaaa"], ["bad", "bad", "good", "good"]
    examples = model.encode(texts, labels)
    model.adapt_experts(texts, labels)
    out = {name: to_numpy(value) for name, value in model(examples.inputs).items()}
    assert (out["weight_array"].argmax(1) == examples.targets["labels"]).all()
    p = expected_probabilities(model, (out["labels"] + out["weight_array"]) / 2)["good"]
    actual = [prediction.probabilities["good"] for prediction in model.classify(texts)]
    np.testing.assert_allclose(actual, p, atol=1e-5)
    model.save(tmp_path / "classifier.keras")
    loaded = keras.saving.load_model(tmp_path / "classifier.keras")
    assert loaded.classify(texts) == model.classify(texts)


@keras.saving.register_keras_serializable(package="tests")
class Length(keras.layers.Layer):
    """Custom expert that reads the length of a text only."""

    def call(self, ids):
        length = keras.ops.sum(keras.ops.cast(ids > 0, "float32"), axis=1, keepdims=True)
        return keras.ops.concatenate([length, -length], axis=1)


@pytest.mark.usefixtures("eagerly")
def test_a_custom_expert(tmp_path):
    model = small(experts=[Length(name="length")])
    model.adapt_experts(TEXTS, LABELS)  # has no effect
    tokens = model.encode(["so very bad"]).inputs
    np.testing.assert_array_equal(to_numpy(model(tokens)["length"]), [[3, -3]])
    model.save(tmp_path / "classifier.keras")
    loaded = keras.saving.load_model(tmp_path / "classifier.keras")
    assert loaded.classify(TEXTS) == model.classify(TEXTS)


@pytest.mark.slow
def test_case_matters_unless_the_encoder_is_lowercase():
    assert len({default().classify([text])[0].probability for text in ("so good", "SO Good")}) == 1
    with eagerly():
        lower, upper = small(encoder=TextEncoder(WORDS)).classify(["good", "GOOD"])
    assert lower.probability != upper.probability


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("variant", ["default", *VARIANTS])
def test_saved_and_loaded(tmp_path, variant):
    model = default() if variant == "default" else small(**VARIANTS[variant]())
    model.save(tmp_path / "classifier.keras")
    loaded = keras.saving.load_model(tmp_path / "classifier.keras")
    assert loaded.classify(TEXTS) == model.classify(TEXTS)


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="exports from TensorFlow")
def test_savedmodel_classifies_strings(tmp_path):
    import tensorflow as tf

    report = export.savedmodel(default(), tmp_path / "saved")
    assert report["endpoints"] == ["classify"] and report["max_abs_error"] < 1e-5
    loaded = tf.saved_model.load(tmp_path / "saved")
    texts = ["A very GOOD film", "bad", ""]
    out = loaded.classify(tf.constant(texts))
    expected = default().classify([*texts[:2], ["<UNK>"]])
    assert [label.decode() for label in out["labels"].numpy()] == [e.label for e in expected]
    for row, prediction in zip(out["probabilities"].numpy(), expected):
        np.testing.assert_allclose(row, list(prediction.probabilities.values()), atol=1e-5)
    assert loaded.classify(tf.constant([""]))["labels"].shape == (1,)


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
@pytest.mark.skipif(BACKEND != "tensorflow", reason="exports from TensorFlow")
def test_savedmodel_reads_characters(tmp_path):
    import tensorflow as tf

    model = small(experts=[layers.CharNgramExpert(2, num_buckets=256)])
    model.adapt_experts(TEXTS, LABELS)
    export.savedmodel(model, tmp_path / "saved")
    texts = ["Goodness, so BAD", "badly"]
    loaded = tf.saved_model.load(tmp_path / "saved")
    out = loaded.classify(tf.constant([*texts, ""]))
    for row, prediction in zip(out["probabilities"].numpy(), model.classify(texts)):
        np.testing.assert_allclose(row, list(prediction.probabilities.values()), atol=1e-5)
    assert np.isfinite(out["probabilities"].numpy()[2]).all()


def expert(name):
    return layers.NaiveBayesExpert(ENCODER.vocab_size, 2, name=name)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: default().classify(["good", "  "]), "Text 2 is empty"),
        (lambda: default().classify("good"), "Expected a list of texts, got one text"),
        (lambda: default().encode(["a"], ["fair"]), r"There is no label \(text 1\) 'fair'"),
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
