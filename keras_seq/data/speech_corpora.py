"""Recordings with transcripts, as the readers of `keras_seq.data.speech_formats` collect them."""

from __future__ import annotations

import collections
import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from keras_seq._internal.errors import InputError, excerpt
from keras_seq._internal.types import Array
from keras_seq._internal.unicode import check_text
from keras_seq.data import limits, summaries
from keras_seq.data.audio_folders import absolute
from keras_seq.data.encodings import detect_format
from keras_seq.data.row_errors import BadRows
from keras_seq.data.utterances import MAX_EXAMPLES, Transcript, Utterance, UtteranceDecoder

MAX_LISTED_CHARACTERS = 9
"""Maximum number of characters that a remark names."""
RARE_COUNT = 10
"""Number of occurrences below which a character counts as rare."""


@dataclasses.dataclass(frozen=True)
class CorpusOptions:
    """Options of `keras_seq.data.open_speech_corpus`.

    >>> CorpusOptions(normalize=str.lower).normalize("Good Day")
    'good day'
    """

    encoding: str = "utf-8"
    """Encoding of texts without a byte order mark."""
    delimiter: str | None = None
    """Delimiter of tables. Default: detected."""
    file_column: str = "file"
    """Column of the audio files in tables. Default: also common names, such as "path"."""
    text_column: str = "text"
    """Column of the transcripts in tables. Default: also common names, such as "sentence"."""
    audio_folder: str | None = None
    """Folder of the audio files that tables and lists name. Default: that of the table or list."""
    normalize: Callable[[str], str] = lambda text: " ".join(text.split())
    """Function that returns the transcript to learn from the one in the file."""
    alphabet: str | None = None
    """Characters that transcripts may have. Default: all."""


class SpeechCorpus:
    """Utterances of a corpus, and what was left out.

    >>> corpus = SpeechCorpus("mine", "sounds with a text each", CorpusOptions())
    >>> corpus.files
    []

    Args:
        path: File or folder, for messages.
        name: Name of the format.
        options: Options of the reader.
    """

    def __init__(self, path: str | os.PathLike[str], name: str, options: CorpusOptions) -> None:
        self.summary = summaries.ReadSummary(str(path), name, 0)
        self.options = options
        self.utterances: list[Utterance] = []
        self.bad_rows = BadRows()
        self._text_files: list[Path] = []
        self._summaries: list[summaries.ReadSummary] = []
        self._left_out: collections.Counter[str] = collections.Counter()
        self._examples: dict[str, list[str]] = {}

    @property
    def files(self) -> list[Path]:
        """Files with the transcripts and audio files, without duplicates."""
        return [*dict.fromkeys([*self._text_files, *(u.audio_file for u in self.utterances)])]

    @property
    def splits(self) -> list[tuple[str | None, str]]:
        """Splits for `keras_seq.data.resolve_split`."""
        return [(split, "") for split in dict.fromkeys(u.transcript.split for u in self.utterances)]

    def add_text_file(self, file: Path, summary: summaries.ReadSummary | None = None) -> None:
        """Add a file with transcripts.

        Args:
            file: File.
            summary: Summary of the file, if it has one of its own.
        """
        self._text_files.append(file)
        if summary is not None:
            self._summaries.append(summary)

    def leave_out(self, reason: str, example: str = "") -> None:
        """Count what is left out.

        Args:
            reason: Reason, as a noun phrase in the plural.
            example: File or line, of which the first are named.
        """
        self._left_out[reason] += 1
        examples = self._examples.setdefault(reason, [])
        if example and len(examples) < MAX_EXAMPLES:
            examples.append(excerpt(example, 200))

    def add(self, audio_file: Path | None, name: str, transcript: Transcript) -> None:
        """Add an utterance, or count it if its recording does not exist.

        Args:
            audio_file: Audio file, or None if it does not exist.
            name: Name of the recording in the corpus, for messages.
            transcript: Transcript, whose text is then normalized.

        Raises:
            InputError: If the text or the segment is invalid, under the treatment "strict".
        """
        where = transcript.where
        if audio_file is None:
            self.leave_out("transcripts without a recording", f"{where}: {name}")
            return
        try:
            check_text(transcript.text, where)
            length = len(transcript.text)
            limits.check("max_cell_characters", length, where, "the length of the text")
            if transcript.end is not None and not 0 <= transcript.start < transcript.end:
                raise InputError(
                    f"{where}: the segment from {transcript.start} s to {transcript.end} s has no "
                    "duration."
                )
        except InputError as error:
            self.bad_rows.add(error)
            return
        text = self.options.normalize(transcript.text)
        self.utterances.append(Utterance(audio_file, transcript._replace(text=text)))

    def leave_out_recordings(self, files: Iterable[Path]) -> None:
        """Count the audio files that no transcript names.

        Args:
            files: Audio files of the folder.
        """
        used = {absolute(utterance.audio_file) for utterance in self.utterances}
        for file in files:
            if absolute(file) not in used:
                self.leave_out("recordings without a transcript", str(file))

    def finish(self) -> SpeechCorpus:
        """Check the utterances, and return the corpus.

        Splits count if there is one for training.

        Raises:
            InputError: If there are no utterances, or a transcript has a character that is not in
                the alphabet.
        """
        if not self.utterances:
            reasons = [
                f"left out {count:,} {reason}, such as {self._examples[reason][0]}"
                for reason, count in self._left_out.items()
                if self._examples[reason]
            ]
            details = "; ".join([*reasons, *self.bad_rows.messages]) or "it is empty"
            raise InputError(f"{self.summary.path} has no recording with a transcript: {details}.")
        if all(utterance.transcript.split != "train" for utterance in self.utterances):
            self.utterances = [
                Utterance(u.audio_file, u.transcript._replace(split=None)) for u in self.utterances
            ]
        if self._text_files and not self._summaries:
            encoding = str(detect_format(self._text_files[0], self.options.encoding))
            self.summary = self.summary.replace(encoding=encoding)
        if self.options.alphabet is not None:
            self._check_alphabet(self.options.alphabet)
        return self

    def _check_alphabet(self, alphabet: str) -> None:
        """Leave out utterances with characters that are not in an alphabet, as bad rows."""
        wrong = collections.Counter(
            letter
            for u in self.utterances
            for letter in u.transcript.text
            if letter not in alphabet
        )
        if not wrong:
            return
        counts = _list_counts(wrong)
        kept = []
        for utterance in self.utterances:
            text, where = utterance.transcript.text, utterance.transcript.where
            letters = [letter for letter in text if letter not in alphabet]
            if not letters:
                kept.append(utterance)
                continue
            position = text.index(letters[0]) + 1
            self.bad_rows.add(
                InputError(
                    f"{where}: {letters[0]!r} at position {position} of the text is not "
                    f"in the alphabet {alphabet!r}; all such characters of the corpus: {counts}."
                )
            )
        self.utterances = kept
        self.summary = self.summary.replace(
            notes=(*self.summary.notes, f"characters outside the alphabet: {counts}")
        )

    def read(self, sample_rate: int) -> Iterator[tuple[Utterance, Array]]:
        """Decode the recordings, and add the summary of the corpus at the end.

        Args:
            sample_rate: Sampling rate of the samples in Hz.

        Yields:
            Utterance and its samples, int16 `(samples,)`.

        Raises:
            InputError: If a recording cannot be read, or a segment is not within it.
        """
        decoder = UtteranceDecoder(sample_rate)
        for utterance in self.utterances:
            samples = None
            with self.bad_rows:
                samples = decoder.read(utterance)
            if samples is not None:
                yield utterance, samples
        for table_summary in self._summaries:
            summaries.add(table_summary)
        characters: collections.Counter[str] = collections.Counter()
        for utterance in self.utterances:
            characters.update(utterance.transcript.text)
        rare = {letter: count for letter, count in characters.items() if count < RARE_COUNT}
        notes = [*self.summary.notes, *decoder.notes()]
        notes.append(f"{len(characters)} different characters in the transcripts")
        if rare:
            notes[-1] += f", of which {_list_counts(collections.Counter(rare), rarest=True)}"
        notes += [
            f"{reason}: {', '.join(examples)}"
            for reason, examples in self._examples.items()
            if examples
        ]
        summary = self.summary.replace(
            num_rows=self.bad_rows.num_good, left_out=dict(self._left_out), notes=tuple(notes)
        )
        summaries.add(self.bad_rows.finish(summary))


def _list_counts(counts: collections.Counter[str], rarest: bool = False) -> str:
    """Return characters with their counts, such as "'é' 12 times, 'ß' once and 3 others"."""
    rows = sorted(counts.items(), key=lambda row: (row[1] if rarest else -row[1], row[0]))
    shown = [
        f"{letter!r} {'once' if count == 1 else f'{count:,} times'}"
        for letter, count in rows[:MAX_LISTED_CHARACTERS]
    ]
    num_others = len(rows) - len(shown)
    return ", ".join(shown) + (f" and {num_others:,} others" if num_others else "")
