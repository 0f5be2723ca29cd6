"""What a generated token costs, however many there are: `python -m benchmarks.generation`.

Sequences of 100 and of 1,000 tokens, one and 64 together, by a SequenceGenerator of one LSTM(256)
over 100 tokens. Writes `benchmarks/results/generation.json` and `docs/speed.md`.
"""

import argparse
import time

import numpy as np

from benchmarks import page
from benchmarks.interleaved import spread

LENGTHS, ROWS, UNITS, TOKENS = (100, 1_000), (1, 64), 256, 100


def measured(run, turns):
    """Seconds of each turn, after one that compiles."""
    run()
    found = []
    for _ in range(turns):
        began = time.perf_counter()
        run()
        found.append(time.perf_counter() - began)
    return found


def main():
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    turns = parser.parse_args().turns
    from keras_seq import layers
    from keras_seq.models import SequenceGenerator
    from keras_seq.text.encoder import TextEncoder

    encoder = TextEncoder([chr(n) for n in range(200, 200 + TOKENS)], "char", end=True)
    stack = layers.RNNStack("LSTM", UNITS, return_state=True)
    model = SequenceGenerator(encoder, stack=stack)
    # Without its end token, so that every sequence is as long as it may be.
    bias = np.zeros(encoder.vocab_size)
    bias[encoder.end_id] = -1e9
    model.output_layer.bias.assign(bias)
    rows = []
    for count in ROWS:
        for length in LENGTHS:
            seconds = measured(
                lambda count=count, length=length: model.generate_tokens(
                    num_sequences=count, max_length=length, seed=0
                ),
                turns,
            )
            row = {
                "what": "generate",
                "rows": count,
                "tokens": length,
                "milliseconds a token": 1_000 * float(np.median(seconds)) / length,
                "spread": spread(seconds),
            }
            rows.append(row)
            print(row, flush=True)
    page.write("generation", rows)


if __name__ == "__main__":
    main()
