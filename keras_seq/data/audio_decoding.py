"""Decoding of audio files by libsndfile, or by FFmpeg for formats that libsndfile does not read."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Array
from keras_seq.data import ffmpeg, limits, wav
from keras_seq.data.opening import check_regular_file, translate_errors

if TYPE_CHECKING:
    import av
    import soundfile

FFMPEG_FORMATS = "aac,ac3,aiff,amr,asf,avi,caf,flac,matroska,mov,mp3,mpeg,mpegts,ogg,wav"
"""FFmpeg's names of the accepted formats, none of which can refer to other files."""

_BLOCK_FRAMES = 2**16
_MIN_UNKNOWN_FRAMES = 2**62
"""Number of frames from which it stands for an unknown one, for which soundfile cannot read."""
_LENGTH_IS_ESTIMATED = ("MP3",)
"""Formats in which the number of samples is an estimate if the file does not state it."""


class Recording(NamedTuple):
    """Decoded audio file.

    >>> Recording(np.zeros(800, "float32"), sample_rate=16_000, has_wrong_size=False).seconds
    0.05
    """

    samples: Array
    """float32 `(samples,)`, from -1 to 1."""
    sample_rate: int
    """Sampling rate in Hz."""
    has_wrong_size: bool
    """True if the size in the header was unknown or wrong, so that the file was read to its end."""

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return len(self.samples) / self.sample_rate


def decode_audio(path: str | os.PathLike[str], channel: int | None = None) -> Recording:
    """Decode an audio file as mono.

    Args:
        path: File in a format that libsndfile or FFmpeg reads.
        channel: Channel to read, from 0. Default: the mean of all channels, as for a file that has
            only one.

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
    mix = _Mono(path, channel)
    with path.open("rb") as raw, contextlib.ExitStack() as stack:
        repaired, has_wrong_size = wav.repair(raw, path)
        try:
            # soundfile raises a TypeError for files without a header.
            file = stack.enter_context(soundfile.SoundFile(repaired))
        except (soundfile.SoundFileError, TypeError) as error:
            _decode_with_ffmpeg(path, mix, getattr(error, "error_string", "it has no header"))
        else:
            if file.frames < _MIN_UNKNOWN_FRAMES:
                _decode(file, path, mix)
            else:
                _decode_with_ffmpeg(path, mix, "its header does not state its length")
    samples = mix.samples()
    if not len(samples):
        raise InputError(f"{path} contains no audio samples.")
    return Recording(samples, mix.sample_rate, has_wrong_size)


class _Mono:
    """Blocks of samples, mixed to one channel, within the limits.

    Args:
        path: File, for error messages.
        channel: Channel to keep, or None for their mean.
    """

    def __init__(self, path: Path, channel: int | None) -> None:
        self._path, self._channel = path, channel
        self._start_time = time.monotonic()
        self._blocks = [np.zeros(0, "float32")]
        self._num_samples = 0
        self.num_frames = 0
        self.sample_rate = 0

    def check(self, sample_rate: int, num_frames: float, num_channels: int) -> None:
        """Check the limits of a recording.

        Args:
            sample_rate: Sampling rate in Hz.
            num_frames: Number of frames that are stated or were read.
            num_channels: Number of channels.
        """
        path, num_samples = self._path, num_frames * num_channels
        if sample_rate < 1:
            raise InputError(f"{path} is damaged: its sampling rate is {sample_rate} Hz.")
        limits.check("max_sample_rate", sample_rate, path, "the sampling rate in Hz")
        seconds = num_frames / sample_rate
        limits.check("max_audio_seconds", seconds, path, "the duration in seconds")
        limits.check("max_audio_samples", num_samples, path, "the number of samples")
        self.sample_rate = sample_rate

    def add(self, block: Array) -> None:
        """Add samples.

        Args:
            block: Floats `(frames, channels)`.
        """
        num_channels = block.shape[1]
        if self._channel is not None and num_channels > 1:
            if self._channel >= num_channels:
                raise InputError(
                    f"{self._path} has {num_channels} channels; there is no channel "
                    f"{self._channel + 1}."
                )
            block = block[:, self._channel : self._channel + 1]
        self._blocks.append(block.mean(axis=1))
        self.num_frames += len(block)
        # A file may change the number of channels. The header may be wrong about the duration.
        self._num_samples += len(block) * num_channels
        self.check(self.sample_rate, self.num_frames, 1)
        limits.check("max_audio_samples", self._num_samples, self._path, "the number of samples")
        seconds = time.monotonic() - self._start_time
        what = "the time to decode it in seconds"
        limits.check("max_decoding_seconds", seconds, self._path, what)

    def samples(self) -> Array:
        """Return all samples, float32 `(samples,)`."""
        return np.nan_to_num(np.concatenate(self._blocks), copy=False, posinf=1.0, neginf=-1.0)


def _decode(file: soundfile.SoundFile, path: Path, mix: _Mono) -> None:
    """Decode a file that libsndfile has opened.

    Reads block by block, since the length in the header may be wrong.
    """
    import soundfile

    mix.check(file.samplerate, file.frames, file.channels)
    while True:
        with translate_errors(path, "an audio file", soundfile.SoundFileError):
            block = file.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)
        if not len(block):
            break
        mix.add(block)
    num_missing = file.frames - mix.num_frames
    if num_missing > 0 and file.format not in _LENGTH_IS_ESTIMATED:
        raise InputError(
            f"{path} is truncated: {num_missing} samples stated in its header are missing."
        )


def _decode_with_ffmpeg(path: Path, mix: _Mono, reason: str) -> None:
    """Decode the first audio stream of a file that libsndfile does not read.

    Args:
        path: File.
        mix: Destination of the samples.
        reason: Reason why libsndfile does not read it, for error messages.
    """
    if importlib.util.find_spec("av") is None:
        raise InputError(
            f"{path} is not an audio file that libsndfile reads ({reason.rstrip('.')}); PyAV reads "
            "more formats: pip install 'keras-seq[data]'."
        )
    import av

    with contextlib.ExitStack() as stack:
        try:
            container = stack.enter_context(ffmpeg.open_container(path, FFMPEG_FORMATS))
        except ffmpeg.list_errors():
            raise InputError(
                f"{path} is damaged or is not an audio file: {reason.rstrip('.')}."
            ) from None
        if not container.streams.audio:
            raise InputError(f"{path} has no audio stream.")
        stream = container.streams.audio[0]
        codec = stream.codec_context
        if codec is None:
            raise InputError(f"{path} is damaged or has an unknown audio codec.")
        duration = max(0, container.duration or 0) / av.time_base
        mix.check(codec.sample_rate, duration * codec.sample_rate, 1)
        for block in _ffmpeg_blocks(container, stream, path):
            mix.add(block)


def _ffmpeg_blocks(
    container: av.container.InputContainer, stream: av.AudioStream, path: Path
) -> Iterator[Array]:
    """Yield blocks of samples, float32 `(frames, channels)`."""
    import av

    # The layout and the rate remain those of the first frame.
    resampler = av.AudioResampler(format="fltp")
    frames = container.decode(stream)
    while True:
        with ffmpeg.translate_decoding_errors(path, "an audio file"):
            frame = next(frames, None)
            blocks = [part.to_ndarray().T for part in resampler.resample(frame)]
        yield from blocks
        if frame is None:
            return
