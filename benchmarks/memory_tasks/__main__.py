"""What the cells can remember: `python -m benchmarks.memory_tasks --task doubling --cell LSTM`.

Every combination of task, distance, cell and seed has a row in
`benchmarks/results/memory_tasks.json`, written when it is done; rows that are there are not run
again. At the end, `docs/memory_tasks.md` and a picture are written of all rows.
"""

import argparse

from benchmarks.memory_tasks import report, training
from benchmarks.memory_tasks.tasks import TASKS


def main():
    """Trains what is missing, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--distance", nargs="+", type=int, help="default: those of the task")
    parser.add_argument("--cell", nargs="+", choices=training.CELLS, default=training.CELLS)
    parser.add_argument("--seed", nargs="+", type=int, help="default: those of the task")
    parser.add_argument("--again", action="store_true", help="also what is known")
    options = parser.parse_args()
    for task in options.task:
        for distance in options.distance or TASKS[task].distances:
            for seed in options.seed or TASKS[task].seeds:
                for cell in options.cell:
                    if options.again or (task, distance, cell, seed) not in report.known():
                        row = training.row(task, distance, cell, seed)
                        report.merge(row)
                        shown = {k: v for k, v in row.items() if k not in ("curve", "gradients")}
                        print(shown, flush=True)
    report.write()


if __name__ == "__main__":
    main()
