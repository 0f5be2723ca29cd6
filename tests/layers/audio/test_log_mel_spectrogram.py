"""Log-mel spectrograms against Keras and NumPy; their augmentation."""

import keras
import numpy as np
import pytest
from helpers import to_numpy

from keras_seq import layers
from keras_seq._internal.errors import InputError

RANDOM = np.random.default_rng(0)


def test_equals_keras_away_from_the_ends():
    """Keras's frames begin half a frame earlier, which is two frame steps here."""
    samples = RANDOM.uniform(-1, 1, (2, 3000)).astype("float32")
    ours = layers.LogMelSpectrogram(
        frame_length=400, frame_step=100, num_mel_bins=20, min_power=1e-10
    )
    theirs = keras.layers.MelSpectrogram(
        512, 100, 400, sampling_rate=16_000, num_mel_bins=20, power_to_db=False
    )
    actual = to_numpy(ours(samples))
    desired = np.log(to_numpy(theirs(samples))).swapaxes(1, 2)
    assert actual.shape == (2, 27, 20)
    np.testing.assert_allclose(actual, desired[:, 2:29], atol=1e-4)


def test_one_frame_and_min_power():
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


def test_chunks_have_the_frames_of_the_recording():
    samples = RANDOM.uniform(-1, 1, (1, 2000)).astype("float32")
    layer = layers.LogMelSpectrogram(8000, frame_length=200, frame_step=80, num_mel_bins=10)
    whole = to_numpy(layer(samples))
    part = to_numpy(layer(samples[:, 5 * 80 : 5 * 80 + 4 * 80 + 200]))
    np.testing.assert_allclose(part, whole[:, 5:10], atol=1e-5)


def test_bad_arguments():
    with pytest.raises(InputError, match="frame_step must be from 1 to frame_length, 200"):
        layers.LogMelSpectrogram(frame_length=200, frame_step=201)
    with pytest.raises(InputError, match="90 mel bins are too many"):
        layers.LogMelSpectrogram(8000, frame_length=100, frame_step=80, num_mel_bins=90)


def test_vocal_tract_length_perturbation_moves_tones():
    layer = layers.LogMelSpectrogram(16_000, num_mel_bins=40)
    time = np.arange(2_000) / 16_000

    def spectrogram(hertz):
        return to_numpy(layer(np.sin(2 * np.pi * hertz * time)[None].astype("float32")))

    def band(spectrogram):
        return spectrogram.mean(axis=1).argmax(axis=1)

    many = np.repeat(spectrogram(2_000), 300, axis=0)
    warping = layers.VocalTractLengthPerturbation(0.2, seed=1)
    np.testing.assert_array_equal(to_numpy(warping(many)), many)
    actual = band(to_numpy(warping(many, training=True)))
    assert abs(actual.min() - band(spectrogram(2_000 / 1.2))[0]) <= 1
    assert abs(actual.max() - band(spectrogram(2_000 / 0.8))[0]) <= 1
    assert actual.max() - actual.min() >= 4
    same = layers.VocalTractLengthPerturbation(0.0)(many, training=True)
    np.testing.assert_allclose(to_numpy(same), many, atol=1e-3)


def test_spec_augment_masks_bins_and_time_steps():
    ones = np.ones((50, 40, 20), "float32")
    layer = layers.SpecAugment(1, freq_mask_width=4, time_mask_width=6, seed=1)
    np.testing.assert_array_equal(to_numpy(layer(ones)), ones)
    actual = to_numpy(layer(ones, training=True))
    steps, bands = actual.any(axis=2), actual.any(axis=1)
    np.testing.assert_array_equal(actual, (steps[:, :, None] & bands[:, None, :]).astype("float32"))
    assert 0 < (~steps).sum(axis=1).max() <= 6 and 0 < (~bands).sum(axis=1).max() <= 4
    for row in ~bands:  # neighbors
        assert np.ptp(np.flatnonzero(row)) + 1 == row.sum() if row.any() else True
