"""Fit of the weights with which a count model ranks the hypotheses of a `Seq2Seq`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_seq._internal.errors import InputError, check_list
from keras_seq.layers.text.joint_ngrams import INITIAL_WEIGHTS
from keras_seq.layers.text.log_linear import fit_log_linear
from keras_seq.text.encoder import Text

if TYPE_CHECKING:
    from keras_seq.models.seq2seq import Seq2Seq

BEAM_WIDTH = 10
"""Number of hypotheses per text."""
MAX_TEXTS = 4_000
"""Largest number of texts to which the weights are fitted."""
ABSENT = -1e6
"""Score in place of a hypothesis that does not exist."""


def fit_ranking(
    model: Seq2Seq, texts: Sequence[Text], references: Sequence[Sequence[str]], batch_size: int
) -> None:
    """Fit the weights of network and count model, see `Seq2Seq.fit_interpolation`."""
    layer = model.count_model
    if layer is None:
        raise InputError(f"{model.name} has no count model: create it with count_model.")
    check_list(texts, "texts")
    if not len(texts) or len(texts) != len(references):
        raise InputError(
            "fit_interpolation() needs at least one text, and references for each, got "
            f"{len(texts)} texts and {len(references)} lists of references."
        )
    rows = np.random.default_rng(0).permutation(len(texts))[:MAX_TEXTS]
    scores = []
    for weights in np.eye(2):  # the network alone, and the counts alone
        layer.mixture_weights.assign(weights)
        n_best_lists = model.translate_n_best(
            [texts[row] for row in rows],
            n_best=BEAM_WIDTH,
            beam_width=BEAM_WIDTH,
            batch_size=batch_size,
        )
        # Different tokens can have the same text: the best of them counts.
        scores.append([{t.text: t.score for t in reversed(n_best)} for n_best in n_best_lists])
    features, targets = [], []
    for row, by_network, by_counts in zip(rows, *scores, strict=True):
        correct = [text in references[row] for text in by_network]
        if any(correct):  # otherwise no weights are right
            values = [[by_network[text], by_counts[text]] for text in by_network]
            # The correct hypothesis with the largest sum is the target.
            targets.append(max(np.flatnonzero(correct), key=lambda i: sum(values[i])))
            padding = [[ABSENT, ABSENT]] * (BEAM_WIDTH - len(values))
            features.append([*values, *padding])
    groups = np.zeros(len(targets), int)
    array = np.array(features, "float64").reshape(-1, BEAM_WIDTH, 2)
    [fitted] = fit_log_linear(
        array.transpose(2, 0, 1), np.array(targets, int), groups, 1, np.array(INITIAL_WEIGHTS)
    )
    layer.mixture_weights.assign(fitted)
