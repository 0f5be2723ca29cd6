"""Drawings, scaled and centered as in MNIST."""

import numpy as np
from PIL import Image

from keras_seq import InputError

from .images import COLUMNS, ROWS

BOX_SIZE = 20
"""Length of the longer side of an MNIST digit, in pixels."""


def to_mnist_image(ink: np.ndarray) -> np.ndarray:
    """Return a drawing as an MNIST image (LeCun et al. 1998).

    The digit is scaled to fit a box of 20 x 20 pixels, and its center of mass is put in the middle.

    Args:
        ink: Amount of ink at each pixel, `(rows, columns)`, uint8.

    Returns:
        `(28, 28)`, uint8, bright strokes on a dark background.

    Raises:
        InputError: If there is no ink.
    """
    rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        raise InputError("The drawing is empty; draw a digit.")
    digit = Image.fromarray(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    scale = BOX_SIZE / max(digit.size)
    size = [max(1, round(side * scale)) for side in digit.size]
    small = np.asarray(digit.resize(size, Image.Resampling.BILINEAR))
    image = np.zeros((ROWS, COLUMNS), "uint8")
    top, left = (
        int(np.clip(round((length - 1) / 2 - center), 0, length - side))
        for length, side, center in zip(image.shape, small.shape, _center_of_mass(small))
    )
    image[top : top + small.shape[0], left : left + small.shape[1]] = small
    return image


def _center_of_mass(image: np.ndarray) -> np.ndarray:
    """Return row and column of the center of mass."""
    positions = np.indices(image.shape)
    return (positions * image).sum(axis=(1, 2)) / image.sum()
