"""Tunes with their style: tune books or chorales from music21, or your own files."""

from collections.abc import Callable, Iterable

import tensorflow_datasets as tfds

from keras_seq import InputError, data
from keras_seq.batching import RawExamples
from keras_seq.train.recipe import Splits

from . import books, chorales, sources
from .config import Config


def load(config: Config) -> Splits:
    """Return tunes as lists of tokens by split, with the names of their styles as targets.

    Args:
        config: Config of the run.

    Raises:
        InputError: If there are no tunes, or a file is damaged.
    """
    source, paths = "builtin", []
    read: Callable[[], Iterable[sources.Example]]
    if config.data == "chorales":
        name, version, read = "chorales", "1.0.0", chorales.read_chorales
    elif config.data == "builtin":
        name, version, read = "music", "1.1.0", books.read_books
    elif config.data.startswith("tfds:"):
        raise InputError(
            "TFDS has no tunes with styles; give --data chorales or a folder of your own."
        )
    else:
        files = sources.list_tune_files(config.data)
        source, paths = data.fingerprint(files), [file for file, *_ in files]
        name, version, read = "music", "1.1.0", lambda: sources.read_tunes(config.data, files)
    features = tfds.features.FeaturesDict(
        {column: tfds.features.Text() for column in ("tokens", "style")}
    )
    builder = data.cached_dataset(name, version, features, read, source, paths)
    return {
        split: RawExamples(
            [tokens.decode("utf-8").split() for tokens in columns["tokens"]],
            [style.decode("utf-8") for style in columns["style"]],
        )
        for split, columns in data.to_arrays(builder).items()
    }
