"""What counting reaches where recipes foretell: `python -m benchmarks.counting`.

Interpolated Kneser-Ney models, blind to styles, on exactly the tokens and splits of the recipes
`language_model` and `music`: what a recurrent network has to beat. Order and discount are chosen on
the validation split. Writes `benchmarks/results/counting.json`.
"""

import argparse
import dataclasses
import itertools

from benchmarks import page
from keras_seq.models import SequenceGenerator
from keras_seq.text.vocabulary import frequent
from keras_seq.train import registry

TASKS = (("language_model", "builtin"), ("language_model", "peoples_daily"), ("music", "builtin"))
ORDERS, DISCOUNTS = (6, 8, 12), (0.75, 0.9)


def counted(train, minimum_count, order, discount):
    """A generator that says only what counting does."""
    tokens = itertools.chain.from_iterable(train)
    return SequenceGenerator(
        frequent(tokens, minimum_count),
        units=1,
        kneser_ney=order,
        kneser_ney_share=1.0,
        kneser_ney_discount=discount,
        counted=train,
    )


class Blind:
    """Tells a generator nothing of styles."""

    def __init__(self, model):
        self.model = model
        self.text_of, self.tokens_of = model.text_of, model.tokens_of

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
            model = Blind(counted(train, config.minimum_count, order, discount))
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
