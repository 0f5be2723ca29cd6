"""Bach's chorales for four voices, as music21 has them, and measures of their style."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from statistics import mean
from typing import Any

from . import scores, tunes

VOICE_RANGES = {"S": (60, 79), "A": (55, 74), "T": (48, 67), "B": (40, 60)}
"""Lowest and highest MIDI number of each voice of a choir."""


def read_chorales() -> Iterator[tuple[str | bytes, dict[str, str], str | None]]:
    """Yield examples for `keras_seq.data.cached_dataset`; the style is major or minor.

    The key of an example is the chorale without meter and key, so that a chorale that occurs
    again, also in another key, is taken once.
    """
    keys = set()
    for score in load_scores():
        tokens = chorale_to_tokens(score)
        key = " ".join(token for token in tokens if token[:2] not in ("M:", "K:"))
        if key not in keys:
            keys.add(key)
            yield key, {"tokens": " ".join(tokens), "style": get_style(tokens)}, None


def load_scores() -> Iterator[Any]:
    """Yield the chorales as music21 scores, read from their sources.

    The caches of music21 are pickles, which are not loaded.
    """
    from music21 import corpus

    for name in corpus.chorales.Iterator(returnType="filename"):
        yield corpus.parse(name, forceSource=True)


def get_style(tokens: tunes.Tokens) -> str:
    """Return "major" or "minor" by the third of the scale."""
    return "minor" if 3 in tunes.scale_semitones(tunes.parse_head(tokens).mode) else "major"


def chorale_to_tokens(score: Any) -> list[str]:
    """Return the tokens of a music21 chorale, without instruments.

    Raises:
        ValueError: If there are not four voices, or their numbers of bars differ.
    """
    named = [part for part in score.parts if part.partName]
    voices = [
        next((part for part in named if part.partName.lower().startswith(name)), None)
        for name in tunes.VOICES.values()
    ]
    if not named and len(score.parts) == len(voices):
        voices = list(score.parts)
    if None in voices:
        raise ValueError("the chorale lacks one of the four voices of a choir")
    key = _find_key(score, voices[-1])
    return tunes.merge_voices([scores.score_to_tokens(part, key) for part in voices])


def _find_key(score: Any, bass: Any) -> Any:
    """Return the key with the written signature whose tonic is the last note of the bass.

    If no usual mode fits, it is the most likely key by music21.
    """
    from music21 import key

    last = bass.recurse().notes.last().pitches[0].name
    signature = bass.recurse().getElementsByClass(key.KeySignature).first()
    for mode in ("major", "minor", "dorian", "mixolydian", "phrygian"):
        candidate = key.Key(last, mode)
        if candidate.sharps == signature.sharps:
            return candidate
    return score.analyze("key")


def measure_chorales(chorales: Iterable[tunes.Tokens]) -> dict[str, float]:
    """Return measures of four-part writing, to compare with those of real chorales.

    Args:
        chorales: Tokens of each chorale.

    Returns:
        `in_range`: fraction of notes in the range of a choir's voice. `parallels`: parallel fifths,
        octaves and unisons per 100 changes of the harmony.
    """
    in_range, parallels = [], []
    for tokens in chorales:
        lines = tunes.split_voices(tokens)
        voices = {voice: tunes.parse_notes(line) for voice, line in lines.items()}
        in_range += [
            VOICE_RANGES[voice][0] <= note.pitch <= VOICE_RANGES[voice][1]
            for voice, notes in voices.items()
            for note in notes
            if note.pitch is not None
        ]
        chords = _split_chords(list(voices.values()))
        parallels += [_count_parallels(*pair) for pair in itertools.pairwise(chords)]
    return {"in_range": mean(in_range or [0]), "parallels": 100 * mean(parallels or [0])}


def _split_chords(voices: Sequence[Iterable[tunes.Note]]) -> list[list[int | None]]:
    """Return the pitches that sound from each start of a note to the next; None is a rest."""
    starts: dict[Any, dict[int, int | None]] = {}
    for number, notes in enumerate(voices):
        for note in notes:
            starts.setdefault(note.start, {})[number] = note.pitch
    sounding: dict[int, int | None] = dict.fromkeys(range(len(voices)))
    chords = []
    for _, pitches in sorted(starts.items()):
        sounding |= pitches
        chords.append(list(sounding.values()))
    return chords


def _count_parallels(before: Iterable[int | None], after: Iterable[int | None]) -> int:
    """Return the number of pairs of voices in parallel fifths, octaves or unisons."""
    moving = [(a, b) for a, b in zip(before, after) if a is not None and b is not None and a != b]
    return sum(
        (high - low) % 12 in (0, 7)
        and (above - below) % 12 == (high - low) % 12
        and (above > high) == (below > low)
        for number, (low, below) in enumerate(moving)
        for high, above in moving[:number]
    )
