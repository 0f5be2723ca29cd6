"""The telephone channel on spectrograms against recordings after a telephone line."""

import numpy as np
import pytest
from helpers import to_numpy

from keras_seq import layers
from keras_seq._internal.errors import InputError
from keras_seq.data.audio import simulate_telephone
from keras_seq.layers.audio import telephone_channel
from keras_seq.layers.audio.log_mel_spectrogram import mel_frequencies

RATE = 16_000
RANDOM = np.random.default_rng(0)
LOG_MEL = layers.LogMelSpectrogram(RATE)
EDGES = mel_frequencies(LOG_MEL.num_mel_bins, 20.0, RATE / 2)
CENTERS = EDGES[1:-1]


@pytest.fixture
def fixed(monkeypatch):
    """Return a function that fixes the cutoff frequencies and the signal-to-noise ratio."""

    def fix(low=300.0, high=3_400.0, snr_db=38.0):
        monkeypatch.setattr(telephone_channel, "LOW_CUTOFF_HZ", (low, low))
        monkeypatch.setattr(telephone_channel, "HIGH_CUTOFF_HZ", (high, high))
        monkeypatch.setattr(telephone_channel, "SNR_DB", (snr_db, snr_db))

    return fix


def spectrogram(samples):
    return to_numpy(LOG_MEL(samples[None].astype("float32")))


def test_equals_a_telephone_line(fixed):
    """The mean spectra of noise that becomes louder, in nats; .23 is 1 dB."""
    fixed()
    samples = RANDOM.uniform(-1, 1, RATE) * np.linspace(0.01, 0.8, RATE)
    layer = layers.TelephoneChannel(1.0, seed=1)
    actual = to_numpy(layer(spectrogram(samples), training=True))[0]
    expected = spectrogram(simulate_telephone(samples, RATE))[0]
    difference = (actual - expected)[5:-5].mean(axis=0)
    is_inside = (CENTERS > 400) & (CENTERS < 3_200)
    assert np.abs(difference[is_inside]).max() < 0.25
    is_outside = CENTERS > 4_800
    assert is_outside.sum() >= 6
    np.testing.assert_allclose(actual[:, is_outside], np.log(1e-5), atol=1e-5)
    assert (expected[:, is_outside].mean(axis=0) < np.log(1e-3)).all()


def test_noise_of_the_codec_is_white(fixed):
    fixed(snr_db=25.0)
    log_mel = np.full((1, 3, 40), -20.0)
    log_mel[:, :, 15] = 0.0  # about 1 kHz, with a power of 1
    actual = np.exp(to_numpy(layers.TelephoneChannel(1.0)(log_mel, training=True)))[0, 0]
    bandwidths = EDGES[2:] - EDGES[:-2]
    is_sampled = (CENTERS < 4_000) & (np.arange(40) != 15)
    density = actual[is_sampled] / bandwidths[is_sampled]
    np.testing.assert_allclose(density, density.mean(), rtol=1e-3)
    total = density.mean() * bandwidths[CENTERS < 4_000].sum()
    assert 10 * np.log10(total) == pytest.approx(-25, abs=0.05)


def test_spectrograms_change_at_random_in_training_only():
    layer = layers.TelephoneChannel(0.5, seed=1)
    many = np.repeat(spectrogram(RANDOM.uniform(-1, 1, 2_000)), 200, axis=0)
    np.testing.assert_array_equal(to_numpy(layer(many)), many)
    actual = to_numpy(layer(many, training=True))
    is_same = (actual == many).all(axis=(1, 2))
    assert 70 < is_same.sum() < 130
    changed = actual[~is_same]
    assert len(np.unique(changed, axis=0)) == len(changed)
    never = layers.TelephoneChannel(0.0)(many, training=True)
    np.testing.assert_array_equal(to_numpy(never), many)


def test_invalid_arguments():
    with pytest.raises(InputError, match=r"min_freq must be below max_freq, 50.0, and 4000 Hz"):
        layers.TelephoneChannel(min_freq=60.0, max_freq=50.0)
    with pytest.raises(InputError, match=r"`prob` must be a number from 0 to 1, got 2"):
        layers.TelephoneChannel(2)
    with pytest.raises(InputError, match=r"channel covers 20\.0 to 4000\.0 Hz, but log_mel 20"):
        layers.FrontEnd(channel=layers.TelephoneChannel(max_freq=4_000.0))
    with pytest.raises(InputError, match=r"channel has the min_power 0\.1, but log_mel 1e-05"):
        layers.FrontEnd(channel=layers.TelephoneChannel(min_power=0.1))
