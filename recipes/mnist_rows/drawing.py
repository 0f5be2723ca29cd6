"""A digit that somebody drew, as those of MNIST are: of one size, its mass in the middle."""

import numpy as np
from PIL import Image

from keras_seq import InputError

from .data import COLUMNS, ROWS

BOX = 20
"""Pixels of the longer side of a digit of MNIST."""


def as_digit(ink):
    """A drawing as MNIST has digits (LeCun et al. 1998).

    Args:
        ink: How much there is at each pixel, `(rows, columns)`, uint8.

    Returns:
        `(28, 28)`, uint8, bright strokes on a dark ground.

    Raises:
        InputError: There is no ink.
    """
    rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        raise InputError("Nothing is drawn yet: draw a digit.")
    cut = Image.fromarray(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    scale = BOX / max(cut.size)
    size = [max(1, round(side * scale)) for side in cut.size]
    small = np.asarray(cut.resize(size, Image.Resampling.BILINEAR))
    image = np.zeros((ROWS, COLUMNS), "uint8")
    top, left = (
        int(np.clip(round((whole - 1) / 2 - centre), 0, whole - side))
        for whole, side, centre in zip(image.shape, small.shape, _centre_of_mass(small))
    )
    image[top : top + small.shape[0], left : left + small.shape[1]] = small
    return image


def _centre_of_mass(image):
    """Row and column."""
    places = np.indices(image.shape)
    return (places * image).sum(axis=(1, 2)) / image.sum()
