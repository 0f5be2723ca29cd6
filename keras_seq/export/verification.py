"""Comparison of an export with its model."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from keras_seq._internal.errors import InputError
from keras_seq._internal.export_target import exporting_to
from keras_seq._internal.types import Array
from keras_seq.export.signatures import Endpoint

TOLERANCE = 1e-4
"""Largest accepted difference between the model and its export."""

TIMED_CALLS = 30
"""Number of calls to time. The latency is their median."""

Runner = Callable[..., dict[str, Array]]
"""An exported function, from arrays to arrays by name."""


def verify(endpoints: dict[str, Endpoint], runners: dict[str, Runner]) -> dict[str, Any]:
    """Compare exported functions with the model on the examples of each endpoint.

    Args:
        endpoints: Endpoints by name.
        runners: Exported functions by name of the endpoint.

    Returns:
        Report with the keys "endpoints" (sorted names), "max_abs_error" (largest difference), and
        "latency_ms" (milliseconds for the first example, by endpoint).

    Raises:
        InputError: If floats differ by more than `TOLERANCE`, or if other values or shapes differ.
    """
    max_abs_error, latency_ms = 0.0, {}
    for name, endpoint in endpoints.items():
        for arguments in endpoint.examples:
            # This target avoids XLA, which takes seconds to compile, and operators of a format.
            with exporting_to("graph"):
                expected = endpoint.function(*map(keras.ops.convert_to_tensor, arguments))
            outputs = runners[name](*arguments)
            for key, value in expected.items():
                error = _check_output(np.asarray(value), outputs[key], f"{name}: {key}")
                max_abs_error = max(max_abs_error, error)
        latency_ms[name] = latency(runners[name], endpoint.examples[0])
    return {
        "endpoints": sorted(endpoints),
        "max_abs_error": max_abs_error,
        "latency_ms": latency_ms,
    }


def latency(
    function: Callable[..., Any], arguments: Sequence[Any], num_calls: int = TIMED_CALLS
) -> float:
    """Return the median time of a call in milliseconds, after one warm-up call.

    Args:
        function: Function to call.
        arguments: Positional arguments.
        num_calls: Number of timed calls.
    """
    function(*arguments)
    seconds = []
    for _ in range(num_calls):
        start = time.perf_counter()
        function(*arguments)
        seconds.append(time.perf_counter() - start)
    return round(1000 * statistics.median(seconds), 3)


def _check_output(expected: Array, output: Any, label: str) -> float:
    """Return the largest difference from the expected value; for non-floats, the number of them.

    Raises:
        InputError: If the difference is too large, or the shapes differ.
    """
    output = np.asarray(output)
    if expected.shape != output.shape:
        raise InputError(
            f"{label} has the shape {output.shape} in the export, {expected.shape} in the model."
        )
    if not np.issubdtype(expected.dtype, np.floating):
        difference = float((expected != output).sum())
        amount = f"in {difference:g} of {expected.size} values"
    else:
        largest = np.finfo(expected.dtype).max  # LiteRT writes this number for infinity
        gaps = np.abs(np.clip(expected, -largest, largest) - np.clip(output, -largest, largest))
        difference = float(gaps.max(initial=0.0))
        amount = f"by {difference:.3g}"
    if not difference <= TOLERANCE:
        raise InputError(f"{label} differs {amount} from the model; nothing was written.")
    return difference
