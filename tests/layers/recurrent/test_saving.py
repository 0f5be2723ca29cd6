"""Layers and cells in saved models: configurations, files, and training."""

import keras
import numpy as np
import pytest
from helpers import (
    CELLS,
    FEATURES,
    MASK,
    SOME,
    TIMESTEPS,
    UNITS,
    assert_close,
    fill,
    make,
    normal,
    sequences,
    to_numpy,
)

from keras_seq import cells, layers

pytestmark = pytest.mark.usefixtures("either_way")

X = np.where(MASK[..., None], sequences(), 0).astype("float32")  # masked steps are zeros


def model_of(layer):
    """Return a functional model whose `Masking` masks the layer's input."""
    inputs = keras.Input((None, FEATURES))
    return fill(keras.Model(inputs, layer(keras.layers.Masking()(inputs))))


def reload(model, tmp_path):
    model.save(tmp_path / "model.keras")
    return keras.saving.load_model(tmp_path / "model.keras")


def layer_of(name, **options):
    cls, fixed = CELLS[name]
    return cls(UNITS, **fixed, **options)


SAVED = {
    "layer": lambda name: layer_of(name, return_sequences=True, return_state=True),
    "backwards": lambda name: layer_of(name, go_backwards=True, zero_output_for_mask=True),
    "RNN of Keras": lambda name: keras.layers.RNN(layer_of(name).cell),
    "RNN": lambda name: layers.RNN(layer_of(name).cell, return_sequences=True),
    "stack": lambda name: layers.RNN([layer_of(name).cell, cells.GRUCell(2)]),
    "bidirectional": lambda name: keras.layers.Bidirectional(layer_of(name, dropout=0.5)),
}


# One layer suffices, since saving does not depend on the equations.
KINDS = [(name, "layer") for name in SOME]
KINDS += [(name, kind) for name in ("GRU", "DiagonalPeepholeLSTM") for kind in [*SAVED][1:]]


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_loaded_model_gives_the_same_outputs(name, kind, tmp_path):
    model = model_of(SAVED[kind](name))
    loaded = reload(model, tmp_path)
    assert [type(layer) for layer in loaded.layers] == [type(layer) for layer in model.layers]
    flat = keras.tree.flatten
    assert_close(flat(to_numpy(loaded(X))), flat(to_numpy(model(X))), tolerance=0)


NOT_DEFAULT = {
    "activation": "relu",
    "use_bias": False,
    "kernel_initializer": keras.initializers.Constant(0.5),
    "recurrent_initializer": "zeros",
    "bias_initializer": "ones",
    "kernel_regularizer": keras.regularizers.L2(0.1),
    "recurrent_regularizer": "l1",
    "bias_regularizer": "l2",
    "kernel_constraint": keras.constraints.MaxNorm(3),
    "recurrent_constraint": "non_neg",
    "bias_constraint": "unit_norm",
    "activity_regularizer": keras.regularizers.L1(0.2),
    "dropout": 0.25,
    "recurrent_dropout": 0.5,
    "seed": 11,
    "return_sequences": True,
    "return_state": True,
    "go_backwards": True,
    "stateful": True,
    "unroll": True,
    "zero_output_for_mask": True,
    "name": "mine",
    "dtype": "mixed_bfloat16",
    "trainable": False,
}
OWN = {
    layers.SimpleRNN: {},
    layers.GRU: {"recurrent_activation": "relu", "reset_after": False, "use_cudnn": False},
    layers.LSTM: {
        "recurrent_activation": "relu",
        "unit_forget_bias": False,
        "use_cudnn": False,
    },
    layers.PeepholeLSTM: {"recurrent_activation": "relu", "unit_forget_bias": False},
    layers.DiagonalPeepholeLSTM: {
        "recurrent_activation": "relu",
        "unit_forget_bias": False,
        "peephole_initializer": "zeros",
    },
}


@pytest.mark.parametrize("cls", OWN)
def test_config_round_trip(cls):
    arguments = {"units": 7, **NOT_DEFAULT, **OWN[cls]}
    assert {p.name for p in cls.cell_arguments} <= set(arguments)  # the table names them all
    layer = cls(**arguments)
    config = layer.get_config()
    again = cls.from_config(config)
    assert again.get_config() == config
    assert again.cell.get_config() == layer.cell.get_config() | {"name": again.cell.name}
    default = cls(7).get_config()
    assert {k for k in arguments if config[k] == default[k]} == {"units"}
    assert keras.saving.get_registered_name(cls) == f"keras_seq>{cls.__name__}"


@pytest.mark.slow
def test_training_and_saving_of_a_cell_in_keras_rnn(tmp_path):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((TIMESTEPS, FEATURES))
    outputs = keras.layers.RNN(cells.PeepholeLSTMCell(64))(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1)(outputs))
    model.compile(keras.optimizers.Adam(0.01), "mse")
    x = sequences(batch=64)
    y = x.sum(axis=(1, 2))
    losses = model.fit(x, y, epochs=15, verbose=0).history["loss"]
    assert losses[-1] < 0.3 * losses[0]
    loaded = reload(model, tmp_path)
    expected = model.predict(x, verbose=0)
    assert_close([loaded.predict(x, verbose=0)], [expected], tolerance=0)
    assert int(loaded.optimizer.iterations) == 15 * 2  # the optimizer was saved too
    assert np.isfinite(loaded.fit(x, y, verbose=0).history["loss"][0])


@pytest.mark.parametrize("name", ["GRU", "DiagonalPeepholeLSTM"])
def test_training_with_masks_dropout_and_regularizers(name):
    layer = layer_of(name, dropout=0.1, recurrent_dropout=0.1, kernel_regularizer="l2")
    model = model_of(layer)
    model.compile("sgd", "mse")
    before = layer.get_weights()
    history = model.fit(X, normal(len(X), UNITS), epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    for weight, old in zip(layer.get_weights(), before, strict=True):
        assert np.abs(weight - old).max() > 0


@pytest.mark.parametrize("name", ["LSTM", "PeepholeLSTM"])
def test_weights_can_be_copied_to_another_layer(name, tmp_path):
    layer, other = make(name), make(name)
    fill(other, seed=99)
    model = model_of(layer)
    model.save_weights(tmp_path / "the.weights.h5")
    second = model_of(other)
    second.load_weights(tmp_path / "the.weights.h5")
    assert_close(other.get_weights(), layer.get_weights(), tolerance=0)
