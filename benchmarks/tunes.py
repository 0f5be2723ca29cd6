"""Measures of generated tunes by temperature: `python -m benchmarks.tunes runs/music/default`.

Draws 40 tunes of each style at each temperature and prints the measures of
`keras_seq_recipes.music.measures`, next to those of the validation tunes.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from keras_seq.train import load_run

NUM_TUNES = 40
"""Number of tunes per style."""
TEMPERATURES = (0.8, 0.9, 1.0)
SHOWN = ("parsed", "full_bars", "repeated_bars", "stuck", "copies")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table with one row per temperature."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="Folder of a run of the recipe music.")
    parser.add_argument("--tunes", type=int, default=NUM_TUNES, help="Number per style.")
    parser.add_argument("--seed", type=int, default=0, help="Random seed of the tunes.")
    options = parser.parse_args(arguments)
    from keras_seq_recipes.music import measures, metric

    run = load_run(options.run)
    splits = run.recipe.load_splits(run.config)
    find_overlap = measures.make_overlap_finder(splits["train"].inputs)
    styles = [style for style in run.model.styles or [] for _ in range(options.tunes)]
    print("| tunes |", " | ".join(SHOWN), "|")
    print("| --- |", " | ".join("---" for _ in SHOWN), "|")
    for temperature in (None, *TEMPERATURES):
        if temperature is None:
            name, tune_list = "real", splits["validation"].inputs
        else:
            name = f"temperature {temperature}"
            sequences = run.model.generate_tokens(
                styles=styles,
                max_length=metric.MAX_LENGTH,
                temperature=temperature,
                seed=options.seed,
            )
            tune_list = [sequence.tokens for sequence in sequences]
        measured = measures.measure_tunes(tune_list, find_overlap)
        print(f"| {name} |", " | ".join(f"{measured[key]:.3f}" for key in SHOWN), "|", flush=True)


if __name__ == "__main__":
    main()
