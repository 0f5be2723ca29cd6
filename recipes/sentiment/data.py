"""Labeled sentences: the evaluation sets of VADER, TFDS datasets, or your own texts."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import tensorflow_datasets as tfds

from keras_seq import data
from keras_seq.batching import RawExamples
from keras_seq.data import summaries
from keras_seq.data.datasets.vader import read_rated_sentences
from keras_seq.data.labeled_texts import replace_breaks
from keras_seq.train.recipe import Splits

from .config import Config
from .label_order import rank_labels

DATASET = "sentiment", "1.0.0"
"""Name and version of the cached dataset; change one of them after a change of its examples."""
TEXT_FEATURES = "text", "sentence"
"""Names of the text feature in public datasets."""
POOL_DOMAINS = True
"""Add the training sentences of the other domains to the training split."""
OTHER_DOMAIN_WEIGHT = 0.3
"""Sample weight of sentences of other domains."""
LABEL_SHARPNESS = 2.0
"""Sharpness of the soft labels: the probability of a label is sigmoid(LABEL_SHARPNESS * |rating|),
with the mean rating of the sentence. 0 makes all labels certain."""

Example = tuple[str, dict[str, str | float], str | None]
"""Key, features and split of an example. If the split is None, the key determines it."""


def load(config: Config) -> Splits:
    """Return the texts of each split, with targets as `make_examples` returns them.

    With `POOL_DOMAINS`, the training split has the built-in sentences of all domains. Ordered
    labels have a further target "ranks", see `label_order.rank_labels`.

    Raises:
        InputError: If a label of the validation or test split has no training text, or is not in
            `--label-order`.
    """
    splits = _load_splits(config)
    labels = {split: examples.targets["labels"] for split, examples in splits.items()}
    data.check_labels(labels)
    if ranks := rank_labels({*labels.get("train", ())}, config.label_order):
        for split, examples in splits.items():
            examples.targets["ranks"] = np.array([ranks[label] for label in labels[split]])
        names = list(ranks)
        order = f"labels ordered from {names[0]!r} to {names[-1]!r}"
        num_rows = sum(map(len, splits.values()))
        summaries.add(data.ReadSummary(config.data, order, num_rows))
    return splits


def _load_splits(config: Config) -> Splits:
    if config.data.startswith("tfds:"):
        rows_by_split = data.load_labeled_tfds(config.data.removeprefix("tfds:"), TEXT_FEATURES)
        return _to_splits(rows_by_split)
    if config.data.startswith("hf:"):
        named = {"text": config.text_column, "label": config.label_column}
        return _to_splits(data.load_labeled_hf(config.data, named, TEXT_FEATURES))
    features = tfds.features.FeaturesDict(
        {
            "text": tfds.features.Text(),
            "label": tfds.features.Text(),
            "rating": tfds.features.Scalar(np.float32),
            "domain": tfds.features.Text(),
        }
    )
    if config.data == "builtin":
        builder = data.cached_dataset(*DATASET, features, _builtin_examples)
    else:
        files = data.list_labeled_files(config.data)
        settings = config.encoding, config.text_column, config.label_column, config.delimiter
        source = data.fingerprint(files) + repr(settings)
        paths = [file.path for file in files]
        builder = data.cached_dataset(
            *DATASET, features, lambda: _user_examples(files, config), source, paths
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
        confidence = 1 / (1 + np.exp(-LABEL_SHARPNESS * np.abs(ratings)))
        has_rating = np.isfinite(ratings) & (LABEL_SHARPNESS > 0)
        in_domain = np.isin(domains, ["", config.domain])
        splits[split] = make_examples(
            texts,
            labels,
            np.where(has_rating, confidence, 1.0),
            np.where(in_domain, 1.0, OTHER_DOMAIN_WEIGHT),
        )
    return splits


def _to_splits(rows_by_split: Mapping[str, Sequence[tuple[str, str]]]) -> Splits:
    """Return splits of texts with their labels; HTML line breaks become line ends."""
    return {
        split: make_examples(
            [replace_breaks(text) for text, _ in rows], [label for _, label in rows]
        )
        for split, rows in rows_by_split.items()
    }


def make_examples(
    texts: Sequence[str],
    labels: Sequence[str],
    confidence: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> RawExamples:
    """Return texts with the targets "labels", "confidence" and "weights".

    Args:
        texts: Texts.
        labels: Label of each text.
        confidence: Probability that each label is correct, `(examples,)`. Default: 1.
        weights: Sample weights, `(examples,)`. Default: 1.
    """
    ones = np.ones(len(texts))
    return RawExamples(
        list(texts),
        {
            "labels": list(labels),
            "confidence": ones if confidence is None else confidence,
            "weights": ones if weights is None else weights,
        },
    )


def _builtin_examples() -> Iterator[Example]:
    for domain, text, rating in read_rated_sentences():
        if rating:  # A neutral sentence has no label.
            label = "positive" if rating > 0 else "negative"
            yield text, {"text": text, "label": label, "rating": rating, "domain": domain}, None


def _user_examples(files: Sequence[data.LabeledFile], config: Config) -> Iterator[Example]:
    splits = [(split, None) for split in {file.split for file in files}]
    for text, label, split in data.read_labeled_texts(
        files, config.text_column, config.label_column, config.encoding, config.delimiter
    ):
        row: dict[str, str | float]
        row = {"text": text, "label": label, "rating": math.nan, "domain": ""}
        yield text, row, data.resolve_split(splits, split, text)
