"""Melodies read from files: their tokens, and what was left out and decided."""

import dataclasses
from collections import Counter
from fractions import Fraction

from keras_seq import InputError
from keras_seq.data import limits

from .tunes import BAR_ENDS, MODE_FIFTHS, SEMITONES

MAX_LENGTH_DENOMINATOR = 96
"""Largest denominator of the length of a note in quarters."""
MAX_DIGITS = 6
"""Maximum number of digits of a number in a tune."""


SHARPS = "FCGDAEB"
"""Letters in the order in which signatures have their sharps."""
FLATS = SHARPS[::-1]
"""Letters in the order in which signatures have their flats."""


class NoNotesError(InputError):
    """Error for a tune without notes."""


@dataclasses.dataclass(frozen=True)
class Key:
    """Key of a tune.

    >>> Key("E-", "major").fifths, Key.from_fifths(-3, "minor").tonic_name
    (-3, 'C')
    """

    tonic_name: str = "C"
    """Name of the tonic, with `#` for a sharp and `-` for a flat."""
    mode: str = "major"
    """Mode, a key of `MODE_FIFTHS`."""

    @property
    def token(self) -> str:
        """Token of the key, such as "K:G_major"."""
        return f"K:{self.tonic_name}_{self.mode}"

    @property
    def tonic(self) -> int:
        """Semitones of the tonic above C."""
        return SEMITONES[self.tonic_name[0]] + self._alteration

    @property
    def fifths(self) -> int:
        """Number of sharps of the signature; flats are negative."""
        letter = SHARPS.index(self.tonic_name[0]) - 1
        return letter + 7 * self._alteration + MODE_FIFTHS[self.mode]

    @property
    def _alteration(self) -> int:
        """Semitones by which the accidentals of the tonic raise it."""
        return self.tonic_name.count("#") - self.tonic_name.count("-")

    @classmethod
    def from_fifths(cls, fifths: int, mode: str) -> "Key":
        """Return the key with a signature.

        Args:
            fifths: Number of sharps; flats are negative.
            mode: Mode.
        """
        sharps, letter = divmod(fifths - MODE_FIFTHS[mode] + 1, 7)
        return cls(SHARPS[letter] + ("#" * sharps or "-" * -sharps), mode)


@dataclasses.dataclass
class Melody:
    """Melody of one tune as it was read."""

    tokens: list[str]
    """Tokens, see `tunes`."""
    left_out: Counter[str] = dataclasses.field(default_factory=Counter)
    """Number of notes or other symbols that were left out, by kind."""
    decisions: tuple[str, ...] = ()
    """Decisions of the reader, such as which voice is the melody."""


class TokenWriter:
    """Writer of the tokens of one voice, bar by bar.

    Pitches are MIDI numbers until `finish` makes them relative to the tonic.

    >>> writer = TokenWriter("2/4")
    >>> writer.add_event(67, Fraction(1))
    >>> writer.end_bar()
    >>> writer.add_event(None, Fraction(1, 2))
    >>> writer.finish(Key("G"))
    ['M:2/4', 'K:G_major', '0:1', '|', 'r:1/2', '|']

    Args:
        meter: First meter, such as "4/4".
    """

    def __init__(self, meter: str = "4/4") -> None:
        self.num_notes = self.num_bars = 0
        self.quarters = Fraction(0)
        self.meter = self._written_meter = self._first_meter = meter
        self._begins_repeat = self._has_events = False
        self._events: list[str | tuple[int | None, Fraction, bool]] = []

    def add_event(self, pitch: int | None, length: Fraction, is_tied: bool = False) -> None:
        """Add a note or rest.

        Args:
            pitch: MIDI number, or None for a rest.
            length: Length in quarters. Events without a length are left out.
            is_tied: Whether the note is tied to the next.
        """
        length = length.limit_denominator(MAX_LENGTH_DENOMINATOR)
        if length <= 0:
            return
        if self.meter != self._written_meter:
            if self.num_bars == 0 and not self.num_notes and not self._events:
                self._first_meter = self.meter
            else:
                self._events.append(f"M:{self.meter}")
            self._written_meter = self.meter
        if self._begins_repeat:
            self._events.append("|:")
            self._begins_repeat = False
        self._events.append((pitch, length, is_tied))
        self._has_events = True
        self.num_notes += pitch is not None
        self.quarters += length

    def tie_last(self) -> None:
        """Tie the last note to the next."""
        if self._events and isinstance(self._events[-1], tuple):
            pitch, length, _ = self._events[-1]
            self._events[-1] = (pitch, length, pitch is not None)

    def scale_last(self, factor: Fraction) -> None:
        """Multiply the length of the last event."""
        for position in range(len(self._events) - 1, -1, -1):
            event = self._events[position]
            if isinstance(event, tuple):
                self._events[position] = (event[0], event[1] * factor, event[2])
                self.quarters += event[1] * (factor - 1)
                return

    def end_bar(self, ends_repeat: bool = False, begins_repeat: bool = False) -> None:
        """Write a bar line, unless the bar is empty.

        Args:
            ends_repeat: Whether a repeat ends here.
            begins_repeat: Whether a repeat begins here.
        """
        if self._has_events:
            self._events.append(":|" if ends_repeat else "|")
            self.num_bars += 1
        elif ends_repeat and self._events and self._events[-1] in BAR_ENDS:
            self._events[-1] = ":|"
        self._has_events = False
        self._begins_repeat = self._begins_repeat or begins_repeat

    def check_size(self, where: object) -> None:
        """Check the size of the tune.

        Args:
            where: File and perhaps line, for error messages.

        Raises:
            LimitError: If the tune is too long.
        """
        limits.check("max_tune_notes", len(self._events), where, "the number of notes")
        limits.check("max_tune_bars", self.num_bars, where, "the number of bars")
        quarters = float(self.quarters)
        limits.check("max_tune_quarters", quarters, where, "the duration in quarter notes")

    def finish(self, key: Key, close: bool = True) -> list[str]:
        """Return all tokens.

        Args:
            key: Key of the tune.
            close: Whether to end the last bar if it has notes.
        """
        if close:
            self.end_bar()
        tokens = [f"M:{self._first_meter}", key.token]
        for event in self._events:
            if isinstance(event, str):
                tokens.append(event)
                continue
            pitch, length, is_tied = event
            name = "r" if pitch is None else str(pitch - 60 - key.tonic)
            tokens.append(f"{name}:{length}{'~' if is_tied else ''}")
        return tokens


def parse_number(digits: str, where: object) -> int:
    """Return a number in a tune.

    Args:
        digits: Digits of the number.
        where: File and line, for error messages.

    Raises:
        InputError: If it has too many digits.
    """
    if len(digits) > MAX_DIGITS:
        raise InputError(f"{where}: a number has {len(digits)} digits; at most {MAX_DIGITS} occur.")
    return int(digits)


def parse_meter(beats: str, unit: str, where: object) -> str:
    """Return a meter such as "6/8".

    Args:
        beats: Number of beats, perhaps a sum such as "2+3".
        unit: Note value of a beat.
        where: File and line, for error messages.

    Raises:
        InputError: If a number is not positive.
        LimitError: If a bar has too many beats.
    """
    numerator = sum(parse_number(part.strip() or "0", where) for part in beats.split("+"))
    denominator = parse_number(unit, where)
    limits.check("max_bar_beats", numerator, where, "the number of beats in a bar")
    if numerator < 1 or denominator < 1:
        raise InputError(f"{where}: there is no meter {beats}/{unit}; write it as M:4/4.")
    return f"{numerator}/{denominator}"


def estimate_key(durations: "dict[int, Fraction]") -> Key:
    """Return the key whose profile correlates best with the durations of pitches.

    The method and the profiles are those of Krumhansl and Kessler (1982). The signature has at
    most six sharps or five flats.

    Args:
        durations: Total duration by MIDI number.
    """
    import numpy as np

    weights = np.zeros(12)
    for pitch, duration in durations.items():
        weights[pitch % 12] += float(duration)
    best, best_score = Key(), -np.inf
    for mode, profile in PROFILES.items():
        for fifths in range(-5, 7):
            key = Key.from_fifths(fifths, mode)
            rotated = np.roll(profile, key.tonic)
            centered, other = rotated - rotated.mean(), weights - weights.mean()
            # All profiles of a mode have the same norm; that of the weights is common.
            score = float(centered @ other / np.sqrt(centered @ centered))
            if score > best_score + 1e-9:
                best, best_score = key, score
    return best


PROFILES = {
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}
"""Perceived stability of each semitone above the tonic."""
