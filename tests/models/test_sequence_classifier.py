"""Texts in, labels out."""

import functools

import keras
import numpy as np
import pytest
from helpers import BACKEND, eagerly, to_numpy

from keras_seq import export
from keras_seq._internal.errors import InputError
from keras_seq.models import SequenceClassifier
from keras_seq.text.vocabulary import frequent

GOOD, BAD = ["so good", "a very good film", "Fine and good"], ["so bad", "a bad film", "bad bad"]
TEXTS, LABELS = GOOD + BAD, ["good"] * 3 + ["bad"] * 3
WORDS = ["so", "good", "a", "very", "film", "fine", "and", "bad"]


def small(**arguments):
    keras.utils.set_random_seed(0)
    options = {"units": 8, "embedding": 8, "dropout": 0.0, **arguments}
    return SequenceClassifier(frequent(WORDS), ["bad", "good"], **options)


def learnt(**arguments):
    model = small(**arguments)
    model.compile(keras.optimizers.Adam(0.03), loss=model.loss_of_labels)
    examples = model.encode([model.tokens_of(text) for text in TEXTS], LABELS)
    model.fit(examples.inputs, examples.targets, epochs=40, verbose=0)
    return model


@functools.cache
def usual():
    return learnt()


@pytest.mark.parametrize(
    "arguments",
    [
        {
            "pooling": "last",
            "cell": "GRU",
            "depth": 2,
            "embedding": None,
            "bigrams": [("very", "good"), ("so", "bad")],
        },
        {
            "pooling": "middle",
            "convolution": (8, 3, 2),
            "embedding": dict(zip(WORDS, np.eye(8).tolist())),
        },
        *(
            pytest.param(arguments, marks=pytest.mark.slow)
            for arguments in (
                {"pooling": "attention", "cell": "GRU"},
                {"pooling": "last", "cell": "SimpleRNN", "depth": 2},
                {"pooling": "max", "cell": "PeepholeLSTM", "bidirectional": False},
                {"embedding": None, "bigrams": [("very", "good"), ("so", "bad")]},
            )
        ),
    ],
    ids=["pairs", "runs", "attention", "last", "max", "one-hot"],
)
def test_learns(arguments):
    model = learnt(**arguments)
    with eagerly():
        assert [found.label for found in model.classify(TEXTS)] == LABELS


def test_says_how_sure_it_is_and_why():
    found = usual().classify(["A very GOOD film"])[0]
    assert found.label == "good" and found.probability == found.probabilities["good"] > 0.5
    np.testing.assert_allclose(sum(found.probabilities.values()), 1, atol=1e-5)
    assert [token for token, _ in found.words] == ["A", "very", "GOOD", "film"]
    np.testing.assert_allclose(sum(weight for _, weight in found.words), 1, atol=1e-5)
    assert len({weight for _, weight in found.words}) > 1
    with eagerly():
        assert small(pooling="last").classify(["so"])[0].words is None


def test_alone_or_in_a_batch_is_the_same():
    texts = [*TEXTS, "never seen words only"]
    together = usual().classify(texts, batch_size=4)
    for text, found in zip(texts, together):
        alone = usual().classify([text])[0]
        np.testing.assert_allclose(alone.probability, found.probability, atol=1e-5)
    assert usual().classify([]) == []


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("pooling", ["max", "middle"])
def test_padding_is_not_read(pooling):
    keras.utils.set_random_seed(1)
    model = SequenceClassifier(
        WORDS, ["bad", "good"], units=4, pooling=pooling, convolution=(3, 4, 2)
    )
    for count in (1, 5, 6):
        tokens = model.encode([WORDS[:count]]).inputs["tokens"]
        padded = np.pad(tokens, [[0, 0], [0, 3]])
        alone, found = (to_numpy(model({"tokens": ids})) for ids in (tokens, padded))
        np.testing.assert_allclose(found, alone, atol=1e-6)


@pytest.mark.usefixtures("eagerly")
def test_a_run_reads_its_own_tokens_and_those_around_it():
    vectors = {word: [float(n), 0.0] for n, word in enumerate(WORDS, 1)}
    model = SequenceClassifier(
        WORDS, ["bad", "good"], embedding=vectors, units=2, convolution=(1, 4, 2)
    )
    layer = model.get_layer("convolution")
    layer.set_weights([10.0 ** np.arange(4)[:, None, None] * [[[1], [0]]], np.zeros(1)])
    runs = keras.Model(model.input, layer.output)(model.encode([WORDS[:5]]).inputs)
    # Two tokens a run, and one more on either side: 0 1 2 3, 2 3 4 5, 4 5 0 0.
    np.testing.assert_allclose(to_numpy(runs)[0, :, 0], [3210, 5432, 54])


@pytest.mark.usefixtures("eagerly")
def test_the_directions_meet_in_the_middle():
    model = SequenceClassifier(WORDS, ["bad", "good"], embedding=3, units=2, pooling="middle")
    recurrent = model.get_layer("bidirectional_0").output
    logits = model.get_layer("logits")
    both = keras.Model(model.input, [recurrent, logits.input])
    for count, forward, backward in ((1, 0, 0), (4, 2, 1), (5, 2, 2)):
        tokens = model.encode([WORDS[:count]]).inputs["tokens"]
        states, found = to_numpy(both({"tokens": np.pad(tokens, [[0, 0], [0, 2]])}))
        expected = [*states[0, forward, :2], *states[0, backward, 2:]]
        np.testing.assert_allclose(found[0], expected, atol=1e-6)


def test_given_vectors_stay(tmp_path):
    vectors = {word: [float(n), 1.0] for n, word in enumerate(WORDS)} | {"<UNK>": [0.5, 0.5]}
    model = SequenceClassifier(WORDS, ["bad", "good"], embedding=vectors, units=2)
    assert not model.get_layer("vectors").trainable_weights
    model.save(tmp_path / "classifier.keras")
    for one in (model, keras.saving.load_model(tmp_path / "classifier.keras")):
        (table,) = one.get_layer("vectors").get_weights()
        np.testing.assert_array_equal(table, [[0, 0], [0.5, 0.5], *map(vectors.get, WORDS)])
        with pytest.raises(InputError, match="Vectors need an embedding to go to"):
            one.start_from(usual())


@pytest.mark.usefixtures("eagerly")
def test_naive_bayes_judges_as_well(tmp_path):
    model = SequenceClassifier(
        WORDS, ["bad", "good"], bigrams=[("a", "bad")], units=2, embedding=2, naive_bayes=True
    )
    sentences = [model.tokens_of(text) for text in TEXTS]
    examples = model.encode(sentences, LABELS)
    assert set(examples.targets) == {"labels", "counted"}
    model.count(examples.inputs, np.eye(2)[examples.targets["labels"]])
    out = {name: to_numpy(value) for name, value in model(examples.inputs).items()}
    # Untrained, the recurrent half knows nothing; what was counted knows the words.
    assert (out["counted"].argmax(1) == examples.targets["labels"]).all()
    logits = out["labels"] + out["counted"]
    p = np.exp(logits[:, 1]) / np.exp(logits).sum(axis=1)
    found = [one.probabilities["good"] for one in model.classify(TEXTS)]
    np.testing.assert_allclose(found, p, atol=1e-5)
    # The pair counts beside its words.
    ratios = to_numpy(model.get_layer("naive_bayes").ratios)
    ids = model.encode([["a", "bad"]]).inputs["tokens"][0]
    expected = 0.05 * (ratios[ids].sum(axis=0) + ratios[-1])
    pair = to_numpy(model({"tokens": ids[None]})["counted"])[0]
    np.testing.assert_allclose(pair, expected, atol=1e-5)
    model.save(tmp_path / "classifier.keras")
    loaded = keras.saving.load_model(tmp_path / "classifier.keras")
    assert loaded.classify(TEXTS) == model.classify(TEXTS)


@pytest.mark.usefixtures("eagerly")
def test_runs_of_tokens_judge_by_their_place(tmp_path):
    vectors = {"a": [1.0, 0.0], "b": [0.0, 1.0]}
    how = {"units": 2, "split": "characters", "dropout": 0.0}
    model = SequenceClassifier(["a", "b"], ["x", "y"], embedding=vectors, naive_bayes=(2, 4), **how)
    # The same pairs; what is in the middle decides.
    texts, labels = ["aabb", "bbaa", "bbbaabbb", "aaabbaaa"], [0, 0, 1, 1]
    examples = model.encode([[*text] for text in texts], [model.labels[n] for n in labels])
    model.count(examples.inputs, np.eye(2)[labels])
    out = {name: to_numpy(value) for name, value in model(examples.inputs).items()}
    assert (out["counted"].argmax(1) == labels).all()
    logits = (out["labels"] + out["counted"]) / 2
    p = np.exp(logits[:, 1]) / np.exp(logits).sum(axis=1)
    found = [one.probabilities[model.labels[1]] for one in model.classify(texts)]
    np.testing.assert_allclose(found, p, atol=1e-5)
    model.save(tmp_path / "classifier.keras")
    loaded = keras.saving.load_model(tmp_path / "classifier.keras")
    assert loaded.classify(texts) == model.classify(texts)
    with pytest.raises(InputError, match="need vectors that stay"):
        SequenceClassifier(["a", "b"], ["x", "y"], embedding=3, naive_bayes=(2, 4))


def test_small_letters_only_if_asked():
    assert len({usual().classify([text])[0].probability for text in ("so good", "SO Good")}) == 1
    with eagerly():
        one, other = small(lower=False).classify(["good", "GOOD"])
    assert one.probability != other.probability


def test_saved_and_loaded(tmp_path):
    usual().save(tmp_path / "classifier.keras")
    loaded = keras.saving.load_model(tmp_path / "classifier.keras")
    with eagerly():
        assert loaded.classify(TEXTS) == usual().classify(TEXTS)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="exports from TensorFlow")
def test_exported_with_raw_strings(tmp_path):
    import tensorflow as tf

    report = export.savedmodel(usual(), tmp_path / "saved")
    assert report["endpoints"] == ["classify"] and report["largest difference"] < 1e-5
    loaded = tf.saved_model.load(tmp_path / "saved")
    texts = ["A very GOOD film", "bad", ""]
    out = loaded.classify(tf.constant(texts))
    expected = usual().classify(texts[:2])
    assert [label.decode() for label in out["labels"].numpy()[:2]] == [e.label for e in expected]
    for row, found in zip(out["probabilities"].numpy(), expected):
        np.testing.assert_allclose(row, list(found.probabilities.values()), atol=1e-5)
    assert loaded.classify(tf.constant([""]))["labels"].shape == (1,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: usual().classify(["good", "  "]), "Text 2 is empty"),
        (lambda: usual().classify("good"), "takes a list of texts"),
        (lambda: usual().encode([["a"]], ["fair"]), r"There is no label \(text 1\) 'fair'"),
        (lambda: SequenceClassifier(["a"], ["x"]), "at least one known token and two labels"),
        (lambda: SequenceClassifier(["a"], ["x", "y"], pooling="sum"), "There is no pooling 'sum'"),
        (lambda: SequenceClassifier(["a"], ["x", "y"], split="lines"), "way to split a text"),
        (
            lambda: SequenceClassifier(["a"], ["x", "y"], convolution=(4, 2, 3)),
            "at least its strid",
        ),
        (
            lambda: SequenceClassifier(["a"], ["x", "y"], embedding={"a": [1], "b": [1, 2]}),
            r"must be of one width, got \[1, 2\]",
        ),
        (
            lambda: SequenceClassifier(["a"], ["x", "y"], pooling="middle", bidirectional=False),
            "needs layers that read from both ends",
        ),
        (
            lambda: SequenceClassifier(["a"], ["x", "y"], convolution=(4, 3, 1), foretell=1),
            "no convolution",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
