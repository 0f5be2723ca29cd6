"""Process of one part: writes the machine, then a line of JSON per task and mode."""

import argparse
import importlib
import json
import platform
import sys
from pathlib import Path

import keras

from benchmarks.gpu import tasks, timing

TASKS = {"shapes": tasks.make_tasks, "scaling": tasks.make_scaling_tasks}


def main() -> None:
    """Run the tasks of one part and library until a deadline."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=list(TASKS))
    parser.add_argument("library", choices=["jax", "torch"])
    parser.add_argument("path", type=Path)
    parser.add_argument("deadline", type=float)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    library = importlib.import_module(f"benchmarks.gpu.with_{options.library}")
    machine = {
        **library.describe_device(),
        "keras": keras.__version__,
        "python": platform.python_version(),
        "has_tensorflow": "tensorflow" in sys.modules,
    }
    options.path.write_text(json.dumps(machine) + "\n")
    todo = TASKS[options.kind](options.library, options.quick)
    timing.run_tasks(todo, library.build, options.path, options.deadline)


if __name__ == "__main__":
    main()
