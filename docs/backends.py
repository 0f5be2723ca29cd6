"""Conformance suites on each backend, and writer of docs/backends.md: `python docs/backends.py`.

The tables have one row per layer or model and one column per backend. With `--junitxml` reports as
arguments, in the order of `BACKENDS`, no tests are run: `python docs/backends.py A B C`.
"""

import collections
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

PAGE = Path(__file__).with_suffix(".md")
BEGIN = "<!-- backends: written by `python docs/backends.py` -->\n"
END = "<!-- end of backends -->"
BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "torch"}
SUITES = {"layer or cell": "test_layers", "model": "test_models"}

Outcomes = dict[str, collections.defaultdict[str, set[str]]]


def run(backend: str, file: Path) -> None:
    """Run both suites on one backend, slow tests included, and write a JUnit report to `file`."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "slow or not slow"]
    command += ["-o", "junit_family=legacy"]  # keeps the properties of tests
    suites = [f"tests/conformance/{suite}.py" for suite in SUITES.values()]
    subprocess.run(
        [*command, f"--junitxml={file}", *suites],
        cwd=PAGE.parent.parent,
        env={**os.environ, "KERAS_BACKEND": backend},
        check=False,  # failures go into the table
    )


def read_report(file: Path) -> tuple[Outcomes, dict[str, str]]:
    """Return the results in one JUnit report.

    Returns:
        Outcomes of the tests of each suite and row: "passed", "failed" or the name of an
        unsupported feature; and the error message of each unsupported feature.
    """
    outcomes: Outcomes = {suite: collections.defaultdict(set) for suite in SUITES.values()}
    messages: dict[str, str] = {}
    for case in ElementTree.parse(file).iter("testcase"):
        row = re.search(r"\[(?:.*-)?([A-Z]\w+)(?:-.*)?\]", case.get("name", ""))
        if row is None or case.find("skipped") is not None:
            continue
        unsupported = {p.get("name", ""): p.get("value", "") for p in case.iter("property")}
        messages.update(unsupported)
        failed = case.find("failure") is not None or case.find("error") is not None
        suite = case.get("classname", "").split(".")[-1]
        outcomes[suite][row[1]] |= {"failed"} if failed else set(unsupported) or {"passed"}
    return outcomes, messages


def format_cell(outcomes: set[str]) -> str:
    """Return the text of one table cell."""
    if not outcomes or "failed" in outcomes:
        return "**fails**" if outcomes else "not run"
    unsupported = sorted(outcomes - {"passed"})
    return f"yes, without {', '.join(unsupported)}" if unsupported else "yes"


def tables(files: Sequence[str | Path]) -> str:
    """Return the tables and the messages of unsupported features, in Markdown."""
    runs = {backend: read_report(Path(file)) for backend, file in zip(BACKENDS, files, strict=True)}
    lines = []
    for title, suite in SUITES.items():
        lines += [f"| {title} | {' | '.join(BACKENDS.values())} |", "| --- " * 4 + "|"]
        rows = sorted({row for outcomes, _ in runs.values() for row in outcomes[suite]})
        for row in rows:
            cells = [format_cell(outcomes[suite][row]) for outcomes, _ in runs.values()]
            lines.append(f"| `{row}` | {' | '.join(cells)} |")
        lines.append("")
    lines += ["Unsupported features raise an error:", ""]
    for backend, (_, messages) in runs.items():
        for message in messages.values():
            lines.append(f'- {BACKENDS[backend]}: "{message}"')
    return "\n".join(lines) + "\n"


def update(text: str, files: Sequence[str | Path]) -> str:
    """Return the page with the results of these reports."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + "\n" + tables(files) + "\n" + END + rest.partition(END)[2]


def main() -> None:
    """Run the suites unless reports are given as arguments, and write the page."""
    files = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        if not files:
            files = [str(Path(folder) / f"{backend}.xml") for backend in BACKENDS]
            for backend, file in zip(BACKENDS, files, strict=True):
                run(backend, Path(file))
        PAGE.write_text(update(PAGE.read_text(), files))
    print(PAGE.read_text())


if __name__ == "__main__":
    main()
