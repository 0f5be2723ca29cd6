"""Rated sentences: the evaluation sets of VADER, sets of TFDS, or a table of your own."""

import math

import numpy as np
import tensorflow_datasets as tfds

from keras_seq import data
from keras_seq.batching import RawExamples
from keras_seq.data.datasets.vader import read_rated_sentences
from keras_seq.train.recipe import Splits

from .config import Config

TEXTS = "text", "sentence"
"""Features of sets of TFDS."""
POOL_DOMAINS = True
"""Add the training sentences of the other domains to the training split."""
OTHER_DOMAIN_WEIGHT = 0.3
"""Weight of the examples of other domains."""
LABEL_SHARPNESS = 1.0
"""Confidence of a label by its mean rating: its probability is sigmoid(LABEL_SHARPNESS * rating);
0 takes all labels as certain."""


def load(config: Config) -> Splits:
    """Return texts with their labels by split; see `examples`.

    Raises:
        InputError: If a label is in the validation or test split but in no training text.
    """
    splits = _splits(config)
    data.check_labels({split: found.targets["labels"] for split, found in splits.items()})
    return splits


def _splits(config: Config) -> Splits:
    """Return texts by split.

    The targets are their labels, how sure these are, and how much they count. With
    `POOL_DOMAINS`, the training split has the sentences of all domains; the others have one.
    """
    if config.data.startswith("tfds:"):
        public = data.load_labelled_tfds(config.data.removeprefix("tfds:"), TEXTS)
        return {split: examples(*zip(*rows)) for split, rows in public.items()}
    features = tfds.features.FeaturesDict(
        {
            "text": tfds.features.Text(),
            "label": tfds.features.Text(),
            "rating": tfds.features.Scalar(np.float32),
            "domain": tfds.features.Text(),
        }
    )
    if config.data == "builtin":
        builder = data.cached_dataset("sentiment", "1.0.0", features, _builtin)
    else:
        files = data.list_files_by_split(config.data)
        settings = config.encoding, config.text_column, config.label_column
        source = data.fingerprint([(file, split) for split, file in files]) + repr(settings)
        paths = [file for _, file in files]
        builder = data.cached_dataset(
            "sentiment", "1.0.0", features, lambda: _of_user(files, config), source, paths
        )
    splits = {}
    for split, columns in data.to_arrays(builder).items():
        texts, labels, domains = (
            [text.decode("utf-8") for text in columns[name]] for name in ("text", "label", "domain")
        )
        rows = [
            row
            for row in zip(texts, labels, columns["rating"], domains)
            if row[3] in ("", config.domain) or (split == "train" and POOL_DOMAINS)
        ]
        texts, labels, ratings, domains = (list(column) for column in zip(*rows, strict=True))
        # What people are at one about is as good as certain, a rating near zero is not.
        certain = 1 / (1 + np.exp(-LABEL_SHARPNESS * np.abs(ratings)))
        given = np.isfinite(ratings) & (LABEL_SHARPNESS > 0)
        here = np.isin(domains, ["", config.domain])
        splits[split] = examples(
            texts,
            labels,
            np.where(given, certain, 1.0),
            np.where(here, 1.0, OTHER_DOMAIN_WEIGHT),
        )
    return splits


def examples(texts, labels, sure=None, weights=None) -> RawExamples:
    """Return texts with their labels, how sure each is (1 is certain), and how much it counts."""
    ones = np.ones(len(texts))
    return RawExamples(
        list(texts),
        {
            "labels": list(labels),
            "sure": ones if sure is None else sure,
            "weights": ones if weights is None else weights,
        },
    )


def _builtin():
    for domain, text, rating in read_rated_sentences():
        if rating:  # who is neither for nor against has no label
            label = "positive" if rating > 0 else "negative"
            yield text, {"text": text, "label": label, "rating": rating, "domain": domain}, None


def _of_user(files, config):
    columns = {"text": config.text_column, "label": config.label_column}
    hint = "Say which with --text-column and --label-column."
    for split, file in files:
        for _, text, label in data.read_table(file, columns, config.encoding, hint):
            row = {"text": text, "label": label, "rating": math.nan, "domain": ""}
            yield text, row, data.resolve_split(files, split, text)
