"""Implementations for JAX on a GPU, without one: references of JAX, and Pallas's interpreter."""

import logging

import keras
import numpy as np
import pytest
from helpers import (
    BACKEND,
    MASK,
    UNITS,
    assert_close,
    gradients,
    in_precision,
    make,
    normal,
    run,
    slow_but,
    states,
)

from keras_seq import layers, scan
from keras_seq._internal.errors import InputError
from keras_seq.scan import fused
from keras_seq.scan.bptt import lstm, peephole_lstm, simple_rnn

pytestmark = pytest.mark.skipif(BACKEND != "jax", reason="these implementations are JAX's")

PEEPHOLES = ["PeepholeLSTM", "DiagonalPeepholeLSTM"]
WAYS = [(masked, back) for masked in (False, True) for back in (False, True)]


def both_ways(name, masked=False, units=UNITS, **options):
    """Return a function that computes results and gradients, and those of the general loop."""
    layer = make(name, units=units, return_sequences=True, return_state=True, **options)
    x = normal(9, 7, 3, seed=2)
    mask = np.resize(MASK, (9, 7)) if masked else None
    initial_state = states(layer, batch=9)
    weighting = [normal(9, 7, units, seed=5)] + [normal(9, units, seed=6)] * len(initial_state)

    def compute():
        return gradients(layer, x, initial_state, mask, weighting)

    with scan.general_only():
        return compute, compute()


def assert_same(compute, expected):
    for a, e in zip(compute(), expected):
        assert_close(a, e, 1e-5)


# cuDNN.


@pytest.fixture
def cudnn(monkeypatch):
    """Run JAX's reference of cuDNN's LSTM in its place, and return the calls of it."""
    from jax.experimental import rnn

    calls = []

    def reference(x, h, c, weights, lengths, *sizes):
        calls.append(x.dtype)
        features, units, num_layers, _, is_bidirectional = sizes
        matrices = rnn.unpack_lstm_weights(weights, features, units, num_layers, is_bidirectional)
        return rnn.lstm_ref(x, h, c, *matrices, lengths, *sizes)

    monkeypatch.setattr(rnn, "lstm", reference)
    monkeypatch.setattr(keras.src.backend, "cudnn_ok", lambda *args: True, raising=False)
    return calls


@pytest.mark.parametrize(
    ("masked", "back", "zero"),
    slow_but([(True, True, False)], [(*way, zero) for way in WAYS for zero in (False, True)]),
)
def test_cudnn_equals_the_general_loop(masked, back, zero, cudnn):
    compute, expected = both_ways("LSTM", masked, go_backwards=back, zero_output_for_mask=zero)
    assert not cudnn  # not in the general loop
    assert_same(compute, expected)
    assert cudnn


@pytest.mark.parametrize("sequence", [False, True])
def test_cudnn_in_mixed_precision(sequence, cudnn):
    x, mask = normal(4, 5, 3), MASK
    expected = run(make("LSTM", return_sequences=sequence), x, mask=mask)
    del cudnn[:]
    layer = make("LSTM", return_sequences=sequence, dtype="mixed_bfloat16")
    actual = layer(x, mask=mask)
    assert cudnn == ["float32"] and actual.dtype == "bfloat16"
    assert_close([np.asarray(actual, "float32")], expected, 0.02)


def test_cudnn_runs_only_what_it_supports(cudnn):
    x = normal(4, 5, 3)
    for name in ("GRU", "PeepholeLSTM"):
        run(make(name), x, mask=MASK)
    run(make("LSTM", use_cudnn=False), x)
    with in_precision("float64"):
        run(make("LSTM", dtype="float64"), x)
    assert not cudnn


def test_cudnn_is_skipped_for_a_precision_it_does_not_have(monkeypatch, caplog):
    import jax

    monkeypatch.setattr(keras.src.backend, "cudnn_ok", lambda *args: True, raising=False)
    layer, x = make("LSTM"), normal(4, 5, 3)
    with (
        caplog.at_level(logging.DEBUG, logger="keras_seq.scan"),
        jax.default_matmul_precision("bfloat16"),
    ):
        run(layer, x)
    assert [record.message for record in caplog.records] == ["LSTMCell: fast path"]


def test_a_model_with_cudnn_is_still_compiled(cudnn):
    model = keras.Sequential([keras.Input((3, 2)), layers.LSTM(2), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    assert model.jit_compile is True


# Loops of several steps.


@pytest.mark.parametrize("name", slow_but(["GRU"], ["GRU", "LSTM", *PEEPHOLES]))
def test_unrolled_loops(name):
    compute, expected = both_ways(name, masked=True)
    with scan.jax_options(unroll=3):  # of 7 steps
        assert_same(compute, expected)


@pytest.mark.parametrize("unroll", [0, 2.5, "4"])
def test_invalid_unroll(unroll):
    with pytest.raises(InputError, match="`unroll` must be an integer of at least 1"):
        scan.jax_options(unroll=unroll).__enter__()


# The kernel.


@pytest.mark.parametrize(
    ("name", "masked", "back"),
    slow_but(
        [("PeepholeLSTM", True, False), ("DiagonalPeepholeLSTM", False, True)],
        [(name, *way) for name in PEEPHOLES for way in WAYS],
    ),
)
def test_kernel_equals_the_general_loop(name, masked, back):
    compute, expected = both_ways(name, masked, go_backwards=back)
    with scan.jax_options(fused=True):
        assert_same(compute, expected)


@pytest.mark.parametrize("name", slow_but(PEEPHOLES[:1], PEEPHOLES))
def test_kernel_with_weights_in_several_tiles(name, monkeypatch):
    monkeypatch.setattr(fused, "TILE", 16)
    compute, expected = both_ways(name, masked=True, units=20)
    with scan.jax_options(fused=True):
        assert_same(compute, expected)


def test_kernel_without_a_gradient():
    layer, x = make("PeepholeLSTM"), normal(4, 5, 3)
    expected = run(layer, x)
    with scan.jax_options(fused=True):
        assert_close(run(layer, x), expected, 1e-6)


def test_float64_and_cells_without_a_kernel_run_as_before():
    assert fused.get_passes(simple_rnn, 2) is simple_rnn
    assert fused.get_passes(lstm, 2) is lstm
    assert isinstance(fused.get_passes(lstm, 5), fused.FusedPasses)
    with in_precision("float64"):
        layer = make("PeepholeLSTM", dtype="float64")
        x = normal(4, 5, 3, dtype="float64")
        expected = run(layer, x)
        with scan.jax_options(fused=True):
            assert_close(run(layer, x), expected, 1e-12)


def test_many_units_run_as_before(monkeypatch):
    monkeypatch.setattr(fused, "MAX_UNITS", UNITS - 1)
    monkeypatch.setattr(fused, "_run_kernel", None)
    layer, x = make("PeepholeLSTM"), normal(4, 5, 3)
    expected = run(layer, x)
    with scan.jax_options(fused=True):
        assert_close(run(layer, x), expected)


@pytest.mark.parametrize(
    ("units", "num_gates", "num_bytes", "tile"),
    [
        (5, 3, 4, 16),
        (100, 3, 4, 128),
        (128, 3, 4, 128),
        (128, 4, 4, 64),  # 256 KiB do not fit
        (128, 4, 2, 128),
        (300, 4, 2, 128),
    ],
)
def test_size_of_tiles(units, num_gates, num_bytes, tile):
    assert fused.choose_tile(units, num_gates, num_bytes) == tile


@pytest.mark.parametrize("module", [peephole_lstm, lstm])
@pytest.mark.parametrize("precision", ["highest", "tensorfloat32", "bfloat16"])
def test_kernel_translates_for_a_gpu(module, precision, monkeypatch):
    """JAX lowers it to Triton, which needs no GPU. The shapes are not powers of two."""
    import jax
    from jax import numpy as jnp

    num_gates = 4 if module is lstm else 3
    weights = [jnp.zeros((100, num_gates * 100)), jnp.zeros(400)]
    weights += [jnp.zeros(100)] * (3 if module is lstm else 0)
    arrays = weights, jnp.zeros((5, 7, 400)), [jnp.zeros((5, 100))] * 2, jnp.ones((5, 7, 1))

    def forward(weights, projected, states, mask):
        passes = fused.FusedPasses(module)
        return passes.forward(weights, projected, states, mask, False, True)

    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    # Newer versions of JAX ask for the kind of GPU.
    device = jax.sharding.AbstractDevice(device_kind="NVIDIA H200", num_cores=None, platform="cuda")
    mesh = jax.sharding.AbstractMesh((1,), ("x",), abstract_device=device)
    with jax.sharding.use_abstract_mesh(mesh), jax.default_matmul_precision(precision):
        lowered = jax.jit(forward).trace(*arrays).lower(lowering_platforms=("cuda",))
    assert "triton" in lowered.as_text()
