"""Scheduled sampling: the tokens that are replaced, and their fraction."""

import numpy as np
import pytest
from helpers import to_numpy

from keras_seq import layers
from keras_seq._internal.errors import InputError

IDS = np.full((50, 41), 2, "int32")
IDS[:, -1] = 0
PREDICTED = np.arange(3, 44, dtype="int32") + 0 * IDS


def fraction_replaced(layer, **options):
    """Return the fraction of the replaceable tokens that are replaced."""
    ids = to_numpy(layer(IDS, PREDICTED, **options))
    is_replaced = ids != IDS
    assert not is_replaced[:, [0, -1]].any()  # neither the start nor padding
    # Replacements are the predictions of the previous step.
    assert (ids[:, 1:] == PREDICTED[:, :-1])[is_replaced[:, 1:]].all()
    return is_replaced[:, 1:-1].mean()


def test_the_fraction_grows_in_training():
    layer = layers.ScheduledSampling(0.8, ramp_steps=4)
    fractions = [fraction_replaced(layer, training=True) for _ in range(6)]
    np.testing.assert_allclose(fractions, [0.2, 0.4, 0.6, 0.8, 0.8, 0.8], atol=0.05)
    assert fraction_replaced(layer) == fraction_replaced(layer, training=False) == 0


def test_bad_arguments():
    with pytest.raises(InputError, match=r"`rate` must be a number from 0 to 1, got 1\.5"):
        layers.ScheduledSampling(1.5)
    with pytest.raises(InputError, match="`ramp_steps` must be an integer of at least 1, got 0"):
        layers.ScheduledSampling(0.5, ramp_steps=0)
