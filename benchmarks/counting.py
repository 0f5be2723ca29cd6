"""What counting reaches where recipes foretell: `python -m benchmarks.counting`.

Interpolated Kneser-Ney models, blind to styles, on exactly the tokens and splits of the recipes
`language_model` and `music`: what a recurrent network has to beat. Order and discount are chosen on
the validation split. Writes `benchmarks/results/counting.json`.
"""

import argparse
import dataclasses
import itertools

import numpy as np

from benchmarks import page
from keras_seq import recipe
from keras_seq.data.vocabulary import Vocabulary, frequent
from keras_seq.models.sequence_generator import END

TASKS = (("language_model", "builtin"), ("language_model", "peoples_daily"), ("music", "builtin"))
ORDERS, DISCOUNTS = (3, 4, 5, 6, 8, 10, 12), (0.6, 0.75, 0.9)


class KneserNey:
    """Interpolated Kneser-Ney (Chen & Goodman 1999, with one discount) over numbers.

    The probability of a token after n - 1 others is (max(c - D, 0) + D m P') / s: c of the n-gram,
    s and m the sum and the number of the c after these others, P' the same after one token less,
    and last one over the size of the vocabulary. c is a count for the longest n-grams; for shorter
    ones it is the number of different tokens that stand before them.

    Args:
        sequences: Lists of numbers with the end; what stands before the first is always the same.
        order: Tokens of the longest n-gram.
        size: Of the vocabulary.
    """

    def __init__(self, sequences, order, size):
        self.order, self.size = order, size
        stream, foretold = self._stream(sequences)
        # Of each length the known n-grams, in numbers of what precedes their last token and of it.
        self.known, context, suffix = [], [], []
        ids, contexts = np.zeros(len(stream), "int64"), [1]
        for _ in range(order):
            known, place, numbers = np.unique(
                self._pairs(ids, stream), return_index=True, return_inverse=True
            )
            self.known.append(known)
            context.append(_before(ids)[place])
            suffix.append(ids[place])
            ids = numbers
            contexts.append(len(known))
        counts = np.bincount(ids[foretold], minlength=len(known))
        self.levels = []
        for n in reversed(range(order)):
            sums = np.bincount(context[n], counts, contexts[n])
            kinds = np.bincount(context[n], counts > 0, contexts[n])
            self.levels.insert(0, (counts, sums, kinds))
            counts = np.bincount(suffix[n], counts > 0, contexts[n])

    def log_probs(self, sequences, discount):
        """The log probability (natural) of every token: for each sequence one array."""
        stream, foretold = self._stream(sequences)
        ids, p = np.zeros(len(stream), "int64"), np.full(len(stream), 1 / self.size)
        for known, (counts, sums, kinds) in zip(self.known, self.levels):
            pairs, before = self._pairs(ids, stream), _before(ids)
            place = np.minimum(np.searchsorted(known, pairs), len(known) - 1)
            found = known[place] == pairs
            seen = (before >= 0) & (sums[before] > 0)
            c = np.where(found, counts[place], 0)
            rest = discount * kinds[before] * p
            p = np.where(
                seen, (np.maximum(c - discount, 0) + rest) / np.maximum(sums[before], 1), p
            )
            ids = np.where(found, place, -1)
        ends = np.cumsum([len(sequence) for sequence in sequences])
        return np.split(np.log(p[foretold]), ends[:-1])

    def _stream(self, sequences):
        """All in a row, with as many zeros before each as an n-gram reaches back; the places that
        are foretold.
        """
        start = np.zeros(self.order - 1, "int64")
        parts = [part for sequence in sequences for part in (start, np.array(sequence, "int64"))]
        real = np.repeat(np.arange(len(parts)) % 2 == 1, list(map(len, parts)))
        return np.concatenate(parts), np.flatnonzero(real)

    def _pairs(self, ids, stream):
        return _before(ids) * self.size + stream


def _before(ids):
    """The numbers of the n-grams that end one token earlier."""
    return np.concatenate([ids[:1] * 0, ids[:-1]])


class Counted:
    """A Kneser-Ney model in the place of a SequenceGenerator, for the metrics of recipes."""

    def __init__(self, train, minimum_count, order):
        tokens = itertools.chain.from_iterable(train)
        self.vocabulary = Vocabulary([END, *frequent(tokens, minimum_count)])
        self.model = KneserNey(self._numbers(train), order, len(self.vocabulary))
        self.discount = None

    def log_probs(self, sequences, styles=None):
        """As that of the generator; styles make no difference."""
        return self.model.log_probs(self._numbers(sequences), self.discount)

    def text_of(self, tokens):
        """The text of characters."""
        return "".join(tokens)

    def _numbers(self, sequences):
        return [[self.vocabulary.number(t) for t in (*tokens, END)] for tokens in sequences]


def main():
    """Counts, prints, writes."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    rows = []
    for name, data in TASKS:
        found = recipe.find(name)
        config = dataclasses.replace(found.preset("default"), data=data)
        splits, best = found.load(config), None
        for order in ORDERS:
            model = Counted(splits["train"].inputs, config.minimum_count, order)
            for model.discount in DISCOUNTS:
                measures = found.evaluate(model, splits, "validation")
                print(f"{name}, {data}, order {order}, discount {model.discount}: {measures}")
                if best is None or measures["perplexity"] < best[0]["perplexity"]:
                    best = measures, model, model.discount
        measures, model, model.discount = best
        rows.append(
            {
                "recipe": name,
                "data": data,
                "order": model.model.order,
                "discount": model.discount,
                "validation": measures,
                "test": found.evaluate(model, splits, "test"),
            }
        )
        print(rows[-1], flush=True)
    page.write("counting", rows)


if __name__ == "__main__":
    main()
