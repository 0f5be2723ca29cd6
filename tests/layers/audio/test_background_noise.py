"""Noise in training: as loud as asked, another every time, and of the tracks that were heard."""

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


def noisy(layer, samples=SOUND):
    return to_numpy(layer(samples, training=True)) - samples


@pytest.mark.parametrize("decibels", [0.0, 20.0])
def test_noise_is_as_loud_as_asked(decibels):
    layer = layers.BackgroundNoise(decibels, decibels, clean_prob=0.0, seed=1)
    layer.set_noise(RANDOM.normal(size=(5, 9_000)) * [[1], [2], [3], [4], [5]])
    power = np.square(SOUND[:, :2_000]).mean(axis=1) * 10 ** (-decibels / 10)
    np.testing.assert_allclose(np.square(noisy(layer)).mean(axis=1), power, rtol=0.15)


def test_noise_is_another_every_time_and_some_recordings_have_none():
    layer = layers.BackgroundNoise(5.0, 5.0, clean_prob=0.5, seed=1)
    np.testing.assert_array_equal(noisy(layer), 0)  # nothing was heard yet
    layer.set_noise(RANDOM.normal(size=(3, 4_000)))
    np.testing.assert_array_equal(to_numpy(layer(SOUND)), SOUND)  # not in training
    one, other = noisy(layer), noisy(layer)
    clean = ~one.any(axis=1)
    assert 8 < clean.sum() < 32
    assert all(np.abs(a - b).max() > 1e-3 for a, b in zip(one, other) if a.any() and b.any())


def test_noise_is_a_stretch_of_a_track_which_goes_round():
    tracks = np.stack([np.arange(1, 8), np.array([1, -1, 1, -1, 1, 1, -1])]).astype("float32")
    layer = layers.BackgroundNoise(10.0, 10.0, clean_prob=0.0, seed=1)
    layer.set_noise(tracks)
    stretches = {
        tuple(np.roll(np.resize(track, 7), -start).round(2))
        for track in tracks / np.sqrt(np.square(tracks).mean(axis=1, keepdims=True))
        for start in range(7)
    }
    ones = np.ones((4, 9), "float32")
    found = np.concatenate([noisy(layer, ones) for _ in range(20)]) * np.sqrt(10)
    np.testing.assert_allclose(found[:, 7:], found[:, :2], atol=1e-2)
    assert {tuple(row.round(2)) for row in found[:, :7]} <= near(stretches, found[:, :7])
    assert len({tuple(row.round(1)) for row in found}) > 5


def near(stretches, found):
    """Of what was found, what is one of the stretches, but for the rounding of 16 bits."""
    rows = np.array(sorted(stretches))
    distances = np.abs(rows[None] - found[:, None]).max(axis=2).min(axis=1)
    return {tuple(row.round(2)) for row, distance in zip(found, distances) if distance < 0.02}


def test_silence_stays_silent_and_silent_noise_is_refused():
    layer = layers.BackgroundNoise(clean_prob=0.0)
    layer.set_noise(RANDOM.normal(size=(3, 50)))
    assert not noisy(layer, np.zeros((2, 60), "float32")).any()
    with pytest.raises(InputError, match="Track 2 of the noise is silent"):
        layer.set_noise(np.array([[1.0, 2.0], [0.0, 0.0]]))


def test_saved_without_its_tracks(tmp_path):
    x = keras.Input((None,))
    layer = layers.BackgroundNoise(10.0, 15.0, 0.2)
    model = keras.Model(x, layer(x))
    layer.set_noise(RANDOM.normal(size=(3, 50)))
    model.save(tmp_path / "it.keras")
    loaded = keras.saving.load_model(tmp_path / "it.keras")
    assert loaded.layers[1].get_config() == layer.get_config()
    np.testing.assert_array_equal(to_numpy(loaded(SOUND, training=True)), SOUND)


def test_backgrounds_are_of_every_colour_and_of_talk():
    recordings = [np.sin(np.arange(500) * step).astype("float32") for step in (0.1, 0.5, 1.0)]
    tracks = make_noise_tracks([*recordings, np.zeros(9)], 1_000, num_noise=5, num_babble=2)
    assert tracks.shape == (7, 8_000) and tracks.dtype == "float32"
    power = np.abs(np.fft.rfft(tracks)) ** 2
    low = power[:5, 1:1_000].sum(axis=1) / power[:5, 1:].sum(axis=1)
    assert (np.diff(low) > 0).all() and low[0] < 0.3 < 0.9 < low[4]
    # The talk is of tones, which a recording of 500 samples has at multiples of 2 Hz.
    assert (power[5:, ::16].sum(axis=1) > 0.9 * power[5:].sum(axis=1)).all()
    assert len(make_noise_tracks([np.zeros(9)], 1_000, num_noise=2)) == 2
