"""Audio files: decoding, resampling, reverberation and noise."""

from __future__ import annotations

import contextlib
import math
import os
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Array
from keras_seq.data import limits
from keras_seq.data.opening import check_regular_file, translate_errors

if TYPE_CHECKING:
    import soundfile

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif", ".au")
"""Suffixes of audio files in data folders."""

UNKNOWN_RIFF_SIZES = (0, 2**32 - 1)
"""Sizes in RIFF headers that stand for an unknown length, for example of streamed audio."""


def read_audio(path: str | os.PathLike[str], sample_rate: int) -> Array:
    """Read an audio file as mono at a given sampling rate.

    Args:
        path: File in a format that libsndfile reads, such as WAV or FLAC. Channels are averaged.
        sample_rate: Sampling rate of the result in Hz.

    Returns:
        int16 `(samples,)`.

    Raises:
        InputError: If the file does not exist, or is empty, damaged or truncated.
        LimitError: If the file exceeds one of the `DataLimits`.
    """
    try:
        import soundfile
    except ImportError:
        raise InputError(
            "Reading audio requires soundfile: pip install 'keras-seq[data]'."
        ) from None
    path = check_regular_file(path)
    if not path.stat().st_size:
        raise InputError(f"{path} is empty (0 bytes).")
    with contextlib.ExitStack() as stack:
        # soundfile raises a TypeError for files without a header.
        with translate_errors(path, "an audio file", (soundfile.SoundFileError, TypeError)):
            file = stack.enter_context(soundfile.SoundFile(path))
        file_rate, num_frames = file.samplerate, file.frames
        num_samples = num_frames * file.channels
        limits.check("max_sample_rate", file_rate, path, "the sampling rate in Hz")
        limits.check("max_audio_seconds", num_frames / file_rate, path, "the duration in seconds")
        limits.check("max_audio_samples", num_samples, path, "the number of samples")
        samples = _read_mono(file, path, soundfile.SoundFileError)
    missing = _num_missing_bytes(path)
    if missing or len(samples) < num_frames:
        amount = f"{missing} bytes" if missing else f"{num_frames - len(samples)} samples"
        raise InputError(f"{path} is truncated: {amount} stated in its header are missing.")
    if not len(samples):
        raise InputError(f"{path} contains no audio samples.")
    return as_int16(resample(samples, file_rate, sample_rate))


def _read_mono(file: soundfile.SoundFile, path: Path, errors: type[Exception]) -> Array:
    """Read the mean of all channels, float32 `(samples,)`.

    Reads block by block, since the length in the header may be wrong.

    Args:
        file: Open file.
        path: Path of the file, for error messages.
        errors: Exception that soundfile raises for damaged files.
    """
    start_time = time.monotonic()
    blocks = [np.zeros(0, "float32")]
    num_samples = 0
    while True:
        with translate_errors(path, "an audio file", errors):
            block = file.read(2**16, dtype="float32", always_2d=True)
        if not len(block):
            return np.concatenate(blocks)
        blocks.append(block.mean(axis=1))
        num_samples += block.size
        limits.check("max_audio_samples", num_samples, path, "the number of samples")
        seconds = time.monotonic() - start_time
        limits.check("max_decoding_seconds", seconds, path, "the time to decode it in seconds")


def _num_missing_bytes(path: Path) -> int:
    """Return the number of bytes by which a RIFF file is shorter than its header states.

    libsndfile accepts truncated files.
    """
    with path.open("rb") as file:
        head = file.read(8)
    if head[:4] != b"RIFF" or len(head) < 8:
        return 0
    (size,) = struct.unpack("<I", head[4:])
    return 0 if size in UNKNOWN_RIFF_SIZES else max(0, size + 8 - path.stat().st_size)


def as_int16(samples: Array) -> Array:
    """Convert floats from -1 to 1 to int16. Values outside the range are clipped.

    Args:
        samples: Floats of any shape.
    """
    return np.clip(np.round(samples * 2**15), -(2**15), 2**15 - 1).astype("int16")


def resample(samples: Array, sample_rate: int, target_rate: int) -> Array:
    """Resample audio with a polyphase filter.

    Args:
        samples: Floats `(samples,)`.
        sample_rate: Sampling rate of `samples` in Hz.
        target_rate: Sampling rate of the result in Hz.

    Returns:
        float32 `(new_samples,)`. If the rates are equal, `samples` itself.
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
    """Add reverberation by convolution with exponentially decaying noise.

    Args:
        samples: Floats `(samples,)`.
        sample_rate: Sampling rate in Hz.
        reverb_seconds: Reverberation time RT60: seconds until the reverberation is 60 dB weaker.
        direct_to_reverb_db: Direct-to-reverberant ratio (DRR) in dB.
        rng: Random number generator.

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

    The power of the signal is that of samples at most 60 dB below its peak; others are silence.

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
