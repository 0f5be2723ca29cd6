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
STYLES = {"by default": ":", "at the start": "--", "after training": "-"}
"""Of the gradients of a row."""


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


def seeds(rows, **wanted):
    """The rows of one combination, one a seed."""
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def text(rows):
    """The page in Markdown, line by line."""
    return [
        "# What the cells can remember",
        "",
        "Written by `python -m benchmarks.memory_tasks`. One layer of each cell, trained on "
        "sequences that never come twice and measured on 1,000 others; means over seeds, their "
        "number behind it if it is not one. What the tasks are is said in "
        "[tasks.py](../benchmarks/memory_tasks/tasks.py). In adding, copying and agreement, gates "
        "begin by forgetting over up to as many steps as the distance (chrono initialisation, "
        "Tallec & Ollivier 2018). Diagonal peepholes begin at zero.",
        "",
        *_table(rows, lambda task: f": {task.figure}", _figure),
        "",
        "How many updates that took, the median of the seeds that solved it. Training ends when "
        "all of 1,000 validation sequences are right, or, in adding, at half the error asked for.",
        "",
        *_table(rows, lambda task: f", at most {task.updates:,}", _updates),
        "",
        "Seeds that had solved it on the validation sequences after half of these updates, and "
        "after all, of how many.",
        "",
        *_table([row for row in rows if len(TASKS[row["task"]].seeds) > 1], _half, _seeds),
        "",
        f"![the same as curves](../benchmarks/results/{PICTURE.name})",
    ]


def _table(rows, of_task, shown):
    lines = [_row(["task", "distance", *CELLS]), _row(["---"] * (2 + len(CELLS)))]
    for name, task in TASKS.items():
        for distance in dict.fromkeys(row["distance"] for row in rows if row["task"] == name):
            found = [seeds(rows, task=name, distance=distance, cell=cell) for cell in CELLS]
            cells = [shown(task, of_cell) if of_cell else "" for of_cell in found]
            lines.append(_row([name + of_task(task), str(distance), *cells]))
    return lines


def _row(cells):
    return f"| {' | '.join(cells)} |"


def _figure(task, rows):
    number = format(mean(rows), ".5f" if task.less_is_better else ".3f")
    return number + (f" ({len(rows)})" if len(rows) > 1 else "")


def _updates(task, rows):
    solved = [row["updates"] for row in rows if row["solved"]]
    return f"{np.median(solved):,.0f}" if solved else "-"


def _half(task):
    return f", {task.updates // 2:,} and {task.updates:,}"


def _seeds(task, rows):
    best = [
        max(share for done, share in row["curve"] if done <= most)
        for most in (task.updates // 2, task.updates)
        for row in rows
    ]
    half, whole = np.reshape(np.array(best) >= task.solved, (2, len(rows))).sum(axis=1)
    return f"{half}, {whole} of {len(rows)}"


def mean(rows):
    """The mean of the figure over the seeds."""
    return float(np.mean([row["figure"] for row in rows]))


def draw(rows, path):
    """A panel a task, over its distances or as it learns; the gradient over the distance."""
    figure_ = Figure(figsize=(16, 8), layout="constrained")
    panels = iter(figure_.subplots(2, 4).flat)
    for name, task in TASKS.items():
        axes = next(panels)
        of_task = [row for row in rows if row["task"] == name]
        for cell in CELLS:
            of_cell = seeds(of_task, cell=cell)
            by_updates = len(task.distances) == 1
            points = (_learning if by_updates else _over_distance)(of_cell)
            style = {} if by_updates else {"marker": "o"}
            axes.plot(*zip(*points) if points else ([], []), label=cell, **style)
        axes.set(title=name, xlabel="updates" if by_updates else "distance", ylabel=task.figure)
        axes.set_yscale("log" if task.less_is_better else "linear")
    farthest = max((r["distance"] for r in rows if r["task"] == "adding"), default=None)
    added = [r for r in rows if r["task"] == "adding" and r["distance"] == farthest]
    added = {row["cell"]: row for row in reversed(added)}  # of the first seed
    learning, gradient = panels
    for number, cell in enumerate(CELLS):
        if cell in added:
            color = f"C{number}"
            learning.semilogy(*zip(*added[cell]["curve"]), color=color, label=cell)
            for when, style in STYLES.items():
                values = np.array(added[cell]["gradients"][when])
                gradient.semilogy(*values.T, style, color=color)
    learning.set(title=f"adding, {farthest} steps", xlabel="updates", ylabel="mean squared error")
    gradient.set(
        title="adding: gradient for the state",
        xlabel="steps before the end",
        ylim=(1e-12, 1e3),
    )
    for axes in figure_.axes:
        axes.grid(alpha=0.3)
    figure_.axes[0].legend(fontsize="small")
    for when, style in STYLES.items():
        gradient.plot([], [], style, color="gray", label=when)
    gradient.legend(fontsize="small")
    figure_.savefig(path, dpi=100)


def _over_distance(rows):
    """[distance, mean figure] pairs."""
    distances = sorted({row["distance"] for row in rows})
    return [(distance, mean(seeds(rows, distance=distance))) for distance in distances]


def _learning(rows):
    """[updates, mean of the validation figure] pairs; who has ended stays at his last."""
    updates = sorted({done for row in rows for done, _ in row["curve"]})
    curves = [np.interp(updates, *zip(*row["curve"])) for row in rows]
    return list(zip(updates, np.mean(curves, axis=0))) if rows else []
