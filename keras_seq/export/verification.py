"""Comparison of what was exported with the model."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_seq._internal.errors import InputError
from keras_seq._internal.export_target import exporting_to
from keras_seq.export.signatures import Endpoint

TOLERANCE = 1e-4
"""Largest accepted difference between a number of the model and of what was exported."""

TIMED_CALLS = 30
"""Number of calls whose median is the latency."""

Runner = Callable[..., dict[str, Any]]
"""An exported function: takes arrays, returns a dict of arrays."""


def verify(endpoints: dict[str, Endpoint], runners: dict[str, Runner]) -> dict[str, Any]:
    """Compare exported functions with those of the model, on the examples of each endpoint.

    Args:
        endpoints: Name to endpoint.
        runners: Name of an endpoint to its exported function.

    Returns:
        Report: the names of the endpoints, the largest difference between two numbers, and for each
        endpoint the milliseconds that its first example takes, the median of 30 calls.

    Raises:
        InputError: If a difference exceeds `TOLERANCE`, or two integers or strings differ.
    """
    largest, latency_ms = 0.0, {}
    for name, endpoint in endpoints.items():
        for arguments in endpoint.examples:
            # The model itself, but for XLA's programs, which take seconds to compile.
            with exporting_to("savedmodel"):
                expected = endpoint.function(*map(keras.ops.convert_to_tensor, arguments))
            outputs = runners[name](*arguments)
            for key, value in expected.items():
                difference = _difference(np.asarray(value), outputs[key], f"{name}: {key}")
                largest = max(largest, difference)
        latency_ms[name] = latency(runners[name], endpoint.examples[0])
    return {
        "endpoints": sorted(endpoints),
        "max_abs_error": largest,
        "latency_ms": latency_ms,
    }


def latency(function: Callable[..., Any], arguments: Any, times: int = TIMED_CALLS) -> float:
    """Return the milliseconds that a call takes: the median of several calls after the first.

    Args:
        function: Function to call.
        arguments: Its positional arguments.
        times: Number of calls.
    """
    function(*arguments)
    seconds = []
    for _ in range(times):
        begin = time.perf_counter()
        function(*arguments)
        seconds.append(time.perf_counter() - begin)
    return round(1000 * statistics.median(seconds), 3)


def _difference(expected: np.ndarray, output: Any, what: str) -> float:
    """Return the largest difference of two arrays.

    Raises:
        InputError: If it is too large.
    """
    output = np.asarray(output)
    if expected.shape != output.shape:
        raise InputError(f"{what} has the shape {output.shape} exported, {expected.shape} here.")
    if not np.issubdtype(expected.dtype, np.floating):
        difference = float((expected != output).sum())
    else:
        most = np.finfo(expected.dtype).max  # LiteRT has it in the place of infinity
        gaps = np.abs(np.clip(expected, -most, most) - np.clip(output, -most, most))
        difference = float(gaps.max(initial=0.0))
    if not difference <= TOLERANCE:
        raise InputError(f"{what} differs by {difference:.3g} when exported; nothing was written.")
    return difference
