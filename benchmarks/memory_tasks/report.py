"""The rows as JSON, as a page and as a picture."""

import json

import numpy as np
from matplotlib.figure import Figure

from benchmarks import page
from benchmarks.memory_tasks.tasks import TASKS
from benchmarks.memory_tasks.training import CELLS

RESULTS = page.RESULTS / "memory_tasks.json"
PICTURE = page.RESULTS / "memory_tasks.png"
PAGE = page.PAGE.parent / "memory_tasks.md"
KEY = ("task", "distance", "cell", "seed")


def known(path=RESULTS):
    """The rows that there are, by what was run."""
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    return {tuple(row[name] for name in KEY): row for row in rows}


def merge(row, path=RESULTS):
    """Adds a row, in the order of the tasks and cells, in place of the same if it is there."""
    rows = {**known(path), tuple(row[name] for name in KEY): row}
    order = sorted(rows, key=lambda k: ([*TASKS].index(k[0]), k[1], CELLS.index(k[2]), k[3]))
    page.record(path, "python -m benchmarks.memory_tasks", [rows[key] for key in order])


def write():
    """The page and the picture of all rows."""
    rows = list(known().values())
    PAGE.write_text("\n".join(text(rows)) + "\n")
    draw(rows, PICTURE)


def figure(rows, **wanted):
    """The mean of the figure over the seeds, and how many these are; None without a row."""
    found = [row["figure"] for row in rows if all(row[k] == v for k, v in wanted.items())]
    return (float(np.mean(found)), len(found)) if found else None


def text(rows):
    """The page in Markdown, line by line."""
    lines = [
        "# What the cells can remember",
        "",
        "Written by `python -m benchmarks.memory_tasks`. One layer of each cell, trained on "
        "sequences that never come twice and measured on 1,000 others; means over seeds, their "
        "number behind it if it is not one. What the tasks are is said in "
        "[tasks.py](../benchmarks/memory_tasks/tasks.py).",
        "",
        _row(["task", "distance", *CELLS]),
        _row(["---"] * (2 + len(CELLS))),
    ]
    for name, task in TASKS.items():
        for distance in dict.fromkeys(row["distance"] for row in rows if row["task"] == name):
            cells = [
                _shown(task, figure(rows, task=name, distance=distance, cell=cell))
                for cell in CELLS
            ]
            lines.append(_row([f"{name}: {task.figure}", str(distance), *cells]))
    return [*lines, "", f"![the same as curves](../benchmarks/results/{PICTURE.name})"]


def _row(cells):
    return f"| {' | '.join(cells)} |"


def _shown(task, found):
    if found is None:
        return ""
    mean, seeds = found
    number = f"{mean:.5f}" if task.less_is_better else f"{mean:.3f}"
    return number + (f" ({seeds})" if seeds > 1 else "")


def draw(rows, path):
    """A panel a task over its distances; learning to add; the gradient over the distance."""
    figure_ = Figure(figsize=(16, 8), layout="constrained")
    panels = iter(figure_.subplots(2, 4).flat)
    for name, task in TASKS.items():
        axes = next(panels)
        for cell in CELLS:
            points = [
                (distance, found[0])
                for distance in task.distances
                if (found := figure(rows, task=name, distance=distance, cell=cell))
            ]
            axes.plot(*zip(*points) if points else ([], []), marker="o", label=cell)
        axes.set(title=name, xlabel="distance", ylabel=task.figure)
        axes.set_yscale("log" if task.less_is_better else "linear")
    farthest = max((r["distance"] for r in rows if r["task"] == "adding"), default=None)
    added = [r for r in rows if r["task"] == "adding" and r["distance"] == farthest]
    added = {row["cell"]: row for row in reversed(added)}  # of the first seed
    learning, gradient = panels
    for number, cell in enumerate(CELLS):
        if cell in added:
            color = f"C{number}"
            learning.semilogy(*zip(*added[cell]["curve"]), color=color, label=cell)
            for when, style in (("at the start", ":"), ("after training", "-")):
                values = np.array(added[cell]["gradients"][when])
                gradient.semilogy(*values.T, style, color=color, label=f"{cell}, {when}")
    learning.set(title=f"adding, {farthest} steps", xlabel="updates", ylabel="mean squared error")
    gradient.set(
        title="gradient of the answer for h", xlabel="steps before the end", ylim=(1e-12, 1e3)
    )
    for axes in figure_.axes:
        axes.grid(alpha=0.3)
    figure_.axes[0].legend(fontsize="small")
    gradient.legend(fontsize="x-small")
    figure_.savefig(path, dpi=100)
