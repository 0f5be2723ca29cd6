"""Time of `model.fit` with our layers and with Keras's: `python -m benchmarks.fit`.

Seconds per epoch after the first, for one LSTM, two LSTMs and a bidirectional LSTM on (64, 200,
128), and for the recipe `mnist_rows`. Writes `benchmarks/results/fit.json` and `docs/speed.md`.
"""

import argparse

from benchmarks import page
from benchmarks.interleaved import Peer, compare, spread

MODELS = ("LSTM", "two LSTM", "Bidirectional LSTM", "mnist_rows")


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    peers = {contestant: Peer("benchmarks.peers.with_fit") for contestant in ("ours", "keras")}
    rows = []
    for name in MODELS:
        tasks = {
            contestant: (peer, {"model": name, "how": contestant})
            for contestant, peer in peers.items()
        }
        timings, errors = compare(tasks, options.turns, seconds=0)
        if errors:
            raise SystemExit(f"{name}: {errors}")
        rows.append(
            {
                "model": name,
                "seconds": {contestant: t.median for contestant, t in timings.items()},
                "spread": {contestant: spread(t.turns) for contestant, t in timings.items()},
                "first_epoch_seconds": {contestant: t.first for contestant, t in timings.items()},
            }
        )
        print(rows[-1], flush=True)
    page.write("fit", rows)


if __name__ == "__main__":
    main()
