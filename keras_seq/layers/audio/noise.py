"""Tracks of noise for training: white to brown noise, and babble of several recordings."""

from collections.abc import Sequence

import numpy as np


def coloured_noise(count: int, colour: float, random: np.random.Generator) -> np.ndarray:
    """Return noise whose power falls with frequency, `(count,)`.

    Args:
        count: Number of samples.
        colour: Exponent of the frequency: 0 is white, 1 pink, 2 brown.
        random: Source of the random numbers.
    """
    spectrum = np.fft.rfft(random.normal(size=count))
    frequency = np.maximum(np.arange(len(spectrum)), 1) / len(spectrum)
    return np.fft.irfft(spectrum * frequency ** (-colour / 2), count)


def babble(recordings: Sequence[np.ndarray], count: int, random: np.random.Generator) -> np.ndarray:
    """Return recordings that sound at the same time, equally loud, `(count,)`.

    Args:
        recordings: Floats `(samples,)`, none of them silent. Each starts anywhere and is repeated.
        count: Number of samples.
        random: Source of the random numbers.
    """
    mixture = np.zeros(count)
    for recording in recordings:
        repeated = np.resize(recording / np.abs(recording).max(), count)
        mixture += np.roll(repeated, random.integers(count))
    return mixture


def make_noise_tracks(
    recordings: Sequence[np.ndarray],
    sample_rate: int,
    seconds: float = 8,
    num_noise: int = 56,
    num_babble: int = 24,
    seed: int = 0,
) -> np.ndarray:
    """Return tracks of noise and of babble for `keras_seq.layers.BackgroundNoise`.

    Args:
        recordings: Floats `(samples,)`, of which each track of babble mixes three to six.
        sample_rate: Samples per second.
        seconds: Length of each track.
        num_noise: Number of tracks of noise, from white to brown.
        num_babble: Number of tracks of babble, if a recording is not silent.
        seed: Random seed.

    Returns:
        float32 `(tracks, samples)`.
    """
    random, count = np.random.default_rng(seed), round(seconds * sample_rate)
    tracks = [coloured_noise(count, colour, random) for colour in np.linspace(0, 2, num_noise)]
    audible = [recording for recording in recordings if np.abs(recording).max(initial=0) > 0]
    for _ in range(num_babble if audible else 0):
        chosen = random.integers(len(audible), size=random.integers(3, 7))
        tracks.append(babble([audible[number] for number in chosen], count, random))
    return np.array(tracks, "float32")
