"""Tunes as tokens and back: one melody or four voices, pitches relative to the tonic.

The tokens of a tune, in their order:

- `M:6/8` the metre and `K:G_major` tonic and mode, at the beginning; a new metre anywhere;
- `7:1/2` a note 7 semitones above the tonic of the fourth octave, half a quarter long; `-5:1`;
  with `~` at the end if it is tied to the next;
- `r:1/2` a rest;
- `|` a bar line, `|:` and `:|` where a repeat begins and ends.

With four voices a note or a rest has the letter of its voice before it, as in `S7:1/2`, and stands
where it begins, of those that begin at once the highest voice first.
"""

import math
import re
from fractions import Fraction
from typing import NamedTuple

from keras_seq import InputError

from . import scores

SUFFIXES = (".abc", ".mid", ".midi", ".xml", ".musicxml", ".mxl")
"""Of the files that can be read."""

VOICES = {"S": "soprano", "A": "alto", "T": "tenor", "B": "bass"}
NOTE = re.compile(r"[SATB]?(r|-?\d+):(\d+(?:/\d+)?)(~?)")
ENDS = ("|", ":|")
BARS = (*ENDS, "|:")
LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
MODES = {"major": 0, "ionian": 0, "mixolydian": -1, "dorian": -2, "minor": -3, "aeolian": -3}
MODES |= {"phrygian": -4, "lydian": 1, "locrian": -5}
"""How many fifths above its tonic the major key lies that has the same signature."""


class Note(NamedTuple):
    """A note or a rest, as it sounds."""

    pitch: int | None
    """MIDI number; None for a rest."""
    begin: Fraction
    """In quarters since the beginning of the tune."""
    length: Fraction
    """In quarters."""


def split_abc(text):
    """The tunes of an ABC book, each from its X: on, after the directives of the book's head."""
    begins = re.finditer(r"(?m)^X:|\Z", text)
    begin = next(begins).start()
    directives = "".join(re.findall(r"(?m)^(?:%|I:).*\n", text[:begin]))
    for match in begins:
        yield directives + text[begin : match.start()]
        begin = match.start()


def body(abc):
    """What follows the key of an ABC tune, white space folded."""
    _, _, after = abc.partition("\nK:")
    return " ".join(after.partition("\n")[2].split())


def tokens_of_abc(abc, where="the tune"):
    """The tokens of the melody of one tune in ABC notation.

    Accidentals hold to the end of the bar, unless the text says that it is of a version before 2.

    Args:
        abc: Text.
        where: File and number of the tune, for messages.

    Raises:
        InputError: If it is damaged, too long, or has no notes.
    """
    own = re.search(r"(?m)^(?:%|I: *)abc-(?:version +)?(\d+\.\d+)", abc)
    # Without a version music21 reads accidentals as those of one note; and it looks only here.
    score = scores.parse_abc(f"%abc-{own[1] if own else '2.1'}\n{abc}", where)
    return tokens_of(score, where=where)


def tokens_of(score, signature=None, where="the tune"):
    """The tokens of the melody of a music21 score: its first part, of chords the highest note.

    Args:
        score: It, or one part.
        signature: The key, if not the one that the part has.
        where: File, for messages.

    Raises:
        InputError: If it has no notes, or music21 cannot tell bars or key.
    """
    from music21 import key, meter, stream

    with scores.decoding(where):
        part = score.parts[0] if getattr(score, "parts", None) else score
        if not part.getElementsByClass(stream.Measure):
            part = part.makeMeasures()
        keys = part.recurse().getElementsByClass(key.KeySignature)
        signature = signature or keys.first() or part.analyze("key")
        if not isinstance(signature, key.Key):
            signature = signature.asKey()
    tonic = LETTERS[signature.tonic.step] + round(signature.tonic.alter)
    tokens, metre = [], "M:4/4"
    for time in part.recurse().getElementsByClass(meter.TimeSignature)[:1]:
        metre = f"M:{time.ratioString}"
    tokens += [metre, f"K:{signature.tonic.name}_{signature.mode}"]
    for measure in part.getElementsByClass(stream.Measure):
        for time in measure.getElementsByClass(meter.TimeSignature):
            if f"M:{time.ratioString}" != metre:
                metre = f"M:{time.ratioString}"
                tokens.append(metre)
        if _repeat(measure.leftBarline) == "start":
            tokens.append("|:")
        line = measure.voices[0] if measure.voices else measure
        for item in line.flatten().notesAndRests:
            if item.duration.isGrace or type(item).__name__ in ("ChordSymbol", "NoChord"):
                continue
            length = Fraction(item.quarterLength).limit_denominator(96)
            if length <= 0:
                continue
            if item.isRest:
                tokens.append(f"r:{length}")
            else:
                top = max(pitch.midi for pitch in item.pitches)
                tied = item.tie is not None and item.tie.type in ("start", "continue")
                tokens.append(f"{top - 60 - tonic}:{length}{'~' if tied else ''}")
        tokens.append(":|" if _repeat(measure.rightBarline) == "end" else "|")
    if not any(NOTE.fullmatch(token) for token in tokens):
        raise InputError(f"{where}: there are no notes in it.")
    return tokens


def _repeat(barline):
    return getattr(barline, "direction", None)


def merged(lines):
    """The tokens of four voices together.

    Args:
        lines: The tokens of each, from the highest to the lowest.

    Raises:
        ValueError: The voices have not the same number of bars.
    """
    tokens = []
    bars = [list(_bars(line)) for line in lines]
    if len({len(line) for line in bars}) > 1:
        raise ValueError("its voices have not the same number of bars")
    for together in zip(*bars):
        placed = [
            (math.inf if token in ENDS else -1, 0, token)
            for token in together[0]
            if not is_event(token)
        ]
        for place, (voice, bar) in enumerate(zip(VOICES, together)):
            at = Fraction(0)
            for token in filter(is_event, bar):
                placed.append((at, place, voice + token))
                at += length_of(token)
        tokens += [token for _, _, token in sorted(placed, key=lambda one: one[:2])]
    return tokens


def _bars(tokens):
    """The tokens up to each bar line, and it."""
    here = []
    for token in tokens:
        here.append(token)
        if token in ENDS:
            yield here
            here = []
    if here:
        yield here


def has_voices(tokens):
    """Whether a tune has four voices."""
    return any(token[0] in VOICES for token in tokens)


def lines_of(tokens):
    """The tokens of each voice by its letter; of a tune with one voice, all by ""."""
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


def is_event(token):
    """Whether a token is a note or a rest."""
    return NOTE.fullmatch(token) is not None


def length_of(event):
    """The length of a note or a rest in quarters."""
    return Fraction(NOTE.fullmatch(event)[2])


def head(tokens):
    """Metre and key of a tune: quarters a bar, the tonic's MIDI number, the mode, the tonic's name.

    What is missing is 4/4 and C major.
    """
    metre = next((t for t in tokens if t.startswith("M:")), "M:4/4")
    of_key = next((t for t in tokens if t.startswith("K:")), "K:C_major")
    name, _, mode = of_key[2:].partition("_")
    alter = name.count("#") - name.count("-")
    return quarters(metre), 60 + LETTERS[name[0]] + alter, mode, name


def quarters(metre):
    """The length of a bar: 3 for `M:6/8`."""
    return 4 * Fraction(metre[2:])


def notes_of(tokens):
    """What sounds, repeats not played again, tied notes as one."""
    _, tonic, _, _ = head(tokens)
    notes, now, tied = [], Fraction(0), False
    for token in tokens:
        if match := NOTE.fullmatch(token):
            pitch = None if match[1] == "r" else tonic + int(match[1])
            length = Fraction(match[2])
            if tied and notes and notes[-1].pitch == pitch:
                notes[-1] = notes[-1]._replace(length=notes[-1].length + length)
            else:
                notes.append(Note(pitch, now, length))
            now, tied = now + length, bool(match[3])
    return notes


def bars_of(tokens):
    """The events between bar lines, each bar a tuple of tokens."""
    bars, here = [], []
    for token in [*tokens, "|"]:
        if token in BARS:
            if here:
                bars.append(tuple(here))
            here = []
        elif is_event(token):
            here.append(token)
    return bars


def abc_of(tokens, number=1, title="", book=""):
    """A tune in ABC notation (version 2.1), unit a quarter."""
    _, _, mode, name = head(tokens)
    metre = next((t[2:] for t in tokens if t.startswith("M:")), "4/4")
    fields = [f"X:{number}", f"T:{title}", *([f"B:{book}"] if book else []), f"M:{metre}", "L:1/4"]
    fields += [f"K:{name.replace('-', 'b')}{'' if mode == 'major' else mode[:3]}"]
    text = "\n".join(["%abc-2.1", *fields]) + "\n"
    for place, (voice, line) in enumerate(lines_of(tokens).items(), 1):
        if voice:
            clef = "bass" if voice in "TB" else "treble"
            text += f'V:{place} name="{VOICES[voice]}" clef={clef}\n'
        text += _notation(line) + "\n"
    return text


def _notation(tokens):
    """What stands after the key."""
    _, tonic, mode, name = head(tokens)
    signature = _signature(name, mode)
    written, in_bar, bars = [], set(), 0
    for place, token in enumerate(tokens):
        if match := NOTE.fullmatch(token):
            length = _length(Fraction(match[2]))
            if match[1] == "r":
                written.append(f"z{length}")
            else:
                pitch = tonic + int(match[1])
                written.append(
                    f"{_pitch(pitch, signature, in_bar)}{length}{'-' if match[3] else ''}"
                )
        elif token in BARS:
            in_bar, bars = set(), bars + (token != "|:")
            written.append(token + ("\n" if token != "|:" and bars % 4 == 0 else ""))
        elif token.startswith("M:") and place > 0:
            written.append(f"[{token}]")
    return " ".join(written).replace("\n ", "\n").strip()


def _length(quarters_):
    return "" if quarters_ == 1 else str(quarters_)


def _signature(tonic, mode):
    """The accidental of each letter in a key."""
    letter, *alter = tonic
    fifths = "FCGDAEB".index(letter) - 1 + 7 * (alter.count("#") - alter.count("-"))
    sharps = max(-7, min(7, fifths + MODES.get(mode, 0)))
    accidentals = dict.fromkeys("CDEFGAB", 0)
    for letter in "FCGDAEB"[:sharps] if sharps > 0 else "BEADGCF"[:-sharps]:
        accidentals[letter] = 1 if sharps > 0 else -1
    return accidentals


def _pitch(midi, signature, in_bar):
    """A pitch as ABC writes it ; the letters that the bar has altered are noted in `in_bar`."""
    flats = sum(signature.values()) < 0
    choices = [
        (letter, alter)
        for letter, semitone in LETTERS.items()
        for alter in (0, -1 if flats else 1)
        if (semitone + alter - midi) % 12 == 0
    ] + [(letter, a) for letter, a in signature.items() if (LETTERS[letter] + a - midi) % 12 == 0]
    letter, alter = max(choices, key=lambda choice: signature[choice[0]] == choice[1])
    octave = (midi - alter - LETTERS[letter]) // 12 - 5  # 0: from middle C on
    sign = ""
    # Again at every note, since not all readers carry accidentals on to the end of the bar.
    if signature[letter] != alter or letter in in_bar:
        sign = {-1: "_", 0: "=", 1: "^"}[alter]
        in_bar.add(letter)
    if octave > 0:
        return sign + letter.lower() + "'" * (octave - 1)
    return sign + letter + "," * -octave


def scale(mode):
    """The semitones above the tonic that a mode has."""
    return {(note + 7 * MODES.get(mode, 0)) % 12 for note in (0, 2, 4, 5, 7, 9, 11)}
