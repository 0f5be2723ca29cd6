"""Cost of a CRF, and speed of tagging: `python -m benchmarks.tagging --run RUN`.

Time of a train step of an LSTM(128) with a CRF and with a softmax; and characters per second of a
run of the recipe `ner` on the validation sentences. Writes
`benchmarks/results/tagging.json` and `docs/speed.md`.
"""

import argparse
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import page
from benchmarks.interleaved import Peer, compare, spread

SHAPES = [(32, 100, 128, 9), (64, 48, 128, 13)]


def time_steps(turns: int) -> Iterator[page.Row]:
    """Yield one row per shape: milliseconds of a train step with either head."""
    peer = Peer("benchmarks.peers.with_crf")
    for shape in SHAPES:
        tasks = {head: (peer, {"head": head, "shape": shape}) for head in ("crf", "softmax")}
        timings, errors = compare(tasks, turns)
        if errors:
            raise SystemExit(f"{shape}: {errors}")
        yield {
            "task": "train step",
            "shape": shape,
            "milliseconds": {head: 1000 * t.median for head, t in timings.items()},
            "spread": {head: spread(t.turns) for head, t in timings.items()},
        }
    peer.close()


def time_tagging(folder: str, turns: int, batch_size: int) -> page.Row:
    """Return the characters per second of `tag` on the validation sentences of a run."""
    from keras_seq.train import runs

    recipe, config, model = runs.Run(Path(folder)).load()
    texts = ["".join(tokens) for tokens in recipe.load(config)["validation"].inputs]
    rates = []
    for _ in range(turns + 1):  # the first one compiles
        start = time.perf_counter()
        model.tag(texts, batch_size)
        rates.append(sum(map(len, texts)) / (time.perf_counter() - start))
    return {
        "task": "tag",
        "run": folder,
        "batch_size": batch_size,
        "characters_per_second": statistics.median(rates[1:]),
        "spread": spread(rates[1:]),
    }


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", default="runs/ner/default", help="a trained run of ner")
    parser.add_argument("--turns", type=int, default=9)
    options = parser.parse_args()
    rows = []
    for row in time_steps(options.turns):
        rows.append(row)
        print(row, flush=True)
    for batch_size in (64, 128):
        rows.append(time_tagging(options.run, 3, batch_size))
        print(rows[-1], flush=True)
    page.write("tagging", rows)


if __name__ == "__main__":
    main()
