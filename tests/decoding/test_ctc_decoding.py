"""CTC decoding: against enumeration of all alignments, and with scorers."""

import itertools

import numpy as np
import pytest

from keras_seq._internal.errors import InputError
from keras_seq.decoding import Lexicon, collapse, ctc_decode
from keras_seq.decoding.ctc_decoding import language_model_scorer
from keras_seq.text.alphabet import Alphabet


def log_probs(*shape, seed):
    logits = np.random.default_rng(seed).normal(size=shape)
    return (logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))).astype("float32")


def text_probabilities(matrix):
    """Return the probability of every text, summed over its alignments."""
    total = {}
    for path in itertools.product(range(matrix.shape[1]), repeat=len(matrix)):
        text = tuple(label for label, _ in itertools.groupby(path) if label)
        total[text] = total.get(text, 0) + np.exp(matrix[np.arange(len(matrix)), list(path)].sum())
    return total


def test_best_path_and_beam_search_on_sequences_of_different_lengths():
    sequences = [log_probs(3 + seed % 3, 3, seed=seed) for seed in range(12)]
    best_paths = [
        tuple(label for label, _ in collapse(matrix.argmax(axis=1))) for matrix in sequences
    ]
    assert ctc_decode(sequences) == best_paths
    best_texts = []
    for matrix in sequences:
        total = text_probabilities(matrix)
        best_texts.append(max(total, key=total.get))
    assert ctc_decode(sequences, beam_width=100) == best_texts != best_paths
    assert ctc_decode([]) == []


def test_scorers_add_up():
    log_p = np.log([[0.02, 0.96, 0.02], [0.96, 0.02, 0.02], [0.04, 0.5, 0.46]])
    assert ctc_decode([log_p], 8) == [(1, 1)]

    def no_repetition(prefixes):
        return np.array([[0.0, -9.0 if text[-1:] == (1,) else 0.0, 0.0] for text in prefixes])

    assert ctc_decode([log_p], scorers=[no_repetition]) == [(1, 2)]
    words = Lexicon(["b", "a"], "ab")
    assert ctc_decode([log_p], scorers=[no_repetition, words]) == [(1,)]
    longer = ctc_decode([log_p], scorers=[no_repetition], length_bonus=20.0)
    assert longer == [(1, 2, 1)]


class NoB:
    """Language model that excludes the character b."""

    def char_log_probs(self, texts, characters):
        self.texts = texts
        return np.array([[-1.0, *(-np.inf if c == "b" else -2.0 for c in characters)]])


def test_excluded_labels_stay_excluded_at_every_weight():
    model = NoB()
    for weight in (0.0, 0.5):
        score = language_model_scorer(model, Alphabet("ab"), weight)
        np.testing.assert_array_equal(score([(1, 1)]), [[-weight, -2 * weight, -np.inf]])
    assert model.texts == ["aa"]


def test_bad_arguments():
    with pytest.raises(InputError, match="beam_width must be an integer of at least 1, got 0"):
        ctc_decode([log_probs(3, 3, seed=0)], beam_width=0)
