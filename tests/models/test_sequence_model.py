"""What models of text start from: vectors, or what another model has learnt."""

import numpy as np
import pytest
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq.models import SequenceClassifier, SequenceGenerator

SMALL = {"embedding": 5, "units": 3, "split": "words"}


def weights(model):
    return [ops.convert_to_numpy(weight) for weight in model.first_recurrent.cell.weights]


def vectors(model, tokens):
    table = ops.convert_to_numpy(model.get_layer("embedding").embeddings)
    return np.array([table[model._tokens.number(token)] for token in tokens])


@pytest.mark.parametrize("bidirectional", [True, False])
def test_takes_what_a_language_model_has_learnt(bidirectional):
    learnt = SequenceGenerator(["a", "b", "c"], **SMALL)
    ours = SequenceClassifier(
        ["z", "b", "a"],
        ["no", "yes"],
        bigrams=[("a", "b")],
        bigram_embedding=2,
        bidirectional=bidirectional,
        **SMALL,
    )
    unknown, kernel = vectors(ours, "z"), weights(ours)[0]
    assert ours.start_from(learnt) == (2, True)
    np.testing.assert_array_equal(vectors(ours, "ab"), vectors(learnt, "ab"))
    np.testing.assert_array_equal(vectors(ours, "z"), unknown)
    found, expected = weights(ours), weights(learnt)
    np.testing.assert_array_equal(found[0][:5], expected[0])
    np.testing.assert_array_equal(found[0][5:], kernel[5:])
    for ours_, theirs in zip(found[1:], expected[1:]):
        np.testing.assert_array_equal(ours_, theirs)


def test_takes_the_embedding_alone_where_the_cells_differ():
    learnt = SequenceGenerator(["a"], **SMALL)
    ours = SequenceClassifier(["a"], ["no", "yes"], **SMALL | {"units": 4})
    before = weights(ours)
    assert ours.start_from(learnt) == (1, False)
    np.testing.assert_array_equal(vectors(ours, "a"), vectors(learnt, "a"))
    for now, then in zip(weights(ours), before):
        np.testing.assert_array_equal(now, then)


def test_says_what_cannot_be_taken():
    ours = SequenceClassifier(["a"], ["no", "yes"], **SMALL)
    for arguments, message in (
        ({"vocabulary": ["b"]}, "knows none of the tokens"),
        ({"embedding": None}, "no embedding to start from"),
        ({"embedding": 7}, "vectors of 7 numbers, but the embedding has 5"),
    ):
        learnt = SequenceGenerator(**{"vocabulary": ["a"], **SMALL, **arguments})
        with pytest.raises(InputError, match=message):
            ours.start_from(learnt)
