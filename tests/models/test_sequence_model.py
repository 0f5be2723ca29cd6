"""A tagger that starts from what a language model has learnt."""

import numpy as np
import pytest
from helpers import to_numpy

from keras_seq._internal.errors import InputError
from keras_seq.models import SequenceGenerator, SequenceTagger

SMALL = {"embedding": 5, "units": 3, "split": "words"}


def test_takes_embedding_and_weights():
    learnt = SequenceGenerator(["a", "b", "c"], **SMALL)
    ours = SequenceTagger(["z", "b", "a"], ["X"], letters=None, **SMALL)
    assert ours.start_from(learnt) == (2, True)
    for token in "ab":
        rows = [
            to_numpy(model.token_embedding.embeddings)[model.encoder.number(token)]
            for model in (ours, learnt)
        ]
        np.testing.assert_array_equal(*rows)
    for mine, theirs in zip(ours.first_recurrent.cell.weights, learnt.first_recurrent.cell.weights):
        np.testing.assert_array_equal(to_numpy(mine), to_numpy(theirs))
    with pytest.raises(InputError, match="no embedding to start from"):
        ours.start_from(SequenceGenerator(["a"], **SMALL | {"embedding": None}))
