"""Weights of training examples by their labels."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np

from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Array
from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.train.config import ClassifierConfig, Config
from keras_seq.train.recipe import Recipe


def weight_examples(
    recipe: Recipe, config: Config, examples: RawExamples, encoded: EncodedDataset
) -> EncodedDataset:
    """Return training examples with the weights that `class_weights` of a config asks for.

    Args:
        recipe: Recipe, whose `describe` returns one label per example.
        config: Config of the run.
        examples: Training examples.
        encoded: The same examples after encoding.

    Raises:
        InputError: If the examples do not have one label each.
    """
    if not isinstance(config, ClassifierConfig) or config.class_weights == "none":
        return encoded
    labels = recipe.describe(config, examples).labels
    if labels is None or any(len(row) != 1 for row in labels):
        raise InputError(
            f"--class-weights balanced needs one label per example, which {recipe.name} does not "
            "have; leave it out."
        )
    return dataclasses.replace(encoded, weights=balanced_weights([label for [label] in labels]))


def balanced_weights(labels: Sequence[str]) -> Array:
    """Return weights in inverse proportion to the number of examples with the same label.

    The weight of an example is `examples / (classes * count)`. The mean of all weights is 1.

    >>> from keras_seq.train.class_weights import balanced_weights
    >>> balanced_weights(["a", "a", "a", "b"]).tolist()[1:]
    [0.6666666865348816, 0.6666666865348816, 2.0]

    Args:
        labels: Label of each example.

    Returns:
        Weights `(examples,)`, float32.
    """
    counts = Counter(labels)
    return np.array([len(labels) / (len(counts) * counts[label]) for label in labels], "float32")
