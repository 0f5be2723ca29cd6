"""Vectors of words that others have trained, from text files."""

import numpy as np

from keras_seq.data.files import lines
from keras_seq.errors import InputError


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
    for number, line in lines(path, encoding):
        parts = line.rstrip().split(" ")
        if number == 1 and len(parts) == 2 and all(part.isdigit() for part in parts):
            width = int(parts[1])
            continue
        if len(parts) < 2:
            continue
        # A token may have spaces in it, its numbers come last.
        width = len(parts) - 1 if width is None else width
        token = " ".join(parts[: len(parts) - width])
        if len(parts) <= width or not token:
            raise InputError(
                f"{path}, line {number}: expected a token and {width} numbers, got "
                f"{len(parts)} columns."
            )
        if token in wanted or token in lowered:
            try:
                found[token] = np.array(parts[len(parts) - width :], "float32")
            except ValueError:
                raise InputError(
                    f"{path}, line {number}: what follows {token!r} is not {width} numbers."
                ) from None
    spellings = {t: t if t in found else t.lower() for t in wanted}
    found = {t: found[spelt] for t, spelt in spellings.items() if spelt in found}
    if not found:
        raise InputError(f"{path} has a vector for none of the {len(wanted)} tokens asked for.")
    return found
