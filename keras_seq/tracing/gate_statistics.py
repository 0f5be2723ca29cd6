"""Statistics of the gates of a layer."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from keras_seq._internal.types import Array

if TYPE_CHECKING:
    from keras_seq.tracing.recorder import LayerTrace

KEEP_GATES = ("forget", "update")
"""Gates that multiply the previous state, in LSTMs and in the GRU."""


class GateStatistics(NamedTuple):
    """Statistics of a gate over all units, sequences and time steps that are not masked."""

    mean: float
    """Mean activation."""
    closed: float
    """Fraction below 0.1 (left-saturated, Karpathy, Johnson & Fei-Fei 2016)."""
    open: float
    """Fraction above 0.9 (right-saturated)."""


def statistics_by_gate(layer: "LayerTrace") -> dict[str, GateStatistics]:
    """Return the statistics of each gate by name, without the candidate state.

    Args:
        layer: Trace of the layer.
    """
    statistics = {}
    for name, gate in layer.gates.items():
        if name != "candidate":
            values = gate[layer.unmasked]
            numbers = values.mean(), (values < 0.1).mean(), (values > 0.9).mean()
            statistics[name] = GateStatistics(*map(float, numbers))
    return statistics


def memory_length(layer: "LayerTrace") -> Array | None:
    """Return the effective memory length: time steps until the gate reduces a state to 1/e.

    That is -1 / mean(log f_t), where f_t is the forget gate or the GRU's update gate. After n steps
    the product of the gates, and so the fraction kept of the state, is exp(-n / length). It is the
    forgetting time of Tallec & Ollivier (2018, "Can recurrent neural networks warp time?") and of
    Mahto et al. (2021), measured on activations instead of biases. It ignores the recurrent kernel;
    see `Trace.jacobian_norms`.

    Args:
        layer: Trace of the layer.

    Returns:
        Lengths `(units,)` in time steps, or None if the cell has no such gate.
    """
    gate = next((layer.gates[name] for name in KEEP_GATES if name in layer.gates), None)
    if gate is None:
        return None
    low, high = np.finfo(gate.dtype).tiny, 1 - np.finfo(gate.dtype).epsneg
    return -1 / np.log(np.clip(gate[layer.unmasked], low, high)).mean(axis=0)
