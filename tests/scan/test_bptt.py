"""Hand-derived passes against the NumPy reference, with every combination of options."""

import functools
import itertools
import math

import numpy as np
import pytest
import reference
from helpers import BACKEND, CELLS, assert_close, normal, slow_but, to_numpy
from keras import ops

from keras_seq.scan.passes import PASSES, Passes, cell_weights

FEATURES, UNITS = 3, 4
FAST = [name for name in CELLS if name != "GRUResetBefore"]

pytestmark = pytest.mark.skipif(BACKEND == "torch", reason="torch runs the general loop")


def masks(batch, timesteps):
    """Yield None and masks: at the end, at the start, with gaps, of all steps, of no step."""
    yield None
    t = np.arange(timesteps)
    kinds = [t < timesteps // 2, t >= timesteps // 2, t % 3 == 1, t < 0, t >= 0]
    if batch == 1:
        yield from (kind[None] for kind in kinds)
    else:
        yield np.array([kinds[row % len(kinds)] for row in range(batch)])


@functools.cache
def compiled(method):
    """Return a method as one compiled function, since many steps are slow eagerly."""
    if BACKEND == "jax":
        import jax

        return jax.jit(method)

    import tensorflow as tf

    return tf.function(method, autograph=False)


QUICK_CELLS = ["GRU", "DiagonalPeepholeLSTM"]
"""Cells of the quick tests here. The quick tests of `test_fast` have all cells."""

# Data type, batch size and time steps, in some of their combinations.
QUICK = [("float32", 3, 7), ("float32", 32, 2), ("float64", 3, 1)]
SHAPES = [*QUICK, ("float32", 1, 1), ("float32", 3, 257), ("float64", 1, 7), ("float64", 32, 7)]


# JAX compiles for every shape, so one shape and two cells must suffice.
@pytest.mark.parametrize(
    ("dtype", "batch", "timesteps"),
    SHAPES[:1] if BACKEND == "jax" else slow_but(QUICK, SHAPES),
)
@pytest.mark.parametrize("name", QUICK_CELLS if BACKEND == "jax" else slow_but(QUICK_CELLS, FAST))
def test_passes_equal_the_reference(name, dtype, batch, timesteps):
    cls, fixed = CELLS[name]
    cell = cls.cell_class(UNITS, **fixed, dtype=dtype)
    cell.build((batch, FEATURES))
    for i, weight in enumerate(cell.weights):
        # Small enough that rounding does not grow over hundreds of steps.
        weight.assign(0.5 * normal(*weight.shape, seed=30 + i, dtype=dtype))
    weights = cell_weights(cell, dtype)
    x = normal(batch, timesteps, FEATURES, seed=1, dtype=dtype)
    count = len(cell.get_initial_state(1))
    given = [normal(batch, UNITS, seed=20 + i, dtype=dtype) for i in range(count)]
    tolerance = {"float32": 1e-5, "float64": 1e-10}[dtype]
    both = (False, True)
    options = itertools.product(
        masks(batch, timesteps),
        # Options that do not depend on the length are tested with short sequences only.
        *((both, (False,), (True,)) if timesteps > 7 else [both] * 3),
    )
    for mask, backwards, zero_output, sequences in options:
        if mask is None and zero_output:
            continue
        # JAX compiles each combination; half of them cover all pairs of options.
        if BACKEND == "jax" and (mask is None) + backwards + zero_output + sequences in (1, 3):
            continue
        truth = reference.run(
            name, cell.get_weights(), x, given, mask, backwards, zero_output_for_mask=zero_output
        )
        y = truth.outputs if sequences else truth.last_output
        d_y = normal(*y.shape, seed=3, dtype=dtype)
        d_states = [normal(batch, UNITS, seed=4 + i, dtype=dtype) for i in range(count)]
        d_truth = reference.gradients(
            truth,
            d_outputs=d_y if sequences else None,
            d_last_output=None if sequences else d_y,
            d_states=d_states,
        )
        passes = Passes(PASSES[cls.cell_class], backwards, zero_output, sequences)
        kernel, *rest = [ops.convert_to_tensor(w, dtype) for w in weights]
        given_states = [ops.convert_to_tensor(s, dtype) for s in given]
        ones = None if mask is None else ops.convert_to_tensor(mask[..., None], dtype)
        forward, backward = passes.forward, passes.backward
        if timesteps > 7 or BACKEND == "jax":
            forward, backward = compiled(forward), compiled(backward)
        actual_y, finals, residuals = forward(ops.matmul(x, kernel), rest, given_states, ones)
        d_z, d_u, d_rest, d_first = backward(
            rest,
            ones,
            residuals,
            ops.convert_to_tensor(d_y, dtype),
            [ops.convert_to_tensor(d, dtype) for d in d_states],
        )
        actual = to_numpy([actual_y, *finals, ops.matmul(d_z, ops.transpose(kernel))])
        actual += [
            np.einsum("btr,btc->rc", *to_numpy(pair))
            for pair in ((x, d_z), (residuals[-1], d_z if d_u is None else d_u))
        ]
        actual += to_numpy([*d_rest, *d_first])
        expected = [y, *truth.states, d_truth.inputs, *d_truth.weights, *d_truth.initial_state]
        assert_close(actual, expected, tolerance)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", slow_but(QUICK_CELLS, FAST))
def test_inference_returns_the_same_without_residuals(name, masked):
    cls, fixed = CELLS[name]
    cell = cls.cell_class(UNITS, **fixed)
    cell.build((2, FEATURES))
    _, *weights = [ops.convert_to_tensor(w) for w in cell_weights(cell, "float32")]
    passes = Passes(PASSES[cls.cell_class], False, True, True)
    projected = ops.convert_to_tensor(normal(2, 5, cell.kernel.shape[-1], seed=1))
    states = [normal(2, UNITS, seed=2 + i) for i, _ in enumerate(cell.get_initial_state(1))]
    states = [ops.convert_to_tensor(state) for state in states]
    mask = np.array([[1, 0, 1, 1, 0], [0, 1, 1, 0, 1]], "float32")[..., None]
    mask = ops.convert_to_tensor(mask) if masked else None
    y, finals, residuals = compiled(passes.forward)(projected, weights, states, mask)
    assert residuals
    inferred_y, inferred_finals, nothing = compiled(passes.infer)(projected, weights, states, mask)
    assert nothing == ()
    assert_close(to_numpy([inferred_y, *inferred_finals]), to_numpy([y, *finals]), 1e-6)


WAYS = [(True, True, True), (False, True, False), (False, False, True), (True, False, False)]


@pytest.mark.parametrize(
    ("backwards", "sequences", "masked"), WAYS[:2] if BACKEND == "jax" else slow_but(WAYS[:2], WAYS)
)
@pytest.mark.parametrize("name", QUICK_CELLS if BACKEND == "jax" else slow_but(QUICK_CELLS, FAST))
def test_padding_steps_are_skipped(name, backwards, sequences, masked):
    cls, fixed = CELLS[name]
    cell = cls.cell_class(UNITS, **fixed)
    cell.build((2, FEATURES))
    _, *weights = [ops.convert_to_tensor(w) for w in cell_weights(cell, "float32")]
    count = len(cell.get_initial_state(1))
    passes = Passes(PASSES[cls.cell_class], backwards, True, sequences)
    projected = normal(2, 5, cell.kernel.shape[-1], seed=1)
    mask = np.array([[1, 0, 1, 1, 0], [0, 1, 1, 0, 1]], "float32")[..., None] if masked else None
    given = [normal(2, UNITS, seed=2 + i) for i in range(count)]
    d_y = normal(2, 5, UNITS, seed=6) if sequences else normal(2, UNITS, seed=6)

    def passed(z, mask, d_y, extra=None):
        z, mask, d_y, *states = (
            a if a is None else ops.convert_to_tensor(a) for a in (z, mask, d_y, *given)
        )
        y, finals, residuals = compiled(passes.forward)(z, weights, states, mask, extra)
        d_z, d_u, d_weights, d_states = compiled(passes.backward)(
            weights, mask, residuals, d_y, finals, extra
        )
        in_time = [a for a in (residuals[-1], d_z, d_u) if a is not None]
        return y, in_time, [*finals, *d_weights, *d_states]

    def added(a, value, at_end):
        width = [[0, 0], [0, 3] if at_end else [3, 0], [0, 0]]
        return a if a is None else np.pad(a, width, constant_values=value)

    y, in_time, others = passed(projected, mask, d_y)
    z, more = added(projected, math.nan, backwards), added(mask, 0, backwards)
    # Outputs are in scan order.
    d_more = added(d_y, math.nan, False) if sequences else d_y
    actual, actual_in_time, actual_others = passed(z, more, d_more, ops.convert_to_tensor(3))
    assert_close(to_numpy([actual[:, 3:] if sequences else actual]), to_numpy([y]), 1e-6)
    cut = [a[:, :-3] if backwards else a[:, 3:] for a in to_numpy(actual_in_time)]
    assert_close(cut, to_numpy(in_time), 1e-6)
    assert_close(to_numpy(actual_others), to_numpy(others), 1e-6)
