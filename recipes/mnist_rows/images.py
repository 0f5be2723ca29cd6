"""Image files of digits: any mode and polarity, as bright strokes on a dark background."""

import collections
import os
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from PIL import Image

from keras_seq import InputError
from keras_seq.data import images

ROWS = COLUMNS = 28


class Digit(NamedTuple):
    """Image of a digit, and how it was read."""

    pixels: np.ndarray
    """`(28, 28)`, uint8, bright strokes on a dark background."""
    strokes: str
    """"light on dark", "dark on light" or "on transparent"."""
    is_animated: bool = False
    """True if the file has more frames, which are not read."""


def read_digit(path: str | os.PathLike[str]) -> Digit:
    """Read an image file of a digit.

    The gray level of the background is the median of the outermost pixels. If most of what differs
    from it is darker, gray levels are inverted. They are mapped linearly, so that the background
    is 0; the image of a digit of MNIST stays as it is. If the outermost pixels are transparent, the
    background is black behind light strokes, and white behind dark ones. An image that is not
    square is extended by its background.

    Args:
        path: Image file as for `keras_seq.data.images.read_image`, of any size.

    Raises:
        InputError: If the file is not such an image or is too large, or if all pixels are equal.
    """
    file = images.read_image(path)
    gray, is_transparent = _flatten(file.pixels)
    background = round(float(np.median(_border(gray))))
    levels = np.array(gray.histogram())
    differences = levels * (np.arange(256) - background)
    if not differences.any():
        raise InputError(f"{path} is blank: all pixels are equal. Remove it.")
    is_dark = differences.sum() < 0
    # The background becomes 0, and white, or black under dark strokes, becomes 255.
    ink = (
        (background - np.arange(256)) / background
        if is_dark
        else (np.arange(256) - background) / (255 - background)
    )
    gray = gray.point(np.rint(255 * ink.clip(0)).astype("uint8").tolist())
    strokes = "dark on light" if is_dark else "light on dark"
    strokes = "on transparent" if is_transparent else strokes
    return Digit(np.asarray(_scale(gray)), strokes, file.is_animated)


def describe(digits: Iterable[tuple[str, bool]]) -> tuple[str, ...]:
    """Return remarks on how images were read.

    >>> describe([("dark on light", False), ("dark on light", True)])
    ('2 images with strokes dark on light', 'only the first frame of 1 animated image')

    Args:
        digits: `strokes` and `is_animated` of each `Digit`.
    """
    digits = list(digits)
    strokes = collections.Counter(strokes for strokes, _ in digits)
    notes = [
        f"{count:,} image{'s' * (count != 1)} with strokes {name}"
        for name, count in sorted(strokes.items())
    ]
    if count := sum(is_animated for _, is_animated in digits):
        notes.append(f"only the first frame of {count:,} animated image{'s' * (count != 1)}")
    return tuple(notes)


def _flatten(image: Image.Image) -> tuple[Image.Image, bool]:
    """Return an image in gray without alpha, and whether its background is transparent."""
    if "A" not in image.getbands():
        return image.convert("L"), False
    gray, alpha = image.convert("L"), image.getchannel("A")
    opaque = _border(alpha) >= 128
    if np.mean(opaque) > 0.5:
        background = round(float(np.median(_border(gray)[opaque])))
        return images.flatten(Image.merge("LA", (gray, alpha)), background), False
    ink = images.flatten(Image.merge("LA", (gray, alpha)))
    total, weight = (np.dot(band.histogram(), np.arange(256)) for band in (ink, alpha))
    background = 255 if total < weight / 2 else 0
    return images.flatten(Image.merge("LA", (gray, alpha)), background), True


def _scale(image: Image.Image) -> Image.Image:
    """Return an image with one channel, scaled and extended by black to 28 x 28."""
    width, height = (max(1, round(side * ROWS / max(image.size))) for side in image.size)
    canvas = Image.new("L", (COLUMNS, ROWS))
    small = image.resize((width, height), Image.Resampling.BILINEAR)
    canvas.paste(small, ((COLUMNS - width) // 2, (ROWS - height) // 2))
    return canvas


def _border(image: Image.Image) -> np.ndarray:
    """Return the outermost pixels of an image with one channel."""
    width, height = image.size
    rows, columns = (0, height - 1), (0, width - 1)
    sides = [image.crop((0, row, width, row + 1)) for row in rows]
    sides += [image.crop((column, 0, column + 1, height)) for column in columns]
    return np.concatenate([np.asarray(side).ravel() for side in sides])
