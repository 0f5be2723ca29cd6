"""The CRF layer: in models, with masks, saved and loaded."""

import itertools
import threading

import keras
import numpy as np
import pytest
from derivatives import by_differences, of_gradients
from helpers import BACKEND, normal, to_numpy
from keras import ops

from keras_seq import layers
from keras_seq._internal.errors import InputError

TAGS = ["O", "B-A", "I-A", "B-B", "I-B"]


def data(rows=32, timesteps=6, padded=2):
    """Return words and tags: word 1 begins an entity A, which any other word continues."""
    rng = np.random.default_rng(0)
    x = rng.integers(1, 6, (rows, timesteps))
    x[: rows // 2, timesteps - padded :] = 0
    y = np.where(x == 1, 1, 0)
    y[:, 1:][(x[:, :-1] == 1) & (x[:, 1:] != 1)] = 2
    y[x == 0] = 4  # masked, so that it must have no influence
    return x, y


def model_of(crf):
    embedding = keras.layers.Embedding(6, 8, mask_zero=True)
    recurrent = keras.layers.Bidirectional(layers.LSTM(8, return_sequences=True))
    inputs = keras.Input((None,))
    model = keras.Model(inputs, crf(recurrent(embedding(inputs))))
    model.compile(
        keras.optimizers.Adam(0.05), loss=crf.loss, metrics=[crf.accuracy], jit_compile="auto"
    )
    return model


@pytest.mark.slow
def test_fit():
    keras.utils.set_random_seed(0)
    crf = layers.CRF(5, tags=TAGS)
    model = model_of(crf)
    x, y = data()
    history = model.fit(x, y, epochs=30, batch_size=16, verbose=0).history
    assert history["loss"][-1] < 0.1 * history["loss"][0]
    assert history["accuracy"][-1] == 1
    decoded = to_numpy(crf.decode(model.predict(x, verbose=0))[0])
    np.testing.assert_array_equal(decoded, np.where(x > 0, y, 0))
    loss, accuracy = model.evaluate(x, y, verbose=0)
    assert accuracy == 1 and loss < history["loss"][0]


@pytest.mark.slow
@pytest.mark.usefixtures("two_cores")
def test_padding_has_no_influence():
    crf = layers.CRF(5)
    model = model_of(crf)
    x, y = data(padded=2)
    more = [np.pad(a, [(0, 0), (0, 3)]) for a in (x, y)]
    model(x)
    for weight in crf.weights:
        weight.assign(normal(*weight.shape, seed=3))
    first, second = model.evaluate(x, y, verbose=0), model.evaluate(*more, verbose=0)
    np.testing.assert_allclose(first, second, rtol=1e-5)
    scores = model.predict(x, verbose=0)
    mask = x > 0
    tags, best = crf.decode(scores)
    likelihoods = to_numpy(crf.log_likelihood(scores, y, mask))
    for row in range(0, 32, 10):
        alone = [np.asarray(a[row : row + 1, : mask[row].sum()]) for a in (scores, y)]
        actual = to_numpy(crf.log_likelihood(*alone))[0]
        np.testing.assert_allclose(actual, likelihoods[row], rtol=1e-5)
        tags_alone, best_alone = crf.decode(alone[0])
        np.testing.assert_allclose(to_numpy(best_alone)[0], to_numpy(best)[row], rtol=1e-5)
        expected = to_numpy(tags)[row][mask[row]]
        np.testing.assert_array_equal(to_numpy(tags_alone)[0], expected)
    losses = to_numpy(crf.loss(y, scores))
    np.testing.assert_allclose(-likelihoods.mean(), losses, 1e-5)


def test_sample_weights_per_sequence():
    crf = layers.CRF(3, use_kernel=False)
    crf.build((None, None, 3))
    scores, tags = normal(4, 5, 3), np.zeros((4, 5), int)
    weights = np.array([0.0, 1.0, 2.0, 0.5])
    expected = -(to_numpy(crf.log_likelihood(scores, tags)) * weights).mean()
    np.testing.assert_allclose(to_numpy(crf.loss(tags, scores, weights)), expected, rtol=1e-5)
    with pytest.raises(InputError, match="whole sequences"):
        crf.loss(tags, scores, np.ones((4, 5)))


def test_forbidden_transitions_are_never_taken():
    crf = layers.CRF(5, use_kernel=False, tags=TAGS)
    crf.build((None, None, 5))
    scores = 5 * normal(64, 7, 5, seed=4)
    scores[:, :, [2, 4]] += 10  # high scores of forbidden tags
    tags = to_numpy(crf.decode(scores)[0])
    for row in tags:
        for before, after in zip([0, *row], row):
            assert after not in (2, 4) or before in (after - 1, after)
    free = layers.CRF(5, use_kernel=False)
    free.build((None, None, 5))
    assert set(to_numpy(free.decode(scores)[0])[:, 0]) <= {2, 4}


def test_nan_is_not_padding():
    crf = layers.CRF(2, use_kernel=False)
    crf.build((None, None, 2))
    scores = np.zeros((2, 3, 2), "float32")
    scores[1, 1] = np.nan
    likelihood = to_numpy(crf.log_likelihood(scores, np.zeros((2, 3), int)))
    assert np.isfinite(likelihood[0]) and np.isnan(likelihood[1])


def test_without_transitions_equals_a_softmax():
    crf = layers.CRF(4, use_kernel=False, use_transitions=False)
    crf.build((None, None, 4))
    assert not crf.trainable_weights
    scores, tags = normal(3, 5, 4), np.ones((3, 5), int)
    log_softmax = to_numpy(ops.log_softmax(ops.convert_to_tensor(scores)))
    expected = log_softmax[:, :, 1].sum(axis=1)
    np.testing.assert_allclose(to_numpy(crf.log_likelihood(scores, tags)), expected, rtol=1e-5)
    np.testing.assert_array_equal(to_numpy(crf.decode(scores)[0]), scores.argmax(axis=-1))


@pytest.mark.slow
def test_training_of_a_loaded_model(tmp_path):
    """Its loss and metric belong to the loaded layer."""
    crf = layers.CRF(5, tags=TAGS, scheme="IOB2", kernel_regularizer="l2")
    model = model_of(crf)
    x, y = data()
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        model.evaluate(x, y, verbose=0), loaded.evaluate(x, y, verbose=0), rtol=1e-5
    )
    layer = loaded.layers[-1]
    assert layer is not crf and layer.get_config() == crf.get_config()
    before = layer.get_weights()
    loaded.fit(x, y, verbose=0)
    assert all(not np.array_equal(a, b) for a, b in zip(before, layer.get_weights()))
    assert len(before) == 5


OTHERS = []


@keras.saving.register_keras_serializable(package="test_crf")
class Meanwhile(keras.layers.Layer):
    """A layer during whose loading another thread makes a CRF layer of the same name."""

    def call(self, inputs):
        return inputs

    @classmethod
    def from_config(cls, config):
        thread = threading.Thread(target=lambda: OTHERS.append(layers.CRF(3, name="tags")))
        thread.start()
        thread.join()
        return cls(**config)


@keras.saving.register_keras_serializable(package="test_crf")
class Subclassed(keras.Model):
    """A model whose configuration contains no layers."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.embedding = keras.layers.Embedding(6, 4)
        self.tags = layers.CRF(units, name="tags")
        self.meanwhile = Meanwhile.from_config({})

    def build(self, shape):
        self.embedding.build(shape)
        self.tags.build((*shape, 4))

    def call(self, x):
        return self.meanwhile(self.tags(self.embedding(x)))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def in_a_row(units):
    crf = layers.CRF(units, name="tags")
    return keras.Sequential([keras.layers.Embedding(6, 4), crf, Meanwhile()])


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("make", [in_a_row, Subclassed])
def test_two_models_with_layers_of_one_name(make, tmp_path):
    x, models, loaded = data()[0], {}, {}
    for units in (3, 5):
        models[units] = make(units)
        models[units].build((None, 6))
        [crf] = [layer for layer in models[units].layers if isinstance(layer, layers.CRF)]
        models[units].compile("adam", loss=crf.loss, metrics=[crf.accuracy], jit_compile=False)
        models[units].save(tmp_path / f"{units}.keras")
    for units in models:
        loaded[units] = keras.saving.load_model(tmp_path / f"{units}.keras")
    for units, model in loaded.items():
        y = np.minimum(data()[1], units - 1)
        expected = models[units].evaluate(x, y, verbose=0)
        np.testing.assert_allclose(model.evaluate(x, y, verbose=0), expected, rtol=1e-5)
        [crf] = [layer for layer in model.layers if isinstance(layer, layers.CRF)]
        before = crf.get_weights()
        model.fit(x, y, verbose=0)
        assert all(not np.array_equal(a, b) for a, b in zip(before, crf.get_weights()))
    assert not any(other.built for other in OTHERS)


@pytest.mark.usefixtures("eagerly")
def test_two_layers_of_one_name_in_a_model(tmp_path):
    inner = keras.Sequential([keras.Input((None, 3)), layers.CRF(3, name="tags")], name="inner")
    model = keras.Sequential([keras.Input((None, 3)), inner, layers.CRF(3, name="tags")])
    model.compile("sgd", loss=model.layers[-1].loss, jit_compile=False)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    x, y = normal(2, 4, 3), np.zeros((2, 4), int)
    with pytest.raises(InputError, match="or with several layers of that name: compile the model"):
        loaded.fit(x, y, verbose=0)
    loaded.compile("sgd", loss=loaded.layers[-1].loss, jit_compile=False)
    loaded.fit(x, y, verbose=0)


@pytest.mark.usefixtures("either_way")
def test_scores_are_float32_in_mixed_precision():
    crf = layers.CRF(5, dtype="mixed_bfloat16")
    x, y = data()
    model = model_of(crf)
    assert model.predict(x, verbose=0).dtype == np.float32
    assert np.isfinite(model.fit(x, y, verbose=0).history["loss"][0])


@pytest.mark.parametrize("wrong", [5, -100])
def test_unknown_tag(wrong):
    crf = layers.CRF(5)
    model = keras.Sequential([keras.Input((3, 2)), crf])
    model.compile("sgd", loss=crf.loss, jit_compile="auto" if BACKEND == "jax" else False)
    x, tags = normal(2, 3, 2), np.array([[1, 2, 3], [4, wrong, 1]])
    sentence = f"CRF\\(5\\) takes tags from 0 to 4, got {wrong} in row"
    with pytest.raises(InputError, match=f"{sentence} 1 of the batch, step 1; .* must be masked"):
        crf.log_likelihood(model(x), tags)
    mask = np.array([[1, 1, 1], [1, 0, 1]], bool)
    assert np.isfinite(to_numpy(crf.log_likelihood(model(x), tags, mask))).all()
    with pytest.raises(Exception, match=sentence):
        model.fit(x, tags, verbose=0)


IOBES = ["O", "B-PER", "I-PER", "E-PER", "S-PER"]


@pytest.mark.parametrize(
    ("tags", "place"),
    [
        ([[0, 4, 0], [0, 2, 3]], "Tag 2 in row 1 of the batch, step 1"),  # O I-PER E-PER
        ([[2, 3, 0], [0, 0, 0]], "Tag 2 in row 0 of the batch, step 0"),  # I-PER at the beginning
        ([[0, 0, 0], [0, 1, 2]], "Tag 2 in row 1 of the batch, step 2"),  # I-PER at the end
        ([[0, 0, 0], [1, 0, 0]], "Tag 0 in row 1 of the batch, step 1"),  # B-PER O, as in IOB2
    ],
)
def test_tags_that_are_invalid_in_the_scheme(tags, place):
    crf = layers.CRF(5, tags=IOBES, scheme="IOBES")
    model = keras.Sequential([keras.Input((3, 2)), crf])
    model.compile("sgd", loss=crf.loss, jit_compile="auto" if BACKEND == "jax" else False)
    x, tags = normal(2, 3, 2), np.array(tags)
    with pytest.raises(InputError, match=f"{place}, is invalid in the scheme IOBES .*convert_tags"):
        crf.loss(tags, model(x))
    assert np.isinf(to_numpy(crf.log_likelihood(model(x), tags))).any()
    with pytest.raises(Exception, match=place):
        model.fit(x, tags, shuffle=False, verbose=0)


def test_masked_tags_may_be_invalid():
    crf = layers.CRF(5, tags=IOBES, scheme="IOBES")
    crf.build((None, None, 2))
    mask = np.array([[1, 1, 0], [1, 0, 1], [0, 0, 0]], bool)
    crf.check_path(crf(normal(3, 3, 2)), np.array([[1, 3, 2], [1, 2, 3], [2, 2, 2]]), mask)


@pytest.mark.slow
def test_second_derivatives_behind_another_layer():
    dense = keras.layers.Dense(3, activation="tanh", dtype="float64")
    crf = layers.CRF(3, use_kernel=False, dtype="float64")
    dense.build((None, 3, 2))
    crf.build((None, 3, 3))
    for i, weight in enumerate([*dense.weights, *crf.weights]):
        weight.assign(normal(*weight.shape, seed=i, dtype="float64"))
    tags = np.array([[0, 2, 1]])

    def total(x):
        return ops.sum(crf.log_likelihood(dense(x), tags) ** 2)

    kernel, bias, transitions, start, end = map(to_numpy, [*dense.weights, *crf.weights])

    def in_numpy(x):
        scores = np.tanh(x @ kernel + bias)[0]

        def score(path):
            steps = sum(scores[t, tag] for t, tag in enumerate(path))
            pairs = sum(transitions[pair] for pair in itertools.pairwise(path))
            return steps + pairs + start[path[0]] + end[path[-1]]

        scores_of_all = [score(path) for path in itertools.product(range(3), repeat=3)]
        return (score(tags[0]) - np.log(np.exp(scores_of_all).sum())) ** 2

    x = normal(1, 3, 2, dtype="float64")
    for actual, expected in zip(of_gradients(total, [x]), by_differences(in_numpy, [x])):
        np.testing.assert_allclose(actual[0], expected[0], rtol=0, atol=1e-5)


def round_trip(loss_or_metric):
    """Return the object of a configuration, outside of the loading of a model."""
    return type(loss_or_metric).from_config(loss_or_metric.get_config())


TAG_IDS, TAG_SCORES = np.zeros((2, 4)), np.zeros((2, 4, 2))
MISTAKES = {
    "no tags": (lambda: layers.CRF(0), "`units` must be an integer of at least 1, got 0"),
    "too few tags": (lambda: layers.CRF(3, tags=TAGS), "got 5 tags"),
    "a tag outside of the scheme": (lambda: layers.CRF(1, tags=["E-A"]), "'E-A' is not a tag"),
    "an unknown scheme": (lambda: layers.CRF(1, tags=["O"], scheme="BIO"), "tag scheme 'BIO'"),
    "features that are not scores": (
        lambda: layers.CRF(3, use_kernel=False).build((None, None, 4)),
        "takes 3 scores per time step, got 4",
    ),
    "one-hot tags": (
        lambda: layers.CRF(3, use_kernel=False).loss(np.zeros((2, 4, 3)), np.zeros((2, 4, 3))),
        r"integers \(batch, timesteps\)",
    ),
    "scores of another width": (
        lambda: layers.CRF(3).decode(np.zeros((2, 4, 5))),
        r"takes scores \(batch, timesteps, 3\)",
    ),
    "a loss without its layer": (
        lambda: round_trip(layers.CRF(2, name="nowhere").loss)(
            np.zeros((2, 4)), np.zeros((2, 4, 2))
        ),
        "CRFLoss was loaded without its CRF layer 'nowhere'.* again with the layer's `loss`",
    ),
    "a metric without its layer": (
        lambda: round_trip(layers.CRF(2).accuracy).update_state(
            np.zeros((2, 4)), np.zeros((2, 4, 2))
        ),
        "CRFAccuracy was loaded without .* again with the layer's `accuracy`",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_bad_arguments(mistake):
    call, message = MISTAKES[mistake]
    with pytest.raises(InputError, match=message):
        call()
