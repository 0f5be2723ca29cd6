"""Ratios of our times of recurrent layers over those of other libraries."""

import statistics
from typing import Any

JIT = ("keras jit", "cell jit")


def ratios(row: dict[str, Any]) -> dict[str, float]:
    """Return our time over the faster Keras mode, torch and others, and over Keras, both jitted.

    Args:
        row: Row of a result file of `benchmarks.recurrent`.
    """
    time = row["milliseconds"]
    keras = [
        time[contestant]
        for contestant in ("keras", "keras jit", "cell", "cell jit")
        if contestant in time
    ]
    result = {"keras": time["ours"] / min(keras)} if keras else {}
    if "ours jit" in time:
        result["keras, both jit"] = time["ours jit"] / time[next(h for h in time if h in JIT)]
    if "before jit" in time:
        result["before, both jit"] = time["ours jit"] / time["before jit"]
    rest = ("torch", "products", "onnxruntime", "ours float32", "before")
    return result | {
        contestant: time["ours"] / time[contestant] for contestant in rest if contestant in time
    }


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the median ratios over the shapes, one row per mode and cell.

    Args:
        rows: Rows of a result file of `benchmarks.recurrent`.
    """
    lines: dict[tuple[str, str], dict[str, list[float]]] = {}
    for row in rows:
        for contestant, ratio in ratios(row).items():
            lines.setdefault((row["mode"], row["cell"]), {}).setdefault(contestant, []).append(
                ratio
            )
    return [
        {
            "mode": mode,
            "cell": cell,
            **{contestant: statistics.median(r) for contestant, r in by.items()},
        }
        for (mode, cell), by in lines.items()
    ]
