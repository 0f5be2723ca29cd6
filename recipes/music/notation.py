"""ABC notation of tunes."""

from collections.abc import Mapping
from fractions import Fraction

from .melodies import FLATS, SHARPS, Key
from .tunes import (
    BAR_LINES,
    EVENT,
    MODE_FIFTHS,
    SEMITONES,
    VOICES,
    Tokens,
    parse_head,
    split_voices,
)


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
    fifths = Key(tonic_name, mode if mode in MODE_FIFTHS else "major").fifths
    signature = dict.fromkeys("CDEFGAB", 0)
    # Beyond seven, letters would have two accidentals.
    for letter in (SHARPS if fifths > 0 else FLATS)[: abs(fifths)]:
        signature[letter] = 1 if fifths > 0 else -1
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
