"""Ratios of the times of recurrent layers, ours over those of other libraries."""

import statistics

JIT = ("keras jit", "cell jit")


def ratios(row):
    """Return ours over the better Keras mode, over torch and so on, and both under the user's XLA.

    Args:
        row: Row of `benchmarks/results/recurrent.json`.
    """
    time = row["milliseconds"]
    keras = [time[how] for how in ("keras", "keras jit", "cell", "cell jit") if how in time]
    found = {"keras": time["ours"] / min(keras)} if keras else {}
    if "ours jit" in time:
        found["keras, both jit"] = time["ours jit"] / time[next(h for h in time if h in JIT)]
    if "before jit" in time:
        found["before, both jit"] = time["ours jit"] / time["before jit"]
    rest = ("torch", "products", "onnxruntime", "ours float32", "before")
    return found | {how: time["ours"] / time[how] for how in rest if how in time}


def summary(rows):
    """Return the median ratios over the shapes, a row for each mode and cell.

    Args:
        rows: Rows of `benchmarks/results/recurrent.json`.
    """
    lines = {}
    for row in rows:
        for how, ratio in ratios(row).items():
            lines.setdefault((row["mode"], row["cell"]), {}).setdefault(how, []).append(ratio)
    return [
        {"mode": mode, "cell": cell, **{how: statistics.median(r) for how, r in by.items()}}
        for (mode, cell), by in lines.items()
    ]
