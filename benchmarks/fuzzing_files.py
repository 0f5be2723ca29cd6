"""Fuzzing of the file readers: `python -m benchmarks.fuzzing_files`.

Files of every supported format are damaged at random and read in a separate process. Each file must
be read or cause a one-line error that names it, within 10 seconds and 2 GB. With `--errors skip`,
bad rows may also be left out and counted. Prints a table, writes
`benchmarks/results/fuzzing_files.json`, and ends with exit code 1 if a file breaks these rules.
"""

import argparse
import collections
import gzip
import json
import os
import random
import resource
import select
import shlex
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from benchmarks import page
from benchmarks.fuzzing_mutations import damage
from benchmarks.fuzzing_seeds import READERS, write_seeds

MAX_SECONDS = 10.0
"""Maximum time to read one file, in seconds."""
MAX_MEGABYTES = 2_000
"""Maximum memory of the reading process."""
GOOD_OUTCOMES = ("read", "skipped", "rejected")
"""Outcomes: all was read, bad rows were left out and counted, or there was a one-line error."""
ADDRESS_SPACE_BYTES = 32 * 2**30
"""Address space of the reading process, which protects the machine."""


def read_files(errors: Literal["strict", "skip"]) -> None:
    """Read the files named on the standard input, and write a line of JSON about each.

    Args:
        errors: Treatment of bad rows.
    """
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    answers = os.fdopen(os.dup(1), "w")
    # Libraries print messages about damaged files.
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        name, path = json.loads(line)
        _reset_peak()
        answer = _outcome(name, Path(path), errors)
        print(json.dumps({**answer, "megabytes": _peak_megabytes()}), file=answers, flush=True)


def _outcome(name: str, path: Path, errors: Literal["strict", "skip"]) -> dict[str, str]:
    from keras_seq import InputError, data
    from keras_seq.data import row_errors

    try:
        with row_errors.policy(errors), data.collect_summaries() as summaries:
            READERS[name].read(path)
    except InputError as error:
        message = str(error)
        is_clear = path.stem in message and "\n" not in message and len(message) < 1_000
        return {"outcome": "rejected" if is_clear else "unclear", "detail": message[:300]}
    except BaseException:
        return {"outcome": "traceback", "detail": traceback.format_exc()[-1_500:]}
    is_skipped = any(row_errors.LEFT_OUT_KEY in summary.left_out for summary in summaries)
    return {"outcome": "skipped" if is_skipped else "read", "detail": ""}


def _reset_peak() -> None:
    """Reset the peak memory of this process."""
    Path("/proc/self/clear_refs").write_text("5")


def _peak_megabytes() -> int:
    """Return the peak memory of this process since the reset."""
    status = Path("/proc/self/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) // 1024


class Worker:
    """Process that reads files, restarted after a hang or a crash.

    Args:
        errors: Treatment of bad rows, "strict" or "skip".
    """

    def __init__(self, errors: str) -> None:
        self._process: Any = None
        self._errors = errors

    def read(self, name: str, path: Path) -> dict[str, Any]:
        """Read a file; return the outcome, and its time and memory."""
        if self._process is None:
            command = [sys.executable, "-m", "benchmarks.fuzzing_files", "--worker"]
            command += ["--errors", self._errors]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for reader in READERS:  # Imports take seconds.
                self._ask(reader, path.with_name("none"), 300)
        return self._ask(name, path, MAX_SECONDS)

    def _ask(self, name: str, path: Path, timeout: float) -> dict[str, Any]:
        start = time.perf_counter()
        print(json.dumps([name, str(path)]), file=self._process.stdin, flush=True)
        ready, _, _ = select.select([self._process.stdout], [], [], timeout)
        line = self._process.stdout.readline() if ready else ""
        seconds = time.perf_counter() - start
        if line:
            return {**json.loads(line), "seconds": seconds}
        self.close()
        outcome = "crash" if ready else "hang"
        return {"outcome": outcome, "detail": "", "megabytes": 0, "seconds": seconds}

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def damaged_files(
    count: int, seed: object, folder: Path, readers: Sequence[str] = tuple(READERS)
) -> Iterator[tuple[str, Path]]:
    """Write damaged files, equally many for each reader.

    Args:
        count: Number of files.
        seed: Random seed. A file depends only on the seed, on its own number and on the readers.
        folder: Folder to write them to.
        readers: Names of the readers.

    Yields:
        Name of the reader and path of the file.
    """
    seeds = write_seeds(folder / "seeds")
    for number in range(count):
        name = readers[number % len(readers)]
        rng = random.Random(f"{seed} {number}")
        source = rng.choice(seeds[name])
        content = source.read_bytes()
        if source.suffix == ".gz" and rng.random() < 0.7:
            # Damage the decompressed content, which other damage rarely reaches.
            content = gzip.compress(damage(gzip.decompress(content), rng), mtime=0)
        else:
            content = damage(content, rng)
        path = folder / f"file{number}{''.join(source.suffixes)}"
        path.write_bytes(content)
        yield name, path


def main() -> None:
    """Damage and read files, print and write the results, and exit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2_000, help="files of all readers together")
    parser.add_argument("--files-per-reader", type=int, help="files of each reader")
    parser.add_argument("--readers", nargs="+", default=[*READERS], choices=[*READERS])
    parser.add_argument("--errors", choices=["strict", "skip"], default="strict")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the files that cause faults")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        read_files(options.errors)
        return
    rows: dict[str, list[dict[str, Any]]] = collections.defaultdict(list)
    faults, worker, readers = [], Worker(options.errors), options.readers
    count = options.files
    if options.files_per_reader is not None:
        count = options.files_per_reader * len(readers)
    with tempfile.TemporaryDirectory() as name:
        for reader, path in damaged_files(count, options.seed, Path(name), readers):
            result = worker.read(reader, path)
            rows[reader].append(result)
            exceeds = result["seconds"] > MAX_SECONDS or result["megabytes"] > MAX_MEGABYTES
            if result["outcome"] not in GOOD_OUTCOMES or exceeds:
                faults.append((reader, path.name, result))
                print(reader, path.name, *result.values(), sep="\n", flush=True)
                if options.keep:
                    options.keep.mkdir(parents=True, exist_ok=True)
                    (options.keep / f"{reader}_{path.name}").write_bytes(path.read_bytes())
            path.unlink()
        worker.close()
    table = [_row(reader, results) for reader, results in sorted(rows.items())]
    _print_table(table)
    print(f"{len(faults)} faults in {count} files")
    command = shlex.join(["python", "-m", "benchmarks.fuzzing_files", *sys.argv[1:]])
    page.record(page.RESULTS / "fuzzing_files.json", command, table)
    sys.exit(bool(faults))


def _row(reader: str, results: list[dict[str, Any]]) -> dict[str, Any]:
    counts = collections.Counter(result["outcome"] for result in results)
    return {
        "reader": reader,
        "files": len(results),
        **{outcome: counts[outcome] for outcome in GOOD_OUTCOMES},
        "faults": len(results) - sum(counts[outcome] for outcome in GOOD_OUTCOMES),
        "max_seconds": round(max(result["seconds"] for result in results), 2),
        "peak_mb": max(result["megabytes"] for result in results),
    }


def _print_table(rows: list[dict[str, Any]]) -> None:
    for row in [dict(zip(rows[0], rows[0])), *rows]:
        first, *rest = map(str, row.values())
        print(f"{first:<16}" + "".join(f"{value:>12}" for value in rest))


if __name__ == "__main__":
    main()
