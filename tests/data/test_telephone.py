"""Simulated telephone lines: band, codecs, and length."""

import numpy as np
import pytest

from keras_seq.data.audio import simulate_telephone

RATE = 16_000
TIME = np.arange(RATE) / RATE


def tone(hertz, amplitude=0.5):
    return amplitude * np.sin(2 * np.pi * hertz * TIME)


def decibels(signal, reference):
    return 10 * np.log10(np.square(signal).mean() / np.square(reference).mean())


@pytest.mark.parametrize(("hertz", "low", "high"), [(100, -99, -30), (1_000, -0.2, 0.2)])
@pytest.mark.parametrize("codec", ["ULAW", "ALAW"])
def test_band(hertz, low, high, codec):
    said = simulate_telephone(tone(hertz), RATE, codec)
    assert low < decibels(said[2_000:-2_000], tone(hertz)[2_000:-2_000]) < high


def test_frequencies_above_the_band_are_removed():
    said = simulate_telephone(tone(1_000) + tone(5_000, 0.3), RATE)
    spectrum = np.abs(np.fft.rfft(said[4_000:12_000]))
    assert spectrum[2_400:].max() < spectrum.max() / 1_000  # from 4.8 kHz


@pytest.mark.parametrize("amplitude", [0.8, 0.2, 0.05])
def test_quantization_of_mu_law(amplitude):
    """The signal-to-noise ratio of G.711 is about 38 dB at most levels."""
    said = simulate_telephone(tone(1_013, amplitude), RATE)[4_000:12_000]
    power = np.abs(np.fft.rfft(said * np.hanning(len(said)))) ** 2  # bins of 2 Hz
    signal = power[496:517].sum()
    noise = power[150:1_700].sum() - signal
    assert 34 < 10 * np.log10(signal / noise) < 42


@pytest.mark.parametrize("codec", ["ULAW", "ALAW", "GSM610"])
@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050])
def test_length_and_levels(codec, rate):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 4_567)
    said = simulate_telephone(samples, rate, codec)
    assert said.shape == samples.shape and said.dtype == np.float32
    assert 0.1 < said.std() < 0.4
    if rate == 8_000 and codec != "GSM610":
        assert len(np.unique(said)) <= 256
    np.testing.assert_array_equal(simulate_telephone(0 * samples, rate, "ULAW"), 0)
