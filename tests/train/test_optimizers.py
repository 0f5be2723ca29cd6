"""Optimizers of the recipes, compared to their equations."""

import keras
import numpy as np
import pytest
from helpers import to_numpy

from keras_seq.train.optimizers import WarmupCosine, adam_w, muon, set_schedule_steps


def test_the_rate_rises_and_falls():
    rate = WarmupCosine(0.1, steps=200)
    rates = [float(to_numpy(rate(n))) for n in (0, 5, 10, 105, 200)]
    assert rates == pytest.approx([0.005, 0.0525, 0.1, 0.05, 0], abs=1e-6)


@pytest.mark.parametrize("steps", [1, 19, 20, 47, 580])
def test_the_schedule_equals_that_of_keras(steps):
    rate, warmup = WarmupCosine(0.1, steps), steps // 20
    expected = keras.optimizers.schedules.CosineDecay(
        0.1 / 20, steps - warmup, warmup_target=0.1, warmup_steps=warmup
    )
    for step in {0, 1, warmup, steps // 2, steps - 1, steps, steps + 5}:
        assert float(rate(step)) == pytest.approx(float(expected(step)), abs=1e-7)
    loaded = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(rate))
    assert float(loaded(steps // 3)) == float(rate(steps // 3))


def test_the_steps_of_a_schedule_are_set_later():
    optimizer, expected = adam_w(0.1, steps=None), WarmupCosine(0.1, 40)
    set_schedule_steps(optimizer, 40)
    for n in range(3):
        optimizer.iterations.assign(n)
        assert float(to_numpy(optimizer.learning_rate)) == float(to_numpy(expected(n)))
    own = keras.optimizers.schedules.CosineDecay(0.1, 7, warmup_target=0.2)
    for rate, expected in ((own, own(3)), (0.25, 0.25)):
        optimizer = keras.optimizers.SGD(rate)
        optimizer.iterations.assign(3)
        set_schedule_steps(optimizer, 40)
        assert float(to_numpy(optimizer.learning_rate)) == float(to_numpy(expected))


def test_adam_with_decoupled_decay_and_clipped_gradients():
    weights = [keras.Variable(np.array(value)) for value in ([1.0, -2.0], [3.0])]
    optimizer, rate = adam_w(0.1, steps=40, weight_decay=0.3), WarmupCosine(0.1, 40)
    w, m, v = np.array([1.0, -2.0, 3.0]), np.zeros(3), np.zeros(3)
    # The first and third gradient have a global norm above 1.
    for n, g in enumerate(np.array([[30.0, -40.0, 5.0], [0.1, 0.2, -0.3], [0.8, 0.8, 0.8]])):
        optimizer.apply([g[:2].astype("float32"), g[2:].astype("float32")], weights)
        g = g / max(1, np.linalg.norm(g))
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        m_hat, v_hat = m / (1 - 0.9 ** (n + 1)), v / (1 - 0.999 ** (n + 1))
        w = w - float(to_numpy(rate(n))) * (m_hat / (np.sqrt(v_hat) + 1e-7) + 0.3 * w)
        actual = np.concatenate([to_numpy(weight.value) for weight in weights])
        np.testing.assert_allclose(actual, w, rtol=1e-4)


def test_muon_changes_matrices_by_orthogonal_ones_and_leaves_the_rest_to_adam():
    random, rate = np.random.default_rng(0), 0.1 / 20  # of the first step
    shapes = {"recurrent/kernel": (6, 16), "recurrent/bias": (16,), "letters/kernel": (6, 3)}
    weights, gradients = [], []
    for path, shape in shapes.items():
        layer, name = path.split("/")
        with keras.name_scope(layer):
            weights.append(keras.Variable(random.normal(size=shape).astype("float32"), name=name))
        gradients.append(
            (random.normal(size=shape) * np.arange(1, 1 + shape[-1])).astype("float32")
        )
    before = [to_numpy(weight.value) for weight in weights]
    optimizer = muon(0.1, 200, weight_decay=0.3, output="letters")
    optimizer.apply([keras.ops.convert_to_tensor(gradient) for gradient in gradients], weights)
    kernel, *others = [
        (old * (1 - rate * 0.3) - to_numpy(weight.value)) / rate
        for old, weight in zip(before, weights)
    ]
    # The Newton-Schulz iteration results in singular values of about one.
    decomposition = np.linalg.svd(kernel / (0.2 * np.sqrt(16)))
    wanted = np.linalg.svd(gradients[0])
    assert 0.6 < decomposition.S.min() < decomposition.S.max() < 1.3
    assert wanted.S.max() > 2 * wanted.S.min()
    np.testing.assert_allclose(kernel, kernel @ wanted.Vh[:6].T @ wanted.Vh[:6], atol=1e-3)
    assert (kernel * (wanted.U @ wanted.Vh[:6])).sum() > 0.95 * np.linalg.norm(kernel) * 6**0.5
    for update, gradient in zip(others, gradients[1:]):
        np.testing.assert_allclose(update, np.sign(gradient), atol=0.01)
