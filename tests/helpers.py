"""Helpers of all tests: cells by name, random weights and inputs, gradients."""

import contextlib
import io
import subprocess
import sys
from unittest import mock

import keras
import numpy as np
import pytest
from keras import ops, tree

from keras_seq import layers, scan

BACKEND = keras.backend.backend()


def has_gpu():
    """Return whether the backend has a GPU, which no test needs."""
    if BACKEND == "jax":
        import jax

        return jax.default_backend() == "gpu"
    if BACKEND == "torch":
        import torch

        return torch.cuda.is_available()
    import tensorflow as tf

    return bool(tf.config.list_logical_devices("GPU"))


BATCH, TIMESTEPS, FEATURES, UNITS = 4, 5, 3, 4

# JAX compiles again for every call outside `jit`. It runs some of the combinations.
THOROUGH = BACKEND != "jax"

# Name of each cell in the reference, and the layer that must equal it.
CELLS = {
    "SimpleRNN": (layers.SimpleRNN, {}),
    "GRU": (layers.GRU, {"reset_after": True}),
    "GRUResetBefore": (layers.GRU, {"reset_after": False}),
    "LSTM": (layers.LSTM, {}),
    "PeepholeLSTM": (layers.PeepholeLSTM, {}),
    "DiagonalPeepholeLSTM": (layers.DiagonalPeepholeLSTM, {}),
}

# Cells for tests that do not depend on the equations.
SOME = list(CELLS) if THOROUGH else ["GRU", "DiagonalPeepholeLSTM"]

# Rows padded on the right, padded on the left, with holes, and masked entirely.
MASK = np.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1], [0, 1, 0, 0, 1], [0, 0, 0, 0, 0]], bool)


def normal(*shape, seed=0, dtype="float32"):
    # With small values and this seed, no gradient is a small difference of large numbers, which
    # would lose digits in float32.
    rng = np.random.default_rng([4000 + seed, *shape])
    return (0.5 * rng.normal(size=shape)).astype(dtype)


def sequences(batch=BATCH, timesteps=TIMESTEPS, features=FEATURES, seed=1, dtype="float32"):
    return normal(batch, timesteps, features, seed=seed, dtype=dtype)


def states(layer, batch=BATCH, seed=20, dtype="float32"):
    """Return a random state for each state of a layer or cell."""
    sizes = tree.flatten(layer.state_size)
    return [normal(batch, size, seed=seed + i, dtype=dtype) for i, size in enumerate(sizes)]


def make(name, units=UNITS, features=FEATURES, **kwargs):
    """Return a built layer of `CELLS` with random weights."""
    cls, fixed = CELLS[name]
    layer = cls(units, **fixed, **kwargs)
    layer.build((BATCH, TIMESTEPS, features))
    return fill(layer)


def fill(layer, seed=30):
    """Set all weights to random values, including biases and peepholes."""
    for i, weight in enumerate(layer.trainable_weights):
        weight.assign(normal(*weight.shape, seed=seed + i, dtype=weight.dtype))
    return layer


def in_precision(dtype):
    """Return a context in which the backend has this data type. JAX has to enable float64."""
    if BACKEND != "jax" or dtype != "float64":
        return contextlib.nullcontext()
    import jax

    return jax.enable_x64(True)


def to_numpy(nest):
    return tree.map_structure(ops.convert_to_numpy, nest)


def run(layer, *args, **kwargs):
    """Call a layer and return its results as a flat list of NumPy arrays."""
    return tree.flatten(to_numpy(layer(*args, **kwargs)))


def assert_close(actual, expected, tolerance=1e-6):
    """Assert that arrays are equal within `tolerance` times their largest magnitude."""
    for a, e in zip(actual, expected, strict=True):
        assert a.shape == e.shape
        np.testing.assert_allclose(a, e, rtol=0, atol=tolerance * np.abs(e).max(initial=0))


def gradients(layer, inputs, initial_state, mask, weighting):
    """Return the results of a layer, and gradients of their sum weighted by `weighting`.

    Gradients are with respect to the weights, the inputs and the initial states, in this order.
    """
    weights = [w.value for w in layer.trainable_weights]
    inputs_and_states = [ops.convert_to_tensor(a) for a in (inputs, *(initial_state or []))]
    mask = None if mask is None else ops.convert_to_tensor(mask)

    def weighted_sum(call, inputs, *initial_state):
        results = call(inputs, initial_state=list(initial_state) or None, mask=mask)
        pairs = zip(results, map(ops.convert_to_tensor, weighting), strict=True)
        return sum(ops.sum(result * weight) for result, weight in pairs), results

    if BACKEND == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(inputs_and_states)
            total, results = weighted_sum(layer, *inputs_and_states)
        # The full-matrix peephole LSTM does not read the initial h, whose gradient is zero.
        derivatives = tape.gradient(
            total, weights + inputs_and_states, unconnected_gradients="zero"
        )
    elif BACKEND == "torch":
        import torch

        total, results = weighted_sum(layer, *(a.requires_grad_() for a in inputs_and_states))
        derivatives = torch.autograd.grad(
            total, weights + inputs_and_states, materialize_grads=True
        )
    else:
        import jax

        others = [v.value for v in layer.non_trainable_variables]

        def loss(weights, *inputs_and_states):
            def call(*args, **kwargs):
                return layer.stateless_call(weights, others, *args, **kwargs)[0]

            return weighted_sum(call, *inputs_and_states)

        # Outside of `jit`, every operation would be a program.
        gradient_function = jax.jit(
            jax.grad(loss, argnums=tuple(range(1 + len(inputs_and_states))), has_aux=True)
        )
        (d_weights, *d_inputs), results = gradient_function(weights, *inputs_and_states)
        derivatives = d_weights + d_inputs
    return to_numpy(list(results)), to_numpy(list(derivatives))


def slow_but(quick, every):
    """Return the parameters `every`, with all but the `quick` ones marked as slow."""
    assert all(value in every for value in quick)
    return [value if value in quick else slow(value) for value in every]


def slow(value):
    """Mark a parameter, or a tuple of parameters, as slow."""
    return pytest.param(*(value if isinstance(value, tuple) else [value]), marks=pytest.mark.slow)


# Whether a script runs in another process, which has to import TensorFlow first.
ELSEWHERE = pytest.mark.parametrize("elsewhere", slow_but([False], [False, True]))


@contextlib.contextmanager
def eagerly():
    """Trace and compile nothing on TensorFlow, for models that run only a few times."""
    if BACKEND != "tensorflow":
        yield
        return

    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        with scan.general_only():
            yield
    finally:
        tf.config.run_functions_eagerly(False)


def run_script(script, *arguments, elsewhere):
    """Return the output of a script that loads a SavedModel, in another process if `elsewhere`."""
    arguments = [*map(str, arguments)]
    if not elsewhere:
        out = io.StringIO()
        with mock.patch.object(sys, "argv", ["", *arguments]), contextlib.redirect_stdout(out):
            exec(script, {})
        return out.getvalue()
    script += "\nassert not any(name.startswith('keras_seq') for name in sys.modules)"
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
