"""The cost of a CRF, and how fast texts are tagged: `python -m benchmarks.tagging --run RUN`.

A train step with a CRF beside one with a softmax, for an LSTM(128) over (32, 100) and 9 tags; and
characters a second of a trained run of the recipe ner, on the validation sentences. Writes
`benchmarks/results/tagging.json` and `docs/speed.md`.
"""

import argparse
import statistics
import time
from pathlib import Path

from benchmarks import page
from benchmarks.interleaved import Peer, compare, spread

SHAPES = [(32, 100, 128, 9), (64, 48, 128, 13)]


def steps(turns):
    """A row a shape: milliseconds of a train step with either head."""
    peer = Peer("benchmarks.peers.with_crf")
    for shape in SHAPES:
        who = {head: (peer, {"head": head, "shape": shape}) for head in ("crf", "softmax")}
        timings, errors = compare(who, turns)
        if errors:
            raise SystemExit(f"{shape}: {errors}")
        yield {
            "what": "train step",
            "shape": shape,
            "milliseconds": {head: 1000 * t.median for head, t in timings.items()},
            "spread": {head: spread(t.turns) for head, t in timings.items()},
        }
    peer.close()


def characters(folder, turns, batch_size):
    """A row: characters a second of `tag` on the validation sentences of a run."""
    from keras_seq.train import runs

    recipe, config, model = runs.Run(Path(folder)).load()
    texts = ["".join(tokens) for tokens in recipe.load(config)["validation"].inputs]
    rates = []
    for _ in range(turns + 1):  # the first compiles
        began = time.perf_counter()
        model.tag(texts, batch_size)
        rates.append(sum(map(len, texts)) / (time.perf_counter() - began))
    return {
        "what": "tag",
        "run": str(folder),
        "batch_size": batch_size,
        "characters a second": statistics.median(rates[1:]),
        "spread": spread(rates[1:]),
    }


def main():
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", default="runs/ner/default", help="a trained run of ner")
    parser.add_argument("--turns", type=int, default=9)
    options = parser.parse_args()
    rows = []
    for row in steps(options.turns):
        rows.append(row)
        print(row, flush=True)
    for batch_size in (64, 128):
        rows.append(characters(options.run, 3, batch_size))
        print(rows[-1], flush=True)
    page.write("tagging", rows)


if __name__ == "__main__":
    main()
