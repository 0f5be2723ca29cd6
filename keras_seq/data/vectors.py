"""Pretrained word vectors from text files."""

from __future__ import annotations

import os
import re
from collections.abc import Collection

import numpy as np

from keras_seq._internal.errors import InputError, excerpt
from keras_seq._internal.types import Array
from keras_seq.data import limits
from keras_seq.data.files import read_lines

COUNT = re.compile(r"[1-9][0-9]{0,17}")
"""Pattern of the numbers in the header of a word2vec file."""


def read_vectors(
    path: str | os.PathLike[str], tokens: Collection[str], encoding: str = "utf-8"
) -> dict[str, Array]:
    """Read the vectors of some tokens from a word2vec, fastText or GloVe text file.

    Each line has a token and the elements of its vector, separated by spaces. The first line of
    word2vec and fastText states the number of tokens and the vector width. GloVe has no such line.

    Args:
        path: Text file.
        tokens: Tokens to look up. A token that is not in the file is looked up in lower case.
        encoding: Character encoding of the file.

    Returns:
        Vectors, float32 `(width,)`, by token. Tokens without a vector are left out.

    Raises:
        InputError: If a line has fewer elements than earlier lines, an element of a vector is not a
            finite number, or no token has a vector.
        LimitError: If the vectors are wider than `max_vector_width`.
    """
    vectors: dict[str, Array] = {}
    width: int | None = None
    wanted = {*tokens, *(token.lower() for token in tokens)}
    for number, line in read_lines(path, encoding):
        columns = line.rstrip().split(" ")
        if number == 1 and len(columns) == 2 and all(map(COUNT.fullmatch, columns)):
            width = int(columns[1])
            continue
        if len(columns) < 2:
            continue
        # A token may contain spaces, so the vector is taken from the end of the line.
        width = len(columns) - 1 if width is None else width
        limits.check("max_vector_width", width, f"{path}, line {number}", "the width of a vector")
        token = " ".join(columns[: len(columns) - width])
        if len(columns) <= width or not token:
            raise InputError(
                f"{path}, line {number}: expected a token and {width} numbers, got "
                f"{len(columns)} columns."
            )
        if token in wanted:
            try:
                vector = np.array(columns[len(columns) - width :], "float32")
            except ValueError:
                vector = np.array(np.nan)
            if not np.isfinite(vector).all():
                raise InputError(
                    f"{path}, line {number}: the vector of {excerpt(token)!r} must be {width} "
                    "finite numbers."
                )
            vectors[token] = vector
    spellings = {token: token if token in vectors else token.lower() for token in tokens}
    result = {t: vectors[spelling] for t, spelling in spellings.items() if spelling in vectors}
    if not result:
        raise InputError(f"{path} has no vector for any of the {len(tokens)} tokens.")
    return result
