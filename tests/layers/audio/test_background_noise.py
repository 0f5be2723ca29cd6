"""Background noise: signal-to-noise ratio, randomness, and tracks."""

import keras
import numpy as np
import pytest
from helpers import to_numpy

from keras_seq import layers
from keras_seq._internal.errors import InputError
from keras_seq.layers.audio.noise import make_noise_tracks

RANDOM = np.random.default_rng(0)
SOUND = RANDOM.uniform(-0.5, 0.5, (40, 3_000)).astype("float32")
SOUND[:, 2_000:] = 0.0  # after the end


def added_noise(layer, samples=SOUND):
    return to_numpy(layer(samples, training=True)) - samples


@pytest.mark.parametrize("decibels", [0.0, 20.0])
def test_signal_to_noise_ratio(decibels):
    layer = layers.BackgroundNoise(decibels, decibels, clean_prob=0.0, seed=1)
    layer.set_noise(RANDOM.normal(size=(5, 9_000)) * [[1], [2], [3], [4], [5]])
    power = np.square(SOUND[:, :2_000]).mean(axis=1) * 10 ** (-decibels / 10)
    np.testing.assert_allclose(np.square(added_noise(layer)).mean(axis=1), power, rtol=0.15)


def test_noise_is_random_and_some_recordings_are_clean():
    layer = layers.BackgroundNoise(5.0, 5.0, clean_prob=0.5, seed=1)
    np.testing.assert_array_equal(added_noise(layer), 0)  # before set_noise
    layer.set_noise(RANDOM.normal(size=(3, 4_000)))
    np.testing.assert_array_equal(to_numpy(layer(SOUND)), SOUND)  # not in training
    one, other = added_noise(layer), added_noise(layer)
    clean = ~one.any(axis=1)
    assert 8 < clean.sum() < 32
    assert all(np.abs(a - b).max() > 1e-3 for a, b in zip(one, other) if a.any() and b.any())


def test_noise_is_a_rotated_track():
    tracks = np.stack([np.arange(1, 8), np.array([1, -1, 1, -1, 1, 1, -1])]).astype("float32")
    layer = layers.BackgroundNoise(10.0, 10.0, clean_prob=0.0, seed=1)
    layer.set_noise(tracks)
    stretches = {
        tuple(np.roll(np.resize(track, 7), -start).round(2))
        for track in tracks / np.sqrt(np.square(tracks).mean(axis=1, keepdims=True))
        for start in range(7)
    }
    ones = np.ones((4, 9), "float32")
    actual = np.concatenate([added_noise(layer, ones) for _ in range(20)]) * np.sqrt(10)
    np.testing.assert_allclose(actual[:, 7:], actual[:, :2], atol=1e-2)
    assert {tuple(row.round(2)) for row in actual[:, :7]} <= near(stretches, actual[:, :7])
    assert len({tuple(row.round(1)) for row in actual}) > 5


def near(stretches, actual):
    """Return the rows that equal one of the stretches up to float16 rounding."""
    rows = np.array(sorted(stretches))
    distances = np.abs(rows[None] - actual[:, None]).max(axis=2).min(axis=1)
    return {tuple(row.round(2)) for row, distance in zip(actual, distances) if distance < 0.02}


def test_silent_recordings_and_silent_tracks():
    layer = layers.BackgroundNoise(clean_prob=0.0)
    layer.set_noise(RANDOM.normal(size=(3, 50)))
    assert not added_noise(layer, np.zeros((2, 60), "float32")).any()
    with pytest.raises(InputError, match="Noise track 2 is silent"):
        layer.set_noise(np.array([[1.0, 2.0], [0.0, 0.0]]))


def test_saving_without_tracks(tmp_path):
    x = keras.Input((None,))
    layer = layers.BackgroundNoise(10.0, 15.0, 0.2)
    model = keras.Model(x, layer(x))
    layer.set_noise(RANDOM.normal(size=(3, 50)))
    model.save(tmp_path / "it.keras")
    loaded = keras.saving.load_model(tmp_path / "it.keras")
    assert loaded.layers[1].get_config() == layer.get_config()
    np.testing.assert_array_equal(to_numpy(loaded(SOUND, training=True)), SOUND)


def test_colored_noise_and_babble():
    recordings = [np.sin(np.arange(500) * step).astype("float32") for step in (0.1, 0.5, 1.0)]
    tracks = make_noise_tracks([*recordings, np.zeros(9)], 1_000, num_noise=5, num_babble=2)
    assert tracks.shape == (7, 8_000) and tracks.dtype == "float32"
    power = np.abs(np.fft.rfft(tracks)) ** 2
    low = power[:5, 1:1_000].sum(axis=1) / power[:5, 1:].sum(axis=1)
    assert (np.diff(low) > 0).all() and low[0] < 0.3 < 0.9 < low[4]
    # The babble consists of tones; a recording of 500 samples has multiples of 2 Hz.
    assert (power[5:, ::16].sum(axis=1) > 0.9 * power[5:].sum(axis=1)).all()
    assert len(make_noise_tracks([np.zeros(9)], 1_000, num_noise=2)) == 2
