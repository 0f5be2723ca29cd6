"""Run the conformance suites on each backend and write docs/backends.md: `python docs/backends.py`.

A table has a row per layer or model and a column per backend. With files of `--junitxml` in the
order of the backends, `python docs/backends.py A B C`, it reads these and runs nothing.
"""

import collections
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

PAGE = Path(__file__).with_suffix(".md")
BEGIN = "<!-- backends: written by `python docs/backends.py` -->\n"
END = "<!-- end of backends -->"
BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "torch"}
SUITES = {"layer or cell": "test_layers", "model": "test_models"}


def run(backend: str, file: Path) -> None:
    """Run both suites, slow tests too, on a backend, and write the results as JUnit does."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "slow or not slow"]
    command += ["-o", "junit_family=legacy"]  # the only one that keeps properties of tests
    suites = [f"tests/conformance/{suite}.py" for suite in SUITES.values()]
    subprocess.run(
        [*command, f"--junitxml={file}", *suites],
        cwd=PAGE.parent.parent,
        env={**os.environ, "KERAS_BACKEND": backend},
        check=False,  # what fails is in the table
    )


def read(file: Path) -> tuple[dict, dict]:
    """Return what one run of the suites found.

    Returns:
        Suite to row to the outcomes of its tests, "passed", "failed" or the name of what is
        refused; and name of what is refused to the sentence.
    """
    outcomes: dict = {suite: collections.defaultdict(set) for suite in SUITES.values()}
    sentences = {}
    for case in ElementTree.parse(file).iter("testcase"):
        row = re.search(r"\[(?:.*-)?([A-Z]\w+)(?:-.*)?\]", case.get("name", ""))
        if row is None or case.find("skipped") is not None:
            continue
        refused = {p.get("name"): p.get("value") for p in case.iter("property")}
        sentences.update(refused)
        failed = case.find("failure") is not None or case.find("error") is not None
        suite = case.get("classname", "").split(".")[-1]
        outcomes[suite][row[1]] |= {"failed"} if failed else set(refused) or {"passed"}
    return outcomes, sentences


def cell(outcomes: set) -> str:
    """Return the text of a cell."""
    if not outcomes or "failed" in outcomes:
        return "**fails**" if outcomes else "not run"
    refused = sorted(outcomes - {"passed"})
    return f"yes, without {', '.join(refused)}" if refused else "yes"


def tables(files: list) -> str:
    """Return the tables in Markdown, and the sentences of what is refused."""
    runs = {backend: read(Path(file)) for backend, file in zip(BACKENDS, files, strict=True)}
    lines = []
    for what, suite in SUITES.items():
        lines += [f"| {what} | {' | '.join(BACKENDS.values())} |", "| --- " * 4 + "|"]
        rows = sorted({row for outcomes, _ in runs.values() for row in outcomes[suite]})
        for row in rows:
            cells = [cell(outcomes[suite][row]) for outcomes, _ in runs.values()]
            lines.append(f"| `{row}` | {' | '.join(cells)} |")
        lines.append("")
    lines += ["What is refused says so:", ""]
    for backend, (_, sentences) in runs.items():
        for sentence in sentences.values():
            lines.append(f'- {BACKENDS[backend]}: "{sentence}"')
    return "\n".join(lines) + "\n"


def renewed(text: str, files: list) -> str:
    """Return the page with these results in it."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + "\n" + tables(files) + "\n" + END + rest.partition(END)[2]


def main() -> None:
    """Run the suites unless their results are given, and write the page."""
    files = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        if not files:
            files = [str(Path(folder) / f"{backend}.xml") for backend in BACKENDS]
            for backend, file in zip(BACKENDS, files):
                run(backend, Path(file))
        PAGE.write_text(renewed(PAGE.read_text(), files))
    print(PAGE.read_text())


if __name__ == "__main__":
    main()
