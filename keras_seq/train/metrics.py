"""Metrics of a split: numbers by name, with details in nested dicts.

`{"f1": 0.9, "per_label": {"PER": {"f1": 0.8}}}` is the form in `metrics.json` and `results.json`.
Progress and tables of results show the numbers of the first level only.
"""

from collections.abc import Mapping
from typing import Any

Metrics = Mapping[str, Any]
"""Name to a number or to a dict of the same form."""


def numbers(metrics: Metrics) -> dict[str, Any]:
    """Return the metrics of the first level."""
    return {name: value for name, value in metrics.items() if not isinstance(value, Mapping)}


def as_floats(metrics: Metrics) -> dict[str, Any]:
    """Return a copy whose numbers are Python floats, which JSON can hold."""
    return {
        name: as_floats(value) if isinstance(value, Mapping) else float(value)
        for name, value in metrics.items()
    }


def flatten(metrics: Metrics, prefix: str = "") -> dict[str, Any]:
    """Return all numbers in one dict, with names such as `per_label/PER/f1`.

    Args:
        metrics: Metrics.
        prefix: Text to put before each name.
    """
    flat: dict[str, Any] = {}
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}/")
        else:
            flat[prefix + name] = value
    return flat
