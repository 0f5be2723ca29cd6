"""Scores from untrusted text and files, parsed by music21.

The run time of music21 depends on numbers in the score, and for ABC on the square of the number of
bars. Each score is therefore measured before music21 parses it.
"""

import contextlib
import io
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from keras_seq import InputError
from keras_seq.data import limits, xml_tree
from keras_seq.data.opening import (
    check_regular_file,
    check_unpacked,
    read_document,
    translate_errors,
)

METER = re.compile(r"M: *\(?([\d+ ]+)\)? */ *(\d+)")
"""A time signature in ABC, in a line or in brackets."""
MAX_FIFTHS = 14
"""Maximum number of sharps or flats in a key signature: two for each letter."""
MAX_DENOMINATOR = 1_024
"""Largest denominator of the length of a note in quarters."""

_ZIP_ERRORS = (
    *(EOFError, LookupError, OSError, RuntimeError, ValueError),
    *(struct.error, zipfile.BadZipFile, zlib.error),
)


def translate_music21_errors(where: object) -> contextlib.AbstractContextManager[None]:
    """Return a context that turns exceptions of music21 into `InputError`.

    music21 raises many kinds of exceptions for damaged input.

    Args:
        where: File and number of the tune, for error messages.
    """
    from music21.exceptions21 import Music21Exception

    builtin = (
        *(ArithmeticError, AssertionError, AttributeError, LookupError, NameError),
        *(RuntimeError, StopIteration, TypeError, ValueError),
    )
    return translate_errors(where, "a tune", (Music21Exception, *builtin))


def parse_abc(text: str, where: object) -> Any:
    """Parse one tune in ABC notation.

    Args:
        text: Tune, with the version of ABC in the first line.
        where: File and number of the tune, for error messages.

    Returns:
        Score of music21.

    Raises:
        InputError: If the tune is damaged.
        LimitError: If the tune is too long, or nested too deep.
    """
    from music21 import abcFormat, converter

    limits.check("max_tune_characters", len(text), where, "the length in characters")
    limits.check("max_depth", _depth_of_slurs(text), where, "the depth of slurs")
    shortest = _shortest_bar([(beats, unit) for beats, unit in METER.findall(text)], where)
    with translate_music21_errors(where):
        bars: list[list[Fraction]] = [[]]
        for token in abcFormat.ABCFile().readstr(text).tokens:
            if isinstance(token, abcFormat.ABCBar):
                bars.append([])
            elif isinstance(token, abcFormat.ABCNote):
                length = Fraction(token.quarterLength)
                bars[-1].append(length.limit_denominator(MAX_DENOMINATOR))
    lengths = [length for bar in bars for length in bar]
    num_bars = _check_size(where, len(lengths), len(bars) - 1, float(sum(lengths)), shortest)
    # Only for ABC does the run time of music21 grow with the square of the number of bars.
    limits.check("max_abc_bars", num_bars, where, "the number of bars")
    if len(bars) > 2:
        # music21 computes a time signature for each bar that is too long.
        for positive in filter(None, ([length for length in bar if length] for bar in bars)):
            total = sum(positive, Fraction(0))
            beats = max(float(total / min(positive)), float(total.numerator))
            limits.check("max_bar_beats", beats, where, "the number of beats in a bar")
    with translate_music21_errors(where):
        return converter.parseData(text, format="abc")


def parse_file(path: Path) -> Any:
    """Parse a MIDI file (.mid, .midi) or a MusicXML file (.xml, .musicxml, .mxl).

    Args:
        path: File.

    Returns:
        Score of music21.

    Raises:
        InputError: If the file does not exist or is damaged.
        LimitError: If the file is too large, or the tune too long.
    """
    suffix = path.suffix.lower()
    if suffix in (".mid", ".midi"):
        return _parse_midi(check_regular_file(path, "max_midi_bytes").read_bytes(), path)
    content = read_document(path)
    return _parse_musicxml(_unzipped(content, path) if suffix == ".mxl" else content, path)


def _parse_midi(content: bytes, path: Path) -> Any:
    from music21 import midi

    with translate_music21_errors(path):
        file = midi.MidiFile()
        file.readstr(content)
        events: list[Any] = [event for track in file.tracks for event in track.events]
        ticks = sum(event.time for event in events if event.isDeltaTime())
        quarters = ticks / file.ticksPerQuarterNote
        num_notes = sum(event.isNoteOn() for event in events)
        meters = [
            (event.data[0], 2 ** event.data[1])
            for event in events
            if event.type == midi.MetaEvents.TIME_SIGNATURE
        ]
    _check_size(path, num_notes, 0, quarters, _shortest_bar(meters, path))
    with translate_music21_errors(path):
        return midi.translate.midiFileToStream(file)


def _parse_musicxml(content: bytes, path: Path) -> Any:
    from music21 import converter

    root = xml_tree.parse(content, path)
    num_notes = num_bars = 0
    quarters, divisions, meters, fifths = 0.0, 1.0, [], 0
    with translate_errors(path, "MusicXML", (ArithmeticError, ValueError)):
        for element in root.iter():
            text = element.text or ""
            num_notes += element.tag == "note"
            num_bars += element.tag == "measure"
            if element.tag == "divisions":
                divisions = float(text)
            elif element.tag == "duration":
                quarters += abs(float(text)) / divisions
            elif element.tag == "time":
                pairs = zip(element.findall("beats"), element.findall("beat-type"))
                meters += [(beats.text or "", unit.text or "") for beats, unit in pairs]
            elif element.tag == "fifths":
                fifths = max(fifths, abs(int(text)))
        if fifths > MAX_FIFTHS:
            raise ValueError(f"a key has {fifths} sharps or flats")
        shortest = _shortest_bar(meters, path)
    _check_size(path, num_notes, num_bars, quarters, shortest)
    # Chord symbols are not used, and music21 would spend time on them.
    for parent in root.iter():
        for harmony in parent.findall("harmony"):
            parent.remove(harmony)
    text = ElementTree.tostring(root, encoding="unicode")
    with translate_music21_errors(path):
        return converter.parseData(text, format="musicxml")


def _unzipped(content: bytes, path: Path) -> bytes:
    """Return the score in a compressed MusicXML file."""
    # `zipfile` reads the whole table of an archive, which has this mark for each file.
    members = content.count(b"PK\x01\x02")
    limits.check("max_archive_members", members, path, "the number of files in it")
    with contextlib.ExitStack() as stack:
        with translate_errors(path, "compressed MusicXML", _ZIP_ERRORS):
            archive = stack.enter_context(zipfile.ZipFile(io.BytesIO(content)))
            scores = [
                member
                for member in archive.infolist()
                if member.filename.endswith((".xml", ".musicxml"))
                and not member.filename.startswith("META-INF")
                and member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
            ]
        if not scores:
            raise InputError(f"{path} contains no score: it needs a file .xml or .musicxml.")
        blocks, count = [], 0
        with translate_errors(path, "compressed MusicXML", _ZIP_ERRORS):
            file = stack.enter_context(archive.open(scores[0]))
            while block := file.read(2**16):
                blocks.append(block)
                count += len(block)
                check_unpacked(path, count, len(content))
                limits.check("max_document_bytes", count, path, "the unpacked size in bytes")
    return b"".join(blocks)


def _depth_of_slurs(abc: str) -> int:
    """Return the maximum number of slurs that are open at a time, including unclosed ones."""
    depth = deepest = 0
    for line in re.findall(r"(?m)^(?![A-Za-z]:|%).*", abc):
        for mark in re.findall(r"\((?!\d)|\)", re.sub(r'"[^"]*"', "", line)):
            depth = max(0, depth + (1 if mark == "(" else -1))
            deepest = max(deepest, depth)
    return deepest


def _shortest_bar(meters: Iterable[tuple[str | int, str | int]], where: object) -> float:
    """Return the length of the shortest bar in quarters, 4 if there is no time signature.

    Args:
        meters: Upper and lower number of each time signature. The upper one may be a sum: "2+3".
        where: File, for error messages.

    Raises:
        LimitError: If a bar has too many beats.
    """
    shortest = 4.0
    for beats, unit in meters:
        number = sum(float(part or 0) for part in str(beats).split("+"))
        limits.check("max_bar_beats", number, where, "the number of beats in a bar")
        if number > 0 and float(unit) > 0:
            shortest = min(shortest, 4 * number / float(unit))
    return shortest


def _check_size(
    where: object, num_notes: int, num_bars: int, quarters: float, shortest: float
) -> int:
    """Check the size of a tune, and return its number of bars.

    Args:
        where: File, for error messages.
        num_notes: Number of notes.
        num_bars: Number of bar lines.
        quarters: Duration in quarters.
        shortest: Length of the shortest bar in quarters.

    Raises:
        LimitError: If the tune is too long.
    """
    limits.check("max_tune_notes", num_notes, where, "the number of notes")
    limits.check("max_tune_quarters", quarters, where, "the duration in quarter notes")
    # music21 adds missing bar lines.
    num_bars = max(num_bars, math.ceil(quarters / shortest))
    limits.check("max_tune_bars", num_bars, where, "the number of bars")
    return num_bars
