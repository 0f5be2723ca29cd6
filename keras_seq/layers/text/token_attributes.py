"""Hashes of attributes of tokens, such as their shape, computed from their code points.

Products are modulo 2 ** 32, which every backend and export format computes in the same way.
"""

import functools
from collections.abc import Collection

import numpy as np
from keras import ops

from keras_seq._internal.types import Array, Tensor
from keras_seq.text.code_points import lowercase_table

AFFIX_SIZES = (1, 2, 3, 4)
MAX_POSITION = 4
"""Largest number of tokens that `position` and `distance_to_end` count."""
ATTRIBUTES = (
    *("token", "lower", "word", "shape", "outline", "position", "distance_to_end"),
    *(f"{kind}{size}" for kind in ("prefix", "suffix") for size in AFFIX_SIZES),
)
"""Names of the attributes; see `keras_seq.layers.TemplateFeatures`."""

NUM_HASHES = 2**24
"""Number of different results of `reduce_hash`. Exported to ONNX, integers are compared as float32,
which is exact up to this number."""

NUM_CODES = 0x10000
"""Number of code points with properties of their own. Others are letters without case."""


def hash_attributes(codes: Tensor, names: Collection[str]) -> dict[str, Tensor]:
    """Return hashes of attributes of each token, int32 `(batch, timesteps)`.

    Tokens without characters, which are padding, have the hash 0.

    Args:
        codes: Code points of the tokens, int32 `(batch, timesteps, characters)`, 0 for padding.
        names: Names of `ATTRIBUTES`.
    """
    _, shape_table, word_table = _tables()
    is_character = ops.not_equal(codes, 0)
    lower = lowercase_codes(codes)
    shape = _look_up(shape_table, codes, ord("a"))
    word = _look_up(word_table, codes, codes)
    place = ops.broadcast_to(ops.arange(codes.shape[-1], dtype="int32"), ops.shape(codes))
    count = _count(is_character)
    hashes = {
        "token": _hash(codes, is_character, place),
        "lower": _hash(lower, is_character, place),
        "shape": _hash(shape, is_character, place),
    }
    if "word" in names:
        is_kept = is_character & (word > 0)
        hashed = _hash(word, is_kept, _rank(is_kept))
        hashes["word"] = ops.where(_count(is_kept) > 0, hashed, hashes["lower"])
    if "outline" in names:
        previous = ops.pad(shape[:, :, :-1], [[0, 0], [0, 0], [1, 0]])
        starts = is_character & ops.not_equal(shape, previous)
        hashes["outline"] = _hash(shape, starts, _rank(starts))
    for size in AFFIX_SIZES:
        hashes[f"prefix{size}"] = _hash(lower, is_character & (place < size), place)
        from_end = count[:, :, None] - 1 - place
        is_suffix = is_character & (from_end < size)
        hashes[f"suffix{size}"] = _hash(lower, is_suffix, ops.maximum(from_end, 0))
    exists = ops.cast(count > 0, "int32")
    before = ops.cast(ops.cumsum(exists, axis=1), "int32") - exists
    total = ops.cast(ops.sum(exists, axis=1, keepdims=True), "int32")
    after = total - before - exists
    hashes["position"] = exists * (ops.minimum(before, MAX_POSITION) + 1)
    hashes["distance_to_end"] = exists * (ops.minimum(after, MAX_POSITION) + 1)
    return {name: hashes[name] for name in names}


def lowercase_codes(codes: Tensor) -> Tensor:
    """Return code points in lower case. Those from `NUM_CODES` on stay as they are.

    Args:
        codes: Code points, int32 of any shape.
    """
    return _look_up(_tables()[0], codes, codes)


def reduce_hash(hashes: Tensor) -> Tensor:
    """Return hashes of at least 0 and less than `NUM_HASHES`.

    Args:
        hashes: Any integers, int32.
    """
    # The remainder of negative numbers differs between formats.
    hashes = ops.abs(hashes)
    return hashes - (hashes // NUM_HASHES) * NUM_HASHES


def shift_steps(values: Tensor, step: int) -> Tensor:
    """Return the value of another time step, 0 before the first and after the last one.

    Args:
        values: `(batch, timesteps)`.
        step: Distance to the other time step, negative for earlier ones.
    """
    if step == 0:
        return values
    if step < 0:
        return ops.pad(values, [[0, 0], [-step, 0]])[:, :step]
    return ops.pad(values, [[0, 0], [0, step]])[:, step:]


def _look_up(table: Array, codes: Tensor, other: Tensor | int) -> Tensor:
    """Return the entry of each code point in a table, or `other` from `NUM_CODES` on."""
    entries = ops.take(table, ops.minimum(codes, NUM_CODES - 1))
    return ops.where(codes < NUM_CODES, entries, other)


def _hash(values: Tensor, is_kept: Tensor, rank: Tensor) -> Tensor:
    """Return the hash of the kept values of each token, `(batch, timesteps)`.

    Args:
        values: Value of each character, int32 `(batch, timesteps, characters)`.
        is_kept: Whether a character counts, bool of the same shape.
        rank: Position of each kept character among them, of the same shape.
    """
    # In ONNX Runtime, a sum of integers must not overflow.
    terms = reduce_hash((values + 1) * ops.take(_multipliers(), rank))
    return ops.cast(ops.sum(ops.where(is_kept, terms, 0), axis=-1), "int32")


def _rank(is_kept: Tensor) -> Tensor:
    """Return the position of each kept character among those of its token."""
    total = ops.cast(ops.cumsum(ops.cast(is_kept, "int32"), axis=-1), "int32")
    return ops.maximum(total - 1, 0)


def _count(is_kept: Tensor) -> Tensor:
    return ops.cast(ops.sum(ops.cast(is_kept, "int32"), axis=-1), "int32")


@functools.cache
def _multipliers() -> Array:
    """Return odd numbers, int32, by which the characters of a token are multiplied."""
    return (np.random.default_rng(0).integers(2**20, 2**30, 256) * 2 + 1).astype("int32")


@functools.cache
def _tables() -> tuple[Array, Array, Array]:
    """Return the lower case, the shape and the character of `word` of code points, all int32.

    A character that is not part of `word` is 0 there.
    """
    lower = lowercase_table()[:NUM_CODES]
    characters = [chr(code) for code in range(NUM_CODES)]
    is_digit = np.array([character.isdigit() for character in characters])
    is_alphanumeric = np.array([character.isalnum() for character in characters])
    shape = np.arange(NUM_CODES, dtype="int32")
    shape[[character.isalpha() for character in characters]] = ord("a")
    shape[[character.islower() for character in characters]] = ord("x")
    shape[[character.isupper() for character in characters]] = ord("X")
    shape[is_digit] = ord("0")
    word = np.where(is_alphanumeric, np.where(is_digit, ord("0"), lower), 0)
    return lower, shape, word.astype("int32")
