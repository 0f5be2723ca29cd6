"""Speed of beam search: `python -m benchmarks.decoding --run runs/spelling/default`.

Words per second of a run of the recipe `spelling` on its test words, with batch sizes 1 and 64 and
beam widths 1 and 5. Without `--run`, an untrained model of the same size is used, which predicts
eight phonemes for each word of eight letters. Writes `benchmarks/results/decoding.json` and
`docs/speed.md`.
"""

import argparse
import functools
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import page
from benchmarks.interleaved import spread

if TYPE_CHECKING:
    from keras_seq.models import Seq2Seq

BATCH_SIZES, BEAM_WIDTHS = (1, 64), (1, 5)


def words_per_second(model: "Seq2Seq", words: list[str], batch_size: int, beam_width: int) -> float:
    """Return the speed of one pass over all words."""
    start = time.perf_counter()
    model.translate(words, batch_size=batch_size, beam_width=beam_width)
    return len(words) / (time.perf_counter() - start)


def untrained_model(units: int) -> "tuple[Seq2Seq, list[str]]":
    """Return a model whose translations have eight tokens, and words for it."""
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
    # Without the end token, each translation has the maximum length.
    kernel, bias = model.decoder.output_layer.get_weights()
    bias[target.end_id] = -1e9
    model.decoder.output_layer.set_weights([kernel, bias])
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list(letters), 8)) for _ in range(1_280)]
    translate = functools.partial(model.translate, max_length=8)
    setattr(model, "translate", translate)  # noqa: B010
    return model, words


def trained_model(folder: Path) -> "tuple[Seq2Seq, list[str]]":
    """Return the model of a run, and its test words."""
    from keras_seq.train import runs

    recipe, config, model = runs.Run(folder).load()
    words = recipe.load(config)["test"].inputs
    return model, list(np.random.default_rng(0).choice(words, 1_280, replace=False))


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--units", type=int, default=256)
    parser.add_argument("--words", type=int, default=1_280)
    arguments = parser.parse_args()
    if arguments.run:
        model, words = trained_model(arguments.run)
    else:
        model, words = untrained_model(arguments.units)
    words = words[: arguments.words]
    turns: dict[tuple[int, int], list[float]] = {
        (batch_size, beam_width): [] for batch_size in BATCH_SIZES for beam_width in BEAM_WIDTHS
    }
    for turn in range(arguments.turns + 1):
        for (batch_size, beam_width), rates in turns.items():
            # Single words are slower, so fewer of them are enough.
            num_words = 100 if batch_size == 1 else None
            rate = words_per_second(model, words[:num_words], batch_size, beam_width)
            if turn:  # the first one compiles
                rates.append(rate)
    rows = []
    for (batch_size, beam_width), rates in turns.items():
        row: dict[str, Any] = {
            "model": str(arguments.run or "untrained"),
            "batch_size": batch_size,
            "beam_width": beam_width,
            "words_per_second": float(np.median(rates)),
            "spread": spread(rates),
            "time_relative_to_greedy": float(np.median(turns[batch_size, 1]) / np.median(rates)),
        }
        rows.append(row)
        print(row, flush=True)
    page.write("decoding", rows)


if __name__ == "__main__":
    main()
