"""Sound files, and what becomes of sound in a room."""

import contextlib
import math
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Array
from keras_seq.data import limits
from keras_seq.data.opening import check_regular_file, translate_errors

if TYPE_CHECKING:
    import soundfile

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif", ".au")
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
    path = check_regular_file(path)
    if not path.stat().st_size:
        raise InputError(f"{path} is empty: it has not even a header.")
    with contextlib.ExitStack() as stack:
        # soundfile asks for the rate of files without a header by a TypeError.
        with translate_errors(path, "a sound file", (soundfile.SoundFileError, TypeError)):
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
    return as_int16(resample(samples, rate, sample_rate))


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
        with translate_errors(path, "a sound file", errors):
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


def resample(samples: Array, sample_rate: int, target_rate: int) -> Array:
    """Resample audio with a polyphase filter.

    Args:
        samples: Floats `(samples,)`.
        sample_rate: Sampling rate of `samples` in Hz.
        target_rate: Sampling rate of the result in Hz.

    Returns:
        float32 `(new_samples,)`; `samples` itself if the rates are equal.
    """
    if sample_rate == target_rate:
        return samples
    from scipy.signal import resample_poly

    common = math.gcd(sample_rate, target_rate)
    return resample_poly(samples, target_rate // common, sample_rate // common).astype("float32")


def add_reverb(
    samples: Array,
    sample_rate: int,
    reverb_seconds: float,
    direct_to_reverb_db: float,
    rng: np.random.Generator,
) -> Array:
    """Add reverberation: convolve with exponentially decaying noise.

    Args:
        samples: Floats `(samples,)`.
        sample_rate: Sampling rate in Hz.
        reverb_seconds: Reverberation time RT60: seconds until the reverberation is 60 dB weaker.
        direct_to_reverb_db: Direct-to-reverberant ratio (DRR) in dB.
        rng: Random generator.

    Returns:
        Floats `(samples,)`. Reverberation after the end is cut off.
    """
    from scipy.signal import oaconvolve

    times = np.arange(1, max(2, int(reverb_seconds * sample_rate))) / sample_rate
    reverb = rng.normal(size=len(times)) * 10 ** (-3 * times / reverb_seconds)
    reverb *= 10 ** (-direct_to_reverb_db / 20) / np.sqrt((reverb**2).sum())
    return oaconvolve(samples, np.append(1.0, reverb))[: len(samples)]


def mix_at_snr(samples: Array, noise: Array, snr_db: float) -> Array:
    """Add noise at a given signal-to-noise ratio.

    Samples more than 60 dB below the peak are silence, which does not count for the signal's power.

    Args:
        samples: Signal, floats `(samples,)`.
        noise: Noise, floats `(samples,)`.
        snr_db: Signal-to-noise ratio in dB.

    Returns:
        Floats `(samples,)`.
    """
    is_loud = np.abs(samples) > np.abs(samples).max() / 1000
    signal_power, noise_power = np.mean(np.square(samples[is_loud])), np.mean(np.square(noise))
    return samples + noise * np.sqrt(signal_power / noise_power) * 10 ** (-snr_db / 20)
