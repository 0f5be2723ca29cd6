"""Memory tasks for each cell: `python -m benchmarks.memory_tasks --task doubling --cell LSTM`.

Each combination of task, distance, cell and seed is a row in
`benchmarks/results/memory_tasks.json`, written when it is finished. Existing rows are not run
again. At the end, `docs/memory_tasks.md` and a plot are written from all rows.
"""

import argparse

from benchmarks.memory_tasks import report, training
from benchmarks.memory_tasks.tasks import TASKS


def main() -> None:
    """Train the missing combinations, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--distance", nargs="+", type=int, help="default: those of the task")
    parser.add_argument("--cell", nargs="+", choices=training.CELLS, default=training.CELLS)
    parser.add_argument("--seed", nargs="+", type=int, help="default: those of the task")
    parser.add_argument("--again", action="store_true", help="run existing rows again")
    options = parser.parse_args()
    for task in options.task:
        for distance in options.distance or TASKS[task].distances:
            for seed in options.seed or TASKS[task].seeds:
                for cell in options.cell:
                    if options.again or (task, distance, cell, seed) not in report.read_rows():
                        row = training.train(task, distance, cell, seed)
                        report.merge(row)
                        summary = {k: v for k, v in row.items() if k not in ("curve", "gradients")}
                        print(summary, flush=True)
    report.write()


if __name__ == "__main__":
    main()
