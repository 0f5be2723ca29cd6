"""Fields of ABC: meter, unit length, key and voice."""

import dataclasses
import re
from fractions import Fraction

from keras_seq import InputError
from keras_seq.data import excerpt

from .melodies import FLATS, SHARPS, Key, parse_meter, parse_number

MODES = {
    "maj": "major",
    "min": "minor",
    "m": "minor",
    "ion": "ionian",
    "dor": "dorian",
    "phr": "phrygian",
    "lyd": "lydian",
    "mix": "mixolydian",
    "aeo": "aeolian",
    "loc": "locrian",
}
"""Names of the modes by their first three letters in lower case, and "m"."""
PIPES = re.compile(r"H[Pp]\b")
"""Pattern of the key of Highland bagpipes, whose scale is A Mixolydian."""

_METER = re.compile(r"\(?\s*(\d+(?:\s*\+\s*\d+)*)\s*\)?\s*/\s*(\d+)")
_LENGTH = re.compile(r"(\d+)(?:\s*/\s*(\d+))?(?!\d)")
_KEY = re.compile(
    r"([A-G])\s*([#b]?)\s*(?i:(maj|min|ion|dor|phr|lyd|mix|aeo|loc)[a-z]*|(m)(?![a-z]))?"
)
_ACCIDENTAL = re.compile(r"(\^{1,2}|_{1,2}|=)([A-Ga-g])")
_PROPERTY = re.compile(r"\b(?!exp=)[a-z]+=\S*")
"""Pattern of a property after a key, such as "clef=bass"."""
_VOICE_ONLY = re.compile(r"treble|alto|tenor|bass|perc|[a-z]+\s*=")
"""Pattern of a clef or other property in a field K without a key."""
_OCTAVE = re.compile(r"\boctave\s*=\s*([+-]?\d)")
_CLEF_OCTAVE = re.compile(r"\b(?:treble|alto|tenor|bass|[GCF]\d?)([+-])8\b")

ALTERATIONS = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}
"""Semitones of each accidental."""


@dataclasses.dataclass(frozen=True)
class Signature:
    """Key of a tune or voice, with the accidental of each letter.

    >>> parse_key("Ddor", "a.abc").alterations["F"]
    0
    """

    key: Key
    alterations: dict[str, int]
    """Semitones by letter."""
    octave: int = 0
    """Octaves by which the voice sounds higher than it is written."""


def make_signature(key: Key) -> Signature:
    """Return the signature of a key."""
    alterations = dict.fromkeys("CDEFGAB", 0)
    fifths = key.fifths
    for number in range(abs(fifths)):
        letter = (SHARPS if fifths > 0 else FLATS)[number % 7]
        alterations[letter] += 1 if fifths > 0 else -1
    return Signature(key, alterations)


def parse_key(text: str, where: object, current: Signature | None = None) -> Signature:
    """Return the signature that a field K states.

    Without a key, as in "none" or "clef=bass", it is that of `current`, or C major.

    Args:
        text: Value of the field.
        where: File and line, for error messages.
        current: Signature so far.

    Raises:
        InputError: If the value is not a key.
    """
    text = text.strip()
    if PIPES.match(text):
        signature = make_signature(Key("A", "mixolydian"))
    elif match := _KEY.match(text):
        letter, sign, mode, minor = match.groups()
        mode = MODES[(mode or minor or "maj").lower()]
        signature = make_signature(Key(letter + sign.replace("b", "-"), mode))
        rest = _PROPERTY.sub("", text[match.end() :])
        explicit = {m[2].upper(): ALTERATIONS[m[1]] for m in _ACCIDENTAL.finditer(rest)}
        base = dict.fromkeys("CDEFGAB", 0) if re.search(r"\bexp\b", rest) else signature.alterations
        signature = dataclasses.replace(signature, alterations={**base, **explicit})
    elif not text or re.match(r"(?i)none\b", text):
        signature = make_signature(Key())
    elif _VOICE_ONLY.match(text):
        signature = current or make_signature(Key())
    else:
        raise InputError(f"{where}: {excerpt(text)!r} is not a key; write it as K:G or K:Edor.")
    return dataclasses.replace(signature, octave=parse_octave(text))


def parse_octave(text: str) -> int:
    """Return the octaves by which a voice sounds higher, by a field K or V.

    Args:
        text: Value of the field.
    """
    octave = int(match[1]) if (match := _OCTAVE.search(text)) else 0
    if match := _CLEF_OCTAVE.search(text):
        octave += 1 if match[1] == "+" else -1
    return octave


def parse_meter_field(text: str, where: object) -> str | None:
    """Return the meter that a field M states, such as "6/8"; None for a free meter.

    Args:
        text: Value of the field.
        where: File and line, for error messages.

    Raises:
        InputError: If the value is not a meter.
    """
    text = text.strip()
    free = re.match(r"(?i)none\b|free|frei", text)
    text = text[free.end() :] if free else text
    if not text:
        return None
    if re.match(r"C\|", text):
        return "2/2"
    if re.match(r"[Cc](?!\w)", text):
        return "4/4"
    if match := _METER.match(text):
        return parse_meter(match[1], match[2], where)
    raise InputError(f"{where}: {excerpt(text)!r} is not a meter; write it as M:4/4.")


def parse_unit_length(text: str, where: object) -> Fraction:
    """Return the unit length in quarters that a field L states.

    Args:
        text: Value of the field.
        where: File and line, for error messages.

    Raises:
        InputError: If the value is not a length.
    """
    match = _LENGTH.match(text.strip())
    numerator, denominator = (
        (parse_number(match[1], where), parse_number(match[2] or "1", where)) if match else (0, 0)
    )
    if numerator < 1 or denominator < 1:
        raise InputError(
            f"{where}: {excerpt(text.strip())!r} is not a unit length; write it as L:1/8."
        )
    return 4 * Fraction(numerator, denominator)


def default_unit_length(meter: str | None) -> Fraction:
    """Return the unit length in quarters of a tune without a field L.

    Args:
        meter: Meter, or None if it is free.
    """
    return Fraction(1, 4) if meter and Fraction(meter) < Fraction(3, 4) else Fraction(1, 2)
