"""Correctness and speed of recurrent layers on a GPU: `python -m benchmarks.gpu`.

Runs each part in a process of its own, which is ended when its time is over. After every part it
writes `results.json` and `table.md`, so that an interrupted run leaves what it has measured.
`--quick` runs all parts on small shapes, for a test on the CPU.
"""

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.gpu import table

ROOT = Path(__file__).parents[2]
TESTS = ("tests/cells", "tests/scan", "tests/layers/recurrent")
QUICK_TESTS = ("tests/cells/test_equations.py", "-k", "GRU")
MARGIN = 5
"""Seconds to end the processes and to write the results."""


class Part(NamedTuple):
    """Part of the benchmark, see `PARTS`."""

    name: str
    library: str
    share: float
    """Share of the time, from 0 to 1. A part also gets what earlier parts have left."""

    @property
    def is_test(self) -> bool:
        """True for a part that runs tests."""
        return self.name.startswith("tests")


PARTS = (
    Part("tests jax", "jax", 0.2),
    Part("shapes jax", "jax", 0.38),
    Part("shapes torch", "torch", 0.2),
    Part("scaling jax", "jax", 0.12),
    Part("scaling torch", "torch", 0.04),
    Part("tests torch", "torch", 0.06),
)


def run_process(
    command: Sequence[str], environment: Mapping[str, str], log: Path, seconds: float
) -> str:
    """Run a process and all that it starts, for a limited time.

    Args:
        command: Command.
        environment: Environment variables in addition to those of this process.
        log: File for its output.
        seconds: Time after which it is killed.

    Returns:
        "done", "time over", or the exit code of a failed process.
    """
    with log.open("w") as file:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(max(seconds, 0.1))
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return "time over"
    return "done" if code == 0 else f"exit code {code}"


def read_tests(log: Path) -> dict[str, Any]:
    """Return the numbers of passed, failed and skipped tests in a log, and the failed ones."""
    lines = log.read_text(errors="replace").splitlines()
    names: dict[str, set[str]] = {
        "PASSED": set(),
        "FAILED": set(),
        "ERROR": set(),
        "SKIPPED": set(),
    }
    for line in lines:
        match = re.match(
            r"(?:\[gw\d+\]\s*\[\s*\d+%\]\s*)?(PASSED|FAILED|ERROR|SKIPPED) (\S+::.*)", line
        )
        match = match or re.match(r"(?P<b>\S+::.*?) (?P<a>PASSED|FAILED|ERROR|SKIPPED)", line)
        if match:
            groups = match.groupdict()
            state, name = (groups["a"], groups["b"]) if groups else match.groups()
            names[state].add(name.split(" - ")[0].strip())
    return {
        **{state.lower(): len(tests) for state, tests in names.items()},
        "failures": sorted(names["FAILED"] | names["ERROR"])[:40],
    }


def run_part(part: Part, folder: Path, quick: bool, seconds: float) -> dict[str, Any]:
    """Run a part for a limited time and return its results.

    Args:
        part: Part.
        folder: Folder for logs and lines of results.
        quick: Whether to use small shapes.
        seconds: Time.
    """
    stem = part.name.replace(" ", "_")
    log, lines = folder / f"{stem}.log", folder / f"{stem}.jsonl"
    environment = {"KERAS_BACKEND": part.library, "PYTHONUNBUFFERED": "1"}
    start = time.time()
    if part.is_test:
        # Tests need the full precision of float32, and several processes share the GPU.
        environment |= {
            "NVIDIA_TF32_OVERRIDE": "0",
            "JAX_DEFAULT_MATMUL_PRECISION": "highest",
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        }
        processes = [] if quick else ["-n", str(min(8, os.cpu_count() or 1))]
        tests = QUICK_TESTS if quick else TESTS
        arguments = ["-v", "-m", "not slow", "-p", "no:cacheprovider", *processes, *tests]
        command = [sys.executable, "-m", "pytest", *arguments]
        status = run_process(command, environment, log, seconds)
        result: dict[str, Any] = {"tests": read_tests(log)}
    else:
        lines.unlink(missing_ok=True)
        kind, library = part.name.split()
        deadline = start + seconds - MARGIN
        command = [sys.executable, "-m", "benchmarks.gpu.worker", kind, library, str(lines)]
        command += [str(deadline), *(["--quick"] if quick else [])]
        status = run_process(command, environment, log, seconds)
        written = lines.read_text().splitlines() if lines.exists() else []
        head, *rows = map(json.loads, written or ["{}"])
        result = {"machine": head, "rows": rows}
    spent = round(time.time() - start, 1)
    return {"name": part.name, "status": status, "seconds": spent, **result}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all parts, and write and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("gpu_results"), help="folder of results")
    parser.add_argument("--seconds", type=float, default=450, help="time of all parts")
    parser.add_argument("--quick", action="store_true", help="small shapes, for the CPU")
    parser.add_argument("--parts", nargs="+", choices=[part.name for part in PARTS])
    options = parser.parse_args(arguments)
    folder: Path = options.out.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    end = time.time() + options.seconds
    parts = [part for part in PARTS if not options.parts or part.name in options.parts]
    report: dict[str, Any] = {
        "command": " ".join(["python", "-m", "benchmarks.gpu", *(arguments or sys.argv[1:])]),
        "date": time.strftime("%Y-%m-%d"),
        "parts": [],
    }
    for index, part in enumerate(parts):
        shares = sum(p.share for p in parts[index:])
        seconds = (end - time.time() - MARGIN) * part.share / shares
        print(f"{part.name}: {seconds:.0f} s", flush=True)
        report["parts"].append(run_part(part, folder, options.quick, seconds))
        print(f"{part.name}: {report['parts'][-1]['status']}", flush=True)
        (folder / "results.json").write_text(json.dumps(report, indent=1) + "\n")
        (folder / "table.md").write_text(table.render(report))
    print((folder / "table.md").read_text())


if __name__ == "__main__":
    main()
