"""Utterances: recordings with transcripts, and decoding of their segments."""

from __future__ import annotations

import collections
from pathlib import Path
from typing import NamedTuple

from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Array
from keras_seq.data.audio import as_int16, resample
from keras_seq.data.audio_decoding import Recording, decode_audio

MAX_EXAMPLES = 3
"""Maximum number of files that a remark names."""


class Transcript(NamedTuple):
    """Transcript of a recording, or of a segment of one.

    >>> Transcript("good day", None, "a.csv, line 2").end is None
    True
    """

    text: str
    split: str | None
    where: str
    """File and line, for error messages."""
    start: float = 0.0
    """Beginning of the segment in seconds."""
    end: float | None = None
    """End of the segment in seconds. None for the end of the recording."""
    channel: int | None = None
    """Channel from 0, or None for the mean of all."""


class Utterance(NamedTuple):
    """Recording with its transcript.

    >>> Utterance(Path("a.wav"), Transcript("good day", None, "a.csv, line 2")).audio_file.name
    'a.wav'
    """

    audio_file: Path
    transcript: Transcript


class UtteranceDecoder:
    """Decoder of utterances.

    It keeps the last recording, because segments of one recording follow each other.

    Args:
        sample_rate: Sampling rate of the samples in Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._key: tuple[Path, int | None] | None = None
        self._last: Recording | InputError | None = None
        self._seconds = 0.0
        self._rates: collections.Counter[int] = collections.Counter()
        self._wrong_sizes: list[str] = []
        self._num_cut = 0

    def read(self, utterance: Utterance) -> Array:
        """Return the samples of an utterance, int16 `(samples,)`.

        Args:
            utterance: Utterance.

        Raises:
            InputError: If the recording cannot be read, or the segment is not within it.
        """
        recording = self._decode(utterance)
        rate, samples, transcript = recording.sample_rate, recording.samples, utterance.transcript
        end = recording.seconds if transcript.end is None else transcript.end
        self._num_cut += end > recording.seconds + 0.1
        samples = samples[round(transcript.start * rate) : round(end * rate)]
        if not len(samples):
            raise InputError(
                f"{transcript.where}: the segment from {transcript.start} s to {end} s is not "
                f"within {utterance.audio_file}, which has {recording.seconds:.2f} s."
            )
        self._seconds += len(samples) / rate
        return as_int16(resample(samples, rate, self._sample_rate))

    def _decode(self, utterance: Utterance) -> Recording:
        key = utterance.audio_file, utterance.transcript.channel
        if key != self._key:
            self._key, self._last = key, None
            try:
                self._last = decode_audio(*key)
            except InputError as error:
                self._last = error
            else:
                self._rates[self._last.sample_rate] += 1
                if self._last.has_wrong_size:
                    self._wrong_sizes.append(str(utterance.audio_file))
        if not isinstance(self._last, Recording):
            assert self._last is not None
            raise self._last
        return self._last

    def notes(self) -> list[str]:
        """Return remarks on durations, rates and headers."""
        rates = ", ".join(
            f"{rate:,} Hz ({_count_files(n)})" for rate, n in self._rates.most_common()
        )
        minutes = self._seconds / 60
        duration = f"{minutes:.1f} minutes" if minutes < 60 else f"{minutes / 60:,.2f} hours"
        notes = [f"{duration} at {rates}"]
        if any(rate != self._sample_rate for rate in self._rates):
            notes[0] += f", resampled to {self._sample_rate:,} Hz"
        if self._wrong_sizes:
            files = ", ".join(self._wrong_sizes[:MAX_EXAMPLES])
            notes.append(
                f"{_count_files(len(self._wrong_sizes))} read to the end, since the size in the "
                f"header is unknown or wrong: {files}"
            )
        if self._num_cut:
            notes.append(f"segments cut at the end of their recording: {self._num_cut:,}")
        return notes


def _count_files(number: int) -> str:
    return f"{number:,} file{'s' * (number != 1)}"
