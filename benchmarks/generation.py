"""Time per generated token: `python -m benchmarks.generation`.

Sequences of 100 and 1,000 tokens, with batch sizes 1 and 64, from a SequenceGenerator with one
LSTM(256) and a vocabulary of 100 tokens. Writes `benchmarks/results/generation.json` and
`docs/speed.md`.
"""

import argparse
import functools
import time
from collections.abc import Callable

import numpy as np

from benchmarks import page
from benchmarks.interleaved import spread

LENGTHS, NUM_SEQUENCES, UNITS, NUM_TOKENS = (100, 1_000), (1, 64), 256, 100


def measure(run: Callable[[], object], turns: int) -> list[float]:
    """Return the seconds of each turn, after a first one that compiles."""
    run()
    times = []
    for _ in range(turns):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return times


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    turns = parser.parse_args().turns
    from keras_seq import layers
    from keras_seq.models import SequenceGenerator
    from keras_seq.text.encoder import TextEncoder

    encoder = TextEncoder([chr(n) for n in range(200, 200 + NUM_TOKENS)], "char", end=True)
    stack = layers.RNNStack("LSTM", UNITS, return_state=True)
    model = SequenceGenerator(encoder, stack=stack)
    # Without the end token, each sequence has the maximum length.
    bias = np.zeros(encoder.vocab_size)
    bias[encoder.end_id] = -1e9
    model.output_layer.bias.assign(bias)
    rows = []
    for count in NUM_SEQUENCES:
        for length in LENGTHS:
            seconds = measure(
                functools.partial(
                    model.generate_tokens, num_sequences=count, max_length=length, seed=0
                ),
                turns,
            )
            row = {
                "num_sequences": count,
                "num_tokens": length,
                "ms_per_token": 1_000 * float(np.median(seconds)) / length,
                "spread": spread(seconds),
            }
            rows.append(row)
            print(row, flush=True)
    page.write("generation", rows)


if __name__ == "__main__":
    main()
