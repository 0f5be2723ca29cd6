"""Beam search against enumeration of all sequences, against greedy, and on small chains."""

import functools

import numpy as np
import pytest
from helpers import BACKEND, to_numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq.decoding import beam_search, greedy

END, BATCH = 1, 2
EXAMPLES = 40 if BACKEND == "tensorflow" else 10


def compiled(function):
    """Compile a function, which makes many calls fast."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.function(function, autograph=False)
    if BACKEND == "jax":
        import jax

        return jax.jit(function)
    return lambda *arrays: function(*map(ops.convert_to_tensor, arrays))


# In this model every token depends on all tokens before: a tree, stored like a heap. The row of a
# node has the log probabilities of the next token. Its children come in the order of the tokens.


def tree(tables):
    """Return step, initial state and start token for tables `(examples, nodes, tokens)`."""
    _, nodes, tokens = tables.shape
    rows = ops.reshape(tables, (-1, tokens))

    def step(token, state):
        node = state["node"] * tokens + 1 + token
        return ops.take(rows, state["first"] + node, axis=0), {**state, "node": node}

    first = nodes * ops.arange(ops.shape(tables)[0], dtype="int32")
    # From node -1 the last token leads to the root.
    return step, {"first": first, "node": ops.full_like(first, -1)}, tokens - 1


def num_nodes(tokens, max_length):
    return sum(tokens**level for level in range(max_length))


def all_hypotheses(table, max_length, penalty, coverage=lambda node: 0.0):
    """Return all sequences with their scores, in float64, by the definition."""
    actual, tokens = {}, table.shape[1]

    def extend(prefix, node, log_p):
        for token in range(tokens):
            sequence, p = (*prefix, token), log_p + float(table[node, token])
            if token == END or len(sequence) == max_length:
                actual[sequence] = p / ((5 + len(sequence)) / 6) ** penalty + coverage(node)
            else:
                extend(sequence, node * tokens + 1 + token, p)

    extend((), 0, 0.0)
    return {sequence: score for sequence, score in actual.items() if score > -np.inf}


def remove_padding(row):
    """Return the tokens of a row up to the end token."""
    row = row.tolist()
    if END not in row:
        return tuple(row)
    length = row.index(END) + 1
    assert not any(row[length:])
    return tuple(row[:length])


def assert_best(every, sequences, scores):
    """Check that sequences are the best hypotheses, best first, and zeros after them."""
    best = sorted(every.values(), reverse=True)[: len(scores)]
    best += [-np.inf] * (len(scores) - len(best))
    np.testing.assert_allclose(scores, best, atol=1e-4)
    reported = [remove_padding(row) for row, s in zip(sequences, scores) if s > -np.inf]
    # Hypotheses with equal scores may come in any order.
    np.testing.assert_allclose(
        [every[sequence] for sequence in reported], best[: len(reported)], atol=1e-4
    )
    assert len(set(reported)) == len(reported)
    assert not sequences[len(reported) :].any()


@st.composite
def tables(draw, tokens, max_length):
    """Draw log probabilities: sharp or flat, some equal, some minus infinity."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    logits = random.normal(size=(BATCH, num_nodes(tokens, max_length), tokens))
    logits = logits * draw(st.sampled_from([0.1, 1, 5]))
    if draw(st.booleans()):
        logits = np.round(logits)
    logits -= np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    logits[random.random(logits.shape) < draw(st.sampled_from([0, 0.3]))] = -np.inf
    return logits.astype("float32")


PENALTIES = st.sampled_from([0.0, 0.6, 1.0, 3.0, -1.0]) | st.floats(-2, 2, width=32)


@functools.cache
def make_search(max_length, **options):
    def run(tables, penalty):
        step, state, start = tree(tables)
        common = {"start_id": start, "end_id": END, "max_length": max_length}
        actual = beam_search(step, state, length_penalty=penalty, **common, **options)
        return *actual, *greedy(step, state, **common)

    run = compiled(run)
    return lambda tables, penalty: to_numpy(run(tables, np.float32(penalty)))


# These beams are so wide that no candidate is pruned before the last step. All are wider than the
# vocabulary, and the last is wider than the number of hypotheses.
@pytest.mark.parametrize(
    ("tokens", "max_length", "options"),
    [
        (3, 4, {"beam_width": 12}),
        (6, 3, {"beam_width": 30, "n_best": 3}),
        (2, 6, {"beam_width": 3, "n_best": 1}),
        (3, 2, {"beam_width": 10}),
    ],
)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_a_wide_beam_finds_the_best_of_all_sequences(tokens, max_length, options, data):
    table, penalty = data.draw(tables(tokens, max_length)), data.draw(PENALTIES)
    sequences, scores, *_ = make_search(max_length, **options)(table, penalty)
    for example in range(BATCH):
        every = all_hypotheses(table[example], max_length, penalty)
        assert_best(every, sequences[example], scores[example])


def test_a_wide_beam_finds_the_best_of_thousands_of_sequences():
    logits = np.random.default_rng(0).normal(size=(BATCH, num_nodes(6, 6), 6)) * 2
    table = (logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))).astype("float32")
    sequences, scores, *_ = make_search(6, beam_width=6 * 5**4, n_best=50)(table, 0.8)
    for example in range(BATCH):
        every = all_hypotheses(table[example], 6, 0.8)
        assert len(every) == 781 + 6 * 5**5
        assert_best(every, sequences[example], scores[example])


@pytest.mark.parametrize("beam_width", [1, 2, 3])
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_never_worse_than_greedy(beam_width, data):
    table, penalty = data.draw(tables(5, 4)), data.draw(PENALTIES)
    actual = make_search(4, beam_width=beam_width)(table, penalty)
    for sequences, scores, _, tokens, log_probs in zip(*actual):
        length = len(remove_padding(tokens)) if np.isfinite(log_probs).all() else 4
        greedy_score = log_probs.sum() / ((5 + length) / 6) ** penalty
        assert scores[0] >= greedy_score - 1e-5
        if beam_width == 1 and greedy_score > -np.inf:
            np.testing.assert_array_equal(sequences[0], tokens)
            np.testing.assert_allclose(scores[0], greedy_score, atol=1e-5)


@pytest.mark.parametrize("beam_width", [1, 2])
@settings(max_examples=60)
@given(data=st.data())
def test_an_optimal_sequence_is_the_best_of_all(beam_width, data):
    table, penalty = data.draw(tables(3, 4)), data.draw(PENALTIES)
    _, scores, is_optimal, *_ = make_search(4, beam_width=beam_width)(table, penalty)
    for example in np.flatnonzero(is_optimal):
        best = max(all_hypotheses(table[example], 4, penalty).values(), default=-np.inf)
        np.testing.assert_allclose(scores[example, 0], best, atol=1e-4)


# Chains: a token depends on the one before only.


def chain(size, **after):
    """Return the step of a Markov chain {token: {next token: probability}}."""
    table = np.zeros((size, size), "float32")
    for token, probabilities in after.items():
        for following, p in probabilities.items():
            table[int(token[1:]), following] = p
    with np.errstate(divide="ignore"):
        table = np.log(table)

    def step(tokens, state):
        return ops.take(ops.convert_to_tensor(table), tokens, axis=0), {"steps": state["steps"] + 1}

    return step


def search(step, beam_width, rows=1, start_id=2, max_length=5, **options):
    state = {"steps": ops.zeros((rows,), "int32")}
    common = {"start_id": start_id, "end_id": END, "max_length": max_length}
    return to_numpy(beam_search(step, state, beam_width=beam_width, **common, **options))


def test_the_greedy_hypothesis_is_kept_when_others_are_ahead():
    """After 3, the greedy token, come four equal tokens; after 4, two that end up worse."""
    step = chain(
        11,
        _2={3: 0.4, 4: 0.3, 5: 0.1, 6: 0.1, 7: 0.1},
        _3={5: 0.28, 6: 0.24, 7: 0.24, 8: 0.24},
        _4={9: 0.5, 10: 0.5},
        **{f"_{n}": {END: 1.0} for n in (5, 6, 7, 8)},
        **{f"_{n}": {5: 0.25, 6: 0.25, 7: 0.25, 8: 0.25} for n in (9, 10)},
    )
    sequences, scores, _ = search(step, beam_width=2)
    # After two tokens the best two begin with 4 and have 0.15 each. They end up with 0.0375.
    np.testing.assert_array_equal(sequences[0, 0], [3, 5, END, 0, 0])
    np.testing.assert_allclose(np.exp(scores[0]), [0.4 * 0.28, 0.3 * 0.5 * 0.25], rtol=1e-5)


ENDING = {"_2": {END: 0.6, 3: 0.4}, "_3": {3: 0.5, 4: 0.5}, "_4": {3: 0.5, 4: 0.5}}
"""The empty sequence is more likely than any other."""


def naive_search(step, beam_width, max_length):
    """Return the result of a beam search that keeps scoring after the end token."""
    beam = [((), 0.0)]
    for _ in range(max_length):
        last = ops.convert_to_tensor([s[-1] if s else 2 for s, _ in beam], "int32")
        log_probs, _ = step(last, {"steps": last})
        candidates = [
            ((*sequence, token), total + log_p)
            for (sequence, total), row in zip(beam, to_numpy(log_probs))
            for token, log_p in enumerate(row)
        ]
        beam = sorted(candidates, key=lambda pair: -pair[1])[:beam_width]
    return beam[0]


def test_finished_hypotheses_are_not_lost():
    step = chain(5, **ENDING, _1=dict.fromkeys(range(5), 0.2))
    lost, log_p = naive_search(step, 2, 5)
    assert END not in lost and np.exp(log_p) == pytest.approx(0.4 * 0.5**4)
    sequences, scores, _ = search(step, beam_width=2, n_best=3)
    np.testing.assert_array_equal(sequences[0, 0], [END, 0, 0, 0, 0])
    # A finished hypothesis frees its place in the beam.
    np.testing.assert_allclose(np.exp(scores[0]), [0.6, *[0.4 * 0.5**4] * 2], rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        # After one step the pool has 0.9, the beam 0.1; after two, the pool has 0.09 too.
        ({"n_best": 1}, 1),
        ({"n_best": 2}, 2),
        # log(0.1) over 55 / 6, for 50 tokens, is still less than log(0.9) of one token.
        ({"n_best": 1, "length_penalty": 1.0}, 1),
        # log(0.1) over (55 / 6) ** 1.5 is more, but log(0.01) is less.
        ({"n_best": 1, "length_penalty": 1.5}, 2),
        ({"n_best": 1, "length_penalty": -1.0}, 1),
    ],
)
def test_the_search_stops_when_no_hypothesis_can_win(options, steps):
    """Steps after the limit return log probabilities of 100, which would show in the scores."""
    plain = chain(3, _2={END: 0.9, 2: 0.1}, _1={END: 1.0})

    def search_with(limit):
        def step(tokens, state):
            log_probs, after = plain(tokens, state)
            return ops.where(state["steps"][:, None] < limit, log_probs, 100.0), after

        return search(step, beam_width=2, max_length=50, **options)[1].max()

    assert search_with(steps) < 0 < search_with(steps - 1)


@pytest.mark.parametrize(
    ("penalty", "after_two", "after_three", "best"),
    [
        # log(0.4) is more than log(0.25) over 7 / 6, squared, but less than that over 10 / 6.
        (2.0, {END: 0.4, 3: 0.25}, {3: 1.0}, [3, 3, 3, 3, 3]),
        # log(0.45) is more than log(0.55) times 10 / 6, but less than log(0.55) times 7 / 6.
        (-1.0, {END: 0.45, 3: 0.55}, {END: 1.0}, [3, END, 0, 0, 0]),
    ],
)
def test_the_search_continues_while_a_hypothesis_can_win(penalty, after_two, after_three, best):
    step = chain(4, _2=after_two, _3=after_three)
    sequences, *_ = search(step, beam_width=2, n_best=1, length_penalty=penalty)
    np.testing.assert_array_equal(sequences[0, 0], best)


def test_examples_of_a_batch_are_independent():
    """One example finishes at once, others go on; each has its own start token."""
    step = chain(5, _2={END: 0.9, 3: 0.1}, _3={4: 1.0}, _4={3: 0.7, END: 0.3})
    sequences, scores, _ = search(step, 2, rows=3, start_id=np.array([2, 4, 3]))
    for start, actual, score in zip([2, 4, 3], sequences, scores):
        alone = search(step, 2, start_id=start)
        np.testing.assert_array_equal(actual, alone[0][0])
        np.testing.assert_allclose(score, alone[1][0], rtol=1e-6)
    np.testing.assert_array_equal(
        sequences[:, 0], [[END, 0, 0, 0, 0], [3, 4, 3, 4, 3], [4, 3, 4, 3, 4]]
    )


@pytest.mark.parametrize(
    ("end", "penalty", "is_optimal"),
    [
        (0.55, 0.0, True),
        # The greedy sequence has 0.55 * 0.6, the empty one more.
        (0.45, 0.0, False),
        # log(0.45) over 10 / 6, for five tokens, is more than log(0.55) of one token.
        (0.55, 1.0, False),
        (0.8, 1.0, True),
    ],
)
def test_is_optimal(end, penalty, is_optimal):
    step = chain(4, _2={END: end, 3: 1 - end}, _3={END: 0.6, 3: 0.4})
    result = search(step, 1, length_penalty=penalty)
    assert result.is_optimal.tolist() == [is_optimal]


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_each_example_has_its_own_max_length(penalty):
    step = chain(5, _2={3: 0.6, 4: 0.3, END: 0.1}, _3={3: 0.5, 4: 0.5}, _4={3: 0.8, END: 0.2})
    options = {"length_penalty": penalty}
    together = search(step, 3, rows=3, max_lengths=[1, 4, 5], **options)
    for row, limit in enumerate([1, 4, 5]):
        sequences, scores, is_optimal = search(step, 3, max_length=limit, **options)
        padding = [(0, 0), (0, 0), (0, 5 - limit)]
        # Sequences with equal scores may come in any order.
        alone = np.pad(sequences, padding)[0]
        assert sorted(together[0][row].tolist()) == sorted(alone.tolist())
        np.testing.assert_allclose(together[1][row], scores[0], rtol=1e-6)
        assert together.is_optimal[row] == is_optimal[0]


@pytest.mark.parametrize("what", ["min_length", "suppress_tokens", "coverage"])
def test_min_length_suppressed_tokens_and_coverage(what):
    """Each equals a change of the tables, or of the scores of all hypotheses."""
    logits = np.random.default_rng(5).normal(size=(BATCH, num_nodes(4, 4), 4))
    table = (logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))).astype("float32")
    changed, coverage = table.copy(), lambda node: 0.0
    options = {"min_length": 3}
    if what == "min_length":
        changed[:, : num_nodes(4, 2), END] = -np.inf
    elif what == "suppress_tokens":
        options = {"suppress_tokens": (0, 3)}
        changed[:, :, [0, 3]] = -np.inf
    else:
        options = {"coverage": lambda state: -ops.cast(state["node"] % 7, "float32")}
        coverage = lambda node: -float(node % 7)  # noqa: E731
    # Coverage reorders the candidates of the last step, so that the beam must hold all of them.
    sequences, scores, *_ = make_search(4, beam_width=108, n_best=20, **options)(table, 0.5)
    for example in range(BATCH):
        every = all_hypotheses(changed[example], 4, 0.5, coverage)
        assert_best(every, sequences[example], scores[example])


@pytest.mark.skipif(BACKEND != "tensorflow", reason="exports from TensorFlow")
def test_in_a_saved_model_for_any_batch_and_length(tmp_path):
    import tensorflow as tf

    @tf.function(
        autograph=False,
        input_signature=[tf.TensorSpec([None, num_nodes(3, 4), 3]), tf.TensorSpec([], tf.int32)],
    )
    def run(tables, max_length):
        step, state, start = tree(tables)
        common = {"start_id": start, "end_id": END, "max_length": max_length}
        return beam_search(step, state, beam_width=4, length_penalty=1.0, **common)

    module = tf.Module()
    module.run = run
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    table = np.random.default_rng(1).normal(size=(3, num_nodes(3, 4), 3)).astype("float32") - 4
    for rows, max_length in ((1, 4), (3, 2)):
        expected = run.python_function(tf.constant(table[:rows]), max_length)
        actual = loaded.run(table[:rows], max_length)
        np.testing.assert_array_equal(actual[0], expected[0])
        np.testing.assert_allclose(actual[1], expected[1], rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam_width": 0}, "beam_width must be an integer of at least 1, got 0"),
        ({"beam_width": 2, "max_length": 0}, "max_length must be an integer of at least 1, got 0"),
        ({"beam_width": 2, "n_best": -1}, "n_best must be an integer of at least 1, got -1"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(InputError, match=message):
        search(chain(3), **options)
