"""Results of the memory tasks as JSON, as a page and as a plot."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks import page
from benchmarks.memory_tasks.tasks import TASKS, Task
from benchmarks.memory_tasks.training import CELLS

RESULTS = page.RESULTS / "memory_tasks.json"
PLOT = page.RESULTS / "memory_tasks.png"
PAGE = page.PAGE.parent / "memory_tasks.md"
KEY = ("task", "distance", "cell", "seed")
STYLES = {"default_init": ":", "chrono_init": "--", "trained": "-"}
"""Line styles of the gradients before and after training."""

Rows = list[page.Row]


def read_rows(path: Path = RESULTS) -> dict[tuple[Any, ...], page.Row]:
    """Return the rows of a file by task, distance, cell and seed."""
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    return {tuple(row[name] for name in KEY): row for row in rows}


def merge(row: page.Row, path: Path = RESULTS) -> None:
    """Insert or replace a row, in the order of the tasks and cells."""
    rows = {**read_rows(path), tuple(row[name] for name in KEY): row}
    order = sorted(rows, key=lambda k: ([*TASKS].index(k[0]), k[1], CELLS.index(k[2]), k[3]))
    page.record(path, "python -m benchmarks.memory_tasks", [rows[key] for key in order])


def write() -> None:
    """Write the page and the plot of all rows."""
    rows = list(read_rows().values())
    PAGE.write_text("\n".join(text(rows)) + "\n")
    draw(rows, PLOT)


def select(rows: Rows, **values: object) -> Rows:
    """Return the rows with these values."""
    return [row for row in rows if all(row[key] == value for key, value in values.items())]


def text(rows: Rows) -> list[str]:
    """Return the lines of the page in Markdown."""
    return [
        "# Memory of the cells",
        "",
        "Written by `python -m benchmarks.memory_tasks`. A layer of each cell is trained on new "
        "random sequences and tested on 1,000 others. [tasks.py]"
        "(../benchmarks/memory_tasks/tasks.py) defines the tasks. The scores are means over seeds, "
        "with their number in parentheses if there are several. In adding, copying and agreement, "
        "the gates are initialized to remember for up to the distance (chrono initialization, "
        "Tallec & Ollivier 2018). Diagonal peepholes are initialized with zeros. "
        "[experiments/timing.md](experiments/timing.md) discusses the timing tasks.",
        "",
        *_table(rows, lambda task: f": {task.metric}", _format_score),
        "",
        "Training steps, the median of the seeds that solved the task. Training ends when all of "
        "1,000 validation sequences are right or, in adding, at half of the required error.",
        "",
        *_table(rows, lambda task: f", at most {task.steps:,}", _format_steps),
        "",
        "Number of seeds that had solved the task on the validation sequences after half of these "
        "steps and after all of them.",
        "",
        *_table([row for row in rows if len(TASKS[row["task"]].seeds) > 1], _half, _format_solved),
        "",
        f"![scores by distance and over training](../benchmarks/results/{PLOT.name})",
    ]


def _table(
    rows: Rows, label: Callable[[Task], str], format_cell: Callable[[Task, Rows], str]
) -> list[str]:
    lines = [_row(["task", "distance", *CELLS]), _row(["---"] * (2 + len(CELLS)))]
    for name, task in TASKS.items():
        for distance in dict.fromkeys(row["distance"] for row in rows if row["task"] == name):
            by_cell = [select(rows, task=name, distance=distance, cell=cell) for cell in CELLS]
            cells = [format_cell(task, seeds) if seeds else "" for seeds in by_cell]
            lines.append(_row([name + label(task), str(distance), *cells]))
    return lines


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _format_score(task: Task, rows: Rows) -> str:
    number = format(mean(rows), ".5f" if task.mode == "min" else ".3f")
    return number + (f" ({len(rows)})" if len(rows) > 1 else "")


def _format_steps(_task: Task, rows: Rows) -> str:
    solved = [row["steps"] for row in rows if row["solved"]]
    return f"{np.median(solved):,.0f}" if solved else "-"


def _half(task: Task) -> str:
    return f", {task.steps // 2:,} and {task.steps:,}"


def _format_solved(task: Task, rows: Rows) -> str:
    best = [
        max(score for step, score in row["curve"] if step <= max_steps)
        for max_steps in (task.steps // 2, task.steps)
        for row in rows
    ]
    half, whole = np.reshape(np.array(best) >= task.solved, (2, len(rows))).sum(axis=1)
    return f"{half}, {whole} of {len(rows)}"


def mean(rows: Rows) -> float:
    """Return the mean score over the seeds."""
    return float(np.mean([row["score"] for row in rows]))


def draw(rows: Rows, path: Path) -> None:
    """Plot each task over the distances or over training, and the gradient over the distance."""
    figure = Figure(figsize=(16, 8), layout="constrained")
    panels = iter(figure.subplots(2, 4).flat)
    for name, task in TASKS.items():
        axes = next(panels)
        of_task = [row for row in rows if row["task"] == name]
        for cell in CELLS:
            of_cell = select(of_task, cell=cell)
            over_steps = len(task.distances) == 1
            points = (_over_steps if over_steps else _over_distance)(of_cell)
            options: dict[str, Any] = {} if over_steps else {"marker": "o"}
            axes.plot(*zip(*points) if points else ([], []), label=cell, **options)
        axes.set(title=name, xlabel="steps" if over_steps else "distance", ylabel=task.metric)
        axes.set_yscale("log" if task.mode == "min" else "linear")
    farthest = max((r["distance"] for r in rows if r["task"] == "adding"), default=None)
    adding_rows = select(rows, task="adding", distance=farthest)
    adding = {row["cell"]: row for row in reversed(adding_rows)}  # the first seed
    learning, gradient = panels
    for number, cell in enumerate(CELLS):
        if cell in adding:
            color = f"C{number}"
            learning.semilogy(*zip(*adding[cell]["curve"]), color=color, label=cell)
            for when, style in STYLES.items():
                values = np.array(adding[cell]["gradients"][when])
                gradient.semilogy(*values.T, style, color=color)
    learning.set(title=f"adding, {farthest} steps", xlabel="steps", ylabel="mean squared error")
    gradient.set(
        title="adding: gradient of the state",
        xlabel="steps before the end",
        ylim=(1e-12, 1e3),
    )
    for axes in figure.axes:
        axes.grid(alpha=0.3)
    figure.axes[0].legend(fontsize="small")
    for when, style in STYLES.items():
        gradient.plot([], [], style, color="gray", label=when.replace("_", " "))
    gradient.legend(fontsize="small")
    figure.savefig(path, dpi=100)


def _over_distance(rows: Rows) -> list[tuple[int, float]]:
    """Return pairs of distance and mean score."""
    distances = sorted({row["distance"] for row in rows})
    return [(distance, mean(select(rows, distance=distance))) for distance in distances]


def _over_steps(rows: Rows) -> list[tuple[int, float]]:
    """Return pairs of step and mean validation score; finished runs keep their last score."""
    steps = sorted({step for row in rows for step, _ in row["curve"]})
    curves = []
    for row in rows:
        curve = np.array(row["curve"])
        curves.append(np.interp(steps, curve[:, 0], curve[:, 1]))
    return list(zip(steps, np.mean(curves, axis=0))) if rows else []
