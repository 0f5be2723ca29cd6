"""torch's functions over whole sequences, against the general loop."""

import itertools
import logging

import numpy as np
import pytest
from helpers import BACKEND, FEATURES, MASK, UNITS, assert_close, gradients, make, normal, states

from keras_seq import scan

pytestmark = pytest.mark.skipif(BACKEND != "torch", reason="functions of torch")

NAMES = {
    "LSTM": ("LSTM", {}),
    "GRU": ("GRU", {}),
    "tanh": ("SimpleRNN", {}),
    "relu": ("SimpleRNN", {"activation": "relu"}),
}
MASKS = {
    "no mask": None,
    "padded on the right": np.arange(5) < np.array([5, 3, 1, 4])[:, None],
    "padded on the left": np.arange(5) >= np.array([0, 3, 1, 4])[:, None],
    "any mask": MASK,
}


def both_ways(function):
    """Return the results of a function by torch's functions and by the general loop."""
    fast = function()
    with scan.general_only():
        return fast, function()


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("name", NAMES)
def test_equal_the_general_loop(name, kind, caplog):
    cell, activation = NAMES[name]
    options = "return_sequences", "go_backwards", "zero_output_for_mask", "use_bias"
    x = normal(*MASK.shape, FEATURES, dtype="float64")
    with caplog.at_level(logging.DEBUG, logger="keras_seq.scan"):
        for values in itertools.product([False, True], repeat=len(options)):
            kwargs = {**activation, **dict(zip(options, values))}
            layer = make(cell, return_state=True, dtype="float64", **kwargs)
            shapes = layer.compute_output_shape(x.shape)
            weighting = [normal(*s, seed=i, dtype="float64") for i, s in enumerate(shapes)]
            initial = states(layer, dtype="float64") if layer.go_backwards else None
            fast, general = both_ways(
                lambda: gradients(layer, x, initial, MASKS[kind], weighting)  # noqa: B023
            )
            for actual, expected in zip(fast, general):
                assert_close(actual, expected, 1e-12)
    assert sum(record.message.endswith("fast path") for record in caplog.records) == 16


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_second_and_third_derivatives(name, masked, dtype):
    import torch

    cell, options = NAMES[name]
    layer = make(cell, return_sequences=True, return_state=True, dtype=dtype, **options)
    mask = torch.tensor(MASK) if masked else None

    def derivatives():
        arrays = normal(*MASK.shape, FEATURES, dtype=dtype), *states(layer, dtype=dtype)
        x, *initial = [torch.tensor(array, requires_grad=True) for array in arrays]
        tensors = [x, *initial, *(weight.value for weight in layer.trainable_weights)]
        values = layer(x, initial_state=initial, mask=mask)
        results = []
        for _ in range(3):
            total = sum((value**3).sum() for value in values)
            values = torch.autograd.grad(total, tensors, create_graph=True)
            results += values
        return [result.detach().numpy() for result in results]

    assert_close(*both_ways(derivatives), 1e-4 if dtype == "float32" else 1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_transforms_and_forward_mode_run_the_general_loop(name, caplog):
    import torch

    cell, options = NAMES[name]
    layer, x = make(cell, **options), torch.tensor(normal(2, 3, FEATURES))

    def total(x):
        return (layer(x) ** 3).sum()

    def forms():
        return [
            torch.func.hessian(total)(x).detach().numpy(),
            torch.func.jvp(total, (x,), (x,))[1].detach().numpy(),
            torch.func.vmap(torch.func.grad(lambda row: total(row[None])))(x).detach().numpy(),
        ]

    with caplog.at_level(logging.DEBUG, logger="keras_seq.scan"):
        assert_close(*both_ways(forms), 1e-6)
    assert not any(record.message.endswith("fast path") for record in caplog.records)


@pytest.mark.parametrize("factor", [1, 1000])
def test_memory_does_not_change_after_the_end_of_a_sequence(factor):
    """The gates are closed exactly, even if the inputs of the gates are large."""
    import torch

    layer = make("LSTM", return_state=True)
    for weight in layer.weights:
        weight.assign(factor * weight)
    x = torch.tensor(normal(2, 60, FEATURES))
    mask = torch.arange(60) < torch.tensor([[3], [60]])
    _, _, c = layer(x, mask=mask)
    with scan.general_only():
        _, _, expected = layer(x[:, :3])
    assert_close([c[0].detach().numpy()], [expected[0].detach().numpy()], 1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_without_rows(name):
    import torch

    cell, options = NAMES[name]
    layer = make(cell, return_sequences=True, **options)
    x = torch.zeros(0, 5, FEATURES)
    for mask in (None, torch.ones(0, 5, dtype=torch.bool)):
        assert tuple(layer(x, mask=mask).shape) == (0, 5, UNITS)
