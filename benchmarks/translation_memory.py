"""Baselines of the recipe `translation`: `python -m benchmarks.translation_memory`.

A translation memory returns the translation of the most similar training text. Below a minimum
similarity, which is chosen on the validation split, each word is translated by a dictionary
(IBM model 1) instead. Writes `benchmarks/results/translation_memory.json`.
"""

import argparse
import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras_seq_recipes.translation import metric

from benchmarks import page
from keras_seq.text.tokenizers import METASPACE, TOKENIZERS
from keras_seq.text.vocabulary import Vocabulary, build_vocabulary
from keras_seq.train import registry

TOKENIZER = TOKENIZERS["word_metaspace"]

MIN_SIMILARITIES = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.01)
"""Minimum similarities to try: 0 uses only the memory, 1.01 only the dictionary."""

EM_STEPS = 10
"""Number of steps of expectation-maximization."""


class Nearest:
    """Nearest-neighbour search by TF-IDF cosine similarity over words and word pairs.

    Args:
        texts: Texts to search.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        features = [_features(text) for text in texts]
        self.vocabulary = Vocabulary(build_vocabulary(itertools.chain.from_iterable(features)))
        count = np.zeros(len(self.vocabulary))
        for row in features:
            count[[self.vocabulary.token_to_id(feature) for feature in row]] += 1
        self.weights = 1 + np.log(len(texts) / np.maximum(count, 1))
        # The texts with each feature.
        rows = np.repeat(np.arange(len(features)), list(map(len, features)))
        flat = itertools.chain.from_iterable(features)
        ids = [self.vocabulary.token_to_id(feature) for feature in flat]
        order = np.argsort(ids, kind="stable")
        ends = np.cumsum(np.bincount(ids, minlength=len(self.vocabulary)))
        self.texts_with = np.split(rows[order], ends[:-1])
        self.norms = np.sqrt(np.bincount(rows, self.weights[ids] ** 2))

    def find(self, text: str) -> tuple[int, float]:
        """Return the index of the most similar text, and its similarity from 0 to 1."""
        scores, norm = np.zeros(len(self.norms)), 0.0
        for feature in _features(text):
            feature_id = self.vocabulary.token_to_id(feature)
            scores[self.texts_with[feature_id]] += self.weights[feature_id] ** 2
            norm += self.weights[feature_id] ** 2
        scores /= np.maximum(self.norms * np.sqrt(norm), 1e-9)
        return int(scores.argmax()), float(scores.max())


def _features(text: str) -> dict[str, None]:
    """Return the distinct words and word pairs of a text."""
    words = _words(text)
    return dict.fromkeys([*words, *map(" ".join, itertools.pairwise(words))])


class ModelOne:
    """Dictionary by IBM model 1, with an empty word in the source (Brown et al. 1993).

    Args:
        sources: Source texts.
        targets: Translation of each source.
    """

    def __init__(self, sources: Sequence[str], targets: Sequence[str]) -> None:
        source_rows = [[None, *_words(text)] for text in sources]
        target_rows = [[token for token, _, _ in TOKENIZER(text)] for text in targets]
        source_words = dict.fromkeys(itertools.chain(*source_rows))
        self.source_ids = {word: word_id for word_id, word in enumerate(source_words)}
        self.words = list(dict.fromkeys(itertools.chain(*target_rows)))
        target_ids = {word: word_id for word_id, word in enumerate(self.words)}
        e, f, sizes = [], [], []
        for source, target in zip(source_rows, target_rows):
            for word in target:
                e += [self.source_ids[source_word] for source_word in source]
                f += [target_ids[word]] * len(source)
                sizes.append(len(source))
        words = np.repeat(np.arange(len(sizes)), sizes)
        pairs, pair = np.unique(np.array(e) * len(target_ids) + f, return_inverse=True)
        source_of_pair = pairs // len(target_ids)
        p: np.ndarray = np.ones(len(pairs))
        for _ in range(EM_STEPS):
            counts: np.ndarray = p[pair] / np.bincount(words, p[pair])[words]
            totals = np.bincount(pair, counts)
            p = totals / np.bincount(source_of_pair, totals)[source_of_pair]
        # The most likely target is the last one of its source word.
        order = np.lexsort([p, source_of_pair])
        best = (pairs % len(target_ids))[order].tolist()
        self.best = dict(zip(source_of_pair[order].tolist(), best))

    def translate(self, text: str) -> str:
        """Translate word by word; unknown words are copied."""
        tokens = []
        for token, _, _ in TOKENIZER(text):
            word_id = self.source_ids.get(token.removeprefix(METASPACE).lower())
            tokens.append(token if word_id is None else self.words[self.best[word_id]])
        result = TOKENIZER.detokenize(tokens)
        return result[:1].upper() + result[1:] if text[:1].isupper() else result


def _words(text: str) -> list[str]:
    return [token.removeprefix(METASPACE).lower() for token, _, _ in TOKENIZER(text)]


def main() -> None:
    """Fit the baselines, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", nargs="+", default=["fr", "de"])
    recipe = registry.find("translation").import_recipe()
    rows = []
    for target in parser.parse_args().target:
        preset: Any = recipe.preset("default")
        config = dataclasses.replace(preset, target=target)
        splits = recipe.load(config)
        train = splits["train"]
        nearest, dictionary = Nearest(train.inputs), ModelOne(train.inputs, train.targets)
        scores: dict[tuple[str, Any], dict[str, float]] = {}
        for name in ("validation", "test"):
            texts, references = splits[name].inputs, splits[name].targets
            matches = [nearest.find(text) for text in texts]
            by_word = [dictionary.translate(text) for text in texts]
            for minimum in MIN_SIMILARITIES:
                outputs = [
                    train.targets[index] if similarity >= minimum else word
                    for (index, similarity), word in zip(matches, by_word)
                ]
                scores[name, minimum] = metric.compute_scores(outputs, references)[0]
            scores[name, "source"] = metric.compute_scores(texts, references)[0]
        best = max(
            MIN_SIMILARITIES, key=lambda minimum: sum(scores["validation", minimum].values())
        )
        num_pairs = {name: len(split.inputs) for name, split in splits.items()}
        row: page.Row = {"target": target, "num_pairs": num_pairs, "min_similarity": best}
        for name in ("validation", "test"):
            row[name] = {
                "memory_then_dictionary": scores[name, best],
                "translation_memory": scores[name, MIN_SIMILARITIES[0]],
                "dictionary": scores[name, MIN_SIMILARITIES[-1]],
                "source": scores[name, "source"],
            }
        rows.append(row)
        print(row, flush=True)
    page.write("translation_memory", rows)


if __name__ == "__main__":
    main()
