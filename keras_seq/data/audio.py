"""Audio: reading of files, resampling, reverberation, noise and telephone lines."""

from __future__ import annotations

import io
import math
import os
from typing import Literal

import numpy as np

from keras_seq._internal.types import Array
from keras_seq.data.audio_decoding import decode_audio

AUDIO_SUFFIXES = (
    *(".aac", ".aif", ".aifc", ".aiff", ".amr", ".au", ".caf", ".flac", ".m4a", ".mka", ".mp3"),
    *(".oga", ".ogg", ".opus", ".rf64", ".snd", ".sph", ".w64", ".wav", ".wave", ".webm", ".wma"),
)
"""Suffixes of audio files in data folders."""
TELEPHONE_RATE = 8_000
"""Sampling rate of telephone lines in Hz."""
Codec = Literal["ULAW", "ALAW", "GSM610"]
"""Codec of a telephone line, as libsndfile names it."""


def read_audio(path: str | os.PathLike[str], sample_rate: int) -> Array:
    """Read an audio file as mono at a given sampling rate.

    Args:
        path: File in a format that libsndfile or FFmpeg reads, such as WAV, FLAC, MP3, OGG or M4A.
            Channels are averaged. A WAV file whose header has a wrong size is read to its end.
        sample_rate: Sampling rate of the result in Hz.

    Returns:
        int16 `(samples,)`.

    Raises:
        InputError: If the file does not exist, or is empty, damaged or truncated.
        LimitError: If the file exceeds one of the `DataLimits`.
    """
    recording = decode_audio(path)
    return as_int16(resample(recording.samples, recording.sample_rate, sample_rate))


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


def simulate_telephone(
    samples: Array,
    sample_rate: int,
    codec: Codec = "ULAW",
    band: tuple[float, float] = (300.0, 3_400.0),
) -> Array:
    """Return the recording as it sounds after a telephone line, at the same sampling rate.

    The recording is resampled to 8 kHz, limited to a band by a Butterworth filter, and encoded and
    decoded. `keras_seq.layers.TelephoneChannel` simulates this faster, on spectrograms.

    Args:
        samples: Floats from -1 to 1, `(samples,)`.
        sample_rate: Sampling rate in Hz.
        codec: "ULAW" or "ALAW", the codecs of G.711 with 8 bits per sample, or "GSM610", the full
            rate codec of mobile telephones.
        band: Cutoff frequencies in Hz, above 0 and below 4000.

    Returns:
        float32 `(samples,)`.
    """
    import soundfile
    from scipy.signal import butter, sosfilt

    narrow = resample(samples, sample_rate, TELEPHONE_RATE)
    narrow = sosfilt(butter(4, band, "bandpass", fs=TELEPHONE_RATE, output="sos"), narrow)
    with io.BytesIO() as file:
        soundfile.write(file, narrow, TELEPHONE_RATE, codec, format="WAV")
        file.seek(0)
        decoded, _ = soundfile.read(file, len(narrow), dtype="float32")
    wide = resample(decoded, TELEPHONE_RATE, sample_rate)[: len(samples)]
    return np.pad(wide, (0, len(samples) - len(wide)))
