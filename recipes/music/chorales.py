"""Bach's chorales for four voices, as music21 has them, and what is usual in them."""

import itertools
from statistics import mean

from . import tunes

RANGES = {"S": (60, 79), "A": (55, 74), "T": (48, 67), "B": (40, 60)}
"""MIDI numbers of the lowest and the highest note usual in a voice of a choir."""


def read():
    """What `keras_seq.data.cached_dataset` takes; the style is major or minor.

    The key of the split is the chorale without metre and key: one that is there twice, or in
    another key again, is taken once.
    """
    seen = set()
    for score in scores():
        tokens = tokens_of(score)
        body = " ".join(token for token in tokens if token[:2] not in ("M:", "K:"))
        if body not in seen:
            seen.add(body)
            yield body, {"tokens": " ".join(tokens), "style": style_of(tokens)}, None


def scores():
    """Yield the chorales, read from their sources: nothing that music21 has cached is loaded."""
    from music21 import corpus

    for name in corpus.chorales.Iterator(returnType="filename"):
        yield corpus.parse(name, forceSource=True)


def style_of(tokens):
    """Major or minor, by the third above the tonic."""
    _, _, mode, _ = tunes.head(tokens)
    return "minor" if 3 in tunes.scale(mode) else "major"


def tokens_of(score):
    """The tokens of a chorale of music21; instruments are left out.

    Raises:
        ValueError: There are no four voices, or they have not the same number of bars.
    """
    named = [part for part in score.parts if part.partName]
    voices = [
        next((part for part in named if part.partName.lower().startswith(name)), None)
        for name in tunes.VOICES.values()
    ]
    if not named and len(score.parts) == len(voices):
        voices = list(score.parts)
    if None in voices:
        raise ValueError("it has not the four voices of a choir")
    key = _key(score, voices[-1])
    return tunes.merged([tunes.tokens_of(part, key) for part in voices])


def _key(score, bass):
    """The key on the last note of the bass that has the signature written, or the likeliest one."""
    from music21 import key

    last = bass.recurse().notes.last().pitches[0].name
    signature = bass.recurse().getElementsByClass(key.KeySignature).first()
    for mode in ("major", "minor", "dorian", "mixolydian", "phrygian"):
        if (found := key.Key(last, mode)).sharps == signature.sharps:
            return found
    return score.analyze("key")


def measures(chorales):
    """Measures of four voices, to be read beside those of real ones.

    Args:
        chorales: Lists of tokens.

    Returns:
        Dict of `in_range`, the share of notes that a choir's voice can well sing; and `parallels`,
        how often in a hundred changes of the harmony two voices move in parallel fifths, octaves or
        unisons.
    """
    in_range, parallels = [], []
    for tokens in chorales:
        voices = {voice: tunes.notes_of(line) for voice, line in tunes.lines_of(tokens).items()}
        in_range += [
            RANGES[voice][0] <= note.pitch <= RANGES[voice][1]
            for voice, notes in voices.items()
            for note in notes
            if note.pitch is not None
        ]
        chords = _chords(list(voices.values()))
        parallels += [_parallels(*pair) for pair in itertools.pairwise(chords)]
    return {"in_range": mean(in_range or [0]), "parallels": 100 * mean(parallels or [0])}


def _chords(voices):
    """What sounds, from each moment at which a voice begins a note to the next: pitches or None."""
    begun = {}
    for place, notes in enumerate(voices):
        for note in notes:
            begun.setdefault(note.begin, {})[place] = note.pitch
    sounding, chords = dict.fromkeys(range(len(voices))), []
    for _, new in sorted(begun.items()):
        sounding |= new
        chords.append(list(sounding.values()))
    return chords


def _parallels(before, after):
    """How many pairs of voices go from a fifth or an octave to the same in the same direction."""
    moving = [(a, b) for a, b in zip(before, after) if None not in (a, b) and a != b]
    return sum(
        (high - low) % 12 in (0, 7)
        and (above - below) % 12 == (high - low) % 12
        and (above > high) == (below > low)
        for place, (low, below) in enumerate(moving)
        for high, above in moving[:place]
    )
