"""Bulk predictions of runs: `python -m benchmarks.bulk_predict runs/sentiment/default`.

`keras-seq predict RUN --input FILE --output FILE.jsonl` reads sentences of the run's data, repeated
up to the number of sentences. In turn with it (A B C A B C ...), a process that has loaded the run
calls the model's `classify` or `tag` with all sentences ("library"), and the network alone on
sentences that are encoded already ("network"). Then the command is killed by `kill -9` when it has
written half of the output: the output file must be absent, and a second command must write the same
file as an undisturbed one. A command that writes to the standard output is killed too; its output
must end with a complete row. Writes `benchmarks/results/bulk_predict.json` and `docs/speed.md`, and
ends with exit code 1 if a killed command left a part of a row or file.
"""

import argparse
import itertools
import json
import os
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import page
from keras_seq.train.api import load_run

RESULTS = page.RESULTS / "bulk_predict.json"
METHODS = ("classify", "tag")
"""Methods of models that predict texts."""
WARM_UP_SENTENCES = 2_000
ENVIRONMENT = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}


class Measured(NamedTuple):
    """Time and memory of a command."""

    seconds: float
    peak_megabytes: float


def write_sentences(run: Path, number: int, path: Path) -> None:
    """Write sentences of the data of a run to a file, one per line.

    Args:
        run: Folder of the run.
        number: Number of sentences. Those of the training split are repeated.
        path: File to write.
    """
    trained = load_run(run)
    examples = trained.recipe.load_splits(trained.config)["train"].inputs
    separator = trained.model.encoder.text_tokenizer.separator
    texts = (text if isinstance(text, str) else separator.join(text) for text in examples)
    lines = [line for text in texts if (line := " ".join(text.split()))]
    repeated = itertools.islice(itertools.cycle(lines), number)
    path.write_text("\n".join(repeated) + "\n", encoding="utf-8")


def _command(run: Path, sentences: Path, output: str) -> list[str]:
    command = [sys.executable, "-m", "keras_seq.cli", "predict", str(run)]
    return [*command, "--input", str(sentences), "--output", output]


def measure_command(run: Path, sentences: Path, output: Path) -> Measured:
    """Return the time and the memory of the command, which writes a file.

    Args:
        run: Folder of the run.
        sentences: File with a sentence per line.
        output: File to write.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        _command(run, sentences, str(output)), env=ENVIRONMENT, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, process.args
    return Measured(time.perf_counter() - start, usage.ru_maxrss / 1024)


class Library:
    """Process that has loaded a run and times its model.

    Args:
        run: Folder of the run.
        sentences: File with a sentence per line.
    """

    def __init__(self, run: Path, sentences: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.bulk_predict", str(run), "--serve"]
        self.process = subprocess.Popen(
            [*command, str(sentences)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT,
            text=True,
        )

    def measure(self, name: str) -> float:
        """Return the seconds of "library" or "network" for all sentences."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(name + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def serve(run: Path, sentences: Path) -> None:
    """Print the seconds of each call whose name is read from the standard input."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # keeps the output of libraries out of the answers
    model = load_run(run).model
    texts = sentences.read_text("utf-8").splitlines()
    predict = getattr(model, next(name for name in METHODS if hasattr(model, name)))
    encoded = model.encode(texts)

    def call_network() -> None:
        network = getattr(model, "inference_model", model)
        for _ in model.predict_by_length(encoded, 64, network.predict_on_batch):
            pass

    calls: dict[str, Callable[[], Any]] = {
        "library": lambda: predict(texts),
        "network": call_network,
    }
    predict(texts[:WARM_UP_SENTENCES])
    for line in sys.stdin:
        start = time.perf_counter()
        calls[line.strip()]()
        print(time.perf_counter() - start, file=answers, flush=True)


def kill_command(run: Path, sentences: Path, folder: Path, complete: bytes) -> page.Row:
    """Kill the command that writes a file, run it again, and return what it left.

    Args:
        run: Folder of the run.
        sentences: File with a sentence per line.
        folder: Empty folder.
        complete: Content of the output of an undisturbed command.
    """
    output = folder / "killed.jsonl"
    process = subprocess.Popen(
        _command(run, sentences, str(output)), env=ENVIRONMENT, stderr=subprocess.DEVNULL
    )

    def written() -> int:
        return sum(path.stat().st_size for path in folder.glob(".writing-*/*"))

    fraction = _kill_at_half(process, written, len(complete))
    left = output.read_bytes() if output.exists() else None
    for temporary in folder.glob(".writing-*"):
        os.utime(temporary, (0, 0))  # only old ones are removed
    output.unlink(missing_ok=True)
    measure_command(run, sentences, output)
    return {
        "written": fraction,
        "output": "absent" if left is None else "complete" if left == complete else "cut",
        "same_after_another_command": output.read_bytes() == complete,
        "remains": [path.name for path in folder.iterdir() if path != output],
    }


def kill_stream(run: Path, sentences: Path, output: Path, complete: bytes) -> page.Row:
    """Kill the command that writes to the standard output, and return what it wrote.

    Args:
        run: Folder of the run.
        sentences: File with a sentence per line.
        output: File that the standard output is redirected to.
        complete: Content of the output of an undisturbed command.
    """
    with output.open("wb") as file:
        process = subprocess.Popen(
            _command(run, sentences, "-"), env=ENVIRONMENT, stdout=file, stderr=subprocess.DEVNULL
        )
        fraction = _kill_at_half(process, lambda: output.stat().st_size, len(complete))
    written = output.read_bytes()
    return {
        "written": fraction,
        "rows": written.count(b"\n"),
        "ends_with_a_row": written.endswith(b"\n") or not written,
        "is_a_beginning": complete.startswith(written),
    }


def _kill_at_half(
    process: "subprocess.Popen[bytes]", written: Callable[[], int], size: int
) -> float:
    """Kill a process when it has written half of some bytes; return the fraction it has written."""
    while process.poll() is None and written() < size / 2:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return round(written() / size, 3)


def measure(run: Path, number: int, turns: int) -> page.Row:
    """Return the row of one run.

    Args:
        run: Folder of the run.
        number: Number of sentences.
        turns: Number of turns of the command, the library and the network.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sentences, single = folder / "sentences.txt", folder / "one.txt"
        write_sentences(run, number, sentences)
        single.write_text(sentences.read_text("utf-8").split("\n")[0] + "\n", encoding="utf-8")
        commands: list[Measured] = []
        starts: list[Measured] = []
        calls: dict[str, list[float]] = {"library": [], "network": []}
        library = Library(run, sentences)
        for turn in range(turns):
            commands.append(measure_command(run, sentences, folder / f"{turn}.jsonl"))
            for name, times in calls.items():
                times.append(library.measure(name))
            starts.append(measure_command(run, single, folder / f"one_{turn}.jsonl"))
        library.close()
        complete = (folder / "0.jsonl").read_bytes()
        (folder / "killed").mkdir()
        return {
            "run": run.parent.name,
            "sentences": number,
            "rows": complete.count(b"\n"),
            "seconds": {
                "command": _median(m.seconds for m in commands),
                "command, one sentence": _median(m.seconds for m in starts),
                **{name: _median(times) for name, times in calls.items()},
            },
            "seconds_of_turns": {
                "command": [round(m.seconds, 2) for m in commands],
                **{name: [round(x, 2) for x in times] for name, times in calls.items()},
            },
            "peak_megabytes": {
                "command": round(max(m.peak_megabytes for m in commands)),
                "command, one sentence": round(max(m.peak_megabytes for m in starts)),
            },
            "killed": kill_command(run, sentences, folder / "killed", complete),
            "killed_stream": kill_stream(run, sentences, folder / "stream.jsonl", complete),
        }


def _median(values: Iterator[float] | Sequence[float]) -> float:
    return round(statistics.median(values), 2)


def is_clean(row: page.Row) -> bool:
    """Return whether the killed commands left neither a part of a row nor a part of a file."""
    killed, stream = row["killed"], row["killed_stream"]
    return (
        killed["output"] != "cut"
        and killed["same_after_another_command"]
        and not killed["remains"]
        and stream["ends_with_a_row"]
        and stream["is_a_beginning"]
    )


def main() -> int:
    """Measure, print and write the results, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--sentences", type=int, default=100_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--output", type=Path, default=RESULTS, help="file of the results")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.runs[0], options.serve)
        return 0
    rows: list[page.Row] = []
    for run in options.runs:
        rows.append(measure(run, options.sentences, options.turns))
        print(json.dumps(rows[-1]), flush=True)
    command = shlex.join(["python", "-m", "benchmarks.bulk_predict", *sys.argv[1:]])
    page.record(options.output, command, rows)
    if options.output == RESULTS:
        page.PAGE.write_text(page.page())
    return 0 if all(map(is_clean, rows)) else 1


if __name__ == "__main__":
    sys.exit(main())
