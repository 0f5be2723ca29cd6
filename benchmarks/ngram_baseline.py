"""Kneser-Ney baselines of the language models: `python -m benchmarks.ngram_baseline`.

Interpolated Kneser-Ney models without styles, on the tokens and splits of the recipes
`language_model` and `music`. Order and discount are chosen on the validation split. Writes
`benchmarks/results/ngram_baseline.json`.
"""

import argparse
import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

from benchmarks import page
from keras_seq import layers
from keras_seq.models import SequenceGenerator
from keras_seq.text.encoder import TextEncoder
from keras_seq.text.vocabulary import END
from keras_seq.train import registry

TASKS = (("language_model", "builtin"), ("language_model", "peoples_daily"), ("music", "builtin"))
ORDERS, DISCOUNTS = (6, 8, 12), (0.75, 0.9)
MIN_COUNT = 2
"""Minimum number of training occurrences of a token in the vocabulary, as in the recipes."""


def fit_ngrams(
    train: Sequence[Sequence[str]], min_count: int, order: int, discount: float
) -> SequenceGenerator:
    """Return a generator whose predictions are those of a Kneser-Ney model only."""
    encoder = TextEncoder.from_examples(train, "char", min_count=min_count, end=True)
    count_model = layers.KneserNey(encoder.vocab_size, order, 1.0, discount)
    count_model.adapt(encoder.encode([END, *row, END]) for row in train)
    stack = layers.RNNStack("LSTM", 1, return_state=True)
    return SequenceGenerator(encoder, stack=stack, count_model=count_model)


class WithoutStyles:
    """Adapter that drops the styles of the examples.

    Args:
        model: Generator without styles.
    """

    def __init__(self, model: SequenceGenerator) -> None:
        self.model = model
        self.encoder = model.encoder

    def log_probs(self, sequences: Any, styles: Any = None) -> Any:
        """Return the log probabilities of the tokens of each sequence."""
        del styles
        return self.model.log_probs(sequences)


def main() -> None:
    """Fit the models, print and write the results."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    rows = []
    for name, data in TASKS:
        recipe = registry.find(name).import_recipe()
        config = dataclasses.replace(recipe.preset("default"), data=data)
        splits = recipe.load(config)
        results = []
        for order, discount in itertools.product(ORDERS, DISCOUNTS):
            # A text is a sequence of characters.
            train = [list(example) for example in splits["train"].inputs]
            model = WithoutStyles(fit_ngrams(train, MIN_COUNT, order, discount))
            metrics = recipe.evaluate(model, splits, "validation")
            print(f"{name}, {data}, order {order}, discount {discount}: {metrics}", flush=True)
            results.append((metrics["perplexity"], metrics, model, order, discount))
        _, metrics, model, order, discount = min(results, key=lambda result: result[0])
        rows.append(
            {
                "recipe": name,
                "data": data,
                "order": order,
                "discount": discount,
                "validation": metrics,
                "test": recipe.evaluate(model, splits, "test"),
            }
        )
        print(rows[-1], flush=True)
    page.write("ngram_baseline", rows)


if __name__ == "__main__":
    main()
