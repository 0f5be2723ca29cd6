"""Tunes as tokens: one melody or four voices, with pitches relative to the tonic.

The tokens of a tune, in their order:

- `M:6/8` is the meter and `K:G_major` are tonic and mode, at the beginning. A new meter may follow
  anywhere.
- `7:1/2` is a note 7 semitones above the tonic of the fourth octave, half a quarter long. `~` at
  the end ties it to the next note.
- `r:1/2` is a rest.
- `|` is a bar line; a repeat begins with `|:` and ends with `:|`.

With four voices, a note or rest begins with the letter of its voice, as in `S7:1/2`. Events are in
the order of their start, and events that start together in the order of their voices, soprano
first.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

VOICES = {"S": "soprano", "A": "alto", "T": "tenor", "B": "bass"}
EVENT = re.compile(r"[SATB]?(r|-?\d+):(\d+(?:/\d+)?)(~?)")
"""Pattern of a note or rest: pitch or "r", length in quarters, and tie."""
BAR_ENDS = ("|", ":|")
BAR_LINES = (*BAR_ENDS, "|:")
SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
"""Semitones of each letter above C."""
MODE_FIFTHS = {"major": 0, "ionian": 0, "mixolydian": -1, "dorian": -2, "minor": -3, "aeolian": -3}
MODE_FIFTHS |= {"phrygian": -4, "lydian": 1, "locrian": -5}
"""Fifths from a tonic in each mode up to the tonic of the major key with the same signature."""

Tokens = Sequence[str]
"""Tokens of a tune."""


class Note(NamedTuple):
    """A note or rest as it sounds."""

    pitch: int | None
    """MIDI number; None for a rest."""
    start: Fraction
    """Start in quarters, from the beginning of the tune."""
    length: Fraction
    """Length in quarters."""


class Head(NamedTuple):
    """Meter and key of a tune."""

    bar_length: Fraction
    """Length of a bar in quarters."""
    tonic: int
    """MIDI number of the tonic in the fourth octave."""
    mode: str
    """Mode, a key of `MODE_FIFTHS`."""
    tonic_name: str
    """Name of the tonic, with `#` for a sharp and `-` for a flat."""


def merge_voices(lines: Sequence[Tokens]) -> list[str]:
    """Return the tokens of four voices as one tune.

    Args:
        lines: Tokens of each voice, from the highest to the lowest.

    Raises:
        ValueError: If the voices have different numbers of bars.
    """
    tokens: list[str] = []
    bars_by_voice = [list(_iter_bars(line)) for line in lines]
    if len({len(bars) for bars in bars_by_voice}) > 1:
        raise ValueError("its voices have different numbers of bars")
    for bars in zip(*bars_by_voice):
        placed: list[tuple[float | Fraction, int, str]] = [
            (math.inf if token in BAR_ENDS else -1, 0, token)
            for token in bars[0]
            if not is_event(token)
        ]
        for number, (voice, bar) in enumerate(zip(VOICES, bars)):
            start = Fraction(0)
            for token in filter(is_event, bar):
                placed.append((start, number, voice + token))
                start += parse_length(token)
        tokens += [token for _, _, token in sorted(placed, key=lambda place: place[:2])]
    return tokens


def _iter_bars(tokens: Tokens) -> Iterator[list[str]]:
    """Yield the tokens of each bar, with the bar line at its end."""
    bar = []
    for token in tokens:
        bar.append(token)
        if token in BAR_ENDS:
            yield bar
            bar = []
    if bar:
        yield bar


def has_voices(tokens: Tokens) -> bool:
    """Return whether a tune has four voices."""
    return any(token[0] in VOICES for token in tokens)


def split_voices(tokens: Tokens) -> dict[str, Tokens]:
    """Return the tokens of each voice by its letter; a single voice has the letter ""."""
    if not has_voices(tokens):
        return {"": tokens}
    return {
        voice: [
            token.removeprefix(voice)
            for token in tokens
            if not is_event(token) or token[0] == voice
        ]
        for voice in VOICES
    }


def is_event(token: str) -> bool:
    """Return whether a token is a note or rest."""
    return EVENT.fullmatch(token) is not None


def parse_length(event: str) -> Fraction:
    """Return the length of a note or rest in quarters."""
    match = EVENT.fullmatch(event)
    if match is None:
        raise ValueError(f"{event!r} is not a note or rest")
    return Fraction(match[2])


def parse_head(tokens: Tokens) -> Head:
    """Return the meter and key of a tune. Default: 4/4 and C major."""
    meter = next((token for token in tokens if token.startswith("M:")), "M:4/4")
    key = next((token for token in tokens if token.startswith("K:")), "K:C_major")
    name, _, mode = key[2:].partition("_")
    accidental = name.count("#") - name.count("-")
    bar_length = 4 * Fraction(meter[2:])
    return Head(bar_length, 60 + SEMITONES[name[0]] + accidental, mode, name)


def parse_notes(tokens: Tokens) -> list[Note]:
    """Return the notes and rests of one voice, tied notes as one. Repeats are not expanded."""
    tonic = parse_head(tokens).tonic
    notes: list[Note] = []
    start, is_tied = Fraction(0), False
    for token in tokens:
        if match := EVENT.fullmatch(token):
            pitch = None if match[1] == "r" else tonic + int(match[1])
            length = Fraction(match[2])
            if is_tied and notes and notes[-1].pitch == pitch:
                notes[-1] = notes[-1]._replace(length=notes[-1].length + length)
            else:
                notes.append(Note(pitch, start, length))
            start, is_tied = start + length, bool(match[3])
    return notes


def split_bars(tokens: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the notes and rests of each bar that has any."""
    bars: list[tuple[str, ...]] = []
    bar: list[str] = []
    for token in [*tokens, "|"]:
        if token in BAR_LINES:
            if bar:
                bars.append(tuple(bar))
            bar = []
        elif is_event(token):
            bar.append(token)
    return bars


def scale_semitones(mode: str) -> set[int]:
    """Return the semitones above the tonic that the scale of a mode has."""
    return {(note + 7 * MODE_FIFTHS.get(mode, 0)) % 12 for note in (0, 2, 4, 5, 7, 9, 11)}
