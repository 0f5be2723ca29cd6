"""Measures of a set of tunes, and a classifier of their styles."""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from statistics import mean, median
from typing import Any

from keras_seq import InputError

from . import chorales, notation, tunes
from .abc_reader import AbcReader

OverlapFinder = Callable[[Sequence[str]], int]
"""Function from the events of a tune to the length of the longest n-gram in a training tune."""

MANY_REPEATS = 5
"""Number of equal bars in a row from which on a tune counts as stuck. The built-in tunes for
training have at most four."""
LONG_COPY = 16
"""Longest n-gram, in events, that a tune may share with a training tune without being a copy."""


def measure_tunes(
    tune_list: Sequence[tunes.Tokens], find_overlap: OverlapFinder
) -> dict[str, float]:
    """Return measures of tunes, to compare with those of real tunes.

    Args:
        tune_list: Tokens of each tune.
        find_overlap: Function as `make_overlap_finder` returns it.

    Returns:
        - `parsed`: fraction of tunes whose ABC notation is read as the same notes.
        - `full_bars`: fraction of bars, except the first and last of each voice, that have the
          length of the meter.
        - `in_key`: fraction of notes in the scale.
        - `range`: median over voices of the range in semitones.
        - `repeated_bars`: fraction of bars that occurred before in the tune.
        - `stuck`: fraction of tunes with `MANY_REPEATS` equal bars in a row, or more.
        - `events`: median number of notes and rests of a tune.
        - `copied`: median length of the longest n-gram of events that is in a training tune too.
        - `copies`: fraction of tunes that share more than `LONG_COPY` events with a training tune.
        - For tunes with four voices also those of `chorales.measure_chorales`.
    """
    parsed, full, in_key, repeated, stuck = [], [], [], [], []
    ranges, num_events, copied = [], [], []
    for tokens in tune_list:
        head = tunes.parse_head(tokens)
        scale = tunes.scale_semitones(head.mode)
        voices = tunes.split_voices(tokens).values()
        parsed.append(all(map(can_be_parsed, voices)))
        for line in voices:
            lengths = [sum(map(tunes.parse_length, bar)) for bar in tunes.split_bars(line)[1:-1]]
            full += [length == head.bar_length for length in lengths]
            pitches = [note.pitch for note in tunes.parse_notes(line) if note.pitch is not None]
            in_key += [(pitch - head.tonic) % 12 in scale for pitch in pitches]
            ranges.append(max(pitches, default=0) - min(pitches, default=0))
        bars = tunes.split_bars(tokens)
        repeated += [bar in bars[:number] for number, bar in enumerate(bars)]
        stuck.append(is_stuck(tokens))
        events = list(filter(tunes.is_event, tokens))
        num_events.append(len(events))
        copied.append(find_overlap(events))
    measures = {
        "parsed": mean(parsed or [0]),
        "full_bars": mean(full or [0]),
        "in_key": mean(in_key or [0]),
        "range": median(ranges),
        "repeated_bars": mean(repeated or [0]),
        "stuck": mean(stuck or [0]),
        "events": median(num_events),
        "copied": median(copied),
        "copies": mean([length > LONG_COPY for length in copied] or [0]),
    }
    if any(map(tunes.has_voices, tune_list)):
        measures |= chorales.measure_chorales(tune_list)
    return measures


def is_stuck(tokens: tunes.Tokens) -> bool:
    """Return whether a tune has `MANY_REPEATS` equal bars in a row, or more."""
    runs = itertools.groupby(tunes.split_bars(tokens))
    return any(len([*bars]) >= MANY_REPEATS for _, bars in runs)


def can_be_parsed(tokens: tunes.Tokens) -> bool:
    """Return whether the ABC notation of one voice is read as the same notes."""
    reader = AbcReader("tune")
    try:
        reader.read(enumerate(notation.tokens_to_abc(tokens).splitlines(), 1))
        melody = reader.melody()
    except InputError:
        return False
    return tunes.parse_notes(melody.tokens) == tunes.parse_notes(tokens)


def make_overlap_finder(training: Iterable[tunes.Tokens]) -> OverlapFinder:
    """Return a function that finds the longest n-gram of events shared with a training tune.

    Args:
        training: Tokens of the training tunes.
    """
    training_events = [list(filter(tunes.is_event, tokens)) for tokens in training]

    @functools.cache
    def ngram_hashes(n: int) -> set[int]:
        return {hash(ngram) for events in training_events for ngram in _ngrams(events, n)}

    def find_overlap(events: Sequence[str]) -> int:
        low, high = 0, len(events)
        # Binary search, because a shared n-gram contains shared n-grams of all smaller lengths.
        while low < high:
            middle = (low + high + 1) // 2
            if any(hash(ngram) in ngram_hashes(middle) for ngram in _ngrams(events, middle)):
                low = middle
            else:
                high = middle - 1
        return low

    return find_overlap


def _ngrams(tokens: Sequence[str], n: int) -> Iterator[tuple[str, ...]]:
    return (tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def train_style_classifier(training: Sequence[tunes.Tokens], styles: Sequence[str]) -> Any:
    """Return a logistic regression over TF-IDF of n-grams, a fitted scikit-learn pipeline.

    Args:
        training: Tokens of real tunes.
        styles: Style of each.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    vectorizer = TfidfVectorizer(analyzer=_up_to_trigrams, min_df=2, sublinear_tf=True)
    return make_pipeline(vectorizer, LogisticRegression(C=10, max_iter=1_000)).fit(training, styles)


def _up_to_trigrams(tokens: Sequence[str]) -> list[tuple[str, ...]]:
    return [ngram for n in (1, 2, 3) for ngram in _ngrams(tokens, n)]
