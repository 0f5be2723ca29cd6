"""What a look inside costs: `python -m benchmarks.tracing`.

A trace of a tagger of two bidirectional LSTM layers, 128 units a direction, that reads sentences of
48 characters: megabytes returned; by how much the peak of the process grew beyond what it was after
the model itself had run on the same sentences (and one sentence had been traced, so that what
TensorFlow loads once, some 20 MB, does not count); and seconds beside those of the model. Every
number of sentences has a process of its own. Writes `benchmarks/results/tracing.json` and
`docs/speed.md`.
"""

import argparse
import multiprocessing
import resource
import statistics
import time

from benchmarks import page
from benchmarks.interleaved import spread

SENTENCES, CHARACTERS, UNITS, KNOWN = (64, 512), 48, 128, 3_000


def measure(sentences, turns):
    """A row, in this process, which must have done nothing yet."""
    import numpy as np

    import keras_seq
    from keras_seq import layers
    from keras_seq.models import SequenceTagger
    from keras_seq.text.encoder import TextEncoder
    from keras_seq.text.tags import TagSet

    known = [chr(0x4E00 + n) for n in range(KNOWN)]
    model = SequenceTagger(
        TextEncoder(known, "char_nospace"),
        TagSet(["PER", "LOC", "ORG"]),
        stack=layers.RNNStack("LSTM", UNITS, num_layers=2, bidirectional=True, dropout=0.3),
    )
    drawn = np.random.default_rng(0).choice(known, (sentences, CHARACTERS))
    texts = ["".join(sentence) for sentence in drawn]
    x = model.encode(texts).inputs
    model(x)
    keras_seq.trace(model, model.encode(texts[:1]).inputs)
    before = _peak()
    returned = keras_seq.trace(model, x).nbytes
    grown = _peak() - before
    seconds = {"model": [], "trace": []}
    for _ in range(turns):
        for what, call in (("model", model), ("trace", lambda x: keras_seq.trace(model, x))):
            began = time.perf_counter()
            call(x)
            seconds[what].append(time.perf_counter() - began)
    return {
        "sentences": sentences,
        "megabytes returned": returned / 1e6,
        "peak over returned": grown / returned,
        "seconds": {what: statistics.median(times) for what, times in seconds.items()},
        "spread": {what: spread(times) for what, times in seconds.items()},
    }


def _peak():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main():
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    turns = parser.parse_args().turns
    rows = []
    for sentences in SENTENCES:
        with multiprocessing.get_context("spawn").Pool(1) as fresh:
            rows.append(fresh.apply(measure, (sentences, turns)))
        print(rows[-1], flush=True)
    page.write("tracing", rows)


if __name__ == "__main__":
    main()
