"""Subsets of training data, recipes trained on them, and pictures of their learning curves."""

import json
import random
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from benchmarks import page
from keras_seq.batching import RawExamples
from keras_seq.train import loop, runs
from keras_seq.train.recipe import Recipe, Splits

PICTURES = Path(__file__).parent.parent / "docs" / "experiments"


def subset(
    splits: Splits, target: str, size: int, seed: int, num_test: int, with_rest: bool = False
) -> Splits:
    """Return splits of a random subset, with an eighth as many examples for validation.

    Both are from the training split. The test split consists of validation examples, so that the
    test examples of the data stay unread.

    Args:
        splits: Examples of a recipe.
        target: Name of the targets to keep.
        size: Number of training examples.
        seed: Random seed.
        num_test: Largest number of test examples.
        with_rest: Whether the rest of the training split may be among the test examples.
    """
    train, others = (_shuffled(splits[name], target, seed) for name in ("train", "validation"))
    num_validation = max(20, size // 8)
    rest = train[size + num_validation :] if with_rest else []
    rows = {
        "train": train[:size],
        "validation": train[size : size + num_validation],
        "test": [*others, *rest][:num_test],
    }
    return {
        split: RawExamples([input_ for input_, _ in pairs], {target: [label for _, label in pairs]})
        for split, pairs in rows.items()
    }


def _shuffled(examples: RawExamples, target: str, seed: int) -> list[tuple[Any, Any]]:
    pairs = list(zip(examples.inputs, examples.targets[target], strict=True))
    random.Random(seed).shuffle(pairs)
    return pairs


def train_without_options(
    recipe: Recipe, splits: Splits, target: str, columns: tuple[str, str]
) -> Any:
    """Write examples to files, train the default of a recipe on them, and return its metrics.

    Args:
        recipe: Recipe.
        splits: Examples.
        target: Name of their targets.
        columns: Names of inputs and targets in the files.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "data"
        source.mkdir()
        for split, examples in splits.items():
            pairs = zip(examples.inputs, examples.targets[target], strict=True)
            lines = [json.dumps(dict(zip(columns, pair, strict=True))) for pair in pairs]
            (source / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
        config = recipe.preset("default").override(data=str(source))
        return loop.train(recipe, "default", config, runs.Run(Path(folder) / "run"), "")


def draw(
    rows: Sequence[page.Row], size: str, curves: Mapping[str, str], metric: str, path: Path
) -> None:
    """Draw the means of a metric of several models by the number of training examples.

    Args:
        rows: Results.
        size: Name of the number of examples in a row, which labels the axis.
        curves: Label of each model by the name of its metric in a row.
        metric: Label of the metric.
        path: File of the picture.
    """
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    sizes = sorted({row[size] for row in rows})
    for key, label in curves.items():
        by_size = [[row[key] for row in rows if row[size] == count] for count in sizes]
        means = [sum(values) / len(values) for values in by_size]
        axes.plot(sizes, means, marker="o", label=label)
    axes.set(xscale="log", xlabel=f"training {size}", ylabel=metric, xticks=sizes)
    axes.set_xticklabels([f"{count:,}" for count in sizes])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)
