"""Tests of the base classes of models, on a model of a few lines."""

import dataclasses
import inspect

import keras
import numpy as np
import pytest
from helpers import slow_but
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.serialization import serialize_nested
from keras_seq.batching import EncodedDataset
from keras_seq.models.base import BaseModel
from keras_seq.models.text_model import TextModel
from keras_seq.text.encoder import TextEncoder

pytestmark = pytest.mark.usefixtures("eagerly")

TEXTS, COUNTS = ["a b", "a", "b a b"], [2.0, 1.0, 3.0]


@keras.saving.register_keras_serializable(package="tests")
class Counter(TextModel):
    """Counter of tokens; its default loss is the squared error."""

    config_attributes = ("encoder", "layers_", "scale")

    def __init__(self, encoder, layers_=None, scale=1.0, name="counter"):
        layers_ = [keras.layers.Dense(1)] if layers_ is None else layers_
        ids = keras.Input((None,), dtype="int32", name="tokens")
        x = ops.one_hot(ids, encoder.vocab_size)
        for layer in layers_:
            x = layer(x)
        is_token = ops.cast(ids != encoder.pad_id, x.dtype)
        outputs = scale * ops.sum(x * is_token[:, :, None], axis=(1, 2))
        super().__init__({"tokens": ids}, outputs, name=name)
        self.encoder, self.layers_, self.scale = encoder, layers_, scale

    def encode(self, examples, targets=None):
        ids, lengths = self.encoder.encode_batch(examples)
        targets = None if targets is None else np.array(targets, "float32")
        return EncodedDataset({"tokens": ids}, targets, lengths, ["tokens"])

    def default_loss(self):
        return keras.losses.MeanSquaredError()

    def default_metrics(self):
        return ["mae"]


def small():
    keras.utils.set_random_seed(0)
    counter = Counter(TextEncoder.from_examples(TEXTS))
    counter.compile(keras.optimizers.SGD(0.01))
    return counter


def arrays(counter):
    encoded = counter.encode(TEXTS, COUNTS)
    return encoded.inputs, encoded.targets


def dataset(counter):
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices(arrays(counter)).batch(3)


INPUTS = {
    "texts": lambda counter: (TEXTS, COUNTS),
    "lists of tokens": lambda counter: ([text.split() for text in TEXTS], COUNTS),
    "an array of texts": lambda counter: (np.array(TEXTS), COUNTS),
    "a result of encode": lambda counter: (counter.encode(TEXTS, COUNTS),),
    "arrays": arrays,
    "a dataset": lambda counter: (dataset(counter),),
}


@pytest.mark.parametrize("name", slow_but(["texts", "arrays"], [*INPUTS]))
def test_fit_and_evaluate_accept_raw_examples_and_arrays(name):
    expected, counter = small(), small()
    x, y = arrays(expected)
    arguments = INPUTS[name](counter)
    assert counter.evaluate(*arguments, verbose=0) == pytest.approx(
        keras.Model.evaluate(expected, x, y, verbose=0)
    )
    data = arguments if len(arguments) == 2 else arguments[0]
    history = counter.fit(
        *arguments, epochs=2, shuffle=False, validation_data=data, verbose=0
    ).history
    expected_history = keras.Model.fit(
        expected, x, y, epochs=2, shuffle=False, validation_data=(x, y), verbose=0
    ).history
    assert set(history) == {"loss", "mae", "val_loss", "val_mae"}
    assert history == {key: pytest.approx(values) for key, values in expected_history.items()}


def test_weights_of_validation_examples():
    counter, weights = small(), np.array([1.0, 0.0, 0.0])
    data = (TEXTS, COUNTS, weights)
    history = counter.fit(TEXTS, COUNTS, validation_data=data, verbose=0).history
    expected = counter.evaluate(TEXTS, COUNTS, sample_weight=weights, verbose=0)[0]
    assert history["val_loss"] == [pytest.approx(expected)]


def test_weights_of_encoded_examples():
    counter, expected, weights = small(), small(), np.array([1.0, 0.0, 3.0])
    encoded = dataclasses.replace(counter.encode(TEXTS, COUNTS), weights=weights)
    history = counter.fit(encoded, verbose=0, validation_data=encoded).history
    loss = keras.Model.fit(expected, *arrays(expected), sample_weight=weights, verbose=0).history
    assert history["loss"] == [pytest.approx(loss["loss"][0])]
    later = keras.Model.evaluate(expected, *arrays(expected), sample_weight=weights, verbose=0)
    for actual in (counter.evaluate(encoded, verbose=0)[0], history["val_loss"][0]):
        assert actual == pytest.approx(later[0])
    unweighted = small().fit(TEXTS, COUNTS, verbose=0).history["loss"]
    assert loss["loss"] != [pytest.approx(unweighted[0], rel=0.01)]


@pytest.mark.parametrize("name", ["compile", "fit", "evaluate"])
def test_signatures_equal_those_of_keras(name):
    trainer = next(kind for kind in keras.Model.__mro__[1:] if name in vars(kind))
    own, of_keras = (inspect.signature(getattr(c, name)).parameters for c in (BaseModel, trainer))
    changed = {"optimizer": "adam", "loss": "auto", "metrics": "auto"} if name == "compile" else {}
    assert {key: parameter.default for key, parameter in own.items()} == {
        key: changed.get(key, parameter.default) for key, parameter in of_keras.items()
    }
    assert [*own] == [*of_keras]


@pytest.mark.parametrize("loss", ["auto", "mae"])
def test_saved_with_its_layers_and_its_loss(tmp_path, loss):
    own = [keras.layers.Dense(3, name="first"), keras.layers.Dense(2, name="second")]
    counter = Counter(TextEncoder(["b"], lowercase=True), own, scale=0.5, name="mine")
    counter.compile("sgd", loss, metrics=["mse"])
    counter.fit(TEXTS, COUNTS, verbose=0)
    counter.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert (loaded.name, loaded.scale) == ("mine", 0.5)
    assert loaded.encoder.get_config() == counter.encoder.get_config()
    assert [layer.name for layer in loaded.layers_] == ["first", "second"]
    assert loaded.get_compile_config()["loss"] == loss
    kind = keras.losses.MeanSquaredError if loss == "auto" else str
    assert isinstance(loaded.loss, kind)
    before, after = (m.evaluate(TEXTS, COUNTS, verbose=0) for m in (counter, loaded))
    assert before == pytest.approx(after)
    loaded.fit(TEXTS, COUNTS, verbose=0)


def test_configurations_do_not_depend_on_whether_a_layer_is_built():
    layer = keras.layers.Dense(2)
    fresh = serialize_nested(layer)
    layer.build((None, 3))
    assert serialize_nested([layer, None, 3]) == [fresh, None, 3]


@pytest.mark.parametrize(
    "repetitions, expected", [(1, {(1, 40), (2, 16), (1, 16)}), (11, {(2, 40), (2, 16)})]
)
def test_predicts_by_length(repetitions, expected):
    counter, shapes = small(), set()
    # Eleven times, the numbers of long and of short texts are odd.
    texts = ["a " * n for n in (1, 40, 2, 3)] * repetitions
    examples = counter.encode(texts)

    def predict(inputs):
        shapes.add(inputs["tokens"].shape)
        return counter.predict_on_batch(inputs)

    actual = np.zeros(len(texts))
    for rows, outputs in counter.predict_by_length(examples, batch_size=2, function=predict):
        assert len(outputs) == len(rows) <= 2
        actual[rows] = outputs
    np.testing.assert_allclose(actual, counter.predict_on_batch(examples.inputs), rtol=1e-5)
    assert shapes == expected


def test_inputs_to_trace():
    inputs, steps = small().trace_inputs("b a")
    assert inputs["tokens"].shape == (1, 2) and steps == ["b", "a"]


def test_methods_that_a_subclass_must_define():
    inputs = keras.Input((3,))
    bare = BaseModel(inputs, keras.layers.Dense(1)(inputs))
    with pytest.raises(NotImplementedError, match="BaseModel has no default_loss"):
        bare.compile()
    with pytest.raises(NotImplementedError, match="BaseModel has no encode"):
        bare.compile(loss="mse")
        bare.fit([[1, 2, 3]], [1])


def test_errors_of_encode_are_raised_by_fit():
    with pytest.raises(InputError, match="half a surrogate pair"):
        small().fit(["\ud800"], [1.0])
