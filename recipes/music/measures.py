"""What a musician would look at: measures of a set of tunes, and whose style a tune is in."""

import functools
from statistics import mean, median

from . import chorales, tunes


def measures(found, longest_shared):
    """Measures of tunes; to be read beside those of real ones.

    Args:
        found: Tunes, lists of tokens.
        longest_shared: As `shared_with` returns it.

    Returns:
        Dict of `full_bars`, the share of bars of each voice, first and last left out, that are as
        long as the metre says; `in_key`, the share of notes that the scale has; `range`, semitones
        from the lowest note of a voice to the highest, the median; `repeated_bars`, the share of
        bars that the tune has had before; `events`, how many notes and rests a tune has, the
        median; `copied`, the longest run of events that a training tune has too, the median. With
        four voices there are those of `chorales.measures` too.
    """
    full, in_key, again, ranges, lengths, copied = [], [], [], [], [], []
    for tokens in found:
        bar, tonic, mode, _ = tunes.head(tokens)
        for line in tunes.lines_of(tokens).values():
            sizes = [sum(map(tunes.length_of, inner)) for inner in tunes.bars_of(line)[1:-1]]
            full += [size == bar for size in sizes]
            pitches = [note.pitch for note in tunes.notes_of(line) if note.pitch is not None]
            in_key += [(pitch - tonic) % 12 in tunes.scale(mode) for pitch in pitches]
            ranges.append(max(pitches, default=0) - min(pitches, default=0))
        bars = tunes.bars_of(tokens)
        again += [inner in bars[:place] for place, inner in enumerate(bars)]
        events = [token for token in tokens if tunes.is_event(token)]
        lengths.append(len(events))
        copied.append(longest_shared(events))
    row = {
        "full_bars": mean(full or [0]),
        "in_key": mean(in_key or [0]),
        "range": median(ranges),
        "repeated_bars": mean(again or [0]),
        "events": median(lengths),
        "copied": median(copied),
    }
    return row | chorales.measures(found) if any(map(tunes.has_voices, found)) else row


def shared_with(training):
    """A function from the events of a tune to the longest run of them in one training tune."""
    events = [[token for token in tune if tunes.is_event(token)] for tune in training]

    @functools.cache
    def runs(length):
        return {hash(run) for tune in events for run in _runs(tune, length)}

    def longest(tune):
        low, high = 0, len(tune)
        while low < high:  # what has a long run has all shorter ones
            middle = (low + high + 1) // 2
            if any(hash(run) in runs(middle) for run in _runs(tune, middle)):
                low = middle
            else:
                high = middle - 1
        return low

    return longest


def _runs(tune, length):
    return (tuple(tune[i : i + length]) for i in range(len(tune) - length + 1))


def style_classifier(training, styles):
    """Tells styles by the runs of one to three tokens that a tune has: a fitted scikit-learn model.

    Args:
        training: Real tunes, lists of tokens.
        styles: Of each.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    vectors = TfidfVectorizer(analyzer=_up_to_three, min_df=2, sublinear_tf=True)
    return make_pipeline(vectors, LogisticRegression(C=10, max_iter=1_000)).fit(training, styles)


def _up_to_three(tokens):
    return [run for length in (1, 2, 3) for run in _runs(tokens, length)]
