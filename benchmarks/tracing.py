"""Time and memory of tracing: `python -m benchmarks.tracing`.

Traces a tagger with two bidirectional LSTM layers of 128 units per direction on sentences of 48
characters. Reports the size of the trace, the increase of peak memory relative to it, and the times
of the trace and of the model alone. The peak before is taken after the model and a trace of one
sentence have run, so that it includes what TensorFlow loads once. Every number of sentences has its
own process. Writes `benchmarks/results/tracing.json` and
`docs/speed.md`.
"""

import argparse
import multiprocessing
import resource
import statistics
import time

from benchmarks import page
from benchmarks.interleaved import spread

NUM_SENTENCES, NUM_CHARACTERS, UNITS, VOCAB_SIZE = (64, 512), 48, 128, 3_000


def measure(num_sentences: int, turns: int) -> page.Row:
    """Return a row, measured in this process, which must be new."""
    import numpy as np

    import keras_seq
    from keras_seq import layers
    from keras_seq.models import SequenceTagger
    from keras_seq.text.encoder import TextEncoder
    from keras_seq.text.tags import TagSet

    characters = [chr(0x4E00 + n) for n in range(VOCAB_SIZE)]
    model = SequenceTagger(
        TextEncoder(characters, "char_nospace"),
        TagSet(["PER", "LOC", "ORG"]),
        stack=layers.RNNStack("LSTM", UNITS, num_layers=2, bidirectional=True, dropout=0.3),
    )
    sentences = np.random.default_rng(0).choice(characters, (num_sentences, NUM_CHARACTERS))
    texts = ["".join(sentence) for sentence in sentences]
    x = model.encode(texts).inputs
    model(x)
    keras_seq.trace(model, model.encode(texts[:1]).inputs)
    before = _peak_bytes()
    size = keras_seq.trace(model, x).nbytes
    increase = _peak_bytes() - before
    seconds: dict[str, list[float]] = {"model": [], "trace": []}
    for _ in range(turns):
        for name, call in (("model", model), ("trace", lambda x: keras_seq.trace(model, x))):
            start = time.perf_counter()
            call(x)
            seconds[name].append(time.perf_counter() - start)
    return {
        "num_sentences": num_sentences,
        "megabytes": size / 1e6,
        "relative_peak": increase / size,
        "seconds": {name: statistics.median(times) for name, times in seconds.items()},
        "spread": {name: spread(times) for name, times in seconds.items()},
    }


def _peak_bytes() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    turns = parser.parse_args().turns
    rows = []
    for num_sentences in NUM_SENTENCES:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            rows.append(pool.apply(measure, (num_sentences, turns)))
        print(rows[-1], flush=True)
    page.write("tracing", rows)


if __name__ == "__main__":
    main()
