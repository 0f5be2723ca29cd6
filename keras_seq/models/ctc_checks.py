"""Checks of the examples of a `CTCRecognizer`."""

from collections.abc import Sequence

from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Array


def check_lengths(texts: Sequence[str], targets: Array, steps: Array, seconds: Array) -> None:
    """Check that recordings are long enough for their texts.

    Args:
        texts: Text of each recording.
        targets: Ids of the characters, `(texts, characters)`, 0 for padding.
        steps: Number of time steps of each recording, `(texts,)`.
        seconds: Duration of each recording in seconds, `(texts,)`.

    Raises:
        InputError: If a text is too long. The message gives its number, from 1.
    """
    # CTC needs a blank between two equal characters.
    repeated = (targets[:, 1:] == targets[:, :-1]) & (targets[:, 1:] > 0)
    needed = (targets > 0).sum(axis=1) + repeated.sum(axis=1)
    for number, (need, available) in enumerate(zip(needed, steps, strict=True), 1):
        if need > available:
            raise InputError(
                f"Text {number}, {texts[number - 1][:40]!r}, needs {need} time steps, but "
                f"its recording of {seconds[number - 1]:.2f} s has {available}. Check that they "
                "belong together, or reduce frame_stride."
            )
