"""Noise tracks for training: colored noise, and babble."""

from collections.abc import Iterable, Sequence

import numpy as np

from keras_seq._internal.types import Array


def colored_noise(num_samples: int, exponent: float, rng: np.random.Generator) -> Array:
    """Return noise `(num_samples,)` with the power spectrum `1 / frequency ** exponent`.

    Args:
        num_samples: Number of samples.
        exponent: 0 for white noise, 1 for pink, 2 for brown.
        rng: Random number generator.
    """
    spectrum = np.fft.rfft(rng.normal(size=num_samples))
    frequency = np.maximum(np.arange(len(spectrum)), 1) / len(spectrum)
    return np.fft.irfft(spectrum * frequency ** (-exponent / 2), num_samples)


def babble(recordings: Iterable[Array], num_samples: int, rng: np.random.Generator) -> Array:
    """Return a mixture `(num_samples,)` of recordings, scaled to the same peak amplitude.

    Args:
        recordings: Floats `(samples,)`, none of them silent. Each is repeated as needed, from a
            random start.
        num_samples: Number of samples.
        rng: Random number generator.
    """
    mixture = np.zeros(num_samples)
    for recording in recordings:
        repeated = np.resize(recording / np.abs(recording).max(), num_samples)
        mixture += np.roll(repeated, rng.integers(num_samples))
    return mixture


def make_noise_tracks(
    recordings: Sequence[Array],
    sample_rate: int,
    seconds: float = 8,
    num_noise: int = 56,
    num_babble: int = 24,
    seed: int = 0,
) -> Array:
    """Return noise tracks for `keras_seq.layers.BackgroundNoise.set_noise`.

    Args:
        recordings: Floats `(samples,)`. Each babble track mixes three to six of them.
        sample_rate: Samples per second.
        seconds: Length of each track, in seconds.
        num_noise: Number of tracks of colored noise, from white to brown.
        num_babble: Number of babble tracks; none are made if all recordings are silent.
        seed: Random seed.

    Returns:
        float32 `(tracks, samples)`.
    """
    rng, num_samples = np.random.default_rng(seed), round(seconds * sample_rate)
    tracks = [
        colored_noise(num_samples, exponent, rng) for exponent in np.linspace(0, 2, num_noise)
    ]
    audible = [recording for recording in recordings if np.abs(recording).max(initial=0) > 0]
    for _ in range(num_babble if audible else 0):
        indices = rng.integers(len(audible), size=rng.integers(3, 7))
        tracks.append(babble([audible[index] for index in indices], num_samples, rng))
    return np.array(tracks, "float32")
