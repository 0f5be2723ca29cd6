"""Tunes with their style: tune books or chorales from music21, or your own folders."""

import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import tensorflow_datasets as tfds

from keras_seq import InputError, data
from keras_seq.batching import RawExamples
from keras_seq.data.limits import LimitError
from keras_seq.data.opening import read_document
from keras_seq.train.recipe import Splits

from . import chorales, notation, scores
from .config import Config

BOOKS = {"oneills1850": "O'Neill", "airdsAirs": "Aird", "ryansMammoth": "Ryan"}
"""Folders of tune books in the corpus of music21, with the names of their styles."""

Source = tuple[str, str | Path, str, str | None]
"""Place of a tune for messages, its ABC text or its file, its style, and its split or None."""
Example = tuple[str | bytes, dict[str, str], str | None]
"""Key, features and split of an example. If the split is None, the key determines it."""


def load(config: Config) -> Splits:
    """Return tunes as lists of tokens by split, with the names of their styles as targets."""
    source, paths = "builtin", []
    read: Callable[[], Iterator[Example]]
    if config.data == "chorales":
        name, version, read = "chorales", "1.0.0", chorales.read_chorales
    elif config.data == "builtin":
        name, version, read = "music", "1.1.0", lambda: read_tunes(_list_book_tunes())
    elif config.data.startswith("tfds:"):
        raise InputError(
            "TFDS has no tunes with styles; give --data chorales or a folder of your own."
        )
    else:
        _, files = data.list_files_by_class(config.data, notation.SUFFIXES)
        source, paths = data.fingerprint(files), [file for file, *_ in files]
        name, version, read = "music", "1.1.0", lambda: read_tunes(list_file_tunes(files))
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


def _list_book_tunes() -> Iterator[Source]:
    import music21

    corpus = Path(music21.__file__).parent / "corpus"
    for folder, style in BOOKS.items():
        for file in sorted((corpus / folder).glob("*.abc")):
            yield from split_abc_file(file, style, None)


def list_file_tunes(files: Iterable[tuple[Path, str, str | None]]) -> Iterator[Source]:
    """Yield the tunes of files.

    Args:
        files: File, style and split of each.
    """
    for file, style, split in files:
        if file.suffix.lower() == ".abc":
            yield from split_abc_file(file, style, split)
        else:
            yield str(file), file, style, split


def split_abc_file(file: Path, style: str, split: str | None) -> Iterator[Source]:
    """Yield the tunes of an ABC file.

    Args:
        file: ABC file with one or more tunes.
        style: Style of the tunes.
        split: Split of the tunes, or None.
    """
    text = read_document(file).decode("utf-8", "replace")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    tunes = notation.split_abc_book(text)
    first = next(tunes, text)
    for number, tune in enumerate(itertools.chain([first], tunes), 1):
        yield f"{file}, tune {number}", tune, style, split


def read_tunes(sources: Iterable[Source]) -> Iterator[Example]:
    """Yield examples for `keras_seq.data.cached_dataset`; damaged tunes are reported and left out.

    Args:
        sources: Tunes to read.

    Raises:
        InputError: If no tune could be read.
        LimitError: If a tune is too long. It is not left out, because the dataset must not depend
            on the limits.
    """
    num_tunes = num_damaged = 0
    for where, content, style, split in sources:
        num_tunes += 1
        key: str | bytes
        try:
            if isinstance(content, Path):
                tokens = notation.score_to_tokens(scores.parse_file(content), where=where)
                key = content.read_bytes()
            else:
                key, tokens = notation.abc_body(content), notation.abc_to_tokens(content, where)
        except LimitError:
            raise
        except InputError as error:
            num_damaged += 1
            print(f"Left out: {error}", file=sys.stderr)
            continue
        yield key, {"tokens": " ".join(tokens), "style": style}, split
    if num_damaged == num_tunes:
        raise InputError(f"None of the {num_tunes} tunes could be read.")
    if num_damaged:
        print(
            f"Left out {num_damaged} of {num_tunes} tunes that could not be read.", file=sys.stderr
        )
