"""Ranges in annotations."""

import inspect
import math
import re

import keras
import numpy as np
import pytest

from keras_seq import cells, layers, models, text
from keras_seq._internal import ranges
from keras_seq._internal.errors import InputError
from keras_seq._internal.ranges import Range


@pytest.mark.parametrize(
    ("allowed", "good", "bad", "text"),
    [
        (Range(0, 1), [0, 1.0, np.float32(0.5)], [-0.1, 1.1], "a number from 0 to 1"),
        (Range(0, below=1), [0, 0.99], [1], "a number of at least 0 and below 1"),
        (Range(above=0), [1e-9, 5], [0, -1], "a number above 0"),
        (Range(), [-1e9], [], "a number that is finite"),
        (Range(1, is_integer=True), [1, np.int64(3)], [0, 1.5, 2.0], "an integer of at least 1"),
        (Range(0, 9, is_integer=True), [0, 9], [-1, 10], "an integer from 0 to 9"),
    ],
)
def test_range(allowed, good, bad, text):
    for value in good:
        allowed.check("--x", value)
    for value in (*bad, math.nan, math.inf, -math.inf, "1", True, [1]):
        with pytest.raises(InputError) as error:
            allowed.check("--x", value)
        assert str(error.value) == f"--x must be {text}, got {value!r}."


LAYERS = [
    cls
    for module in (layers, models)
    for cls in map(module.__dict__.get, module.__all__)
    if inspect.isclass(cls) and ranges.find_ranges(cls.__init__)
]


def required(cls):
    """Return None, which is in every range, for each required argument of a constructor."""
    parameters = [*inspect.signature(cls.__init__).parameters.values()][1:]
    return {p.name: None for p in parameters if p.default is p.empty and p.kind != p.VAR_KEYWORD}


@pytest.mark.parametrize("cls", LAYERS)
def test_layers_and_models_check_their_numbers(cls):
    for name in ranges.find_ranges(cls.__init__):
        for value in (math.nan, math.inf, "1"):
            with pytest.raises(InputError, match=f"^{cls.__name__}: `{name}` must be an? "):
                cls(**{**required(cls), name: value})


def test_cells_name_the_class_of_the_cell():
    with pytest.raises(
        InputError, match=r"^GRUCell: `dropout` must be a number from 0 to 1, got -"
    ):
        cells.GRUCell(3, dropout=-0.1)


def test_few_numbers_of_layers_and_models_have_no_range():
    for module in (layers, models):
        for cls in map(module.__dict__.get, module.__all__):
            if inspect.isclass(cls) and cls.__module__.startswith("keras_seq"):
                parameters = inspect.signature(cls.__init__).parameters.values()
                plain = {p.name for p in parameters if p.annotation in (int, float, "int", "float")}
                assert not plain - UNCHECKED.get(cls.__name__, set()), cls


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epochs": -1}, "fit: `epochs` must be an integer of at least 0, got -1"),
        ({"epochs": 1.5}, "fit: `epochs` must be an integer of at least 0, got 1.5"),
        ({"batch_size": 0}, "fit: `batch_size` must be an integer of at least 1, got 0"),
        ({"steps_per_epoch": 0}, "fit: `steps_per_epoch` must be an integer of at least 1"),
        ({"validation_split": 1.0}, "fit: `validation_split` must be a number of at least 0 and"),
    ],
)
def test_training(arguments, message):
    encoder = text.TextEncoder(["a", "b"])
    stack = layers.RNNStack("GRU", 2, return_sequences=False)
    model = models.SequenceClassifier(encoder, ["x", "y"], stack=stack)
    model.compile("sgd")
    with pytest.raises(InputError, match=re.escape(message)):
        model.fit(["a", "b"], ["x", "y"], **arguments)
    for rate in (math.nan, math.inf, -0.1):
        with pytest.raises(InputError, match=f"The learning rate must be .* 0, got {rate}"):
            model.compile(keras.optimizers.SGD(rate))
    model.compile(keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 5)))


UNCHECKED = {
    "LogMelSpectrogram": {"frame_step"},  # at most frame_length
    "HashedNgramEmbedding": {"num_buckets"},  # a power of two
    "CausalNgramFeatures": {"max_style_n"},  # at most max_n
    # Their layers check them.
    "NaiveBayesExpert": {"vocab_size", "num_labels", "initial_weight"},
    "WeightArrayExpert": {"num_labels", "order", "window", "initial_weight"},
}
