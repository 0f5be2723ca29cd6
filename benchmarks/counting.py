"""What counting reaches where recipes foretell: `python -m benchmarks.counting`.

Interpolated Kneser-Ney models, blind to styles, on exactly the tokens and splits of the recipes
`language_model` and `music`: what a recurrent network has to beat. Order and discount are chosen on
the validation split. Writes `benchmarks/results/counting.json`.
"""

import argparse
import dataclasses
import itertools

from benchmarks import page
from keras_seq import layers
from keras_seq.models import SequenceGenerator
from keras_seq.text.encoder import TextEncoder
from keras_seq.text.vocabulary import END
from keras_seq.train import registry

TASKS = (("language_model", "builtin"), ("language_model", "peoples_daily"), ("music", "builtin"))
ORDERS, DISCOUNTS = (6, 8, 12), (0.75, 0.9)
MIN_COUNT = 2
"""Number of training occurrences from which a token is known, as in the recipes."""


def counted(train, min_count, order, discount):
    """A generator that says only what counting does."""
    encoder = TextEncoder.from_examples(train, "char", min_count=min_count, end=True)
    count_model = layers.KneserNey(encoder.vocab_size, order, 1.0, discount)
    count_model.adapt(encoder.encode([END, *row, END]) for row in train)
    stack = layers.RNNStack("LSTM", 1, return_state=True)
    return SequenceGenerator(encoder, stack=stack, count_model=count_model)


class Blind:
    """Tells a generator nothing of styles."""

    def __init__(self, model):
        self.model = model
        self.encoder = model.encoder

    def log_probs(self, sequences, styles=None):
        return self.model.log_probs(sequences)


def main():
    """Counts, prints, writes."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    rows = []
    for name, data in TASKS:
        found = registry.find(name).import_recipe()
        config = dataclasses.replace(found.preset("default"), data=data)
        splits, best = found.load(config), None
        for order, discount in itertools.product(ORDERS, DISCOUNTS):
            # A text is a sequence of characters.
            train = [list(example) for example in splits["train"].inputs]
            model = Blind(counted(train, MIN_COUNT, order, discount))
            measures = found.evaluate(model, splits, "validation")
            print(f"{name}, {data}, order {order}, discount {discount}: {measures}", flush=True)
            if best is None or measures["perplexity"] < best[0]["perplexity"]:
                best = measures, model, order, discount
        measures, model, order, discount = best
        rows.append(
            {
                "recipe": name,
                "data": data,
                "order": order,
                "discount": discount,
                "validation": measures,
                "test": found.evaluate(model, splits, "test"),
            }
        )
        print(rows[-1], flush=True)
    page.write("counting", rows)


if __name__ == "__main__":
    main()
