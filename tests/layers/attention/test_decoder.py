"""The decoder: attention, states, tied embeddings, scheduled sampling and errors."""

import keras
import numpy as np
import pytest
from helpers import assert_close, normal, to_numpy

from keras_seq import cells, layers
from keras_seq._internal.errors import InputError
from keras_seq.text import TextEncoder

ENCODER = TextEncoder("abcd", "char", end=True)
IDS = ENCODER.encode_batch(["abcd", "ba"], start=True).ids
MEMORY, SUMMARY = normal(2, 3, 6, seed=1), normal(2, 5, seed=2)
MASK = np.array([[True, True, True], [True, False, False]])


def make(cell="LSTM", units=6, embedding=4, **options):
    keras.utils.set_random_seed(0)
    embed = layers.TokenEmbedding(ENCODER, embedding)
    return layers.Decoder(embed, cell, units, **{"dropout": 0.0, **options})


OPTIONS = {
    "general": {},
    "additive": {"attention": "additive", "num_layers": 2, "tie_embeddings": True},
    "dot": {"attention": "dot", "cell": "GRU", "input_feeding": True},
    "none": {"attention": None, "num_layers": 2, "tie_embeddings": True},
    "class of a cell": {"cell": cells.LSTMCell, "num_layers": 2},
    "function": {"cell": lambda units: cells.GRUCell(units, use_bias=False), "num_layers": 2},
    "of Keras": {"cell": keras.layers.GRU},
}
ALL = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


@ALL
@pytest.mark.usefixtures("eagerly")
def test_steps_equal_one_call(options):
    decoder = make(**options)
    logits = to_numpy(decoder(IDS, MEMORY, SUMMARY, MASK))
    state, memory = decoder.initial_state(MEMORY, SUMMARY, MASK)
    together, weights = decoder.call_sequence(IDS, state, memory)
    assert_close([to_numpy(together)], [logits])
    for time in range(IDS.shape[1]):
        one, attention, state = decoder.step(IDS[:, time], state, memory)
        assert_close([to_numpy(one)], [logits[:, time]], 1e-5)
        if decoder.attention is None:
            assert attention is weights is None
        else:
            assert_close([to_numpy(attention)], [to_numpy(weights)[:, time]], 1e-5)
    widths = [[array.shape[-1] for array in layer] for layer in state]
    fed = [decoder.attention_cell.units] if decoder.input_feeding else []
    assert widths == [*decoder.state_sizes[:-1], decoder.state_sizes[-1] + fed]


@ALL
def test_configuration(options):
    decoder = make(**options)
    config = keras.saving.serialize_keras_object(decoder)
    config.pop("build_config", None)
    again = keras.saving.deserialize_keras_object(config)
    results = []
    for one in (decoder, again):
        one(IDS, MEMORY, SUMMARY)
        if one is again:
            one.set_weights(decoder.get_weights())
        results.append(to_numpy(one(IDS, MEMORY, SUMMARY, MASK)))
    assert_close(*results)


def test_masked_memory_has_no_influence():
    decoder, other = make(), MEMORY.copy()
    other[1, 1:] = 9
    results = [to_numpy(decoder(IDS, memory, SUMMARY, MASK)) for memory in (MEMORY, other)]
    assert_close(*results)
    unmasked = [to_numpy(decoder(IDS, memory, SUMMARY)) for memory in (MEMORY, other)]
    assert np.abs(unmasked[0] - unmasked[1]).max() > 1e-3


def test_tied_embeddings_share_one_weight():
    for attention in ("general", None):
        decoder = make(attention=attention, tie_embeddings=True)
        before = to_numpy(decoder(IDS, MEMORY, SUMMARY))
        vocabulary = [w for w in decoder.weights if ENCODER.vocab_size in w.shape]
        assert len(vocabulary) == 1
        # The second text does not read the last token: only its logit changes.
        row = [[0]] * (ENCODER.vocab_size - 1) + [[1]]
        vocabulary[0].assign(to_numpy(vocabulary[0]) + np.float32(row))
        again = to_numpy(decoder(IDS, MEMORY, SUMMARY))
        changed = np.abs(again[1] - before[1]).max(axis=0) > 1e-5
        assert changed[-1] and not changed[:-1].any()


@pytest.mark.slow
def test_dropout_in_training_only():
    decoder = make(dropout=0.5, num_layers=2)
    once, again = (to_numpy(decoder(IDS, MEMORY, SUMMARY)) for _ in range(2))
    assert_close(once, again)
    once, again = (to_numpy(decoder(IDS, MEMORY, SUMMARY, training=True)) for _ in range(2))
    assert np.abs(once - again).max() > 1e-3


@pytest.mark.usefixtures("eagerly")
def test_scheduled_sampling():
    """In training a growing fraction of the inputs are the most likely predictions."""
    decoder = make(sampling=layers.ScheduledSampling(1.0, ramp_steps=2))
    plain = to_numpy(decoder(IDS, MEMORY, SUMMARY))
    replaced = IDS.copy()
    replaced[:, 1:] = plain.argmax(axis=-1)[:, :-1]
    replaced[IDS == 0] = 0
    expected = to_numpy(decoder(replaced, MEMORY, SUMMARY))
    half, whole = (to_numpy(decoder(IDS, MEMORY, SUMMARY, training=True)) for _ in range(2))
    np.testing.assert_allclose(whole, expected, atol=1e-5)
    assert np.abs(half - expected).max() > 1e-3
    np.testing.assert_allclose(to_numpy(decoder(IDS, MEMORY, SUMMARY)), plain, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make(attention="Luong"), "There is no attention 'Luong'"),
        (lambda: make(attention=None, input_feeding=True), "input_feeding needs attention"),
        (lambda: make(num_layers=0), "`num_layers` must be an integer of at least 1, got 0"),
        (lambda: make("LSTMs"), "There is no recurrent layer 'LSTMs'"),
        (lambda: layers.Decoder(keras.layers.Dense(3)), "or have a vocab_size"),
        (
            lambda: layers.Decoder(layers.OneHotTokens(7), tie_embeddings=True),
            "tie_embeddings needs an embedding",
        ),
        (
            lambda: make(units=4, attention="dot")(IDS, MEMORY, SUMMARY),
            "a memory of 4 features, as many as units, got 6",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
