"""Causal n-gram features: whole sequences, single steps, and styles."""

import numpy as np
import pytest
from helpers import to_numpy
from keras import ops

from keras_seq import layers
from keras_seq._internal.errors import InputError

IDS = np.random.default_rng(0).integers(1, 6, (3, 12)).astype("int32")
STYLE = np.array([0, 1, 1], "int32")


@pytest.mark.parametrize("max_style_n", [0, 3])
def test_steps_equal_one_call(max_style_n):
    layer = layers.CausalNgramFeatures(4, 64, 2, max_style_n=max_style_n)
    style = STYLE if max_style_n else None
    whole = to_numpy(layer(IDS, style=style))
    assert whole.shape == (3, 12, 2 * (3 + max_style_n))
    # Prompts of different lengths, padded at the end.
    lengths = np.array([4, 1, 6], "int32")
    prompts = np.where(np.arange(6) < lengths[:, None], IDS[:, :6], 0)
    state = layer.initial_state(ops.convert_to_tensor(prompts), lengths, 0)
    style = None if style is None else ops.convert_to_tensor(style)
    for step in range(4):
        at = np.arange(3), lengths - 1 + step
        vectors, state = layer.step(ops.convert_to_tensor(IDS[at]), state, style)
        np.testing.assert_allclose(to_numpy(vectors), whole[at], atol=1e-6)


def test_short_ngrams_differ_between_styles():
    layer = layers.CausalNgramFeatures(4, 2**12, 2, max_style_n=2)
    ids = np.tile(IDS[:1], (2, 1))
    first, second = to_numpy(layer(ids, style=np.array([0, 1], "int32"))).reshape(2, 12, 5, 2)
    np.testing.assert_array_equal(first[:, :3], second[:, :3])
    assert (first[:, 3:] != second[:, 3:]).mean() > 0.9
    # N-grams of one or two tokens do not depend on earlier ones.
    other = ids.copy()
    other[:, :9] = 5
    changed = to_numpy(layer(other, style=np.array([0, 1], "int32"))).reshape(2, 12, 5, 2)
    np.testing.assert_array_equal(changed[0, -1, 3:], first[-1, 3:])


def test_bad_arguments():
    with pytest.raises(InputError, match="max_style_n must be from 0 to max_n, 3"):
        layers.CausalNgramFeatures(3, max_style_n=4)
    with pytest.raises(InputError, match="but got no style"):
        layers.CausalNgramFeatures(3, max_style_n=2)(IDS)
