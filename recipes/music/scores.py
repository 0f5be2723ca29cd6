"""Scores parsed by music21: MusicXML files, and the tunes and chorales that music21 brings.

The run time of music21 depends on numbers in the score. Each file is therefore measured before
music21 parses it.
"""

import contextlib
import io
import math
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from keras_seq import InputError
from keras_seq.data import limits, xml_tree
from keras_seq.data.opening import check_unpacked, read_document, translate_errors

from .melodies import MAX_LENGTH_DENOMINATOR, Melody, NoNotesError
from .tunes import SEMITONES, is_event

MAX_FIFTHS = 14
"""Maximum number of sharps or flats in a key signature: two for each letter."""
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
    """Return a music21 score of one tune in ABC notation, of a file that can be trusted.

    Other files are read by `abc_books`: music21 misreads many tunes, and may take minutes.

    Args:
        text: Tune, with the version of ABC in the first line.
        where: File and number of the tune, for error messages.

    Raises:
        InputError: If the tune is damaged.
    """
    from music21 import converter

    with translate_music21_errors(where):
        return converter.parseData(text, format="abc")


def read_musicxml(path: Path) -> Melody:
    """Return the melody of a MusicXML file (.xml, .musicxml, .mxl).

    It is the first part with notes of definite pitch. Of several voices in a bar it is the first,
    and of chords the highest note. Grace notes are left out.

    Args:
        path: File.

    Raises:
        InputError: If the file does not exist or is damaged, or has no notes.
        LimitError: If the file is too large, or the tune too long.
    """
    content = read_document(path)
    if path.suffix.lower() == ".mxl":
        content = _unzipped(content, path)
    score = _parse_musicxml(content, path)
    with translate_music21_errors(path):
        parts = [part for part in score.parts if _num_notes(part)]
        if not parts:
            raise NoNotesError(f"{path} has no notes.")
        tokens = score_to_tokens(parts[0], where=path)
        left_out = Counter(
            {
                "parts without notes of definite pitch": len(score.parts) - len(parts),
                "notes of further parts": sum(map(_num_notes, parts[1:])),
                "grace notes": sum(note.duration.isGrace for note in parts[0].recurse().notes),
            }
        )
        # Voices and the lower notes of chords.
        num_notes = _num_notes(parts[0]) - left_out["grace notes"]
        num_read = sum(is_event(token) and not token.startswith("r") for token in tokens)
        left_out["notes of further voices and of chords"] = num_notes - num_read
    decisions = ["melody: first part"] * (len(parts) > 1)
    decisions += ["melody: first voice of each bar"] * any(parts[0].recurse().voices)
    return Melody(tokens, +left_out, tuple(decisions))


def _num_notes(part: Any) -> int:
    """Return the number of notes of definite pitch in a music21 part, those of chords included."""
    return sum(len(note.pitches) for note in part.recurse().notes if _is_played(note))


def _is_played(item: Any) -> bool:
    """Return whether a note, rest or chord of music21 is one of the melody."""
    return type(item).__name__ not in ("ChordSymbol", "NoChord")


def score_to_tokens(score: Any, signature: Any = None, where: object = "the tune") -> list[str]:
    """Return the tokens of the melody of a music21 score.

    The melody is the first part; of chords it has the highest note.

    Args:
        score: Score or part of music21.
        signature: Key of music21. Default: that of the part.
        where: File, for error messages.

    Raises:
        InputError: If there are no notes, or music21 cannot determine bars or key.
    """
    from music21 import key, meter, stream

    with translate_music21_errors(where):
        part = score.parts[0] if getattr(score, "parts", None) else score
        if not part.getElementsByClass(stream.Measure):
            part = part.makeMeasures()
        keys = part.recurse().getElementsByClass(key.KeySignature)
        signature = signature or keys.first() or part.analyze("key")
        if not isinstance(signature, key.Key):
            signature = signature.asKey()
    tonic = SEMITONES[signature.tonic.step] + round(signature.tonic.alter)
    current_meter = "M:4/4"
    for time in part.recurse().getElementsByClass(meter.TimeSignature)[:1]:
        current_meter = f"M:{time.ratioString}"
    tokens = [current_meter, f"K:{signature.tonic.name}_{signature.mode}"]
    for measure in part.getElementsByClass(stream.Measure):
        for time in measure.getElementsByClass(meter.TimeSignature):
            if f"M:{time.ratioString}" != current_meter:
                current_meter = f"M:{time.ratioString}"
                tokens.append(current_meter)
        if _repeat_direction(measure.leftBarline) == "start":
            tokens.append("|:")
        tokens += _measure_events(measure, tonic)
        tokens.append(":|" if _repeat_direction(measure.rightBarline) == "end" else "|")
    if not any(map(is_event, tokens)):
        raise NoNotesError(f"{where} has no notes.")
    return tokens


def _measure_events(measure: Any, tonic: int) -> Iterator[str]:
    """Yield the notes and rests of the first voice of a music21 measure, without grace notes."""
    line = measure.voices[0] if measure.voices else measure
    for item in line.flatten().notesAndRests:
        if item.duration.isGrace or not _is_played(item):
            continue
        length = Fraction(item.quarterLength).limit_denominator(MAX_LENGTH_DENOMINATOR)
        if length <= 0:
            continue
        if item.isRest or not item.pitches:
            yield f"r:{length}"
        else:
            top = max(pitch.midi for pitch in item.pitches)
            is_tied = item.tie is not None and item.tie.type in ("start", "continue")
            yield f"{top - 60 - tonic}:{length}{'~' if is_tied else ''}"


def _repeat_direction(barline: Any) -> str | None:
    return getattr(barline, "direction", None)


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
    limits.check("max_tune_notes", num_notes, path, "the number of notes")
    limits.check("max_tune_quarters", quarters, path, "the duration in quarter notes")
    # music21 adds missing bar lines.
    num_bars = max(num_bars, math.ceil(quarters / shortest))
    limits.check("max_tune_bars", num_bars, path, "the number of bars")
    # Chord symbols are not used, and music21 would spend time on them.
    for parent in root.iter():
        for harmony in parent.findall("harmony"):
            parent.remove(harmony)
    text = ElementTree.tostring(root, encoding="unicode")
    with translate_music21_errors(path):
        return converter.parseData(text, format="musicxml")


def _unzipped(content: bytes, path: Path) -> bytes:
    """Return the score in a compressed MusicXML file: the one that its container names."""
    # `zipfile` reads the whole table of an archive, which has this mark for each file.
    members = content.count(b"PK\x01\x02")
    limits.check("max_archive_members", members, path, "the number of files in it")
    with contextlib.ExitStack() as stack:
        with translate_errors(path, "compressed MusicXML", _ZIP_ERRORS):
            archive = stack.enter_context(zipfile.ZipFile(io.BytesIO(content)))
            files = [
                member
                for member in archive.infolist()
                if member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
            ]
        names = []
        for member in files:
            if member.filename == "META-INF/container.xml":
                container = xml_tree.parse(_unzip(archive, member, path, len(content)), path)
                names = [element.get("full-path") for element in container.iter("rootfile")]
        scores = [
            member
            for member in files
            if member.filename.endswith((".xml", ".musicxml"))
            and not member.filename.startswith("META-INF")
        ]
        scores.sort(key=lambda member: member.filename not in names[:1])
        if not scores:
            raise InputError(f"{path} contains no score: it needs a file .xml or .musicxml.")
        return _unzip(archive, scores[0], path, len(content))


def _unzip(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, packed: int) -> bytes:
    """Return the content of a file in an archive of `packed` bytes."""
    blocks, count = [], 0
    with translate_errors(path, "compressed MusicXML", _ZIP_ERRORS), archive.open(member) as file:
        while block := file.read(2**16):
            blocks.append(block)
            count += len(block)
            check_unpacked(path, count, packed)
            limits.check("max_document_bytes", count, path, "the unpacked size in bytes")
    return b"".join(blocks)


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
        if number > 0 and 0 < float(unit) < math.inf:
            shortest = min(shortest, 4 * number / float(unit))
    return shortest
