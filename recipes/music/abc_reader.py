"""Melodies of tunes in ABC notation (versions 1.6 to 2.2)."""

import re
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction

from keras_seq import InputError
from keras_seq.data import excerpt, limits

from . import abc_fields
from .abc_fields import Signature
from .abc_voice import AFTER_CHORD, LENGTH, NOTE, AbcVoice, Match
from .melodies import Melody, NoNotesError, parse_number

Line = tuple[int, str]
"""Number of a line in its file, and the line."""

SYMBOL = re.compile(
    r"""
    (?P<text>"[^"]*"?)
    | (?P<decoration>!(?:[^\s!|\[\]]+|D\.[CS]\.[^!|]*)!)
    | \+(?P<plus>[^+|\s"]+)\+
    | (?P<grace>\{[^}]*\}?)
    | \[(?P<name>[A-Za-z]):(?P<field>[^\]]*)\]?
    | \((?P<tuplet>\d+)(?::(?P<time>\d*))?(?::(?P<notes>\d*))?
    | \.?(?P<bar>:*\[?\|[|:\]]*|::+|:\])(?:\d[\d,.-]*)?
    | (?P<ending>\[(?:\d[\d,.-]*|\]|(?=\")))
    | \[(?P<chord>[^\[\]|]*)\]
    | (?P<note>(?:(?:\^{1,2}|_{1,2}|=)(?:\d*/\d*)?)?[A-Ga-g])
    | (?P<rest>[zx])
    | (?P<bars>[ZX])(?P<bar_count>\d*)
    | (?P<broken><+|>+)
    | (?P<tie>-)
    | (?P<overlay>&+)
    | (?P<open>\[)
    | (?P<ignored>y[\d/]*|[\s()~.`\\*;?@\#$!H-Wh-w])
    | (?P<unknown>.)
    """,
    re.VERBOSE,
)
"""Pattern of one symbol of the music; what follows a note, chord or rest is matched after it."""
CARRIES = ("not", "octave", "pitch")
"""Values of the directive `propagate-accidentals`."""

MAX_FIELD_LENGTH = 200
"""Number of characters of a field that are read."""

_FIELD_LINE = re.compile(r"([A-Za-z+]):(.*)")
_NOT_FIELD = re.compile(r"[A-Ga-gxzZ]:(?:[|:\]]|\s*$)")
"""Pattern of a note or rest before a repeat at the beginning of a line."""
_DIRECTIVE = re.compile(r"(?:%%|I:)\s*propagate-accidentals\s+(\w+)")
_VERSION = re.compile(r"(?:%|I:\s*)abc-(?:version\s+)?(\d+)\.\d+")
_BLOCK = re.compile(r"%%\s*begin(\w+)")
_COMMENT = re.compile(r"(?<!\\)%.*")
_REST = re.compile(LENGTH)
_SINGLE_NOTE = r"(?:\^{1,2}|_{1,2}|=)?[A-Ga-g][,']*\d*/*\d*"
_CHORD = re.compile(rf"(?!f+$)(?:{_SINGLE_NOTE}){{2,}}")
"""Pattern of a chord between plus signs, as in old versions. It excludes dynamics, such as ff."""


def accidentals_carry(line: str) -> str | None:
    """Return for which notes accidentals hold until the end of the bar.

    >>> accidentals_carry("%abc-1.6"), accidentals_carry("%%propagate-accidentals octave")
    ('not', 'octave')

    Args:
        line: Line of a tune or of the head of a book.

    Returns:
        One of `CARRIES`, or None if the line does not state it.
    """
    if match := _VERSION.match(line):
        return "not" if int(match[1][:3]) < 2 else "pitch"
    match = _DIRECTIVE.match(line)
    return match[1] if match and match[1] in CARRIES else None


class AbcReader:
    """Reader of one tune.

    >>> reader = AbcReader("a.abc")
    >>> reader.read(enumerate(["X:1", "M:2/4", "L:1/4", "K:G", "GF|"], 1))
    >>> reader.melody().tokens
    ['M:2/4', 'K:G_major', '0:1', '-1:1', '|']

    Args:
        where: File, for error messages.
        carries: Notes for which an accidental holds until the end of the bar, see `AbcVoice`.
    """

    def __init__(self, where: object, carries: str = "pitch") -> None:
        self.where = self._at = str(where)
        self.left_out: Counter[str] = Counter()
        self._carries = carries
        self._meter: str | None = "4/4"
        self._unit: Fraction | None = None
        self._signature: Signature | None = None
        self._voices: dict[str, AbcVoice] = {}
        self._octaves: dict[str, int] = {}
        self._voice = self._block = ""
        self._num_bars_of_rest = 0

    def read(self, lines: Iterable[Line]) -> None:
        """Read the lines of the tune.

        Args:
            lines: Lines with their numbers.

        Raises:
            InputError: If a field or symbol is wrong.
            LimitError: If the tune is too long.
        """
        size = 0
        for number, line in lines:
            self._at = f"{self.where}, line {number}"
            size += len(line) + 1
            limits.check("max_tune_characters", size, self._at, "the length in characters")
            self._read_line(line)

    def melody(self, is_complete: bool = True) -> Melody:
        """Return the melody: the first voice with notes, and of chords the highest note.

        Args:
            is_complete: Whether this is a whole tune. The beginning of one may have rests only, and
                an open bar at the end.

        Raises:
            InputError: If the tune has no key.
            NoNotesError: If it has no notes.
        """
        if self._signature is None:
            raise InputError(f"{self._at}: the tune has no key; write a line such as K:C.")
        voices = [voice for voice in self._voices.values() if voice.writer.num_notes]
        if not voices and not is_complete:
            voices = list(self._voices.values())
        if not voices:
            raise NoNotesError(f"{self._at}: the tune has no notes.")
        melody, *others = voices
        self.left_out["notes of further voices"] += sum(voice.writer.num_notes for voice in others)
        decisions = ("melody: first voice",) if others else ()
        tokens = melody.writer.finish(self._signature.key, is_complete)
        return Melody(tokens, +self.left_out, decisions)

    def _read_line(self, line: str) -> None:
        if self._block:
            if re.match(rf"%%\s*end{self._block}\b", line):
                self._block = ""
            return
        self._carries = accidentals_carry(line) or self._carries
        if match := _BLOCK.match(line):
            self._block = match[1]
        line = _COMMENT.sub("", line)
        match = _FIELD_LINE.match(line)
        if match and (self._signature is None or not _NOT_FIELD.match(line)):
            self._read_field(match[1], match[2])
        elif self._signature is not None:
            self._read_music(line)
        elif line.strip():
            self.left_out["lines before the key"] += 1

    def _read_field(self, name: str, text: str) -> None:
        """Read a field of the head, or one between or within the lines of music."""
        text = text[:MAX_FIELD_LENGTH]
        if name == "V":
            self._select_voice(text)
        elif name in "KLM":
            voice = self._voices and self._get_voice()
            if name == "M":
                meter = abc_fields.parse_meter_field(text, self._at)
                if voice:
                    voice.writer.meter = meter or "4/4"
                else:
                    self._meter = meter
            elif name == "L":
                unit = abc_fields.parse_unit_length(text, self._at)
                if voice:
                    voice.unit = unit
                else:
                    self._unit = unit
            elif voice:
                voice.set_signature(abc_fields.parse_key(text, self._at, voice.signature))
            else:
                self._signature = abc_fields.parse_key(text, self._at, self._signature)

    def _select_voice(self, text: str) -> None:
        self._voice, *properties = text.split() or [""]
        if properties:
            self._octaves[self._voice] = abc_fields.parse_octave(" ".join(properties))
        if self._signature is not None:
            self._get_voice()

    def _get_voice(self) -> AbcVoice:
        """Return the current voice, which is made when it is met first."""
        if self._voice not in self._voices:
            assert self._signature is not None  # Music follows the key.
            unit = self._unit or abc_fields.default_unit_length(self._meter)
            voice = AbcVoice(self._signature, unit, self._meter, self._carries, self.left_out)
            voice.octave += self._octaves.get(self._voice, 0)
            self._voices[self._voice] = voice
        return self._voices[self._voice]

    def _read_music(self, line: str) -> None:
        position = 0
        while match := SYMBOL.match(line, position):
            position = match.end()
            if match["name"]:
                self._read_field(match["name"], match["field"])
            elif match["unknown"]:
                # The lengths of what is left out are left out too.
                is_length = self._get_voice().in_overlay and match["unknown"] in "0123456789/,'"
                self.left_out["characters that are not ABC"] += not is_length
            elif match["open"]:
                if NOTE.match(line, position):
                    chord = excerpt(line[position - 1 :].strip())
                    raise InputError(f"{self._at}: the chord {chord!r} has no closing bracket.")
            elif not (match["ignored"] or match["text"] or match["decoration"] or match["ending"]):
                position = self._read_symbol(self._get_voice(), match)
        if self._voices:
            self._get_voice().writer.check_size(self._at)

    def _read_symbol(self, voice: AbcVoice, match: Match) -> int:
        """Read a symbol of a voice, and return the position after it."""
        line, position = match.string, match.end()
        if match["bar"]:
            voice.end_bar(match["bar"])
        elif voice.in_overlay:
            pass
        elif match["note"]:
            note = NOTE.match(line, match.start())
            assert note is not None  # The pattern of a symbol has the beginning of a note.
            voice.add_note(note, self._at)
            return note.end()
        elif match["rest"]:
            rest = _REST.match(line, position)
            assert rest is not None  # The length may be empty.
            voice.add_rest(rest, self._at)
            return rest.end()
        elif match["chord"] or (match["plus"] and _CHORD.fullmatch(match["plus"])):
            after = AFTER_CHORD.match(line, position)
            voice.add_chord(match["chord"] or match["plus"], after, self._at)
            return after.end() if after else position
        else:
            self._read_mark(voice, match)
        return position

    def _read_mark(self, voice: AbcVoice, match: Match) -> None:
        """Read a symbol other than a note, chord, rest or bar line."""
        if match["bars"]:
            number = parse_number(match["bar_count"] or "1", self._at)
            self._num_bars_of_rest += number
            limits.check("max_tune_bars", self._num_bars_of_rest, self._at, "the number of bars")
            voice.add_bars_of_rest(number)
        elif match["tuplet"]:
            voice.begin_tuplet(match["tuplet"], match["time"], match["notes"], self._at)
        elif match["broken"]:
            voice.break_rhythm(match["broken"])
        elif match["tie"]:
            voice.tie()
        elif match["overlay"]:
            voice.in_overlay = True
            self.left_out["further voices within a bar (&)"] += 1
        elif match["grace"]:
            self.left_out["grace notes"] += len(NOTE.findall(match["grace"]))
