"""Converted weights, compared to the equations of TensorFlow Addons in float64 NumPy.

TensorFlow Addons itself cannot be imported next to Keras 3. Its equations are written here from
its documentation: the weights have its shapes and names.
"""

from itertools import pairwise, product

import keras
import numpy as np
import pytest
import reference
from helpers import normal, to_numpy
from keras import ops

from keras_seq import cells, layers, migration
from keras_seq._internal.errors import InputError

BATCH, STEPS, FEATURES, UNITS, TAGS = 3, 4, 5, 6, 3
MEMORY_STEPS, MEMORY = 4, 7
LENGTHS = [4, 2, 1]
MASK = np.arange(4) < np.array(LENGTHS)[:, None]


def assert_near(actual, expected):
    np.testing.assert_allclose(to_numpy(actual), expected, rtol=0, atol=2e-6)


# Peephole LSTM.


@pytest.mark.parametrize("use_bias", [True, False])
def test_peephole_lstm(use_bias):
    shapes = [(FEATURES, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,), *[(UNITS,)] * 3]
    weights = [normal(*shape, seed=n) for n, shape in enumerate(shapes)]
    if not use_bias:
        del weights[2]
    x = normal(BATCH, STEPS, FEATURES, seed=9)
    cell = migration.convert_peephole_lstm(weights)
    y, h, c = layers.RNN(cell, return_sequences=True, return_state=True)(x, mask=MASK)
    expected = reference.run("DiagonalPeepholeLSTM", weights, x, mask=MASK)
    assert_near(y, expected.outputs)
    assert_near([h, c], expected.states)
    assert_near(
        keras.layers.RNN(cell)(x), reference.run("DiagonalPeepholeLSTM", weights, x).last_output
    )


def test_wrong_number_of_peephole_weights_raises_an_error():
    with pytest.raises(InputError, match="got 3"):
        migration.convert_peephole_lstm([np.ones((2, 8)), np.ones((2, 8)), np.ones(8)])


# CRF.


def chains(potentials, transitions):
    """Yield each chain of tags of a sequence, and its score without boundaries."""
    for tags in product(range(TAGS), repeat=len(potentials)):
        score = sum(p[tag] for p, tag in zip(potentials, tags))
        yield tags, score + sum(transitions[pair] for pair in pairwise(tags))


@pytest.mark.parametrize("boundary", [True, False])
@pytest.mark.parametrize(("use_kernel", "use_bias"), [(True, True), (True, False), (False, False)])
def test_crf(boundary, use_kernel, use_bias):
    features = FEATURES if use_kernel else TAGS
    old = {"chain_kernel": 2 * normal(TAGS, TAGS, seed=1)}
    if boundary:
        old |= {
            f"{side}_boundary": 2 * normal(TAGS, seed=n) for n, side in ((2, "left"), (3, "right"))
        }
    if use_kernel:
        old["kernel"] = 2 * normal(FEATURES, TAGS, seed=4)
    if use_bias:
        old["bias"] = 2 * normal(TAGS, seed=5)
    x, tags = 2 * normal(BATCH, STEPS, features, seed=6), np.array([[0, 2, 1, 1]] * BATCH)

    crf = migration.convert_crf(**old)
    scores = crf(x, mask=ops.convert_to_tensor(MASK))
    likelihoods, marginals = crf.log_likelihood(scores, tags), to_numpy(crf.marginals(scores))
    best, best_score = to_numpy(crf.decode(scores))
    for row, length in enumerate(LENGTHS):
        potentials = x[row, :length].astype("float64") @ old.get("kernel", np.eye(TAGS))
        potentials += old.get("bias", 0)
        # TensorFlow Addons adds the boundaries to the potentials of the first and last step.
        potentials[0] += old.get("left_boundary", 0)
        potentials[-1] += old.get("right_boundary", 0)
        all_scores = dict(chains(potentials, old["chain_kernel"]))
        log_norm = np.log(sum(map(np.exp, all_scores.values())))
        assert_near(likelihoods[row], all_scores[tuple(tags[row, :length])] - log_norm)
        winner = max(all_scores, key=all_scores.get)
        assert tuple(best[row, :length]) == winner
        assert_near(best_score[row], all_scores[winner])
        expected = np.zeros((length, TAGS))
        for chain, score in all_scores.items():
            expected[range(length), chain] += np.exp(score - log_norm)
        assert_near(marginals[row, :length], expected)


def test_what_the_functions_of_text_compute():
    """Test rows of docs/guides/from_addons.md: the norm, and chains within a bitmap of tags."""
    transitions = 2 * normal(TAGS, TAGS, seed=1)
    x, tags = 2 * normal(BATCH, STEPS, TAGS, seed=6), np.array([[0, 2, 1, 1]] * BATCH)
    bitmap = np.array([[1, 1, 0], [0, 1, 1], [1, 1, 1], [0, 1, 0]], bool)
    crf = migration.convert_crf(transitions)
    scores, within = ops.convert_to_tensor(x), np.where(bitmap, x, -1e9)
    best, best_score = crf.decode(scores, MASK)
    log_norm = to_numpy(best_score - crf.log_likelihood(scores, best, MASK))
    constrained, _ = to_numpy(crf.decode(within, MASK))
    multitag = to_numpy(
        crf.log_likelihood(scores, tags, MASK) - crf.log_likelihood(within, tags, MASK)
    )
    for row, length in enumerate(LENGTHS):
        every = dict(chains(x[row, :length], transitions))
        allowed = {t: s for t, s in every.items() if all(bitmap[range(length), t])}
        norms = [np.log(sum(map(np.exp, group.values()))) for group in (every, allowed)]
        assert_near(log_norm[row], norms[0])
        assert tuple(constrained[row, :length]) == max(allowed, key=allowed.get)
        assert_near(multitag[row], norms[1] - norms[0])


# Attention.


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def wrapper(cell_step, old, x, memory, activation):
    """Return attentions and alignments of a `tfa.seq2seq.AttentionWrapper` at all steps.

    Args:
        cell_step: Function of inputs and states; returns the new states, the output first.
        old: Weights by the names of arguments of `convert_attention`.
        x: `(batch, timesteps, features)`.
        memory: `(batch, memory steps, memory features)`.
        activation: Function of the attention layer.
    """
    values = memory * MASK[:, :, None]
    keys = values @ old["memory_kernel"]
    size = old["attention_kernel"].shape[1] if "attention_kernel" in old else MEMORY
    states, attention = None, np.zeros((BATCH, size))
    attentions, alignments = [], []
    for t in range(STEPS):
        states = cell_step(np.concatenate([x[:, t], attention], axis=-1), states)
        query = states[0]
        if "attention_v" in old:
            v = old["attention_v"]
            if "attention_g" in old:
                v = old["attention_g"] * v / np.sqrt((v**2).sum())
            inner = keys + (query @ old["query_kernel"])[:, None] + old.get("attention_b", 0)
            score = (np.tanh(inner) * v).sum(axis=-1)
        else:
            score = old.get("attention_g", 1) * np.einsum("bu,bmu->bm", query, keys)
        weights = softmax(np.where(MASK, score, -1e30))
        context = np.einsum("bm,bmf->bf", weights, values)
        attention = context
        if "attention_kernel" in old:
            both = np.concatenate([query, context], axis=-1)
            attention = activation(both @ old["attention_kernel"])
        attentions.append(attention)
        alignments.append(weights)
    return np.stack(attentions, axis=1), np.stack(alignments, axis=1)


MECHANISMS = {
    "Luong": [],
    "Luong, scaled": ["attention_g"],
    "Bahdanau": ["query_kernel", "attention_v"],
    "Bahdanau, normalized": ["query_kernel", "attention_v", "attention_g", "attention_b"],
}


@pytest.mark.parametrize("layer", [None, "linear", "tanh"])
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_attention(mechanism, layer):
    key_units = 2 if "Bahdanau" in mechanism else UNITS
    size = MEMORY if layer is None else 4
    shapes = {
        "memory_kernel": (MEMORY, key_units),
        "query_kernel": (UNITS, key_units),
        "attention_v": (key_units,),
        "attention_g": (),
        "attention_b": (key_units,),
        "attention_kernel": (UNITS + MEMORY, size),
    }
    names = ["memory_kernel", *MECHANISMS[mechanism], *["attention_kernel"] * (layer is not None)]
    old = {name: 3 * normal(*shapes[name], seed=n) for n, name in enumerate(names)}
    lstm = [normal(*s, seed=9) for s in ((FEATURES + size, 4 * UNITS), (UNITS, 4 * UNITS))]
    lstm.append(normal(4 * UNITS, seed=10))
    x, memory = (
        normal(BATCH, STEPS, FEATURES, seed=11),
        normal(BATCH, MEMORY_STEPS, MEMORY, seed=12),
    )

    cell, to_keys = migration.convert_attention(
        cells.LSTMCell(UNITS), lstm, **old, attention_activation=layer
    )
    memory_tensor = ops.convert_to_tensor(memory)
    start = cell.initial_state(memory_tensor, to_keys(memory_tensor), ops.convert_to_tensor(MASK))
    attentions = keras.layers.RNN(cell, return_sequences=True)(x, initial_state=start)
    vectors, weights = cell.call_sequence(ops.convert_to_tensor(x), start)

    def lstm_step(inputs, states):
        zeros = (np.zeros((BATCH, UNITS)),) * 2
        return reference.LSTM.forward(lstm, inputs, states or zeros)[0]

    activation = np.tanh if layer == "tanh" else lambda a: a
    expected, alignments = wrapper(lstm_step, old, x, memory, activation)
    assert_near(attentions, expected)
    assert_near(vectors, expected)
    assert_near(weights, alignments)


def test_query_kernel_without_attention_v_raises_an_error():
    with pytest.raises(
        InputError, match="both query_kernel and attention_v, or neither; got only query_kernel"
    ):
        migration.convert_attention(
            cells.LSTMCell(2), [], np.ones((2, 2)), query_kernel=np.ones((2, 2))
        )
