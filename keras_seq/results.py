"""The recorded results of the recipes' presets, and the tables made of them."""

import dataclasses
from statistics import mean

from keras_seq.errors import InputError
from keras_seq.runs import write_json


def record(recipe, metrics):
    """Adds the metrics of a finished run to the results of its recipe."""
    keys = ("preset", "seed")
    rows = [*recipe.results, metrics]
    rows.sort(key=lambda row: [row[key] for key in keys])
    write_json(recipe.folder / "results.json", rows)


def check_recordable(recipe, preset, config):
    """Refuses to record what is no preset as it stands, or what is recorded already.

    Raises:
        InputError: So it is.
    """
    if dataclasses.replace(config, seed=0) != dataclasses.replace(recipe.preset(preset), seed=0):
        raise InputError("--record takes a preset as it is; only --seed may differ.")
    for row in recipe.results:
        if (row["preset"], row["seed"]) == (preset, config.seed):
            raise InputError(
                f"The result of preset {preset!r} with seed {config.seed} is recorded in "
                f"{recipe.folder / 'results.json'}; the first reading stands."
            )


def summary(rows):
    """A line a preset: its name, the number of seeds, the mean test metrics, the mean minutes.

    Args:
        rows: Records of one recipe, as `record` wrote them.
    """
    lines = []
    for preset in dict.fromkeys(row["preset"] for row in rows):
        runs = [row for row in rows if row["preset"] == preset]
        # What is measured label by label, with a space in its name, would be too much here.
        names = [name for name in runs[0]["test"] if " " not in name]
        metrics = [f"{name} {mean(run['test'][name] for run in runs):.3f}" for name in names]
        minutes = mean(run["seconds"] for run in runs) / 60
        lines.append((preset, str(len(runs)), ", ".join(metrics), f"{minutes:.1f}"))
    return lines
