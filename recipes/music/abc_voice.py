"""One voice of a tune in ABC notation: notes, chords, rests and bars."""

import re
from collections import Counter
from fractions import Fraction

from keras_seq import InputError
from keras_seq.data import excerpt

from .abc_fields import ALTERATIONS, Signature
from .melodies import TokenWriter, parse_number
from .tunes import SEMITONES

TUPLETS = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}
"""Beats in whose time a tuplet is played; 2, or 3 in a compound meter, for other tuplets."""
MAX_PITCH = 127
"""Highest MIDI number."""
MAX_BROKEN = 6
"""Maximum number of "<" or ">" in a row that count."""

LENGTH = r"(?P<count>\d*)(?P<slashes>/*)(?P<divisor>\d*)"
"""Pattern of the length of a note, rest or chord."""
NOTE = re.compile(
    r"(?P<sign>(?:\^{1,2}|_{1,2}|=)?)(?P<fraction>(?:\d*/\d*)?)"
    rf"(?P<letter>[A-Ga-g])(?P<octave>[,']*){LENGTH}(?P<tie>-?)"
)
"""Pattern of a note. A fraction after its sign makes it a quarter tone."""
AFTER_CHORD = re.compile(rf"{LENGTH}(?P<tie>-?)")
"""Pattern of what may follow a chord."""
_MARKS = re.compile(r'"[^"]*"?|![^!]*!|\{[^}]*\}?')
"""Pattern of what a chord may have in addition to notes."""

Match = re.Match[str]


class AbcVoice:
    """State of one voice while a tune is read.

    >>> from .abc_fields import make_signature
    >>> from .melodies import Key
    >>> voice = AbcVoice(make_signature(Key("G")), Fraction(1, 2), "3/4", "pitch", Counter())
    >>> for text in ("F2", "^c", "c'"):
    ...     voice.add_note(NOTE.match(text), "a.abc")
    >>> voice.writer.finish(Key("G"))[2:]
    ['-1:1', '6:1/2', '18:1/2', '|']

    Args:
        signature: Key signature.
        unit: Unit length in quarters.
        meter: Meter, or None for a free one.
        carries: Notes for which an accidental holds until the end of the bar: "pitch" for the same
            letter in every octave, "octave" for the same note only, "not" for none.
        left_out: Counts of what is left out, shared by the voices of a tune.
    """

    def __init__(
        self,
        signature: Signature,
        unit: Fraction,
        meter: str | None,
        carries: str,
        left_out: "Counter[str]",
    ) -> None:
        self.signature, self.unit, self.carries = signature, unit, carries
        self.octave = signature.octave
        self.writer = TokenWriter(meter or "4/4")
        self.in_overlay = False
        """True after `&`: the rest of the bar belongs to an overlaid voice, which is left out."""
        self._left_out = left_out
        self._altered: dict[tuple[str, int], int] = {}
        self._tuplet, self._num_in_tuplet = Fraction(1), 0
        self._next_factor = Fraction(1)
        self._last = self._held = ("", 0, 0)

    def set_signature(self, signature: Signature) -> None:
        """Change the key signature."""
        self.signature = signature
        self.octave = signature.octave or self.octave

    def add_note(self, match: Match, where: str) -> None:
        """Add the note that `NOTE` matched.

        Args:
            match: Match.
            where: File and line, for error messages.
        """
        length = parse_length(match, where)
        self._add(self._pitch(match, where), length)
        if match["tie"]:
            self.tie()

    def add_chord(self, notes: str, after: Match | None, where: str) -> None:
        """Add the highest note of a chord. The length is that of the first note.

        Args:
            notes: Notes of the chord.
            after: Match of `AFTER_CHORD`.
            where: File and line, for error messages.
        """
        matches = list(NOTE.finditer(_MARKS.sub("", notes)))
        if not matches:
            return
        held, pitches = self._held, []
        for match in matches:
            self._held = held
            pitches.append((self._pitch(match, where), self._last, bool(match["tie"])))
        pitch, self._last, is_tied = max(pitches)
        length = parse_length(matches[0], where)
        if after is not None:
            length *= parse_length(after, where)
        self._left_out["notes below the highest of a chord"] += len(matches) - 1
        self._add(pitch, length)
        if is_tied or (after is not None and after["tie"]):
            self.tie()

    def add_rest(self, match: Match, where: str) -> None:
        """Add a rest.

        Args:
            match: Match of `LENGTH`.
            where: File and line, for error messages.
        """
        self._add(None, parse_length(match, where))

    def add_bars_of_rest(self, number: int) -> None:
        """Add bars of rest. The last one is left open.

        Args:
            number: Number of bars.
        """
        for bar in range(number):
            if bar:
                self.end_bar("|")
            self.writer.add_event(None, 4 * Fraction(self.writer.meter))

    def begin_tuplet(self, count: str, time: str | None, notes: str | None, where: str) -> None:
        """Begin a tuplet: `count` notes in the time of `time`, for the next `notes` notes.

        Args:
            count: Digits.
            time: Digits; the meter decides if there are none.
            notes: Digits; default: `count`.
            where: File and line, for error messages.

        Raises:
            InputError: If the tuplet has no notes or beats.
        """
        number = parse_number(count, where)
        beats = int(self.writer.meter.partition("/")[0])
        default = 3 if beats > 3 and beats % 3 == 0 else 2
        in_time = parse_number(time, where) if time else TUPLETS.get(number, default)
        if not number or not in_time:
            raise InputError(f"{where}: a tuplet has 0 notes or beats.")
        self._tuplet = Fraction(in_time, number)
        self._num_in_tuplet = parse_number(notes, where) if notes else number

    def break_rhythm(self, marks: str) -> None:
        """Lengthen one of the two notes around marks such as ">>", and shorten the other."""
        if self._next_factor != 1:
            return  # Marks after marks.
        shorter = Fraction(1, 2 ** min(len(marks), MAX_BROKEN))
        factors = [2 - shorter, shorter]
        first, self._next_factor = factors if marks[0] == ">" else factors[::-1]
        self.writer.scale_last(first)

    def tie(self) -> None:
        """Tie the last note to the next, which keeps its accidental across the bar line."""
        self.writer.tie_last()
        self._held = self._last

    def end_bar(self, bar_line: str) -> None:
        """Write a bar line, and forget the accidentals of the bar.

        Args:
            bar_line: Bar line in ABC, such as ":|".
        """
        self.writer.end_bar(bar_line.startswith(":"), bar_line.endswith(":"))
        self._altered.clear()
        self.in_overlay = False

    def _pitch(self, match: Match, where: str) -> int:
        """Return the MIDI number of a note, and remember its accidental for the bar."""
        letter = match["letter"].upper()
        octave = self.octave + match["letter"].islower()
        octave += match["octave"].count("'") - match["octave"].count(",")
        note = letter, 0 if self.carries == "pitch" else octave
        self._left_out["quarter tones"] += bool(match["fraction"])
        alteration = self._altered.get(note, self.signature.alterations[letter])
        if match["sign"]:
            alteration = ALTERATIONS[match["sign"]]
            if self.carries != "not":
                self._altered[note] = alteration
        elif self._held[:2] == (letter, octave):
            alteration = self._held[2]
        self._last, self._held = (letter, octave, alteration), ("", 0, 0)
        pitch = 60 + 12 * octave + SEMITONES[letter] + alteration
        if not 0 <= pitch <= MAX_PITCH:
            raise InputError(
                f"{where}: the note {excerpt(match[0])!r} is out of the range of MIDI."
            )
        return pitch

    def _add(self, pitch: int | None, units: Fraction) -> None:
        """Add a note or rest, with the factors of broken rhythm and tuplets."""
        length = units * self.unit * self._next_factor
        self._next_factor = Fraction(1)
        if self._num_in_tuplet:
            length *= self._tuplet
            self._num_in_tuplet -= 1
        self.writer.add_event(pitch, length)


def parse_length(match: Match, where: str) -> Fraction:
    """Return a length in units.

    Args:
        match: Match of a pattern with `LENGTH`.
        where: File and line, for error messages.

    Raises:
        InputError: If a number is too long, or the divisor is 0.
    """
    count = parse_number(match["count"] or "1", where)
    divisor = 2 ** min(len(match["slashes"]), 16)
    if match["divisor"] and match["slashes"]:
        divisor = parse_number(match["divisor"], where)
    if not divisor:
        raise InputError(f"{where}: the length of {match[0]!r} has a division by zero.")
    return Fraction(count, divisor)
