"""Conversion of tunes between tokens, ABC notation and music21 scores."""

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from keras_seq import InputError

from . import scores
from .tunes import (
    BAR_LINES,
    EVENT,
    MODE_FIFTHS,
    SEMITONES,
    VOICES,
    Tokens,
    is_event,
    parse_head,
    split_voices,
)

SUFFIXES = (".abc", ".mid", ".midi", ".xml", ".musicxml", ".mxl")
"""Suffixes of files that can be read."""
MAX_LENGTH_DENOMINATOR = 96
"""Largest denominator of the length of a note in quarters."""


def split_abc_book(text: str) -> Iterator[str]:
    """Yield the tunes of an ABC book, each with the directives of the book's head."""
    matches = re.finditer(r"(?m)^X:|\Z", text)
    start = next(matches).start()
    directives = "".join(re.findall(r"(?m)^(?:%|I:).*\n", text[:start]))
    for match in matches:
        yield directives + text[start : match.start()]
        start = match.start()


def abc_body(abc: str) -> str:
    """Return the text after the key of an ABC tune, with each run of white space as one space."""
    _, _, after_key = abc.partition("\nK:")
    return " ".join(after_key.partition("\n")[2].split())


def abc_to_tokens(abc: str, where: str = "the tune") -> list[str]:
    """Return the tokens of the melody of an ABC tune.

    Accidentals hold until the end of the bar, unless the text names a version before 2.

    Args:
        abc: One tune in ABC notation.
        where: File and number of the tune, for error messages.

    Raises:
        InputError: If the tune is damaged, too long, or has no notes.
    """
    version = re.search(r"(?m)^(?:%|I: *)abc-(?:version +)?(\d+\.\d+)", abc)
    # music21 reads the version in the first line only. Without one, accidentals hold for one note.
    score = scores.parse_abc(f"%abc-{version[1] if version else '2.1'}\n{abc}", where)
    return score_to_tokens(score, where=where)


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

    with scores.translate_music21_errors(where):
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
        raise InputError(f"{where} has no notes.")
    return tokens


def _measure_events(measure: Any, tonic: int) -> Iterator[str]:
    """Yield the notes and rests of the first voice of a music21 measure, without grace notes."""
    line = measure.voices[0] if measure.voices else measure
    for item in line.flatten().notesAndRests:
        if item.duration.isGrace or type(item).__name__ in ("ChordSymbol", "NoChord"):
            continue
        length = Fraction(item.quarterLength).limit_denominator(MAX_LENGTH_DENOMINATOR)
        if length <= 0:
            continue
        if item.isRest:
            yield f"r:{length}"
        else:
            top = max(pitch.midi for pitch in item.pitches)
            is_tied = item.tie is not None and item.tie.type in ("start", "continue")
            yield f"{top - 60 - tonic}:{length}{'~' if is_tied else ''}"


def _repeat_direction(barline: Any) -> str | None:
    return getattr(barline, "direction", None)


def tokens_to_abc(tokens: Tokens, number: int = 1, title: str = "", book: str = "") -> str:
    """Return a tune in ABC notation (version 2.1), with a quarter as the unit length.

    Args:
        tokens: Tune.
        number: Reference number (field X).
        title: Title (field T).
        book: Book (field B); empty for none.
    """
    _, _, mode, name = parse_head(tokens)
    meter = next((token[2:] for token in tokens if token.startswith("M:")), "4/4")
    fields = [f"X:{number}", f"T:{title}", *([f"B:{book}"] if book else []), f"M:{meter}", "L:1/4"]
    fields += [f"K:{name.replace('-', 'b')}{'' if mode == 'major' else mode[:3]}"]
    text = "\n".join(["%abc-2.1", *fields]) + "\n"
    for voice_number, (voice, line) in enumerate(split_voices(tokens).items(), 1):
        if voice:
            clef = "bass" if voice in "TB" else "treble"
            text += f'V:{voice_number} name="{VOICES[voice]}" clef={clef}\n'
        text += _line_to_abc(line) + "\n"
    return text


def _line_to_abc(tokens: Tokens) -> str:
    """Return the ABC notation of one voice, without the head."""
    _, tonic, mode, name = parse_head(tokens)
    signature = _key_signature(name, mode)
    words: list[str] = []
    altered: set[str] = set()
    num_bars = 0
    for position, token in enumerate(tokens):
        if match := EVENT.fullmatch(token):
            length = _length_to_abc(Fraction(match[2]))
            if match[1] == "r":
                words.append(f"z{length}")
            else:
                pitch = _pitch_to_abc(tonic + int(match[1]), signature, altered)
                words.append(f"{pitch}{length}{'-' if match[3] else ''}")
        elif token in BAR_LINES:
            altered, num_bars = set(), num_bars + (token != "|:")
            words.append(token + ("\n" if token != "|:" and num_bars % 4 == 0 else ""))
        elif token.startswith("M:") and position > 0:
            words.append(f"[{token}]")
    return " ".join(words).replace("\n ", "\n").strip()


def _length_to_abc(length: Fraction) -> str:
    return "" if length == 1 else str(length)


def _key_signature(tonic_name: str, mode: str) -> dict[str, int]:
    """Return the accidental of each letter in a key: 1 for a sharp, -1 for a flat."""
    letter, accidentals = tonic_name[0], tonic_name[1:]
    fifths = "FCGDAEB".index(letter) - 1 + 7 * (accidentals.count("#") - accidentals.count("-"))
    num_sharps = max(-7, min(7, fifths + MODE_FIFTHS.get(mode, 0)))
    signature = dict.fromkeys("CDEFGAB", 0)
    for altered in "FCGDAEB"[:num_sharps] if num_sharps > 0 else "BEADGCF"[:-num_sharps]:
        signature[altered] = 1 if num_sharps > 0 else -1
    return signature


def _pitch_to_abc(midi: int, signature: Mapping[str, int], altered: set[str]) -> str:
    """Return a pitch in ABC notation.

    Args:
        midi: MIDI number.
        signature: Accidental of each letter in the key.
        altered: Letters with an accidental in the current bar; changed in place.
    """
    has_flats = sum(signature.values()) < 0
    choices = [
        (letter, alter)
        for letter, semitone in SEMITONES.items()
        for alter in (0, -1 if has_flats else 1)
        if (semitone + alter - midi) % 12 == 0
    ]
    choices += [
        (letter, alter)
        for letter, alter in signature.items()
        if (SEMITONES[letter] + alter - midi) % 12 == 0
    ]
    letter, alter = max(choices, key=lambda choice: signature[choice[0]] == choice[1])
    octave = (midi - alter - SEMITONES[letter]) // 12 - 5  # 0 begins at middle C
    sign = ""
    # The accidental is repeated at every note, because some readers apply it to one note only.
    if signature[letter] != alter or letter in altered:
        sign = {-1: "_", 0: "=", 1: "^"}[alter]
        altered.add(letter)
    if octave > 0:
        return sign + letter.lower() + "'" * (octave - 1)
    return sign + letter + "," * -octave
