"""Copying and reversing with and without attention: `python -m benchmarks.copy_reverse`.

A Seq2Seq learns to copy or reverse up to 50 random letters, as the first token of the source says.
Writes the fraction of sequences without an error, by length, to
`benchmarks/results/copy_reverse.json` and a plot of the same name, attention weights to
`copy_reverse_attention.png`, and `docs/speed.md`.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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


def make_pairs(count: int, lengths: Sequence[int], seed: int) -> tuple[list[str], list[str]]:
    """Return random sources and their targets."""
    rng = np.random.default_rng(seed)
    sources, targets = [], []
    for length in rng.choice(lengths, count):
        text = "".join(rng.choice(list(LETTERS), length))
        backwards = rng.random() < 0.5
        sources.append((BACKWARDS if backwards else FORWARDS) + text)
        targets.append(text[::-1] if backwards else text)
    return sources, targets


def train(attention: Any, arguments: argparse.Namespace) -> Seq2Seq:
    """Return a model trained for `steps` steps on 64,000 sequences."""
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
    model.compile(adam_w(arguments.learning_rate, arguments.steps, weight_decay=0.0))
    steps_per_epoch = min(arguments.steps, 1_000)
    epochs = -(-arguments.steps // steps_per_epoch)
    sequences = make_pairs(
        steps_per_epoch * arguments.batch_size, range(1, arguments.max_length + 1), seed=1
    )
    batches = make_batches(model.encode(*sequences), arguments.batch_size, 0, 0, epochs)
    model.fit(batches, steps_per_epoch=steps_per_epoch, epochs=epochs, shuffle=False, verbose=2)
    return model


def exact_match(model: Seq2Seq, arguments: argparse.Namespace) -> dict[int, float]:
    """Return the fraction of test sequences without an error, for every fifth length."""
    fractions = {}
    for length in range(arguments.max_length, 0, -5):
        sources, targets = make_pairs(arguments.num_tests, [length], seed=2)
        outputs = model.translate(sources, beam_width=1, max_length=arguments.max_length + 2)
        fractions[length] = float(np.mean([a == b for a, b in zip(outputs, targets)]))
    return dict(sorted(fractions.items()))


def draw(rows: list[page.Row], path: Path) -> None:
    """Plot the fractions over the lengths."""
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    for row in rows:
        scores = row["exact_match"]
        axes.plot(list(scores), list(scores.values()), marker="o", label=row["model"])
    axes.set(xlabel="letters", ylabel="fraction without an error", ylim=(-0.03, 1.03))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Train both models, measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--max-length", type=int, default=50)
    parser.add_argument("--units", type=int, default=128)
    parser.add_argument("--steps", type=int, default=8_000)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=0.002)
    parser.add_argument("--attention", default="general")
    parser.add_argument("--input-feeding", action="store_true")
    parser.add_argument("--num-tests", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rows = []
    for name, attention in (("with attention", arguments.attention), ("without", None)):
        model = train(attention, arguments)
        scores = exact_match(model, arguments)
        row = {"model": name, "steps": arguments.steps, "exact_match": scores}
        rows.append(row)
        print(row, flush=True)
        if attention:
            sources, _ = make_pairs(2, [min(20, arguments.max_length)], seed=4)
            best_hypotheses = [
                best
                for [best] in model.translate_n_best(
                    sources, beam_width=1, return_attention_scores=True
                )
            ]
            page.RESULTS.mkdir(exist_ok=True)
            plots.attention(best_hypotheses, page.RESULTS / "copy_reverse_attention.png")
    draw(rows, page.RESULTS / "copy_reverse.png")
    page.write("copy_reverse", rows)


if __name__ == "__main__":
    main()
