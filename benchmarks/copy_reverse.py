"""What attention is for: `python -m benchmarks.copy_reverse`.

Up to 50 random letters are to be said again, forwards or backwards: the first token of the source
tells which. A Seq2Seq learns it with attention and without. Writes the share of sequences without
any mistake, by length, to `benchmarks/results/copy_reverse.json` and, as a picture, `.png`, where
the model with attention looked to `copy_reverse_attention.png`, and `docs/speed.md`.
"""

import argparse

import keras
import numpy as np
from matplotlib.figure import Figure

from benchmarks import page
from keras_seq import layers
from keras_seq.batching import make_batches
from keras_seq.models import Seq2Seq
from keras_seq.text import TextEncoder
from keras_seq.train import plots
from keras_seq.train.optimizers import adam_w

LETTERS = "abcdefghijklmnopqrstuvwxyz"
FORWARDS, BACKWARDS = "+-"


def pairs(count, lengths, seed):
    """Sources and targets, strings."""
    rng = np.random.default_rng(seed)
    sources, targets = [], []
    for length in rng.choice(lengths, count):
        text = "".join(rng.choice(list(LETTERS), length))
        backwards = rng.random() < 0.5
        sources.append((BACKWARDS if backwards else FORWARDS) + text)
        targets.append(text[::-1] if backwards else text)
    return sources, targets


def learnt(attention, arguments):
    """A model that has seen `updates` batches of 64,000 sequences."""
    keras.utils.set_random_seed(arguments.seed)
    source = TextEncoder([*LETTERS, FORWARDS, BACKWARDS], "char", end=True)
    target = TextEncoder(LETTERS, "char", end=True)
    model = Seq2Seq(
        source,
        target,
        features=[layers.TokenEmbedding(source, 32)],
        stack=layers.RNNStack("LSTM", arguments.units, bidirectional=True, return_state=True),
        decoder=layers.Decoder(
            layers.TokenEmbedding(target, 32),
            "LSTM",
            arguments.units,
            attention=attention,
            input_feeding=bool(attention) and arguments.input_feeding,
            dropout=0.0,
        ),
    )
    model.compile(adam_w(arguments.learning_rate, arguments.updates, weight_decay=0.0))
    steps = min(arguments.updates, 1_000)
    epochs = -(-arguments.updates // steps)
    sequences = pairs(steps * arguments.batch_size, range(1, arguments.longest + 1), seed=1)
    batches = make_batches(model.encode(*sequences), arguments.batch_size, 0, 0, epochs)
    model.fit(batches, steps_per_epoch=steps, epochs=epochs, shuffle=False, verbose=2)
    return model


def exact(model, arguments):
    """The share of new sequences, of every fifth length, that is said without a mistake."""
    found = {}
    for length in range(arguments.longest, 0, -5):
        sources, targets = pairs(arguments.tests, [length], seed=2)
        said = model.translate(sources, beam_width=1, max_length=arguments.longest + 2)
        found[length] = float(np.mean([a == b for a, b in zip(said, targets)]))
    return dict(sorted(found.items()))


def draw(rows, path):
    """The shares over lengths."""
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    for row in rows:
        axes.plot(list(row["exact"]), list(row["exact"].values()), marker="o", label=row["model"])
    axes.set(xlabel="letters", ylabel="sequences without a mistake", ylim=(-0.03, 1.03))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)


def main():
    """Trains both, measures, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--longest", type=int, default=50)
    parser.add_argument("--units", type=int, default=128)
    parser.add_argument("--updates", type=int, default=8_000)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=0.002)
    parser.add_argument("--attention", default="general")
    parser.add_argument("--input-feeding", action="store_true")
    parser.add_argument("--tests", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rows = []
    for name, attention in (("with attention", arguments.attention), ("without", None)):
        model = learnt(attention, arguments)
        row = {"model": name, "updates": arguments.updates, "exact": exact(model, arguments)}
        rows.append(row)
        print(row, flush=True)
        if attention:
            sources, _ = pairs(2, [min(20, arguments.longest)], seed=4)
            looks = [
                best
                for [best] in model.translate_n_best(
                    sources, beam_width=1, return_attention_scores=True
                )
            ]
            page.RESULTS.mkdir(exist_ok=True)
            plots.attention(looks, page.RESULTS / "copy_reverse_attention.png")
    draw(rows, page.RESULTS / "copy_reverse.png")
    page.write("copy_reverse", rows)


if __name__ == "__main__":
    main()
