"""Formats of speech corpora: lists and tables of transcripts, and the recordings they name."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from keras_seq._internal.errors import InputError, excerpt
from keras_seq.data.audio import AUDIO_SUFFIXES
from keras_seq.data.audio_folders import (
    AudioFolder,
    find_named_file,
    split_of_folder,
    split_of_name,
)
from keras_seq.data.files import read_first_line, read_lines
from keras_seq.data.opening import check_exists, check_regular_file, list_folder
from keras_seq.data.speech_corpora import CorpusOptions, SpeechCorpus
from keras_seq.data.speech_tables import list_tables, parse_seconds, read_tables
from keras_seq.data.utterances import Transcript

KALDI_LIST = "wav.scp"
"""File of a Kaldi folder that lists the recordings."""
LIBRISPEECH_SUFFIX = ".trans.txt"
METADATA = "metadata.csv"
"""Name of the table of LJSpeech."""
TEXT_SUFFIXES = (".normalized.txt", ".txt", ".lab")
"""Suffixes of files with the transcript of the recording of the same name."""
IGNORED_SEGMENT = "ignore_time_segment_in_scoring"
"""Transcript of segments without one in STM."""
CHANNELS = {"1": 0, "A": 0, "2": 1, "B": 1}
"""Channels of STM and Kaldi."""

Result = TypeVar("Result")
Segment = tuple[str, float, float | None]
"""Key of a recording, and begin and end in seconds. The end is None for that of the recording."""

_BLANKS = re.compile("[ \t]+")
_STM_LABEL = re.compile(r"<(?:[^<>]*,[^<>]*|o|na)>(?:\s|$)", re.IGNORECASE)
"""Pattern of the optional label before the transcript in STM, such as "<o,f0,male>"."""
_ARCHIVE = re.compile(r"\.ark:\d+(\[.*\])?$")


def open_speech_corpus(path: str | os.PathLike[str], options: CorpusOptions) -> SpeechCorpus:
    """Read the transcripts of recordings, and find the recordings.

    Args:
        path: A table (delimited text, JSON lines such as manifests of NeMo, Parquet) with audio
            files and transcripts; an STM file; a list of LibriSpeech; or a folder in the format
            of LJSpeech, LibriSpeech, Common Voice, TED-LIUM (STM) or Kaldi, or one that has tables,
            or a text file with the name of each recording.
        options: Options.

    Returns:
        The corpus, whose recordings are not yet decoded.

    Raises:
        InputError: If there are no transcripts, or a file is not in its format. The message states
            the line.
    """
    path = check_exists(path)
    return _open_folder(path, options) if path.is_dir() else _open_file(path, options)


def _open_file(path: Path, options: CorpusOptions) -> SpeechCorpus:
    """Read a list or table of recordings."""
    file = check_regular_file(path)
    if file.suffix.lower() in AUDIO_SUFFIXES:
        raise InputError(
            f"{path} is a recording without a transcript; give a table of recordings and "
            "transcripts, or a folder that has both."
        )
    if file.name == KALDI_LIST:
        return _read_kaldi(path, [file.parent], options)
    if file.suffix.lower() == ".stm":
        root = file.parent.parent if file.parent.name == "stm" else file.parent
        return _read_stm(path, AudioFolder(root), [file], options)
    if file.name.endswith(LIBRISPEECH_SUFFIX):
        return _read_librispeech(path, AudioFolder(file.parent), [file], options)
    if folder := _find_metadata(file, options):
        return _read_metadata(path, folder, file, options)
    return read_tables(path, [(None, file)], options)


def _open_folder(path: Path, options: CorpusOptions) -> SpeechCorpus:
    """Read a folder with lists or tables in it."""
    if (path / KALDI_LIST).exists():
        return _read_kaldi(path, [path], options)
    metadata = path / METADATA
    if metadata.exists() and (folder := _find_metadata(metadata, options)):
        return _read_metadata(path, folder, metadata, options)
    if tables := list_tables(path):
        return read_tables(path, tables, options)
    return _open_nested(path, options)


def _open_nested(path: Path, options: CorpusOptions) -> SpeechCorpus:
    """Read a folder whose transcripts are below it."""
    entries = list_folder(path, "**/*")
    kaldi = [file.parent for file in entries if file.name == KALDI_LIST]
    if kaldi:
        return _read_kaldi(path, kaldi, options)
    folder = AudioFolder(path, entries)
    if stm := [file for file in entries if file.suffix.lower() == ".stm"]:
        return _read_stm(path, folder, stm, options)
    if lists := [file for file in entries if file.name.endswith(LIBRISPEECH_SUFFIX)]:
        return _read_librispeech(path, folder, lists, options)
    return _read_texts(path, folder, entries, options)


def _parse_lines(
    corpus: SpeechCorpus, file: Path, parse: Callable[[str, str], Result]
) -> Iterator[Result]:
    """Yield what is parsed from each line of a list. Bad lines are bad rows of the corpus.

    Args:
        corpus: Corpus that the list belongs to.
        file: List.
        parse: Function from a line and its place to a result.
    """
    corpus.add_text_file(file)
    for number, line in read_lines(file, corpus.options.encoding):
        if line.strip(" \t"):
            try:
                result = parse(line.strip(" \t"), f"{file}, line {number}")
            except InputError as error:
                corpus.bad_rows.add(error)
                continue
            yield result


def _parse_lists(
    corpus: SpeechCorpus, lists: Sequence[Path], parse: Callable[[str, str], Result]
) -> Iterator[tuple[Path, list[Result]]]:
    """Yield what is parsed from each of several lists. A list that cannot be read is a bad row."""
    for file in lists:
        try:
            rows = [*_parse_lines(corpus, file, parse)]
        except InputError as error:
            if len(lists) == 1:
                raise
            corpus.bad_rows.add(error)
            continue
        yield file, rows


def _split_key(line: str, where: str) -> tuple[str, str, str]:
    """Return the first word of a line, the rest, and the place."""
    key, *rest = _BLANKS.split(line, maxsplit=1)
    return key, "".join(rest), where


def _find_metadata(file: Path, options: CorpusOptions) -> AudioFolder | None:
    """Return the recordings of a table of LJSpeech, or None for a table of another format.

    It has "|" between two or three cells and no header: the first line names a recording.
    """
    if file.suffix.lower() not in (".csv", ".txt", "") or options.delimiter not in (None, "|"):
        return None
    first = read_first_line(file, options.encoding)
    cells = first.split("|")
    if len(cells) not in (2, 3):
        return None
    folder = AudioFolder(file.parent)
    return folder if folder.find(*_metadata_places(file, cells[0].strip())) else None


def _metadata_places(file: Path, name: str) -> tuple[Path, Path]:
    return file.parent / "wavs" / name, file.parent / name


def _read_metadata(
    path: Path, folder: AudioFolder, file: Path, options: CorpusOptions
) -> SpeechCorpus:
    """Read a table of LJSpeech. Quotes are characters."""
    corpus = SpeechCorpus(path, "LJSpeech", options)

    def parse(line: str, where: str) -> tuple[list[str], str]:
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) not in (2, 3):
            raise InputError(
                f"{where}: the line has {len(cells)} cells between '|', but needs the name of the "
                "recording, its text, and perhaps its text with numbers in words."
            )
        return cells, where

    num_columns = 2
    for cells, where in _parse_lines(corpus, file, parse):
        audio_file = folder.find(*_metadata_places(file, cells[0]))
        text = cells[-1] or cells[1]
        corpus.add(audio_file, cells[0], Transcript(text, None, where))
        num_columns = max(num_columns, len(cells))
    columns = {"file": "1", "text": str(num_columns)}
    corpus.summary = corpus.summary.replace(delimiter="|", has_header=False, columns=columns)
    corpus.leave_out_recordings(folder.files)
    return corpus.finish()


def _read_librispeech(
    path: Path, folder: AudioFolder, lists: Sequence[Path], options: CorpusOptions
) -> SpeechCorpus:
    corpus = SpeechCorpus(path, "LibriSpeech", options)
    for file, rows in _parse_lists(corpus, lists, _split_key):
        split = split_of_folder(file, folder.folder)
        for name, text, where in rows:
            audio_file = folder.find(file.parent / Path(name).name)
            corpus.add(audio_file, name, Transcript(text, split, where))
    corpus.leave_out_recordings(folder.files)
    return corpus.finish()


def _read_stm(
    path: Path, folder: AudioFolder, files: Sequence[Path], options: CorpusOptions
) -> SpeechCorpus:
    """Read segments of recordings with their times."""
    corpus = SpeechCorpus(path, "STM", options)
    for file, rows in _parse_lists(corpus, files, _parse_stm):
        split = None
        if path.is_dir():
            split = split_of_folder(file, path) or split_of_name(file.name)
        transcripts = (row for row in rows if row is not None)
        for name, transcript in sorted(transcripts, key=lambda row: (row[0], row[1].start)):
            if transcript.text == IGNORED_SEGMENT:
                corpus.leave_out(f"segments with {IGNORED_SEGMENT}")
                continue
            audio_file = folder.find_stem(Path(name).name, file)
            corpus.add(audio_file, name, transcript._replace(split=split))
    corpus.leave_out_recordings(folder.files)
    return corpus.finish()


def _parse_stm(line: str, where: str) -> tuple[str, Transcript] | None:
    """Return the name of the recording and the transcript, or None for a comment."""
    if line.startswith(";;"):
        return None
    words = _BLANKS.split(line, maxsplit=5)
    if len(words) < 5:
        raise InputError(
            f"{where}: {excerpt(line)!r} needs recording, channel, speaker, begin, end and text."
        )
    text = words[5] if words[5:] else ""
    if label := _STM_LABEL.match(text):
        text = text[label.end() :]
    start, end = (parse_seconds(word, where) for word in words[3:5])
    channel = CHANNELS.get(words[1].upper())
    return words[0], Transcript(text.strip(), None, where, start, end, channel)


def _read_kaldi(path: Path, folders: Sequence[Path], options: CorpusOptions) -> SpeechCorpus:
    """Read folders with `wav.scp`, `text` and perhaps `segments`."""
    corpus = SpeechCorpus(path, "Kaldi", options)
    for folder in folders:
        split = split_of_folder(folder / KALDI_LIST, path) if path.is_dir() else None
        base = Path(options.audio_folder or folder)

        def parse_recording(
            line: str, where: str, base: Path = base
        ) -> tuple[str, tuple[str, Path | None]]:
            key, name, _ = _split_key(line, where)
            _check_kaldi_name(name, where)
            return key, (str(base / name), find_named_file(base, name, where))

        recordings = dict(_parse_lines(corpus, folder / KALDI_LIST, parse_recording))
        # Without segments, each recording is one.
        segments: dict[str, Segment] = {key: (key, 0.0, None) for key in recordings}
        if (folder / "segments").exists():
            segments = dict(_parse_lines(corpus, folder / "segments", _parse_segment))
        unused = {*segments}
        texts = []
        for key, text, where in _parse_lines(
            corpus, check_regular_file(folder / "text"), _split_key
        ):
            unused.discard(key)
            name, start, end = segments.get(key, ("", 0.0, None))
            texts.append((name, key, Transcript(text, split, where, start, end)))
        # Segments of one recording follow each other, so that it is decoded once.
        for name, key, transcript in sorted(texts, key=lambda row: (row[0], row[2].start)):
            path_name, audio_file = recordings.get(name, (key, None))
            corpus.add(audio_file, path_name, transcript)
        for key in sorted(unused):
            corpus.leave_out("recordings without a transcript", key)
    return corpus.finish()


def _check_kaldi_name(name: str, where: str) -> None:
    """Check that an entry of `wav.scp` is a file.

    Raises:
        InputError: If it is a command, an archive or a stream.
    """
    if name.endswith("|") or name.startswith("|"):
        raise InputError(
            f"{where}: {excerpt(name)!r} is a command, and commands are never run; write its "
            "output to a file and name the file."
        )
    if not name or name == "-" or _ARCHIVE.search(name):
        raise InputError(
            f"{where}: {excerpt(name)!r} is not an audio file; archives and streams are not read."
        )


def _parse_segment(line: str, where: str) -> tuple[str, Segment]:
    """Return the key of a segment, and its recording with begin and end."""
    words = _BLANKS.split(line)
    if len(words) not in (4, 5):
        raise InputError(f"{where}: {excerpt(line)!r} needs segment, recording, begin and end.")
    start = parse_seconds(words[2], where)
    # Kaldi writes -1 for the end of the recording.
    end = None if words[3] == "-1" else parse_seconds(words[3], where)
    return words[0], (words[1], start, end)


def _read_texts(
    path: Path, folder: AudioFolder, entries: Iterable[Path], options: CorpusOptions
) -> SpeechCorpus:
    """Read a folder that has a text file with the name of each recording."""
    corpus = SpeechCorpus(path, "one text file for each recording", options)
    texts = {str(file): file for file in entries if file.name.lower().endswith(TEXT_SUFFIXES)}
    for audio_file in folder.files:
        stem = str(audio_file.with_suffix(""))
        candidates = [texts.pop(stem + suffix, None) for suffix in TEXT_SUFFIXES]
        file = next(filter(None, candidates), None)
        if file is None:
            continue
        corpus.add_text_file(file)
        try:
            text = " ".join(line for _, line in read_lines(file, options.encoding))
        except InputError as error:
            corpus.bad_rows.add(error)
            continue
        split = split_of_folder(audio_file, path)
        corpus.add(audio_file, str(audio_file), Transcript(text, split, str(file)))
    if not corpus.utterances and not corpus.bad_rows.num_bad:
        raise InputError(
            f"{path} has no transcripts: add a table (.csv, .tsv, .jsonl) with the columns file "
            "and text, or a .txt file with the name of each recording."
        )
    for file in texts.values():
        corpus.leave_out("transcripts without a recording", str(file))
    corpus.leave_out_recordings(folder.files)
    return corpus.finish()
