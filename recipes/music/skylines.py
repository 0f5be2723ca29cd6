"""Melodies of polyphonic MIDI files: the highest note that sounds at each moment.

This is the skyline algorithm, which Uitdenbogerd and Zobel (1999) found to come closest to what
listeners call the melody.
"""

import heapq
import itertools
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

from keras_seq.data import limits

from .melodies import Key, Melody, NoNotesError, TokenWriter, estimate_key
from .midi import MidiFile, MidiNote

UNITS = 240
"""Units of time per quarter, a multiple of all steps in `GRIDS`."""
GRIDS = ((4, 3), (8, 6), (5, 4, 3), (16, 12), (48, 20))
"""Steps per quarter of the grids on which notes may begin and end, from coarse to fine."""
MELODY_NAME = re.compile(r"melod|vocal", re.IGNORECASE)
"""Pattern of the name of a track that is the melody."""

Segment = tuple[int, int, int]
"""Start and end in units, and MIDI number."""


def midi_to_melody(file: MidiFile) -> Melody:
    """Return the melody of a MIDI file.

    If exactly one track with notes has a name such as "Melody" or "Vocals", it is the skyline of
    that track, and otherwise the skyline of all tracks. Drums are left out. Bars of rest at the
    beginning are left out too.

    Args:
        file: MIDI file.

    Raises:
        NoNotesError: If there are no notes other than drums.
        LimitError: If the tune is too long.
    """
    if not file.notes:
        kind = "no notes other than drums" if file.left_out else "no notes"
        raise NoNotesError(f"{file.path} has {kind}.")
    decisions = []
    notes = file.notes
    named = [
        track
        for track in sorted({note.track for note in notes})
        if MELODY_NAME.search(file.names.get(track, ""))
    ]
    if len(named) == 1 and any(note.track != named[0] for note in notes):
        notes = [note for note in notes if note.track == named[0]]
        decisions.append(f"melody: track named {file.names[named[0]]!r}")
        file.left_out["notes of other tracks"] += len(file.notes) - len(notes)
    placed, is_rounded = place_on_grid(notes, file.ticks)
    segments, num_heard = skyline(placed)
    if num_heard < len(notes):
        decisions.append("melody: highest note that sounds")
        file.left_out["notes below a higher one"] += len(notes) - num_heard
    if is_rounded:
        decisions.append("times rounded to sixteenth notes and triplets of eighth notes")
    if file.num_unended:
        decisions.append("notes without an end last until the next note")
    if file.keys:
        _, fifths, is_minor = file.keys[0]
        key = Key.from_fifths(fifths, "minor" if is_minor else "major")
    else:
        decisions.append("key estimated from the notes")
        durations: dict[int, Fraction] = {}
        for start, end, pitch in placed:
            durations[pitch] = durations.get(pitch, Fraction(0)) + (end - start)
        key = estimate_key(durations)
    writer = _write_bars(file, segments)
    return Melody(writer.finish(key), +file.left_out, tuple(decisions))


def place_on_grid(notes: Sequence[MidiNote], ticks: int) -> tuple[list[Segment], bool]:
    """Move notes to a grid, which is the coarsest on which all notes begin and end.

    If there is none, it is the coarsest on which all notes begin, because players often end notes
    early. If there is none either, the notes were not written but played: their times are rounded.

    Args:
        notes: Notes.
        ticks: Ticks per quarter.

    Returns:
        Notes with times in units, and whether their beginnings were rounded.
    """
    # On a grid almost as fine as the ticks, everything fits.
    grids = [steps for steps in GRIDS if steps == GRIDS[0] or 4 * steps[0] <= ticks]
    starts = {note.start for note in notes}
    ends = {note.end for note in notes}
    for times in (starts | ends, starts):
        for steps in grids:
            if all(_is_on_grid(time, ticks, steps) for time in times):
                return [_place(note, ticks, steps) for note in notes], False
    return [_place(note, ticks, GRIDS[0]) for note in notes], True


def skyline(notes: Iterable[Segment]) -> tuple[list[Segment], int]:
    """Return the highest note that sounds at each moment.

    >>> skyline([(0, 4, 48), (0, 1, 72), (1, 2, 74)])
    ([(0, 1, 72), (1, 2, 74), (2, 4, 48)], 3)

    Args:
        notes: Notes.

    Returns:
        Parts of notes in the order of time, and the number of notes of which a part is heard.
    """
    # Of notes with the same pitch the one that began last is heard, so that repetitions stay.
    waiting = sorted(notes, reverse=True)
    sounding: list[tuple[int, int, int]] = []
    segments: list[Segment] = []
    heard: set[tuple[int, int, int]] = set()
    time = waiting[-1][0] if waiting else 0
    while waiting or sounding:
        if not sounding:
            time = max(time, waiting[-1][0])
        while waiting and waiting[-1][0] <= time:
            start, end, pitch = waiting.pop()
            heapq.heappush(sounding, (-pitch, -start, end))
        while sounding and sounding[0][2] <= time:
            heapq.heappop(sounding)
        if not sounding:
            continue
        negative_pitch, negative_start, end = sounding[0]
        until = min(end, waiting[-1][0]) if waiting else end
        note = -negative_start, end, -negative_pitch
        if note in heard and segments[-1][1] == time and segments[-1][2] == note[2]:
            segments[-1] = segments[-1][0], until, note[2]
        else:
            segments.append((time, until, note[2]))
        heard.add(note)
        time = until
    return segments, len(heard)


def _is_on_grid(time: int, ticks: int, steps: Iterable[int]) -> bool:
    """Return whether a time is less than a tick away from a point of a grid."""
    return any(min(rest := time * step % ticks, ticks - rest) < step for step in steps)


def _place(note: MidiNote, ticks: int, steps: Sequence[int]) -> Segment:
    start, end = (_round(time, ticks, steps) for time in (note.start, note.end))
    return start, max(end, start + UNITS // steps[0]), note.pitch


def _round(time: int, ticks: int, steps: Iterable[int]) -> int:
    """Return the nearest point of a grid, in units."""
    points = (UNITS // step * ((2 * time * step + ticks) // (2 * ticks)) for step in steps)
    return min(points, key=lambda point: abs(point * ticks - time * UNITS))


def _write_bars(file: MidiFile, segments: Sequence[Segment]) -> TokenWriter:
    """Write the notes of a melody in bars, with rests between them and ties across bar lines."""
    end = Fraction(segments[-1][1], UNITS)
    limits.check("max_tune_notes", len(segments), file.path, "the number of notes")
    limits.check("max_tune_quarters", float(end), file.path, "the duration in quarter notes")
    meters = _list_meters(file, end)
    num_bars = sum(math.ceil((stop - start) / length) for start, stop, length, _ in meters)
    limits.check("max_tune_bars", num_bars, file.path, "the number of bars")
    writer = TokenWriter()
    events = _insert_rests(segments)[::-1]
    first = Fraction(segments[0][0], UNITS)
    for start, stop, meter in _iter_bars(meters):
        if stop <= first:
            file.left_out["bars of rest at the beginning"] += 1
            continue
        writer.meter = meter
        while events and events[-1][0] < stop:
            begin, until, pitch = events.pop()
            is_tied = pitch is not None and until > stop
            writer.add_event(pitch, min(until, stop) - max(begin, start), is_tied)
            if until > stop:
                events.append((stop, until, pitch))
        writer.end_bar()
    return writer


def _insert_rests(segments: Sequence[Segment]) -> list[tuple[Fraction, Fraction, int | None]]:
    """Return notes and the rests before them, with times in quarters."""
    events: list[tuple[Fraction, Fraction, int | None]] = []
    before = Fraction(0)
    for start, end, pitch in segments:
        begin, until = Fraction(start, UNITS), Fraction(end, UNITS)
        if begin > before:
            events.append((before, begin, None))
        events.append((begin, until, pitch))
        before = until
    return events


def _list_meters(file: MidiFile, end: Fraction) -> list[tuple[Fraction, Fraction, Fraction, str]]:
    """Return start, end and length of a bar in quarters of each meter, and the meter itself."""
    starts = {Fraction(0): "4/4"}
    for time, beats, power in file.meters:
        start = Fraction(round(Fraction(time * UNITS, file.ticks)), UNITS)
        if start < end:
            starts[start] = f"{beats}/{2**power}"
    times = sorted(starts)
    return [
        (start, stop, 4 * Fraction(starts[start]), starts[start])
        for start, stop in itertools.pairwise([*times, end])
    ]


def _iter_bars(
    meters: Iterable[tuple[Fraction, Fraction, Fraction, str]],
) -> Iterator[tuple[Fraction, Fraction, str]]:
    """Yield start, end and meter of each bar. A new meter begins a new bar."""
    for start, stop, length, meter in meters:
        for number in range(math.ceil((stop - start) / length)):
            begin = start + number * length
            yield begin, min(begin + length, stop), meter
