"""Vectors of words that others have trained, from text files."""

import re

import numpy as np

from keras_seq._internal.errors import InputError, excerpt
from keras_seq.data import limits
from keras_seq.data.files import read_lines

COUNT = re.compile(r"[1-9][0-9]{0,17}")
"""A number in the first line of a file of word2vec."""


def read_vectors(path, wanted, encoding="utf-8"):
    """The vectors of some tokens in a file of word2vec, fastText or GloVe.

    Such a file has a token a line, followed by its numbers, parted by spaces; the first line of
    word2vec and fastText has the number of tokens and of numbers, that of GloVe is a token already.

    Args:
        path: Text file.
        wanted: A set of tokens; one that the file has in lower case only takes that vector.
        encoding: Of the file.

    Returns:
        Dict of token to float32 `(width,)`.

    Raises:
        InputError: A line has not as many numbers as the one before, or what is no number.
    """
    found, width = {}, None
    lowered = {token.lower() for token in wanted}
    for number, line in read_lines(path, encoding):
        parts = line.rstrip().split(" ")
        if number == 1 and len(parts) == 2 and all(map(COUNT.fullmatch, parts)):
            width = int(parts[1])
            continue
        if len(parts) < 2:
            continue
        # A token may have spaces in it, its numbers come last.
        width = len(parts) - 1 if width is None else width
        limits.check("max_vector_width", width, f"{path}, line {number}", "the width of a vector")
        token = " ".join(parts[: len(parts) - width])
        if len(parts) <= width or not token:
            raise InputError(
                f"{path}, line {number}: expected a token and {width} numbers, got "
                f"{len(parts)} columns."
            )
        if token in wanted or token in lowered:
            try:
                vector = np.array(parts[len(parts) - width :], "float32")
            except ValueError:
                vector = np.array(np.nan)
            if not np.isfinite(vector).all():
                raise InputError(
                    f"{path}, line {number}: what follows {excerpt(token)!r} is not {width} "
                    "finite numbers."
                )
            found[token] = vector
    spellings = {t: t if t in found else t.lower() for t in wanted}
    found = {t: found[spelt] for t, spelt in spellings.items() if spelt in found}
    if not found:
        raise InputError(f"{path} has a vector for none of the {len(wanted)} tokens asked for.")
    return found
