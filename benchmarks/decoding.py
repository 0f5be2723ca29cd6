"""What a translation costs: `python -m benchmarks.decoding --run runs/spelling/default`.

Words a second, one at a time and 64 together, by a beam of 1 and of 5, of a run of the recipe
spelling on its test words. Without `--run`: of a model as large that has learnt nothing, and says
eight phonemes of every word of eight letters. Writes `benchmarks/results/decoding.json` and
`docs/speed.md`.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from benchmarks import page
from benchmarks.interleaved import spread

BATCHES, BEAMS = (1, 64), (1, 5)


def words_a_second(model, words, batch_size, beam_width):
    """Of one turn over all words."""
    began = time.perf_counter()
    model.translate(words, batch_size=batch_size, beam_width=beam_width)
    return len(words) / (time.perf_counter() - began)


def unlearnt(units):
    """A model whose translations have eight tokens, and words for it."""
    from keras_seq import layers
    from keras_seq.models import Seq2Seq
    from keras_seq.text import TextEncoder

    letters = "abcdefghijklmnopqrstuvwxyz"
    target = TextEncoder([f"P{n}" for n in range(39)], end=True)
    model = Seq2Seq(
        TextEncoder(letters, "char", end=True),
        target,
        stack=layers.RNNStack("LSTM", units, bidirectional=True, return_state=True),
        decoder=layers.Decoder(layers.TokenEmbedding(target, 128), "LSTM", units),
    )
    # Without its end token a translation is as long as it may be.
    kernel, bias = model.decoder.output_layer.get_weights()
    bias[target.end_id] = -1e9
    model.decoder.output_layer.set_weights([kernel, bias])
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list(letters), 8)) for _ in range(1_280)]
    translate = model.translate
    model.translate = lambda texts, **how: translate(texts, max_length=8, **how)
    return model, words


def learnt(folder):
    """The model of a run, and its test words."""
    from keras_seq.train import runs

    recipe, config, model = runs.Run(folder).load()
    words = recipe.load(config)["test"].inputs
    return model, list(np.random.default_rng(0).choice(words, 1_280, replace=False))


def main():
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--units", type=int, default=256)
    parser.add_argument("--words", type=int, default=1_280)
    arguments = parser.parse_args()
    model, words = learnt(arguments.run) if arguments.run else unlearnt(arguments.units)
    words = words[: arguments.words]
    # One at a time it takes longer: a part of the words will do.
    turns = {(batch, beam): [] for batch in BATCHES for beam in BEAMS}
    for turn in range(arguments.turns + 1):
        for (batch, beam), rates in turns.items():
            rate = words_a_second(model, words[: 100 if batch == 1 else None], batch, beam)
            if turn:  # the first compiles
                rates.append(rate)
    rows = []
    for (batch, beam), rates in turns.items():
        row = {
            "model": str(arguments.run or "nothing learnt"),
            "batch": batch,
            "beam": beam,
            "words a second": float(np.median(rates)),
            "spread": spread(rates),
            "of greedy": float(np.median(turns[batch, 1]) / np.median(rates)),
        }
        rows.append(row)
        print(row, flush=True)
    page.write("decoding", rows)


if __name__ == "__main__":
    main()
