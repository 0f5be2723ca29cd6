"""Taggers on small data: `python -m benchmarks.small_data`.

Compares the recipe `ner` without options with a classical conditional random field, of CRFsuite,
over the same templates as `keras_seq.layers.TemplateFeatures`. Both learn from the first 200 to
2,000 shuffled training sentences of the People's Daily, with an eighth as many for validation, and
are compared on validation sentences of the recipe. The classical model learns from the validation
sentences too. Needs `pip install sklearn-crfsuite`. Writes `benchmarks/results/small_data.json`,
and the learning curves to `docs/experiments/small_data.png`.

`--data FOLDER` measures your own data in place of it: each fold of train.* and validation.* is the
test split once. `--test` reads test.* instead, once. It writes
`benchmarks/results/small_data_folds.json`, which does not name the folder.
"""

import argparse
import functools
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from keras_seq_recipes.ner.metric import entity_metrics

from benchmarks import learning_curves, page
from benchmarks.template_strings import template_strings
from keras_seq.text.tag_schemes import tags_to_spans
from keras_seq.train import registry
from keras_seq.train.folds import Fold
from keras_seq.train.recipe import Splits

SIZES = (200, 500, 1_000, 2_000)
NUM_TEST = 2_000
"""Number of sentences that the models are compared on."""
PICTURE = learning_curves.PICTURES / "small_data.png"

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
    name = "small_data" if arguments.data is None else "small_data_folds"
    options = ["FOLDER" if option == arguments.data else option for option in sys.argv[1:]]
    command = shlex.join(["python", "-m", "benchmarks.small_data", *options])
    rows = []
    for task in make_tasks(arguments):
        row = {"data": task.name, "sentences": task.size, **compare(task)}
        print(row, flush=True)
        rows.append(row)
        page.record(page.RESULTS / f"{name}.json", command, rows)
    if arguments.data is None:
        curves = {"f1": "recipe ner", "classical_f1": "classical CRF"}
        learning_curves.draw(rows, "sentences", curves, "F1", PICTURE)


def make_tasks(arguments: argparse.Namespace) -> Iterator[Task]:
    """Yield the data of each comparison."""
    if arguments.data is None:
        splits = RECIPE.load(RECIPE.preset("default"))
        for seed in range(arguments.seeds):
            for size in arguments.sizes:
                rows = learning_curves.subset(splits, "tags", size, seed, NUM_TEST)
                yield Task(f"People's Daily, subset {seed}", size, rows)
        return
    splits = RECIPE.load(RECIPE.preset("default").override(data=arguments.data))
    if arguments.test:
        yield Task("own data, test", len(splits["train"]), splits)
        return
    describe = functools.partial(RECIPE.describe_for_folds, RECIPE.preset("default"))
    for number in range(1, arguments.folds + 1):
        folds = Fold(number, arguments.folds).select(splits, describe)
        yield Task(f"own data, fold {number}", len(folds["train"]), folds)


def compare(task: Task) -> dict[str, Any]:
    """Return the F1 of both models, and the seconds that they take to train."""
    columns = "tokens", "ner_tags"
    metrics = learning_curves.train_without_options(RECIPE, task.splits, "tags", columns)
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


if __name__ == "__main__":
    main()
