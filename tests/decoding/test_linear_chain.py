"""Linear chains against the sum, and the best, of all paths."""

import itertools

import numpy as np
import pytest
from helpers import BACKEND, to_numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from keras import ops

from keras_seq.decoding import linear_chain
from keras_seq.scan import compiled

BATCH, TIMESTEPS = 2, 5


def all_paths(scores, chain, mask):
    """Every chain of one sequence with its score, in float64, written from the definition."""
    transitions, start, end = (np.asarray(a, "float64") for a in chain)
    steps = np.flatnonzero(mask)
    for path in itertools.product(range(len(start)), repeat=len(steps)):
        score = 0.0
        if path:
            score = start[path[0]] + end[path[-1]]
            score += sum(scores[t, tag] for t, tag in zip(steps, path))
            score += sum(transitions[pair] for pair in itertools.pairwise(path))
        yield path, score


def brute_force(scores, chain, mask):
    """log Z, the best score, the probability of each tag at each step."""
    paths, values = zip(*all_paths(scores, chain, mask))
    values = np.array(values, "float64")
    best = values.max()
    log_z = np.log(np.exp(values - best).sum()) + best
    marginals = np.zeros(scores.shape)
    for path, value in zip(paths, values):
        for t, tag in zip(np.flatnonzero(mask), path):
            marginals[t, tag] += np.exp(value - log_z)
    return log_z, best, marginals


@st.composite
def problems(draw):
    """Scores, a chain, a mask, some transitions forbidden but never all, and tags."""
    tags = draw(st.integers(1, 4))
    numbers = st.floats(-8, 8, width=32)

    def array(*shape):
        return draw(arrays.arrays("float32", shape, elements=numbers))

    scores = array(BATCH, TIMESTEPS, tags)
    transitions, start, end = array(tags, tags), array(tags), array(tags)
    forbidden = draw(arrays.arrays(bool, (tags, tags)))
    forbidden[:, 0] = forbidden[0] = False
    transitions[forbidden] = -np.inf
    mask = draw(arrays.arrays(bool, (BATCH, TIMESTEPS)))
    path = draw(arrays.arrays("int32", (BATCH, TIMESTEPS), elements=st.integers(0, tags - 1)))
    return scores, (transitions, start, end), mask, path


def tensors(*nest):
    return [
        [ops.convert_to_tensor(a) for a in item]
        if isinstance(item, tuple)
        else ops.convert_to_tensor(item)
        for item in nest
    ]


@settings(max_examples=25)
@given(problems())
def test_likelihood_marginals_and_viterbi_equal_all_paths(problem):
    check(problem)


@pytest.mark.slow
@settings(max_examples=100)
@given(problems())
def test_they_do_so_in_many_cases(problem):
    check(problem)


def check(problem):
    scores, chain, mask, path = problem
    given_scores, given_chain, given_mask, given_path = tensors(*problem)
    likelihood = to_numpy(
        linear_chain.log_likelihood(given_scores, given_chain, given_mask, given_path)
    )
    marginals = to_numpy(linear_chain.marginals(given_scores, given_chain, given_mask))
    decoded, best = to_numpy(linear_chain.viterbi(given_scores, given_chain, given_mask))
    with compiled.portable():  # as an exported model does it
        together = linear_chain.viterbi_and_marginals(given_scores, given_chain, given_mask)
    tags_together, marginals_together = to_numpy(list(together))
    np.testing.assert_allclose(marginals_together, marginals, atol=1e-6)
    for row in range(BATCH):
        here = mask[row]
        values = dict(all_paths(scores[row], chain, here))
        log_z, expected_best, expected = brute_force(scores[row], chain, here)
        value = values[tuple(path[row][here])] - log_z
        np.testing.assert_allclose(likelihood[row], value, rtol=1e-5, atol=2e-5)
        np.testing.assert_allclose(marginals[row], expected, atol=2e-5)
        np.testing.assert_allclose(best[row], expected_best, rtol=1e-5, atol=1e-5)
        # Of equally good chains any will do.
        for tags in (decoded[row], tags_together[row]):
            found = values[tuple(tags[here])]
            np.testing.assert_allclose(found, expected_best, rtol=1e-5, atol=1e-5)
            assert not tags[~here].any()


def value_and_gradients(scores, chain, mask, path):
    """The weighted sum of log likelihoods, and its gradients for scores and chain."""
    weights = np.array([1.0, -0.5, 2.0])
    inputs = [np.asarray(a, "float64") for a in (scores, *chain)]

    def total(scores, *chain):
        values = linear_chain.log_likelihood(
            scores, list(chain), ops.convert_to_tensor(mask), ops.convert_to_tensor(path)
        )
        return ops.sum(values * ops.convert_to_tensor(weights))

    if BACKEND == "tensorflow":
        import tensorflow as tf

        given = [tf.constant(a) for a in inputs]
        with tf.GradientTape() as tape:
            tape.watch(given)
            value = total(*given)
        found = tape.gradient(value, given)
    elif BACKEND == "torch":
        import torch

        given = [torch.tensor(a, requires_grad=True) for a in inputs]
        found = torch.autograd.grad(total(*given), given)
    else:
        import jax

        with jax.enable_x64(True):
            found = jax.grad(total, argnums=(0, 1, 2, 3))(*map(jax.numpy.array, inputs))

    def in_numpy(*arrays_):
        scores, *chain = arrays_
        likelihoods = [
            dict(all_paths(scores[row], chain, mask[row]))[tuple(path[row][mask[row]])]
            - brute_force(scores[row], chain, mask[row])[0]
            for row in range(len(scores))
        ]
        return np.dot(weights, likelihoods)

    return inputs, in_numpy, to_numpy(list(found))


def test_gradients_equal_finite_differences():
    rng = np.random.default_rng(5)
    scores = rng.normal(size=(3, 4, 3))
    chain = [rng.normal(size=shape) for shape in ((3, 3), 3, 3)]
    mask = np.array([[1, 1, 1, 1], [0, 1, 0, 1], [0, 0, 0, 0]], bool)
    path = rng.integers(0, 3, (3, 4))
    inputs, function, found = value_and_gradients(scores, chain, mask, path)
    for which, gradient in enumerate(found):
        for index in np.ndindex(gradient.shape):
            moved = []
            for step in (1e-5, -1e-5):
                copies = [a.copy() for a in inputs]
                copies[which][index] += step
                moved.append(function(*copies))
            expected = (moved[0] - moved[1]) / 2e-5
            np.testing.assert_allclose(gradient[index], expected, atol=1e-6)


@pytest.mark.parametrize("timesteps, size", [(50, 1e4), (5_000, 1.0), (5_000, 1e4)])
def test_neither_large_scores_nor_long_sequences_give_nan(timesteps, size):
    if BACKEND == "torch" and timesteps > 50:
        timesteps = 500  # a loop in Python
    rng = np.random.default_rng(6)
    scores = (size * rng.choice([-1, 1], (2, timesteps, 3))).astype("float32")
    chain = [(size * rng.uniform(-1, 1, shape)).astype("float32") for shape in ((3, 3), 3, 3)]
    mask, path = np.ones((2, timesteps), bool), rng.integers(0, 3, (2, timesteps))
    likelihood = to_numpy(linear_chain.log_likelihood(*tensors(scores, tuple(chain), mask, path)))
    assert np.all(likelihood <= 0) and np.all(np.isfinite(likelihood))
    marginals = to_numpy(linear_chain.marginals(*tensors(scores, tuple(chain), mask)))
    np.testing.assert_allclose(marginals.sum(axis=-1), 1, atol=1e-5)
    tags, best = to_numpy(linear_chain.viterbi(*tensors(scores, tuple(chain), mask)))
    transitions, start, end = chain
    for row in range(2):
        given = scores[row, np.arange(timesteps), tags[row]].astype("float64").sum()
        given += start[tags[row][0]] + end[tags[row][-1]]
        given += transitions[tags[row][:-1], tags[row][1:]].astype("float64").sum()
        np.testing.assert_allclose(best[row], given, rtol=1e-5)


def test_a_forbidden_path_is_impossible_and_an_unknown_tag_is_no_number():
    scores, mask = np.zeros((2, 3, 2), "float32"), np.ones((2, 3), bool)
    transitions = np.array([[0, -np.inf], [0, 0]], "float32")
    chain = (transitions, np.zeros(2, "float32"), np.zeros(2, "float32"))
    path = np.array([[0, 0, 1], [0, 2, 0]])
    likelihood = to_numpy(linear_chain.log_likelihood(*tensors(scores, chain, mask, path)))
    assert likelihood[0] == -np.inf and np.isnan(likelihood[1])
