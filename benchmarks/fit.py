"""Time of `model.fit` with our layers and with Keras's: `python -m benchmarks.fit`.

Seconds per epoch of a call of `fit` with some epochs, after the first call, for one LSTM, two LSTMs
and a bidirectional LSTM on (64, 200, 128), and for the recipe `mnist_rows`. Two variants of ours
show the cost of feeding: one thread that prepares the batches, and one execution per epoch. Writes
`benchmarks/results/fit.json` and `docs/speed.md`.
"""

import argparse

from benchmarks import page
from benchmarks.interleaved import Peer, compare, spread

EPOCHS = 3
"""Epochs of a call."""
CONTESTANTS = ("ours", "keras", "ours, one feeding thread", "ours, steps per execution")
MODELS = ("LSTM", "two LSTM", "Bidirectional LSTM", "mnist_rows")


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    peers = {contestant: Peer("benchmarks.peers.with_fit") for contestant in CONTESTANTS}
    rows = []
    for name in MODELS:
        tasks = {
            contestant: (peer, {"model": name, "how": contestant, "epochs": EPOCHS})
            for contestant, peer in peers.items()
        }
        timings, errors = compare(tasks, options.turns, seconds=0)
        if errors:
            raise SystemExit(f"{name}: {errors}")
        rows.append(
            {
                "model": name,
                "epochs": EPOCHS,
                "seconds": {contestant: t.median / EPOCHS for contestant, t in timings.items()},
                "spread": {contestant: spread(t.turns) for contestant, t in timings.items()},
                "first_call_seconds": {contestant: t.first for contestant, t in timings.items()},
            }
        )
        print(rows[-1], flush=True)
    page.write("fit", rows)


if __name__ == "__main__":
    main()
