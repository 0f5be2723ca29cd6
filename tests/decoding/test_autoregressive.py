"""Greedy decoding and sampling from a Markov chain with known probabilities."""

import numpy as np
import pytest
from helpers import to_numpy
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq.decoding import greedy, sample

# The probabilities of the next token (column) after each token (row). 0 is padding, 1 the end.
TABLE = np.array(
    [
        [0.0, 1.0, 0.0, 0.0],
        [0.0, 1.0, 0.0, 0.0],
        [0.0, 0.1, 0.3, 0.6],
        [0.0, 0.5, 0.3, 0.2],
    ],
    "float32",
)


def step(tokens, state):
    """Look up the next token, and count the steps."""
    with np.errstate(divide="ignore"):
        log = np.log(TABLE)
    return ops.take(log, tokens, axis=0), {"count": state["count"] + 1}


def start(rows):
    return {"count": ops.zeros((rows, 1))}


COMMON = {"end_id": 1, "max_length": 6}


def test_greedy_chooses_the_most_likely_token_until_the_end():
    tokens, log_probs = map(to_numpy, greedy(step, start(2), start_id=[2, 3], **COMMON))
    np.testing.assert_array_equal(tokens, [[3, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]])
    expected = np.log([[0.6, 0.5, 1, 1, 1, 1], [0.5, 1, 1, 1, 1, 1]])
    np.testing.assert_allclose(log_probs, expected, rtol=1e-6)


def test_greedy_ends_at_max_length():
    def always_two(tokens, state):
        return ops.log(ops.one_hot(ops.full_like(tokens, 2), 4) * 0.8 + 0.05), state

    tokens, _ = greedy(always_two, ops.zeros((3, 1)), start_id=2, end_id=1, max_length=4)
    np.testing.assert_array_equal(to_numpy(tokens), np.full((3, 4), 2))


def frequencies(tokens, after):
    """Return the relative frequency of each first token."""
    return np.bincount(to_numpy(tokens)[:, 0], minlength=4) / len(after)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0, 0.1, 0.3, 0.6]),
        ({"temperature": 0.5}, [0, 0.01 / 0.46, 0.09 / 0.46, 0.36 / 0.46]),
        ({"top_k": 2}, [0, 0, 1 / 3, 2 / 3]),
        ({"top_p": 0.5}, [0, 0, 0, 1]),
        ({"top_p": 0.7}, [0, 0, 1 / 3, 2 / 3]),
        ({"top_k": 2, "top_p": 0.95}, [0, 0, 1 / 3, 2 / 3]),
        ({"top_k": 9, "top_p": 1.0}, [0, 0.1, 0.3, 0.6]),
    ],
)
def test_samples_have_the_expected_frequencies(options, expected):
    rows = np.arange(4_000)
    # Evenly spaced numbers instead of random ones make the frequencies exact.
    uniform = np.tile(((rows + 0.5) / len(rows)).astype("float32"), (6, 1))
    tokens, log_probs = sample(
        step, start(len(rows)), start_id=2, uniform=uniform, **options, **COMMON
    )
    np.testing.assert_allclose(frequencies(tokens, rows), expected, atol=1e-3)
    # The returned probabilities are those of the model, before temperature, top_k and top_p.
    first = to_numpy(tokens)[:, 0]
    np.testing.assert_allclose(to_numpy(log_probs)[:, 0], np.log(TABLE[2, first]), rtol=1e-6)


def test_samples_follow_the_chain_and_the_seed():
    tokens = to_numpy(sample(step, start(5_000), start_id=2, seed=3, **COMMON)[0])
    after_three = tokens[:, 1:][tokens[:, :-1] == 3]
    np.testing.assert_allclose(
        np.bincount(after_three, minlength=4) / len(after_three), TABLE[3], atol=0.03
    )
    again = to_numpy(sample(step, start(5_000), start_id=2, seed=3, **COMMON)[0])
    np.testing.assert_array_equal(tokens, again)
    other = to_numpy(sample(step, start(5_000), start_id=2, seed=4, **COMMON)[0])
    assert (tokens != other).any()


def test_the_state_is_carried_on():
    def counting(tokens, state):
        """Make the number of the step plus 2 the most likely token."""
        likely = ops.one_hot(ops.cast(state["count"][:, 0], "int32") + 2, 9)
        return ops.log(likely * 0.8 + 0.02), {"count": state["count"] + 1}

    tokens, _ = greedy(counting, start(2), start_id=0, **COMMON)
    np.testing.assert_array_equal(to_numpy(tokens), [[2, 3, 4, 5, 6, 7]] * 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0.0}, "temperature must be positive"),
        ({"top_k": 0}, "top_k must be an integer of at least 1"),
        ({"top_p": 1.5}, r"top_p must be in \(0, 1\]"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(InputError, match=message):
        sample(step, start(1), start_id=2, **options, **COMMON)
