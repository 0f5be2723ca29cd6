"""What a memory reaches where the recipe translates: `python -m benchmarks.translation_memory`.

For each text the translation of the training text that is most like it; if none is like it
enough, its words, one by one, by a dictionary learnt from the training pairs (IBM model 1). A
Seq2Seq has to beat that. How like is enough is chosen on the validation split. Writes
`benchmarks/results/translation_memory.json`.
"""

import argparse
import dataclasses
import itertools

import numpy as np
from keras_seq_recipes.translation import metric

from benchmarks import page
from keras_seq.text.tokenizers import METASPACE, TOKENIZERS
from keras_seq.text.vocabulary import Vocabulary, build_vocabulary
from keras_seq.train import registry

TOKENIZER = TOKENIZERS["word_metaspace"]

LIKE = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.01)
"""How like a text must be at least: with 0 there is the memory alone, with 1.01 the dictionary."""

ROUNDS = 10
"""Of expectation and maximization."""


class Nearest:
    """Finds the text that is most like another: the cosine of what occurs in both, words and pairs
    of words, each weighted by the logarithm of how rare it is among the texts.
    """

    def __init__(self, texts):
        found = [_features(text) for text in texts]
        self.known = Vocabulary(build_vocabulary(itertools.chain.from_iterable(found)))
        count = np.zeros(len(self.known))
        for features in found:
            count[[self.known.token_to_id(feature) for feature in features]] += 1
        self.weights = 1 + np.log(len(texts) / np.maximum(count, 1))
        # For each feature the texts with it.
        rows = np.repeat(np.arange(len(found)), list(map(len, found)))
        ids = [self.known.token_to_id(feature) for feature in itertools.chain.from_iterable(found)]
        order = np.argsort(ids, kind="stable")
        ends = np.cumsum(np.bincount(ids, minlength=len(self.known)))
        self.texts_with = np.split(rows[order], ends[:-1])
        self.norms = np.sqrt(np.bincount(rows, self.weights[ids] ** 2))

    def find(self, text):
        """The number of a text, and how like it is, from 0 to 1."""
        found, scores, norm = _features(text), np.zeros(len(self.norms)), 0.0
        for feature in found:
            number = self.known.token_to_id(feature)
            scores[self.texts_with[number]] += self.weights[number] ** 2
            norm += self.weights[number] ** 2
        scores /= np.maximum(self.norms * np.sqrt(norm), 1e-9)
        return int(scores.argmax()), float(scores.max())


def _features(text):
    """The different words of a text, and pairs of them."""
    words = _words(text)
    return dict.fromkeys([*words, *map(" ".join, itertools.pairwise(words))])


class ModelOne:
    """A dictionary: the probability of each word of the target to stand for one of the source
    (Brown et al. 1993, the first model, with an empty word in the source).
    """

    def __init__(self, sources, targets):
        sources = [[None, *_words(text)] for text in sources]
        targets = [[token for token, _, _ in TOKENIZER(text)] for text in targets]
        self.source = {w: n for n, w in enumerate(dict.fromkeys(itertools.chain(*sources)))}
        self.words = list(dict.fromkeys(itertools.chain(*targets)))
        target = {word: n for n, word in enumerate(self.words)}
        e, f, sizes = [], [], []
        for read, said in zip(sources, targets):
            for word in said:
                e += [self.source[one] for one in read]
                f += [target[word]] * len(read)
                sizes.append(len(read))
        places = np.repeat(np.arange(len(sizes)), sizes)
        kinds, kind = np.unique(np.array(e) * len(target) + f, return_inverse=True)
        of_source = kinds // len(target)
        p = np.ones(len(kinds))
        for _ in range(ROUNDS):
            share = p[kind] / np.bincount(places, p[kind])[places]
            p = np.bincount(kind, share)
            p /= np.bincount(of_source, p)[of_source]
        # The likeliest is the last of its source word.
        order = np.lexsort([p, of_source])
        self.best = dict(zip(of_source[order].tolist(), (kinds % len(target))[order].tolist()))

    def translate(self, text):
        """Word by word; what is not known stays as it is."""
        said = []
        for token, _, _ in TOKENIZER(text):
            number = self.source.get(token.removeprefix(METASPACE).lower())
            said.append(token if number is None else self.words[self.best[number]])
        said = TOKENIZER.detokenize(said)
        return said[:1].upper() + said[1:] if text[:1].isupper() else said


def _words(text):
    return [token.removeprefix(METASPACE).lower() for token, _, _ in TOKENIZER(text)]


def main():
    """Learns, chooses, measures, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", nargs="+", default=["fr", "de"])
    found = registry.find("translation").import_recipe()
    rows = []
    for target in parser.parse_args().target:
        config = dataclasses.replace(found.preset("default"), target=target)
        splits = found.load(config)
        train = splits["train"]
        nearest, dictionary = Nearest(train.inputs), ModelOne(train.inputs, train.targets)
        measured = {}
        for name in ("validation", "test"):
            texts, references = splits[name].inputs, splits[name].targets
            places = [nearest.find(text) for text in texts]
            by_word = [dictionary.translate(text) for text in texts]
            for like in LIKE:
                said = [
                    train.targets[place] if found >= like else word
                    for (place, found), word in zip(places, by_word)
                ]
                measured[name, like] = metric.compute_scores(said, references)[0]
            measured[name, "copied"] = metric.compute_scores(texts, references)[0]
        best = max(LIKE, key=lambda like: sum(measured["validation", like].values()))
        row = {"target": target, "pairs": {name: len(part.inputs) for name, part in splits.items()}}
        for name in ("validation", "test"):
            row[name] = {
                f"both, like at least {best}": measured[name, best],
                "memory": measured[name, LIKE[0]],
                "dictionary": measured[name, LIKE[-1]],
                "copied": measured[name, "copied"],
            }
        rows.append(row)
        print(row, flush=True)
    page.write("translation_memory", rows)


if __name__ == "__main__":
    main()
