"""Longest match embedding against a plain search."""

import numpy as np
import pytest
from helpers import BACKEND, to_numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq.layers import LongestMatchEmbedding
from keras_seq.layers.text.longest_match_embedding import MATCH_LENGTHS

TOKENS = 4


def expected(sequence, table):
    """Return the vectors by a plain search for the longest, then latest, earlier match."""
    vectors = np.zeros((len(sequence), table.shape[1]))
    for t, token in enumerate(sequence):
        best, actual = 0, None
        for i in range(t if token else 0):
            same = 0
            while (
                same < MATCH_LENGTHS[-1] and i >= same and sequence[i - same] == sequence[t - same]
            ):
                same += 1
            if same and same >= best:
                best, actual = same, sequence[i + 1]
        level = sum(best >= least for least in MATCH_LENGTHS)
        if level:
            vectors[t] = table[(level - 1) * TOKENS + actual]
    return vectors


LAYER = LongestMatchEmbedding(TOKENS, 3)
LAYER.build((None, None))
SEQUENCES = st.lists(st.integers(1, TOKENS - 1), min_size=1, max_size=24)


@pytest.mark.slow
@settings(max_examples=30 if BACKEND == "tensorflow" else 8)
@given(SEQUENCES, SEQUENCES)
def test_equals_the_search(first, second):
    table = to_numpy(LAYER.table)
    ids = np.zeros((2, 24), "int32")
    for row, sequence in zip(ids, (first, second)):
        row[: len(sequence)] = sequence
    actual = to_numpy(LAYER(ids))
    for row, vectors in zip(ids, actual):
        np.testing.assert_allclose(vectors, expected(row.tolist(), table), atol=1e-7)
    # A single step, which ignores later ids.
    place = np.array([len(first) - 1, len(second) // 2], "int32")
    alone = to_numpy(LAYER.embed_position(ids, place))
    np.testing.assert_allclose(alone, actual[[0, 1], place], atol=1e-7)
    # With a state, from the middle on.
    prompts = ops.convert_to_tensor(ids[:, :12])
    lengths = np.minimum([len(first), len(second)], 12).astype("int32")
    state = LAYER.initial_state(prompts, lengths, 4)
    last = np.array([row[length - 1] for row, length in zip(ids, lengths)])
    vectors, state = LAYER.step(ops.convert_to_tensor(last), state)
    np.testing.assert_allclose(to_numpy(vectors), actual[[0, 1], lengths - 1], atol=1e-7)
    assert to_numpy(state["position"]).tolist() == lengths.tolist()


def test_each_match_length_has_its_own_vectors():
    sequence = [1, 2, 3, 1, 1, 2, 3, 1, 1]
    actual = to_numpy(LAYER(np.array([sequence], "int32")))[0]
    assert not actual[3].any()  # a match of one token is too short
    assert actual[5].any() and actual[7].any() and (actual[5] != actual[7]).all()


def test_bad_arguments():
    with pytest.raises(InputError, match="`output_dim` must be an integer of at least 1, got 0"):
        LongestMatchEmbedding(4, 0)
