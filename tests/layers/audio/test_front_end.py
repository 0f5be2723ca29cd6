"""The front end against its sublayers; saving."""

import keras
import numpy as np
from helpers import to_numpy

from keras_seq import layers

RANDOM = np.random.default_rng(0)
SAMPLES = RANDOM.uniform(-0.5, 0.5, (2, 1_000)).astype("float32")
LENGTHS = np.array([1_000, 520], "int32")


def make(**options):
    return layers.FrontEnd(
        layers.LogMelSpectrogram(4_000, frame_length=100, frame_step=40, num_mel_bins=12), **options
    )


def test_frame_stacking_and_normalization():
    layer = make(frame_stack=3, frame_stride=2)
    layer.adapt(list(SAMPLES))
    frames = np.concatenate([layer.spectrogram(row) for row in SAMPLES])
    mean, std = frames.mean(axis=0), frames.std(axis=0)
    features, mask = layer(SAMPLES, LENGTHS)
    padded = np.pad(SAMPLES, [(0, 0), (0, 100)])
    log_mel = (to_numpy(layer.log_mel(padded)) - mean) / std
    desired = np.stack([log_mel[:, 2 * t : 2 * t + 3].reshape(2, 36) for t in range(12)], axis=1)
    np.testing.assert_allclose(to_numpy(features)[:, :12], desired, atol=1e-3)
    assert to_numpy(mask).sum(axis=1).tolist() == [13, 7]


def test_mean_normalization_ignores_padding():
    layer = make(mean_normalize=True)
    features, mask = map(to_numpy, layer(SAMPLES, LENGTHS))
    for row, steps in zip(features, mask.sum(axis=1)):
        np.testing.assert_allclose(row[:steps].mean(axis=0), 0, atol=1e-4)


def test_saving(tmp_path):
    layer = make(
        frame_stack=2,
        noise=layers.BackgroundNoise(clean_prob=0.5),
        warping=layers.VocalTractLengthPerturbation(0.1, max_freq=2_000.0),
        masking=layers.SpecAugment(1),
        channel=layers.TelephoneChannel(0.3, max_freq=2_000.0),
        average_offsets=True,
    )
    samples, lengths = keras.Input((None,)), keras.Input((), dtype="int32")
    model = keras.Model([samples, lengths], layer(samples, lengths)[0])
    layer.adapt(list(SAMPLES))
    model.save(tmp_path / "it.keras")
    loaded = keras.saving.load_model(tmp_path / "it.keras")
    actual = next(one for one in loaded.layers if isinstance(one, layers.FrontEnd))
    assert (actual.noise.clean_prob, actual.warping.max_warp) == (0.5, 0.1)
    assert (actual.masking.num_masks, actual.channel.prob) == (1, 0.3)
    arrays = (SAMPLES, LENGTHS)
    expected = to_numpy(model(arrays))
    assert expected.shape[0] == 4
    np.testing.assert_allclose(to_numpy(loaded(arrays)), expected, atol=1e-6)


def test_channel_is_applied_in_training_only():
    plain, channel = make(), layers.TelephoneChannel(1.0, max_freq=2_000.0, seed=1)
    layer = make(channel=channel)
    inference = [to_numpy(front_end(SAMPLES, LENGTHS)[0]) for front_end in (plain, layer)]
    np.testing.assert_allclose(*inference, atol=1e-6)
    training = to_numpy(layer(SAMPLES, LENGTHS, training=True)[0])
    assert (training[..., 0] < inference[0][..., 0] - 2).all()  # below 100 Hz


def test_configuration_of_an_earlier_version():
    config = make(frame_stack=2).get_config()
    del config["channel"]
    assert layers.FrontEnd.from_config(config).channel is None
