"""Time of the first epochs over sequences of many lengths: `python -m benchmarks.first_epoch`.

The model is an LSTM, a bidirectional LSTM and a Dense layer, with our layers and with Keras's in
turn. It is trained for three epochs on 12 batches (32, timesteps, 64) with random lengths from 1 to
29. It reports seconds and CPU seconds per epoch, and the peak of memory. Every measurement has its
own process. Writes `benchmarks/results/first_epoch.json` and `docs/speed.md`.

`--lengths 200` prints the same for epochs over every length from 1 to 200 instead.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

from benchmarks import page

NUM_BATCHES, MAX_LENGTH, EPOCHS = 12, 29, 3
BATCH, FEATURES, UNITS = 32, 64, 64


def measure(name: str, num_lengths: int | None) -> page.Row:
    """Return seconds and CPU seconds per epoch, and the peak memory of this process.

    Args:
        name: "ours" or "keras".
        num_lengths: Length of the longest batch, where there is one of each length. Default: the
            random lengths of the benchmark.
    """
    import keras
    import numpy as np
    import tensorflow as tf

    from keras_seq import layers

    library = {"ours": layers, "keras": keras.layers}[name]
    rng = np.random.default_rng(0)
    if num_lengths is None:
        lengths = rng.integers(1, MAX_LENGTH + 1, NUM_BATCHES)
    else:
        lengths = rng.permutation(num_lengths) + 1
    batches = [
        (rng.standard_normal((BATCH, length, FEATURES), "float32"), rng.random((BATCH, 1)))
        for length in lengths
    ]
    signature = tf.TensorSpec((None, None, FEATURES)), tf.TensorSpec((None, 1), tf.float64)
    data = tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=signature)
    model = keras.Sequential(
        [
            keras.Input((None, FEATURES)),
            library.LSTM(UNITS, return_sequences=True),
            keras.layers.Bidirectional(library.LSTM(UNITS)),
            keras.layers.Dense(1),
        ]
    )
    model.compile("adam", "mse")
    epochs = []
    for _ in range(EPOCHS):
        start = time.perf_counter(), time.process_time()
        model.fit(data, verbose=0)
        epochs.append([time.perf_counter() - start[0], time.process_time() - start[1]])
    seconds, cpu_seconds = zip(*epochs)
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "megabytes": megabytes}


def measure_in_process(name: str, num_lengths: int | None) -> page.Row:
    """Run `measure` in a new process."""
    arguments = ["--one", name, *([] if num_lengths is None else ["--lengths", str(num_lengths)])]
    process = subprocess.run(
        [sys.executable, "-m", "benchmarks.first_epoch", *arguments],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(process.stdout.splitlines()[-1])


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lengths", type=int, help="print an epoch over every length up to this")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.lengths)))
        return
    names = "ours", "keras"
    rounds = [
        {name: measure_in_process(name, options.lengths) for name in names}
        for _ in range(options.rounds)
    ]
    rows = []
    for name in names:
        row: page.Row = {"library": name}
        for key in ("seconds", "cpu_seconds"):
            epochs = zip(*(results[name][key] for results in rounds))
            row[key] = [statistics.median(epoch) for epoch in epochs]
        row["megabytes"] = statistics.median(results[name]["megabytes"] for results in rounds)
        rows.append(row)
        print(row, flush=True)
    if options.lengths is None:
        page.write("first_epoch", rows)


if __name__ == "__main__":
    main()
