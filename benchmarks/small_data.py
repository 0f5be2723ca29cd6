"""Taggers on small data: `python -m benchmarks.small_data`.

Compares the recipe `ner` without options with a classical conditional random field, of CRFsuite,
over the same templates as `keras_seq.layers.TemplateFeatures`. Both learn from the first 200 to
2,000 shuffled training sentences of the People's Daily, with an eighth as many for validation, and
are compared on validation sentences of the recipe. The classical model learns from the validation
sentences too. Needs `pip install sklearn-crfsuite`. Writes `benchmarks/results/small_data.json`,
and the learning curves to `docs/experiments/small_data.png`.

`--data FOLDER` measures your own data in place of it: each fold of train.* and validation.* is the
test split once. `--test` reads test.* instead, once.
"""

import argparse
import functools
import json
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
from keras_seq_recipes.ner.metric import entity_metrics

from benchmarks import page
from benchmarks.template_strings import template_strings
from keras_seq.batching import RawExamples
from keras_seq.text.tag_schemes import tags_to_spans
from keras_seq.train import loop, registry, runs
from keras_seq.train.folds import Fold
from keras_seq.train.recipe import Splits

SIZES = (200, 500, 1_000, 2_000)
NUM_TEST = 2_000
"""Number of sentences that the models are compared on."""
PICTURE = Path(__file__).parent.parent / "docs" / "experiments" / "small_data.png"

RECIPE = registry.find("ner").import_recipe()


class Task(NamedTuple):
    """Data of one comparison."""

    name: str
    size: int
    splits: Splits


def main() -> None:
    """Train, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--seeds", type=int, default=1, help="Number of subsets of each size.")
    parser.add_argument("--data", help="Folder of your own data.")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--test", action="store_true")
    arguments = parser.parse_args()
    rows = []
    for task in make_tasks(arguments):
        row = {"data": task.name, "sentences": task.size, **compare(task)}
        print(row, flush=True)
        rows.append(row)
    if arguments.data is None:
        page.write("small_data", rows)
        draw(rows, PICTURE)


def make_tasks(arguments: argparse.Namespace) -> Iterator[Task]:
    """Yield the data of each comparison."""
    if arguments.data is None:
        splits = RECIPE.load(RECIPE.preset("default"))
        for seed in range(arguments.seeds):
            for size in arguments.sizes:
                yield Task(f"People's Daily, subset {seed}", size, subset(splits, size, seed))
        return
    splits = RECIPE.load(RECIPE.preset("default").override(data=arguments.data))
    if arguments.test:
        yield Task(arguments.data, len(splits["train"]), splits)
        return
    describe = functools.partial(RECIPE.describe_for_folds, RECIPE.preset("default"))
    for number in range(1, arguments.folds + 1):
        folds = Fold(number, arguments.folds).select(splits, describe)
        yield Task(f"{arguments.data}, fold {number}", len(folds["train"]), folds)


def subset(splits: Splits, size: int, seed: int) -> Splits:
    """Return sentences to train and validate on, from the training split, and others to test on."""
    train, others = (_shuffled(splits[name], seed) for name in ("train", "validation"))
    num_validation = max(20, size // 8)
    return {
        "train": _rows(train, 0, size),
        "validation": _rows(train, size, size + num_validation),
        "test": _rows(others, 0, NUM_TEST),
    }


def compare(task: Task) -> dict[str, Any]:
    """Return the F1 of both models, and the seconds that they take to train."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "data"
        source.mkdir()
        for split, examples in task.splits.items():
            pairs = zip(examples.inputs, examples.targets["tags"], strict=True)
            lines = [json.dumps({"tokens": tokens, "ner_tags": tags}) for tokens, tags in pairs]
            (source / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
        config = RECIPE.preset("default").override(data=str(source))
        metrics: Any = loop.train(RECIPE, "default", config, runs.Run(Path(folder) / "run"), "")
    start = time.perf_counter()
    classical = train_classical(task.splits)
    return {
        "f1": metrics["test"]["f1"],
        "classical_f1": classical,
        "seconds": metrics["seconds"],
        "classical_seconds": round(time.perf_counter() - start, 1),
        "epochs": metrics["epochs"],
        "kept_epoch": metrics["kept_epoch"],
    }


def train_classical(splits: Splits) -> float:
    """Return the test F1 of a classical CRF that was trained on all other splits."""
    import sklearn_crfsuite

    examples = [splits[name] for name in ("train", "validation") if name in splits]
    tokens = [row for part in examples for row in part.inputs]
    tags = [row for part in examples for row in part.targets["tags"]]
    model = sklearn_crfsuite.CRF(algorithm="lbfgs", c1=0.1, c2=0.1, max_iterations=100)
    model.fit(list(map(template_strings, tokens)), tags)
    test = splits["test"]
    predicted = model.predict(list(map(template_strings, test.inputs)))
    return entity_metrics(_spans(test.targets["tags"]), _spans(predicted))["f1"]


def _spans(rows: Sequence[Sequence[str]]) -> list[Any]:
    return [set(tags_to_spans(list(tags), "IOBES", strict=False)) for tags in rows]


def _shuffled(examples: RawExamples, seed: int) -> list[tuple[list[str], list[str]]]:
    pairs = list(zip(examples.inputs, examples.targets["tags"], strict=True))
    random.Random(seed).shuffle(pairs)
    return pairs


def _rows(pairs: Sequence[tuple[list[str], list[str]]], start: int, stop: int) -> RawExamples:
    rows = pairs[start:stop]
    return RawExamples([list(tokens) for tokens, _ in rows], {"tags": [tags for _, tags in rows]})


def draw(rows: Sequence[page.Row], path: Path) -> None:
    """Draw the F1 of both models by the number of training sentences."""
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    sizes = sorted({row["sentences"] for row in rows})
    for key, label in (("f1", "recipe ner"), ("classical_f1", "classical CRF")):
        means = [
            sum(values) / len(values)
            for size in sizes
            if (values := [row[key] for row in rows if row["sentences"] == size])
        ]
        axes.plot(sizes, means, marker="o", label=label)
    axes.set(xscale="log", xlabel="training sentences", ylabel="F1", xticks=sizes)
    axes.set_xticklabels([f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
