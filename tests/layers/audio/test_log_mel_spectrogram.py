"""Spectrograms against Keras's own and a plain Fourier transform; what training adds to them."""

import keras
import numpy as np
import pytest
from helpers import to_numpy

from keras_seq import layers
from keras_seq._internal.errors import InputError

RANDOM = np.random.default_rng(0)


def test_as_keras_within_the_sound():
    """Keras's frames begin half a window before ours; with this hop, two frames before."""
    samples = RANDOM.uniform(-1, 1, (2, 3000)).astype("float32")
    ours = layers.LogMelSpectrogram(
        frame_length=400, frame_step=100, num_mel_bins=20, min_power=1e-10
    )
    theirs = keras.layers.MelSpectrogram(
        512, 100, 400, sampling_rate=16_000, num_mel_bins=20, power_to_db=False
    )
    found = to_numpy(ours(samples))
    wanted = np.log(to_numpy(theirs(samples))).swapaxes(1, 2)
    assert found.shape == (2, 27, 20)
    np.testing.assert_allclose(found, wanted[:, 2:29], atol=1e-4)


def test_a_frame_by_hand_and_what_is_below_the_floor():
    samples = np.zeros((1, 500), "float32")
    samples[0, 160:] = 0.5 * np.sin(2 * np.pi * 1000 / 16_000 * np.arange(340))
    layer = layers.LogMelSpectrogram(num_mel_bins=30, min_power=1e-3)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    power = np.abs(np.fft.rfft(samples[0, :400].astype("float64") * hann, 512)) ** 2
    np.testing.assert_allclose(
        to_numpy(layer(samples))[0, 0],
        np.log(np.maximum(power @ layer.mel_matrix, 1e-3)),
        atol=1e-4,
    )
    assert (to_numpy(layer(0 * samples)) == np.float32(np.log(np.float32(1e-3)))).all()


def test_pieces_have_the_frames_of_the_whole():
    samples = RANDOM.uniform(-1, 1, (1, 2000)).astype("float32")
    layer = layers.LogMelSpectrogram(8000, frame_length=200, frame_step=80, num_mel_bins=10)
    whole = to_numpy(layer(samples))
    part = to_numpy(layer(samples[:, 5 * 80 : 5 * 80 + 4 * 80 + 200]))
    np.testing.assert_allclose(part, whole[:, 5:10], atol=1e-5)


def test_mistakes_are_named():
    with pytest.raises(InputError, match="frame_step must be from 1 to frame_length, 200"):
        layers.LogMelSpectrogram(frame_length=200, frame_step=201)
    with pytest.raises(InputError, match="90 mel bins are too many"):
        layers.LogMelSpectrogram(8000, frame_length=100, frame_step=80, num_mel_bins=90)


def test_warping_moves_tones():
    layer = layers.LogMelSpectrogram(16_000, num_mel_bins=40)
    time = np.arange(2_000) / 16_000

    def spectrogram(hertz):
        return to_numpy(layer(np.sin(2 * np.pi * hertz * time)[None].astype("float32")))

    def band(spectrogram):
        return spectrogram.mean(axis=1).argmax(axis=1)

    many = np.repeat(spectrogram(2_000), 300, axis=0)
    warping = layers.VocalTractLengthPerturbation(0.2, seed=1)
    np.testing.assert_array_equal(to_numpy(warping(many)), many)
    found = band(to_numpy(warping(many, training=True)))
    assert abs(found.min() - band(spectrogram(2_000 / 1.2))[0]) <= 1
    assert abs(found.max() - band(spectrogram(2_000 / 0.8))[0]) <= 1
    assert found.max() - found.min() >= 4
    same = layers.VocalTractLengthPerturbation(0.0)(many, training=True)
    np.testing.assert_allclose(to_numpy(same), many, atol=1e-3)


def test_masks_blot_out_bands_and_stretches_of_time():
    ones = np.ones((50, 40, 20), "float32")
    layer = layers.SpecAugment(1, freq_mask_width=4, time_mask_width=6, seed=1)
    np.testing.assert_array_equal(to_numpy(layer(ones)), ones)
    found = to_numpy(layer(ones, training=True))
    steps, bands = found.any(axis=2), found.any(axis=1)
    np.testing.assert_array_equal(found, (steps[:, :, None] & bands[:, None, :]).astype("float32"))
    assert 0 < (~steps).sum(axis=1).max() <= 6 and 0 < (~bands).sum(axis=1).max() <= 4
    for row in ~bands:  # neighbours
        assert np.ptp(np.flatnonzero(row)) + 1 == row.sum() if row.any() else True
