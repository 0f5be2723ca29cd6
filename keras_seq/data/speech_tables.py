"""Tables of audio files and transcripts, such as those of Common Voice and NeMo."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from keras_seq._internal.errors import InputError, excerpt
from keras_seq.data import summaries
from keras_seq.data.audio_folders import AudioFolder, absolute, find_named_file, split_of_name
from keras_seq.data.delimited import parse_delimiter, read_table_rows
from keras_seq.data.json_lines import read_objects
from keras_seq.data.opening import check_regular_file, list_folder, unpacked_suffix
from keras_seq.data.row_errors import BadRows
from keras_seq.data.speech_corpora import CorpusOptions, SpeechCorpus
from keras_seq.data.tables import JSON_SUFFIXES, TAB_SUFFIXES, Table
from keras_seq.data.utterances import Transcript

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson")
"""Suffixes of tables in folders."""
NAMED_SUFFIXES = (".json", ".parquet")
"""Suffixes of tables in folders if their name is that of a split or has one of `TABLE_WORDS`."""
TABLE_WORDS = ("manifest", "metadata")
COLUMNS = {
    "file": ("file", "audio_filepath", "path", "file_name", "filename", "audio", "wav_filename"),
    "text": ("text", "sentence", "transcript", "transcription", "normalized_text"),
}
"""Names of the columns of audio files and transcripts, of which the first are the defaults."""
SEGMENT_COLUMNS = ("offset", "duration")
"""Columns of a segment in seconds, as in manifests of NeMo."""
AUDIO_FOLDERS = ("clips", "wavs")
"""Folders next to a table in which its recordings may be."""
HINT = "Name the columns by --file-column and --text-column."

Tables = Sequence[tuple[str | None, Path]]
"""Tables, each with the split in its name, or None."""


def list_tables(folder: Path) -> Tables:
    """Return the tables of a folder: one table, or `train.*` with those of other splits.

    Without `train.*`, the table `validated.tsv` of Common Voice counts.

    Args:
        folder: Folder.

    Raises:
        InputError: If it has several tables and none for training.
    """
    tables = [file for file in list_folder(folder) if _is_table(file)]
    splits = [(split_of_name(file.stem), file) for file in tables]
    if any(split == "train" for split, _ in splits):
        return [(split, file) for split, file in splits if split is not None]
    named = [file for file in tables if file.stem == "validated"] or tables
    if len(named) > 1:
        raise InputError(
            f"{folder} has several tables but none named train.*: name them train.*, test.* and "
            "perhaps validation.* (or dev.*, valid.*), or give the path of one."
        )
    return [(None, file) for file in named]


def _is_table(file: Path) -> bool:
    """Return whether a file of a folder is a table of transcripts."""
    suffix = unpacked_suffix(file)
    is_named = split_of_name(file.stem) or any(word in file.stem for word in TABLE_WORDS)
    return suffix in TABLE_SUFFIXES or (bool(is_named) and suffix in NAMED_SUFFIXES)


def read_tables(path: Path, tables: Tables, options: CorpusOptions) -> SpeechCorpus:
    """Read the transcripts of tables, and find their recordings.

    Args:
        path: File or folder, for messages.
        tables: Tables as `list_tables` returns them.
        options: Options.

    Raises:
        InputError: If a table lacks a column, or a path leads out of the folder.
    """
    corpus = SpeechCorpus(path, "recordings of a table", options)
    folders: dict[str, Path] = {}
    for split, file in tables:
        base = Path(options.audio_folder or file.parent)
        folders[absolute(base)] = base
        _read_table(corpus, split, file, base)
    for base in folders.values():
        # Folders of millions of recordings, of which tables list some, are not listed.
        if options.audio_folder is None and not (base / "clips").is_dir():
            corpus.leave_out_recordings(AudioFolder(base).files)
    return corpus.finish()


def _read_table(corpus: SpeechCorpus, split: str | None, file: Path, base: Path) -> None:
    options = corpus.options
    columns = _find_columns(check_regular_file(file), options)

    def parse(
        where: str, name: str, text: str, offset: str = "", duration: str = ""
    ) -> Sequence[object]:
        audio_file = find_named_file(base, name, where, AUDIO_FOLDERS)
        start, end = _parse_segment(where, offset, duration) if offset else (0.0, None)
        return audio_file, str(base / name), Transcript(text, split, where, start, end)

    empty = ("text", *SEGMENT_COLUMNS)
    table = Table(file, columns, options.encoding, HINT, empty, options.delimiter, parse)
    rows = [row[1:] for row in table]
    if "offset" in columns:
        # Segments of one recording follow each other, so that it is decoded once.
        rows.sort(key=lambda row: (row[1], row[2].start))
    for audio_file, name, transcript in rows:
        corpus.add(audio_file, name, transcript)
    corpus.add_text_file(file, table.summary)


def _parse_segment(where: str, offset: str, duration: str) -> tuple[float, float | None]:
    """Return begin and end of a segment in seconds."""
    start = parse_seconds(offset, where)
    return start, start + parse_seconds(duration, where) if duration else None


def parse_seconds(text: str, where: str) -> float:
    """Return a time in seconds.

    Args:
        text: Number in a file.
        where: File and line, for the error message.

    Raises:
        InputError: If the text is not a finite number of at least 0.
    """
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise InputError(f"{where}: {excerpt(text)!r} is not a time in seconds.")
    return seconds


def _find_columns(file: Path, options: CorpusOptions) -> dict[str, str]:
    """Return the columns to read: those of the options, or other names that the table has."""
    chosen = {"file": options.file_column, "text": options.text_column}
    for names in _possible_headers(file, options):
        columns = {
            key: next(
                (alias for alias in COLUMNS[key] if alias in names)
                if column == COLUMNS[key][0] and column not in names
                else iter([column]),
                None,
            )
            for key, column in chosen.items()
        }
        if {*columns.values()} <= {*names}:
            chosen = {key: str(column) for key, column in columns.items()}
            segment = {name: name for name in SEGMENT_COLUMNS if name in names}
            return chosen | (segment if "offset" in segment else {})
    return chosen


def _possible_headers(file: Path, options: CorpusOptions) -> list[list[str]]:
    """Return the names of the columns of a table, for each possible delimiter.

    Those of Parquet are not read, because the first rows may have the audio of all recordings.
    """
    suffix = unpacked_suffix(file)
    if suffix == ".parquet":
        return []
    if suffix in JSON_SUFFIXES:
        _, objects = read_objects(file, options.encoding, BadRows("skip"))
        return [[*next(objects, (0, {}))[1]]]
    delimiter = parse_delimiter(options.delimiter)
    default = "\t" if suffix in TAB_SUFFIXES else ","
    headers = []
    for candidate in [delimiter] if delimiter else [default, *summaries.DELIMITER_NAMES]:
        try:
            _, names = next(read_table_rows(file, options.encoding, candidate), (0, []))
        except InputError:  # The quotes of the header do not fit to this delimiter.
            continue
        headers.append([name.strip() for name in names])
    return headers
