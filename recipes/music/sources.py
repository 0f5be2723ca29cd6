"""Tunes in the user's files: ABC, MIDI and MusicXML."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from keras_seq import InputError
from keras_seq.data import summaries
from keras_seq.data.files import SPLITS, read_lines
from keras_seq.data.opening import check_exists, check_regular_file, is_file, list_folder
from keras_seq.data.row_errors import BadRows

from .abc_books import AbcBook
from .melodies import Melody, NoNotesError
from .midi import read_midi
from .scores import read_musicxml
from .skylines import midi_to_melody
from .tunes import is_event

FORMATS = {
    ".abc": "ABC",
    ".mid": "MIDI",
    ".midi": "MIDI",
    ".kar": "MIDI",
    ".rmi": "MIDI",
    ".xml": "MusicXML",
    ".musicxml": "MusicXML",
    ".mxl": "MusicXML",
}
"""Formats of files by suffix."""

TuneFile = tuple[Path, str, str | None]
"""File, its style, and its split or None."""
Example = tuple[str | bytes, dict[str, str], str | None]
"""Key, features and split of an example. If the split is None, the key determines it."""


def list_tune_files(path: str | os.PathLike[str]) -> list[TuneFile]:
    """Return the files of tunes in a folder and its sub-folders, or a single file.

    The sub-folders are the styles. A folder with tunes of its own is one style with its name, also
    if there are more tunes in sub-folders, and so is a single file. A folder with a predefined
    split has the sub-folders train, test and perhaps validation, and these have the styles.

    Args:
        path: File or folder.

    Raises:
        InputError: If there are no tunes, or the path does not exist.
    """
    path = check_exists(path)
    suffixes = ", ".join(FORMATS)
    if is_file(path):
        if path.suffix.lower() not in FORMATS:
            raise InputError(f"{path} is not a file of tunes; those end in {suffixes}.")
        return [(check_regular_file(path), path.stem, None)]
    has_split = all((path / split).is_dir() for split in ("train", "test"))
    roots = [(path / split, split) for split in SPLITS] if has_split else [(path, None)]
    files = [
        (file, file.relative_to(root), split)
        for root, split in roots
        for file in list_folder(root, "**/*")
        if file.suffix.lower() in FORMATS and not file.is_dir()
    ]
    if not files:
        raise InputError(f"{path} has no files of tunes; those end in {suffixes}.")
    is_one_style = any(len(place.parts) == 1 for _, place, _ in files)
    name = path.resolve().name
    return [(file, name if is_one_style else place.parts[0], split) for file, place, split in files]


def read_tunes(path: object, files: Iterable[TuneFile]) -> Iterator[Example]:
    """Yield examples for `keras_seq.data.cached_dataset`.

    Args:
        path: What the user gave as data, for the summary.
        files: Files as `list_tune_files` returns them.

    Raises:
        InputError: If a tune is damaged. With `--errors skip`, it is left out.
    """
    bad_rows, left_out, decisions = BadRows(), Counter[str](), Counter[str]()
    formats, styles = Counter[str](), Counter[str]()
    num_notes = 0
    for file, style, split in files:
        try:
            tunes = list(_open_tunes(file, left_out))
        except InputError as error:
            bad_rows.add(error)
            continue
        num_bad = bad_rows.num_bad
        for key, read in tunes:
            melody = None
            with bad_rows:
                try:
                    melody = read()
                except NoNotesError:
                    left_out["tunes without notes"] += 1
            if melody is not None:
                styles[style] += 1
                left_out.update(melody.left_out)
                decisions.update(melody.decisions)
                num_notes += sum(map(is_event, melody.tokens))
                yield key, {"tokens": " ".join(melody.tokens), "style": style}, split
        if len(tunes) > bad_rows.num_bad - num_bad:
            formats[FORMATS[file.suffix.lower()]] += 1
    kinds = [f"{name} ({count:,} file{'s' * (count != 1)})" for name, count in formats.items()]
    summary = summaries.ReadSummary(
        str(path),
        ", ".join(kinds),
        styles.total(),
        left_out=dict(+left_out),
        notes=(
            f"{num_notes:,} notes and rests",
            "styles: " + ", ".join(f"{style} ({count:,})" for style, count in styles.items()),
            *(f"{decision} ({count:,})" for decision, count in decisions.most_common()),
        ),
    )
    summaries.add(bad_rows.finish(summary))
    if not styles:
        raise InputError(f"{path} has no tune with notes that can be read.")


def _open_tunes(
    file: Path, left_out: "Counter[str]"
) -> Iterator[tuple[str | bytes, Callable[[], Melody]]]:
    """Yield the key of each tune in a file, and a function that reads it."""
    suffix = file.suffix.lower()
    if suffix != ".abc":
        content = check_regular_file(file, "max_document_bytes").read_bytes()
        if FORMATS[suffix] == "MIDI":
            yield content, lambda: midi_to_melody(read_midi(file))
        else:
            yield content, lambda: read_musicxml(file)
        return
    check_regular_file(file, "max_document_bytes")
    # Notes are in ASCII. Titles and the like, which are not read, may have any encoding.
    book = AbcBook(read_lines(file, "latin-1"))
    for tune in book:
        yield tune.key(), lambda tune=tune: tune.read(file)  # type: ignore[misc]
    left_out["lines of text between tunes"] += book.num_other_lines
