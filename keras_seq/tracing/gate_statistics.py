"""What the gates of a layer do on the whole."""

from typing import NamedTuple

import numpy as np

KEEPING = ("forget", "update")
"""Gates that say how much of a state is kept: of LSTMs, of the GRU."""


class GateStatistics(NamedTuple):
    """Of one gate, over all units, sequences and time steps that are not masked."""

    mean: float
    closed: float
    """Share below 0.1 (left-saturated, Karpathy, Johnson & Fei-Fei 2016)."""
    open: float
    """Share above 0.9 (right-saturated)."""


def statistics_by_gate(layer):
    """Gate name to `GateStatistics`; the candidate, which is none, is left out.

    Args:
        layer: A `LayerTrace`.
    """
    found = {}
    for name, gate in layer.gates.items():
        if name != "candidate":
            seen = gate[layer.unmasked]
            shares = seen.mean(), (seen < 0.1).mean(), (seen > 0.9).mean()
            found[name] = GateStatistics(*map(float, shares))
    return found


def memory_length(layer):
    """Effective memory length: in how many time steps a unit's state decays to 1/e by its gate.

    That is -1 / mean(log f_t), where f_t is the gate that keeps: forget, or the GRU's update. After
    n steps the product of the gates, and so what is left of the state, is exp(-n / length). It is
    the forgetting time of Tallec & Ollivier (2018, "Can recurrent neural networks warp time?") and
    of Mahto et al. (2021), taken over the gates that were, not over biases alone. What a unit gets
    back by the recurrent kernel is not in it; see `Trace.jacobian_norms`.

    Args:
        layer: A `LayerTrace`.

    Returns:
        `(units,)` in time steps; None if the cell has no such gate.
    """
    gate = next((layer.gates[name] for name in KEEPING if name in layer.gates), None)
    if gate is None:
        return None
    tiny = np.finfo(gate.dtype).tiny
    mean = np.log(np.clip(gate[layer.unmasked], tiny, 1 - np.finfo(gate.dtype).epsneg)).mean(axis=0)
    return -1 / mean
