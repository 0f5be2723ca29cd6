"""Tables in Markdown from the results of `python -m benchmarks.gpu`."""

import json
import sys
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def render(report: dict[str, Any]) -> str:
    """Return the tables of a report.

    Args:
        report: Content of `results.json`.
    """
    lines = [f"`{report['command']}`, {report['date']}", ""]
    lines += ["| part | status | seconds | result |", "| --- | --- | --- | --- |"]
    for part in report["parts"]:
        cells = [part["name"], part["status"], part["seconds"], _summary(part)]
        lines.append(_line(cells))
    for part in report["parts"]:
        if failures := part.get("tests", {}).get("failures"):
            lines += ["", f"Failed in {part['name']}:", "", *(f"- `{name}`" for name in failures)]
    rows = [row for part in report["parts"] for row in _rows(part)]
    for mode in dict.fromkeys(row["mode"] for row in rows):
        lines += ["", f"## {mode}", "", *_table([row for row in rows if row["mode"] == mode])]
    errors = {
        f"{row['library']}, {name}: {error}"
        for row in rows
        for name, error in row["errors"].items()
    }
    if errors:
        lines += ["", "## Errors", "", *(f"- {error}" for error in sorted(errors))]
    return "\n".join(lines) + "\n"


def _rows(part: dict[str, Any]) -> list[Row]:
    library = part["name"].split()[-1]
    return [{**row, "library": library} for row in part.get("rows", [])]


def _summary(part: dict[str, Any]) -> str:
    if "tests" in part:
        counts = {name: n for name, n in part["tests"].items() if isinstance(n, int) and n}
        return ", ".join(f"{n} {name}" for name, n in counts.items())
    machine = ", ".join(f"{name} {value}" for name, value in part.get("machine", {}).items())
    return f"{len(part['rows'])} rows; {machine}"


def _table(rows: list[Row]) -> list[str]:
    """Return one line per task: milliseconds, memory and difference of each contestant."""
    head = ["part", "precision", "shape", "cell", "library", "milliseconds", "MB", "difference"]
    lines = [_line(head), _line(["---"] * len(head))]
    order = sorted(rows, key=lambda row: (row["part"], row["precision"], row["shape"], row["cell"]))
    for row in order:
        times = ", ".join(f"{name} {ms:.3g}" for name, ms in row["milliseconds"].items())
        memory = ", ".join(f"{name} {size / 1e6:.3g}" for name, size in row["memory"].items())
        apart = ", ".join(f"{name} {value:.0e}" for name, value in row["difference"].items())
        shape = ", ".join(map(str, row["shape"]))
        names = [row[key] for key in ("part", "precision")]
        lines.append(_line([*names, shape, row["cell"], row["library"], times, memory, apart]))
    return lines


def _line(cells: list[Any]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    print(render(json.loads(Path(sys.argv[1]).read_text())))
