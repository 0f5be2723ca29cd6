"""Sound files, and what becomes of sound in a room."""

import contextlib
import math
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_seq._internal.errors import InputError
from keras_seq.data import limits
from keras_seq.data.opening import reading, regular_file

if TYPE_CHECKING:
    import soundfile

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif", ".au")
"""Endings of files that are read as sound."""


def read_audio(path, sample_rate):
    """A sound file as one row of samples, channels mixed down, at this rate.

    Args:
        path: WAV, FLAC, or what else libsndfile knows.
        sample_rate: Samples a second.

    Returns:
        int16 `(samples,)`.

    Raises:
        InputError: There is no such file, it has no sound, or it is cut off.
    """
    try:
        import soundfile
    except ImportError:
        raise InputError("Sound is read with soundfile: pip install 'keras-seq[data]'.") from None
    path = regular_file(path)
    if not path.stat().st_size:
        raise InputError(f"{path} is empty: it has not even a header.")
    with contextlib.ExitStack() as stack:
        # soundfile asks for the rate of files without a header by a TypeError.
        with reading(path, "a sound file", (soundfile.SoundFileError, TypeError)):
            file = stack.enter_context(soundfile.SoundFile(path))
        rate, announced = file.samplerate, file.frames
        limits.check("max_sample_rate", rate, path, "the sampling rate in Hz")
        limits.check("max_audio_seconds", announced / rate, path, "the duration in seconds")
        limits.check("max_audio_samples", announced * file.channels, path, "the number of samples")
        samples = _mixed_down(file, path, soundfile.SoundFileError)
    missing = _missing(path)
    if missing or len(samples) < announced:
        raise InputError(
            f"{path} is cut off: it ends {missing or announced - len(samples)} "
            f"{'bytes' if missing else 'samples'} before what its header says."
        )
    if not len(samples):
        raise InputError(f"{path} has no sound in it: not one sample.")
    return as_int16(resampled(samples, rate, sample_rate))


def _mixed_down(
    file: "soundfile.SoundFile", path: Path, errors: type[Exception]
) -> "np.ndarray[Any, Any]":
    """Read the mean of all channels, block by block: the header may promise any length.

    Args:
        file: Open file.
        path: Its path, for messages.
        errors: Exception of soundfile for damaged files.

    Returns:
        float32 `(samples,)`.
    """
    begun, blocks, count = time.monotonic(), [np.zeros(0, "float32")], 0
    while True:
        with reading(path, "a sound file", errors):
            block = file.read(2**16, dtype="float32", always_2d=True)
        if not len(block):
            return np.concatenate(blocks)
        blocks.append(block.mean(axis=1))
        count += block.size
        limits.check("max_audio_samples", count, path, "the number of samples")
        seconds = time.monotonic() - begun
        limits.check("max_decoding_seconds", seconds, path, "the time to decode it in seconds")


def _missing(path):
    """How many bytes a RIFF file is shorter than it says; libsndfile does not mind."""
    with path.open("rb") as file:
        head = file.read(8)
    if head[:4] != b"RIFF" or len(head) < 8:
        return 0
    (said,) = struct.unpack("<I", head[4:])
    # Who writes into a pipe cannot know the length.
    return 0 if said in (0, 2**32 - 1) else max(0, said + 8 - path.stat().st_size)


def as_int16(samples):
    """Floats within -1 to 1 as whole numbers of 16 bits; what is beyond is cut off."""
    return np.clip(np.round(samples * 2**15), -(2**15), 2**15 - 1).astype("int16")


def resampled(samples, rate, wanted):
    """Samples, `rate` a second, at another rate.

    Args:
        samples: Floats `(samples,)`.
        rate, wanted: Samples a second.
    """
    if rate == wanted:
        return samples
    from scipy.signal import resample_poly

    common = math.gcd(rate, wanted)
    return resample_poly(samples, wanted // common, rate // common).astype("float32")


def reverberated(samples, sample_rate, seconds, direct, random):
    """Samples as they sound in a room: with an echo of noise that fades exponentially.

    Args:
        samples: Floats `(samples,)`.
        sample_rate: Samples a second.
        seconds: Until the echo is 60 decibels down.
        direct: Power of the direct sound to that of the echo, in decibels.
        random: A `numpy.random.Generator`.

    Returns:
        Floats `(samples,)`: what sounds after the end is cut off.
    """
    from scipy.signal import oaconvolve

    times = np.arange(1, max(2, int(seconds * sample_rate))) / sample_rate
    echo = random.normal(size=len(times)) * 10 ** (-3 * times / seconds)
    echo *= 10 ** (-direct / 20) / np.sqrt((echo**2).sum())
    return oaconvolve(samples, np.append(1.0, echo))[: len(samples)]


def noisy(samples, noise, decibels):
    """Samples and noise, whose power is so many decibels below that of the samples.

    Args:
        samples, noise: Floats `(samples,)`; where the samples are 60 decibels below their loudest,
            they are silence, which has no part in their power.
        decibels: Ratio of signal to noise.
    """
    loud = np.abs(samples) > np.abs(samples).max() / 1000
    power, of_noise = np.mean(np.square(samples[loud])), np.mean(np.square(noise))
    return samples + noise * np.sqrt(power / of_noise) * 10 ** (-decibels / 20)
