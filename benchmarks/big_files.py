"""Memory and speed of reading big files: `python -m benchmarks.big_files`.

Writes a file of each format with 10 million rows or 1 GB, whichever is less, to a temporary folder.
New processes read it with the functions of `keras_seq.data` ("read"), and prepare the dataset of a
recipe from it ("prepare"), without loading it into memory for training. Writes rows per second and
the peak memory to `benchmarks/results/big_files.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from benchmarks import page

MAX_ROWS, MAX_BYTES = 10_000_000, 2**30
RESULTS = Path(__file__).parent / "results" / "big_files.json"
WORDS = [
    "a",
    "the",
    "tree",
    "river",
    "house",
    "reads",
    "writes",
    "slowly",
    "green",
    "north",
    "of",
    "under",
    "seven",
    "never",
    "again",
]
PHASES = ("read", "prepare")


def _sentence(number: int) -> str:
    """Return eight words, different for each number."""
    words = [WORDS[number * step % len(WORDS)] for step in (1, 3, 5, 7, 11, 13, 17)]
    return f"{' '.join(words)} {number}"


def _label(number: int) -> str:
    return ("good", "bad")[number * 7 % 5 % 2]


def _bases(number: int) -> str:
    """Return 30 bases, different for each number."""
    return "".join("ACGT"[(number >> shift) % 4] for shift in range(0, 60, 2))


def _conll(number: int) -> str:
    tokens = _sentence(number).split()
    tags = ["B-PER" if position % 4 == number % 4 else "O" for position in range(len(tokens))]
    return "".join(f"{token} {tag}\n" for token, tag in zip(tokens, tags)) + "\n"


class Format(NamedTuple):
    """Format of big files."""

    name: str
    """Name of the file."""
    recipe: str
    header: str
    row: Callable[[int], str]
    """Function from the number of an example to its lines."""
    rows_per_example: int = 1


FORMATS = {
    "CSV": Format("a.csv", "sentiment", "text,label\n", lambda n: f"{_sentence(n)},{_label(n)}\n"),
    "JSON lines": Format(
        "a.jsonl",
        "sentiment",
        "",
        lambda n: json.dumps({"text": _sentence(n), "label": _label(n)}) + "\n",
    ),
    "TSV pairs": Format(
        "a.tsv", "translation", "", lambda n: f"{_sentence(n)}\tder Satz {_sentence(n)}\n"
    ),
    "CoNLL": Format("a.conll", "ner", "", _conll, 8),
    "plain text": Format("a.txt", "language_model", "", lambda n: f"{_sentence(n)}\n\n", 2),
    "FASTA": Format("a.fa", "dna", "", lambda n: f">{n} class={_label(n)}\n{_bases(n)}\n", 2),
}


def write_file(name: str, folder: Path, max_rows: int, max_bytes: int = MAX_BYTES) -> int:
    """Write a file, and return the number of its rows.

    Args:
        name: Key of `FORMATS`.
        folder: Folder of the file.
        max_rows: Maximum number of rows.
        max_bytes: Size of the file at which no more rows are added, in bytes.
    """
    file_format = FORMATS[name]
    num_examples = max_rows // file_format.rows_per_example
    with (folder / file_format.name).open("w", encoding="utf-8") as file:
        num_bytes = file.write(file_format.header)
        for number in range(num_examples):
            num_bytes += file.write(file_format.row(number))
            if num_bytes >= max_bytes:
                num_examples = number + 1
                break
    return num_examples * file_format.rows_per_example


def _read(name: str, path: Path) -> Iterable[Any]:
    """Return an iterator over what `keras_seq.data` reads from a file."""
    from keras_seq import data

    if name in ("CSV", "JSON lines"):
        return data.read_table(path, {"text": "text", "label": "label"})
    if name == "TSV pairs":
        return data.read_parallel_text([path], data.ParallelOptions("en", "de"))
    if name == "CoNLL":
        return data.open_tagged([path])[0]
    if name == "FASTA":
        from keras_seq_recipes.dna.sequences import SequenceFile

        return SequenceFile(path, "utf-8")
    return data.read_lines(path)


class _PreparedError(Exception):
    """Signal that a dataset is prepared."""


def _prepare(name: str, path: Path) -> None:
    """Prepare the dataset of the recipe from a file."""
    import dataclasses

    from keras_seq.train import registry

    recipe = registry.find(FORMATS[name].recipe).import_recipe()
    config = recipe.preset("default")
    config = dataclasses.replace(config, data=str(path))
    try:
        with mock.patch("keras_seq.data.to_arrays", side_effect=_PreparedError):
            recipe.load_splits(config)
    except _PreparedError:
        return
    raise AssertionError("The dataset was not loaded by `to_arrays`.")


def measure(name: str, phase: str, path: Path) -> page.Row:
    """Return the seconds and the memory of one phase in this process.

    Args:
        name: Key of `FORMATS`.
        phase: One of `PHASES`.
        path: File.
    """
    if phase == "prepare":
        from keras_seq.train import registry

        registry.find(FORMATS[name].recipe).import_recipe()
    else:
        import keras_seq.data  # noqa: F401
    megabytes_before = _peak_megabytes()
    start = time.perf_counter(), time.process_time()
    if phase == "prepare":
        _prepare(name, path)
    else:
        for _ in _read(name, path):
            pass
    return {
        "format": name,
        "phase": phase,
        "seconds": round(time.perf_counter() - start[0], 2),
        "cpu_seconds": round(time.process_time() - start[1], 2),
        "megabytes_before": round(megabytes_before),
        "peak_megabytes": round(_peak_megabytes()),
    }


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure_all(names: Sequence[str], phases: Sequence[str], max_rows: int) -> Iterator[page.Row]:
    """Yield the row of each format and phase, measured in a process of its own.

    Args:
        names: Keys of `FORMATS`.
        phases: Members of `PHASES`.
        max_rows: Maximum number of rows of a file.
    """
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / FORMATS[name].name
            num_rows = write_file(name, Path(folder), max_rows)
            for phase in phases:
                command = [sys.executable, "-m", "benchmarks.big_files", "--measure"]
                answer = subprocess.run(
                    [*command, name, phase, str(path)],
                    env={**os.environ, "TFDS_DATA_DIR": f"{folder}/datasets"},
                    stdout=subprocess.PIPE,
                    check=True,
                )
                row = json.loads(answer.stdout.decode().strip().split("\n")[-1])
                sizes = {"rows": num_rows, "megabytes": round(path.stat().st_size / 1e6)}
                speed = {
                    "rows_per_second": round(num_rows / max(row["seconds"], 0.01)),
                    "rows_per_cpu_second": round(num_rows / max(row["cpu_seconds"], 0.01)),
                }
                yield {**row, **sizes, **speed}


def main() -> None:
    """Measure the formats and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=MAX_ROWS, help="maximum rows of a file")
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=[*FORMATS])
    parser.add_argument("--phases", nargs="+", choices=PHASES, default=[*PHASES])
    parser.add_argument("--output", type=Path, default=RESULTS, help="file of the results")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        name, phase, path = options.measure
        print(json.dumps(measure(name, phase, Path(path))))
        return
    rows: list[page.Row] = []
    for row in measure_all(options.formats, options.phases, options.rows):
        rows.append(row)
        print(json.dumps(row), flush=True)
        command = shlex.join(["python", "-m", "benchmarks.big_files", *sys.argv[1:]])
        page.record(options.output, command, rows)


if __name__ == "__main__":
    main()
