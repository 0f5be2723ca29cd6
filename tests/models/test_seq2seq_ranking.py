"""Seq2Seq with a count model: ranking, fitted weights, saving and export."""

import functools

import keras
import numpy as np
import pytest
from helpers import BACKEND, run_script, to_numpy

from keras_seq import export, layers
from keras_seq._internal.errors import InputError
from keras_seq._internal.softmax import log_softmax
from keras_seq.layers.text.joint_ngrams import IMPOSSIBLE
from keras_seq.layers.text.log_linear import PRECISION, fit_log_linear
from keras_seq.models import Seq2Seq
from keras_seq.models.results import Translation
from keras_seq.models.seq2seq_ranking import fit_ranking
from keras_seq.text import TextEncoder

WORDS = ["abc", "cab", "bad", "dab", "add", "bcd", "ba", "cc", "dcba", "acca"]
TARGETS = [" ".join(word.upper()) for word in WORDS]
SOURCE = TextEncoder.from_examples(WORDS, "char", end=True)
TARGET = TextEncoder.from_examples(TARGETS, "whitespace", end=True)


def counts(**options):
    sizes = {
        "source_vocab_size": SOURCE.vocab_size,
        "target_vocab_size": TARGET.vocab_size,
        "end_id": TARGET.end_id,
        "name": "counts",
    }
    return layers.JointNgramModel(order=3, **{**sizes, **options})


@functools.cache
def adapted():
    # Each letter also has each phoneme and none, so that hypotheses of an untrained network align.
    pairs = [*zip(WORDS, TARGETS), *((a + a, b) for a in "abcd" for b in "ABCD")]
    layer = counts()
    layer.adapt([SOURCE.encode(word) for word, _ in pairs], [TARGET.encode(t) for _, t in pairs])
    return layer


def make(count_model):
    return Seq2Seq(
        SOURCE,
        TARGET,
        features=[layers.TokenEmbedding(SOURCE, 6)],
        stack=layers.RNNStack("GRU", 8, bidirectional=True, return_state=True),
        decoder=layers.Decoder(layers.TokenEmbedding(TARGET, 6), "GRU", 8),
        count_model=count_model,
        length_penalty=0.0,
    )


@functools.cache
def model():
    keras.utils.set_random_seed(0)
    return make(adapted())


OPTIONS = {"n_best": 4, "beam_width": 4, "max_length": 5}


def set_weights(*weights):
    model().count_model.mixture_weights.assign(weights)


def n_best(**options):
    return model().translate_n_best(WORDS[:3], **{**OPTIONS, **options})


def test_scores_are_weighted_sums():
    by_weights = []
    for weights in ((1.0, 0.0), (0.0, 1.0), (0.25, 2.0)):
        set_weights(*weights)
        by_weights.append([{" ".join(t.tokens): t.score for t in row} for row in n_best()])
    assert any(score > IMPOSSIBLE / 2 for joint in by_weights[1] for score in joint.values())
    for network, joint, mixed in zip(*by_weights, strict=True):
        assert len(mixed) == 4
        for text, score in mixed.items():
            assert score == pytest.approx(0.25 * network[text] + 2 * joint[text], rel=1e-4)
        assert [*mixed.values()] == sorted(mixed.values(), reverse=True)
    # The best of a list, and one translation per text, are the same.
    best = [row[0].text for row in n_best()]
    assert [translation.text for [translation] in n_best(n_best=1)] == best


@pytest.mark.slow
def test_greedy_decoding_is_by_the_network_alone():
    set_weights(0.25, 2.0)
    alone = make(None)
    alone.set_weights(model().get_weights()[: len(alone.weights)])
    greedy = alone.translate_n_best(WORDS[:3], beam_width=1, max_length=5)
    for ours, theirs in zip(n_best(n_best=1, beam_width=1), greedy, strict=True):
        assert ours[0].text == theirs[0].text
        assert ours[0].score == pytest.approx(theirs[0].score, rel=1e-4)


@pytest.mark.slow
def test_log_probs_are_those_of_the_layer():
    set_weights(0.0, 1.0)
    for word, row in zip(WORDS, n_best()):
        source = np.array([SOURCE.encode(word)])
        for translation in row:
            target = np.array([[*TARGET.encode(translation.tokens), 0, 0]])
            [expected] = to_numpy(adapted()(source, target))
            assert translation.score == pytest.approx(expected, rel=1e-4)


class FakeModel:
    """Model of texts with four hypotheses each, whose scores are random."""

    def __init__(self):
        self.count_model = adapted()
        self.scores = np.random.default_rng(0).normal(size=(300, 4, 2)) - 5

    def translate_n_best(self, texts, *, n_best, beam_width, batch_size):
        weights = to_numpy(self.count_model.mixture_weights)
        for text in texts:
            mixed = self.scores[text] @ weights
            order = np.argsort(-mixed)
            yield [Translation(f"{number}", mixed[number], [], [], None) for number in order]


def test_fitted_weights_have_the_highest_posterior_probability():
    fake, random = FakeModel(), np.random.default_rng(1)
    drawn = fake.scores @ [0.4, 1.5] + random.gumbel(size=(300, 4))
    references = [[f"{number}", "another"] for number in drawn.argmax(axis=1)]
    references[0] = ["none of the hypotheses"]
    fit_ranking(fake, [*range(300)], references, 64)
    fitted = to_numpy(fake.count_model.mixture_weights)
    np.testing.assert_allclose(fitted, [0.4, 1.5], atol=0.2)

    def log_posterior(weights):
        mixed = log_softmax(fake.scores[1:] @ weights)
        likelihood = mixed[np.arange(299), drawn[1:].argmax(axis=1)].sum()
        return likelihood - PRECISION / 2 * ((weights - shared) ** 2).sum()

    # All texts are fitted twice, the second time with the first weights as the mean of the prior.
    shared = fit_log_linear(
        np.moveaxis(fake.scores[1:], 2, 0),
        drawn[1:].argmax(axis=1),
        np.ones(299, int),
        1,
        np.array([0.5, 0.5]),
    )[0]
    for change in ([0.01, 0], [-0.01, 0], [0, 0.01], [0, -0.01]):
        assert log_posterior(fitted + change) < log_posterior(fitted)
    # Without a correct hypothesis, the weights are the initial ones.
    fit_ranking(fake, [0, 1], [["none"]] * 2, 64)
    np.testing.assert_array_equal(to_numpy(fake.count_model.mixture_weights), [0.5, 0.5])


@pytest.mark.slow
def test_saved_and_loaded(tmp_path):
    set_weights(0.25, 2.0)
    model().save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for ours, theirs in zip(n_best(), loaded.translate_n_best(WORDS[:3], **OPTIONS), strict=True):
        assert [t.text for t in ours] == [t.text for t in theirs]
        np.testing.assert_allclose([t.score for t in ours], [t.score for t in theirs], rtol=1e-4)


LOAD = """
import sys
import tensorflow as tf
loaded = tf.saved_model.load(sys.argv[1])
outputs = loaded.translate(tf.constant(sys.argv[2:]))
for text, score in zip(outputs["texts"].numpy(), outputs["scores"].numpy()):
    print(f"{text.decode()}|{score:.3f}")
"""


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="exports from TensorFlow")
def test_savedmodel_ranks_too(tmp_path):
    set_weights(0.25, 2.0)
    export.savedmodel(model(), tmp_path / "saved", [["a", "b"]])
    out = run_script(LOAD, tmp_path / "saved", *WORDS[:3], elsewhere=True)
    expected = model().translate_n_best(WORDS[:3])
    for line, [best] in zip(out.splitlines(), expected, strict=True):
        text, score = line.rsplit("|", 1)
        assert text == best.text
        assert float(score) == pytest.approx(best.score, abs=2e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make(counts()), "counts has no counts yet: call adapt"),
        (lambda: make(counts(end_id=None)), "counts must have end_id="),
        (lambda: make(counts(target_vocab_size=4)), "counts must have target_vocab_size="),
        (
            lambda: make(None).fit_interpolation(["a"], [["A"]]),
            "has no count model: create it with count_model",
        ),
        (
            lambda: model().fit_interpolation(["a"], []),
            "references for each, got 1 texts and 0 lists",
        ),
        (lambda: model().fit_interpolation([], []), "needs at least one text"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
