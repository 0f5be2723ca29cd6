"""Convolution that ignores padding."""

import keras
import numpy as np
import pytest
from helpers import normal, to_numpy

from keras_seq._internal.errors import InputError
from keras_seq.layers import MaskedConv1D


def test_receptive_field_of_an_output():
    layer = MaskedConv1D(1, kernel_size=4, strides=2)
    layer.build((None, None, 1))
    layer.set_weights([10.0 ** np.arange(4)[:, None, None], np.zeros(1)])
    x = np.arange(1, 8, dtype="float32")[None, :, None]  # the steps 6 and 7 are padding
    mask = np.arange(7)[None] < 5
    # Receptive fields: 0 1 2 3, 2 3 4 5, 4 5 0 0.
    actual = to_numpy(layer(x, mask=mask))[0, :, 0]
    np.testing.assert_allclose(actual, [3210, 5432, 54, 0])
    assert to_numpy(layer.compute_mask(x, mask)).tolist() == [[True, True, True, False]]


@pytest.mark.parametrize("strides", [1, 2, 3])
def test_outputs_are_independent_of_padding(strides):
    layer = MaskedConv1D(3, kernel_size=4, strides=strides)
    x, padding = normal(2, 5, 2), normal(2, 3, 2, seed=1)
    longer = np.concatenate([x, padding], axis=1)
    alone = to_numpy(layer(x, mask=np.ones((2, 5), bool)))
    actual = to_numpy(layer(longer, mask=np.arange(8)[None].repeat(2, 0) < 5))
    np.testing.assert_allclose(actual[:, : alone.shape[1]], alone, atol=1e-6)
    assert alone.shape == layer.compute_output_shape(x.shape)
    assert layer.compute_output_shape((None, None, 2)) == (None, None, 3)


def test_configuration():
    layer = MaskedConv1D(3, 4, 2, activation="tanh")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert copy.get_config() == layer.get_config()
    assert copy.convolution.activation is keras.activations.tanh


def test_bad_arguments():
    with pytest.raises(InputError, match="kernel_size must be at least strides, got 2 and 3"):
        MaskedConv1D(1, 2, 3)
