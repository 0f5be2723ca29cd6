"""Image files of any mode: decoding of the first frame, upright, with 8 bits per channel."""

import contextlib
import math
import os
import re
import struct
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from keras_seq._internal.errors import InputError
from keras_seq.data import limits
from keras_seq.data.opening import check_regular_file, translate_errors

if TYPE_CHECKING:
    from PIL import Image

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
"""Suffixes of image files."""
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
"""Image formats that Pillow may decode. Some of its other formats run external programs."""
PILLOW_ERRORS = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, OSError, SyntaxError),
    *(TypeError, ValueError, struct.error, zlib.error),
)
"""Exceptions of Pillow for damaged files."""


class ImageFile(NamedTuple):
    """First frame of an image file.

    >>> from PIL import Image
    >>> ImageFile(Image.new("L", (28, 28)), is_animated=False).pixels.size
    (28, 28)
    """

    pixels: "Image.Image"
    """Frame in the mode L, LA, RGB or RGBA: gray or RGB, with or without alpha."""
    is_animated: bool
    """True if the file has more frames."""


def read_image(path: str | os.PathLike[str]) -> ImageFile:
    """Read the first frame of an image file, rotated as its EXIF data says.

    Palettes and CMYK become RGB. Values of 16 bits are divided by 257. The values of integers of 32
    bits and of floating-point numbers are mapped linearly, the smallest to 0 and the largest to
    255.

    Args:
        path: File in one of `FORMATS`, of any mode.

    Raises:
        InputError: If the file does not exist, is damaged, is not such an image, or contains NaN.
        LimitError: If the image is too large.
    """
    from PIL import Image

    path = check_regular_file(path, "max_document_bytes")
    with _open(path) as image:
        limits.check("max_pixels", image.width * image.height, path, "width times height")
        with translate_errors(path, "an image", PILLOW_ERRORS), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.load()
            pixels = _to_8_bits(image, path)
        is_animated, upright = False, None
        with contextlib.suppress(*PILLOW_ERRORS):  # Damaged metadata does not matter.
            upright = _TRANSPOSITIONS.get(image.getexif().get(_ORIENTATION, 1))
        with contextlib.suppress(*PILLOW_ERRORS):
            is_animated = bool(getattr(image, "is_animated", False))
    if upright is not None:
        pixels = pixels.transpose(Image.Transpose[upright])
    return ImageFile(pixels, is_animated)


def flatten(image: "Image.Image", background: int = 0) -> "Image.Image":
    """Return an image without alpha, on a background of one gray level.

    >>> from PIL import Image
    >>> flatten(Image.new("LA", (1, 1), (200, 51)), background=100).getpixel((0, 0))
    120

    Args:
        image: Image in the mode L, LA, RGB or RGBA.
        background: Gray level of the background, 0 to 255.
    """
    from PIL import Image

    if "A" not in image.getbands():
        return image
    mode = image.mode.removesuffix("A")
    color = (background,) * len(mode) if len(mode) > 1 else background
    canvas = Image.new(mode, image.size, color)
    return Image.composite(image.convert(mode), canvas, image.getchannel("A"))


_ORIENTATION = 0x0112
"""EXIF tag of the orientation of the camera."""
_TRANSPOSITIONS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
"""Names in `PIL.Image.Transpose` by EXIF orientation, as in `PIL.ImageOps.exif_transpose`."""


def _open(path: Path) -> "Image.Image":
    """Open an image file; Pillow reads only its header here."""
    from PIL import Image

    # Pillow's limit is global. Raise it to ours, but never lower that of other code.
    if Image.MAX_IMAGE_PIXELS is not None:
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, limits.get().max_pixels)
    try:
        with translate_errors(path, "an image", PILLOW_ERRORS), warnings.catch_warnings():
            # The size is checked later; damaged metadata does not matter.
            warnings.simplefilter("ignore")
            return Image.open(path, formats=FORMATS)
    except Image.DecompressionBombError as error:
        num_pixels = next(map(int, re.findall(r"\d+", str(error))), math.inf)
        limits.check("max_pixels", num_pixels, path, "width times height")
        raise


def _to_8_bits(image: "Image.Image", path: Path) -> "Image.Image":
    """Return an image in the mode L, LA, RGB or RGBA."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) // 257).astype("uint8"))
    if image.mode in ("I", "F"):
        values = np.asarray(image).astype("float64")
        low, high = float(values.min()), float(values.max())
        if not math.isfinite(high - low):
            raise InputError(f"{path} has pixels that are not finite numbers.")
        values -= low
        values *= 255 / (high - low or 1)
        return Image.fromarray(np.rint(values, out=values).astype("uint8"))
    if image.mode == "LAB":
        return image.getchannel("L")
    mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    # A palette, or one gray level or color, may stand for transparent pixels too.
    return image.convert(f"{mode}A" if image.has_transparency_data else mode)
