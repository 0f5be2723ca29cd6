"""float64, and training in mixed precision with and without loss scaling."""

import keras
import numpy as np
import pytest
from helpers import (
    BACKEND,
    CELLS,
    FEATURES,
    MASK,
    UNITS,
    assert_close,
    fill,
    in_precision,
    make,
    normal,
    sequences,
    states,
    to_numpy,
)
from keras import ops

from keras_seq import cells, layers
from keras_seq._internal.errors import InputError
from keras_seq.cells import Step


def normal_float64(*shape, seed=0):
    return ops.convert_to_tensor(normal(*shape, seed=seed, dtype="float64"))


@pytest.mark.skipif(BACKEND != "torch", reason="torch checks gradients in float64")
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_torch_gradcheck_of_recurrent_layers(name, masked):
    import torch

    layer = make(name, return_sequences=True, dtype="float64")
    mask = torch.tensor(MASK[:, :3]) if masked else None
    tensors = [normal_float64(4, 3, FEATURES), *map(torch.tensor, states(layer, dtype="float64"))]

    def run(x, *initial):
        return layer(x, initial_state=list(initial), mask=mask)

    assert torch.autograd.gradcheck(run, [t.requires_grad_() for t in tensors])


@pytest.mark.skipif(BACKEND != "torch", reason="torch checks gradients in float64")
@pytest.mark.parametrize("kind", ["CRF", "AttentionPooling"])
def test_torch_gradcheck_of_other_layers(kind):
    import torch

    layer = getattr(layers, kind)(UNITS, dtype="float64")
    layer.build((2, 3, FEATURES))
    fill(layer)
    tags = torch.tensor([[0, 1, 2], [3, 3, 1]])

    def run(x):
        y = layer(x)
        return layer.log_likelihood(y, tags) if kind == "CRF" else y

    assert torch.autograd.gradcheck(run, [normal_float64(2, 3, FEATURES).requires_grad_()])


def test_float64_in_a_stack_with_attention_and_a_crf():
    with in_precision("float64"):
        x, mask = normal_float64(4, 5, FEATURES), ops.convert_to_tensor(MASK)
        ours = {"return_sequences": True, "dtype": "float64"}
        y = layers.LSTM(UNITS, **ours)(x, mask=mask)
        y = layers.GRU(UNITS, activation="relu", **ours)(y)
        crf = layers.CRF(3, dtype="float64")
        scores = crf(y)
        tags = np.array([[0, 1, 2, 1, 0]] * 4)
        pooled = layers.AttentionPooling(2, dtype="float64")(y)
        results = [y, scores, pooled, crf.log_likelihood(scores, tags)]
        assert {keras.backend.standardize_dtype(r.dtype) for r in results} == {"float64"}


def test_log_likelihood_in_float64_sums_over_all_paths():
    with in_precision("float64"):
        crf = layers.CRF(2, use_kernel=False, dtype="float64")
        crf.build((1, 3, 2))
        fill(crf)
        scores, tags = normal(1, 3, 2, dtype="float64"), np.indices((2, 2, 2)).reshape(3, 8).T
        each = to_numpy(crf.log_likelihood(np.repeat(scores, 8, axis=0), tags))
        assert abs(np.exp(each).sum() - 1) < 1e-14


class Float32Step(cells.SimpleRNNCell):
    """A cell whose step returns float32 for float64."""

    def step(self, projected, states):
        h = ops.cast(projected + states[0], "float32")
        return Step(h, [h], {})


def test_step_of_another_dtype():
    message = r"Float32Step.step .* float64.*32"
    with in_precision("float64"), pytest.raises(InputError, match=message):
        layers.RNN(Float32Step(UNITS, dtype="float64"))(normal_float64(4, 5, FEATURES))


# Mixed precision


MIXED = [("GRU", "mixed_float16"), ("DiagonalPeepholeLSTM", "mixed_bfloat16")]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "policy"), MIXED)
def test_training_and_saving_in_mixed_precision(name, policy, tmp_path):
    def model(policy):
        layer = make(name, dtype=policy)
        inputs = keras.Input((5, FEATURES))
        outputs = layer(keras.layers.Masking()(inputs))
        model = keras.Model(inputs, keras.layers.Dense(1, "tanh", dtype="float32")(outputs))
        model.layers[-1].kernel.assign(normal(UNITS, 1))
        optimizer = keras.optimizers.SGD(0.1)
        if policy == "mixed_float16":
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=1024)
        model.compile(optimizer, "mse")
        return model

    x = np.where(np.resize(MASK, (16, 5))[..., None], sequences(16), 0)
    y = x.sum(axis=(1, 2))
    exact, mixed = model("float32"), model(policy)
    before = exact.get_weights()
    for m in (exact, mixed):
        m.fit(x, y, epochs=3, shuffle=False, verbose=0)
    moves = [[a - b for a, b in zip(m.get_weights(), before)] for m in (mixed, exact)]
    assert_close(*moves, 0.05)
    mixed.save(tmp_path / "mixed.keras")
    loaded = keras.saving.load_model(tmp_path / "mixed.keras")
    predicted = [m.predict(x, verbose=0) for m in (loaded, mixed)]
    assert_close(*predicted, 0.01)
    assert loaded.layers[2].dtype_policy.name == policy
    assert np.isfinite(loaded.fit(x, y, verbose=0).history["loss"][0])


def test_loss_scaling_skips_an_overflow():
    layer = layers.LSTM(UNITS, dtype="mixed_float16")
    model = keras.Sequential([keras.Input((5, FEATURES)), layer])
    sgd = keras.optimizers.SGD()
    model.compile(keras.optimizers.LossScaleOptimizer(sgd, initial_scale=1e30), "mse")
    before = model.get_weights()
    model.fit(sequences(), normal(4, UNITS), verbose=0)
    assert_close(model.get_weights(), before, 0)
