"""Predictions for many inputs, in batches, with bad inputs left out."""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from keras_seq._internal.errors import InputError
from keras_seq._internal.ranges import Range

Row = dict[str, Any]
"""Row of a table of predictions: column to value."""
Input = str | int | os.PathLike[str]
"""Text, file or number."""
OnBadInput = Callable[[str, InputError], None]
"""Function that is called with an input that cannot be read, and with the error."""

BATCH_SIZE = 512
"""Default number of inputs that are predicted together."""
TEXT_BATCH_SIZE = 4096
"""Default number of texts that are classified or tagged together.

The model divides them by length. More texts have more batches that are full, so that fewer shapes
are compiled and fewer time steps are padding."""


def default_batch_size(model: Any) -> int:
    """Return the number of inputs that a model predicts together by default.

    Args:
        model: Trained model.
    """
    from keras_seq.models import SequenceClassifier, SequenceTagger

    is_quick = isinstance(model, (SequenceClassifier, SequenceTagger))
    return TEXT_BATCH_SIZE if is_quick else BATCH_SIZE


def predict_in_batches(
    predict: Callable[[Sequence[str]], Iterable[Row]],
    inputs: Iterable[Input],
    batch_size: int = BATCH_SIZE,
    on_bad_input: OnBadInput | None = None,
) -> Iterator[list[Row]]:
    """Yield the predictions for each batch of inputs.

    Args:
        predict: Function from inputs to rows, in their order.
        inputs: Inputs, which are read as they are needed.
        batch_size: Number of inputs per batch, at least 1.
        on_bad_input: Function that is called for each bad input, which is then left out.
            Default: the error is raised.

    Raises:
        InputError: If the batch size is less than 1, if an input is not a text, path or number, or
            if an input cannot be read and there is no `on_bad_input`.
    """
    Range(1, is_integer=True).check("--batch-size", batch_size)
    remaining = itertools.starmap(_to_text, enumerate(inputs))
    while batch := list(itertools.islice(remaining, batch_size)):
        yield _predict_good(predict, batch, on_bad_input)


def _to_text(index: int, value: Input) -> str:
    """Return an input as on the command line."""
    if isinstance(value, str):
        return value
    if isinstance(value, (int, os.PathLike)) and not isinstance(value, bool):
        return str(value)
    raise InputError(
        f"The input with the index {index} is {value!r}, of the type {type(value).__name__}; an "
        "input is a text, a path or a number."
    )


def _predict_good(
    predict: Callable[[Sequence[str]], Iterable[Row]],
    batch: list[str],
    on_bad_input: OnBadInput | None,
) -> list[Row]:
    """Return the predictions for the good inputs of a batch, which is halved to find the others."""
    try:
        return list(predict(batch))
    except InputError as error:
        if on_bad_input is None:
            raise
        if len(batch) == 1:
            on_bad_input(batch[0], error)
            return []
    half = len(batch) // 2
    return [
        *_predict_good(predict, batch[:half], on_bad_input),
        *_predict_good(predict, batch[half:], on_bad_input),
    ]
