"""Linear chains against the sum over all paths and the best path."""

import itertools

import numpy as np
import pytest
from derivatives import by_differences, of_gradients
from helpers import BACKEND, to_numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from keras import ops

from keras_seq._internal.export_target import exporting_to
from keras_seq.scan import linear_chain

BATCH, TIMESTEPS = 2, 5


def all_paths(scores, potentials, mask):
    """Yield every tag sequence of one example with its score, in float64, from the definition."""
    transitions, start, end = (np.asarray(a, "float64") for a in potentials)
    steps = np.flatnonzero(mask)
    for path in itertools.product(range(len(start)), repeat=len(steps)):
        score = 0.0
        if path:
            score = start[path[0]] + end[path[-1]]
            score += sum(scores[t, tag] for t, tag in zip(steps, path))
            score += sum(transitions[pair] for pair in itertools.pairwise(path))
        yield path, score


def brute_force(scores, potentials, mask):
    """Return log Z, the best score, and the probability of each tag at each step."""
    paths, values = zip(*all_paths(scores, potentials, mask))
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
    """Draw scores, potentials with some forbidden transitions, a mask and tags."""
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


@settings(max_examples=2)
@given(problems())
def test_likelihood_marginals_and_viterbi_equal_all_paths(problem):
    check(problem)


@pytest.mark.slow
@settings(max_examples=100)
@given(problems())
def test_likelihood_marginals_and_viterbi_equal_all_paths_in_many_cases(problem):
    check(problem)


def check(problem):
    scores, potentials, mask, path = problem
    given_scores, given_potentials, given_mask, given_path = tensors(*problem)
    likelihood = to_numpy(
        linear_chain.log_likelihood(given_scores, given_potentials, given_mask, given_path)
    )
    marginals = to_numpy(linear_chain.marginals(given_scores, given_potentials, given_mask))
    decoded, best = to_numpy(linear_chain.viterbi(given_scores, given_potentials, given_mask))
    exported = []
    for target in ("graph", "savedmodel"):
        with exporting_to(target):
            results = linear_chain.viterbi_and_marginals(given_scores, given_potentials, given_mask)
        tags_together, marginals_together = to_numpy(list(results))
        assert tags_together.dtype == "int32"
        np.testing.assert_allclose(marginals_together, marginals, atol=1e-6)
        exported.append(tags_together)
    for row in range(BATCH):
        row_mask = mask[row]
        values = dict(all_paths(scores[row], potentials, row_mask))
        log_z, expected_best, expected = brute_force(scores[row], potentials, row_mask)
        value = values[tuple(path[row][row_mask])] - log_z
        np.testing.assert_allclose(likelihood[row], value, rtol=1e-5, atol=2e-5)
        np.testing.assert_allclose(marginals[row], expected, atol=2e-5)
        np.testing.assert_allclose(best[row], expected_best, rtol=1e-5, atol=1e-5)
        # Any of several equally good sequences is right.
        for tags in (decoded[row], *(tags[row] for tags in exported)):
            actual = values[tuple(tags[row_mask])]
            np.testing.assert_allclose(actual, expected_best, rtol=1e-5, atol=1e-5)
            assert not tags[~row_mask].any()


@pytest.mark.slow
def test_two_derivatives_equal_finite_differences():
    rng = np.random.default_rng(5)
    scores = rng.normal(size=(3, 3, 3))
    potentials = [rng.normal(size=shape) for shape in ((3, 3), 3, 3)]
    mask = np.array([[1, 1, 1], [0, 1, 1], [0, 0, 0]], bool)
    path = rng.integers(0, 3, (3, 3))
    weights = np.array([1.0, -0.5, 2.0])

    def total(scores, *potentials):
        values = linear_chain.log_likelihood(scores, list(potentials), *tensors(mask, path))
        return ops.sum(values**2 * ops.convert_to_tensor(weights))

    def in_numpy(scores, *potentials):
        likelihoods = [
            dict(all_paths(scores[row], potentials, mask[row]))[tuple(path[row][mask[row]])]
            - brute_force(scores[row], potentials, mask[row])[0]
            for row in range(len(scores))
        ]
        return np.dot(weights, np.square(likelihoods))

    arrays_ = [scores, *potentials]
    actual, expected = of_gradients(total, arrays_), by_differences(in_numpy, arrays_)
    for of_order, expected_of_order in zip(actual, expected):
        for derivative, difference in zip(of_order, expected_of_order, strict=True):
            tolerance = 1e-8 * np.abs(difference).max()
            np.testing.assert_allclose(derivative, difference, rtol=0, atol=tolerance)


@pytest.mark.slow
def test_impossible_transitions_have_no_derivatives():
    transitions = np.array([[0.3, -np.inf], [0.1, -0.2]])
    arrays_ = [np.ones((1, 3, 2)), transitions, np.array([0.5, 0.0]), np.array([0.0, -np.inf])]
    mask, path = tensors(np.ones((1, 3), bool), np.array([[1, 0, 0]]))

    def total(scores, *potentials):
        return ops.sum(linear_chain.log_likelihood(scores, list(potentials), mask, path) ** 2)

    for of_order in of_gradients(total, arrays_):
        assert all(np.isfinite(actual).all() for actual in of_order)
        assert of_order[1][0, 1] == of_order[3][1] == 0 and of_order[1][1, 0] != 0


@pytest.mark.slow
@pytest.mark.parametrize("timesteps, size", [(50, 1e4), (5_000, 1.0), (5_000, 1e4)])
def test_neither_large_scores_nor_long_sequences_give_nan(timesteps, size):
    if BACKEND == "torch" and timesteps > 50:
        timesteps = 500  # a loop in Python
    rng = np.random.default_rng(6)
    scores = (size * rng.choice([-1, 1], (2, timesteps, 3))).astype("float32")
    potentials = [(size * rng.uniform(-1, 1, shape)).astype("float32") for shape in ((3, 3), 3, 3)]
    mask, path = np.ones((2, timesteps), bool), rng.integers(0, 3, (2, timesteps))
    likelihood = to_numpy(
        linear_chain.log_likelihood(*tensors(scores, tuple(potentials), mask, path))
    )
    assert np.all(likelihood <= 0) and np.all(np.isfinite(likelihood))
    marginals = to_numpy(linear_chain.marginals(*tensors(scores, tuple(potentials), mask)))
    np.testing.assert_allclose(marginals.sum(axis=-1), 1, atol=1e-5)
    tags, best = to_numpy(linear_chain.viterbi(*tensors(scores, tuple(potentials), mask)))
    transitions, start, end = potentials
    for row in range(2):
        expected_score = scores[row, np.arange(timesteps), tags[row]].astype("float64").sum()
        expected_score += start[tags[row][0]] + end[tags[row][-1]]
        expected_score += transitions[tags[row][:-1], tags[row][1:]].astype("float64").sum()
        np.testing.assert_allclose(best[row], expected_score, rtol=1e-5)


def test_forbidden_paths_have_no_probability_and_unknown_tags_give_nan():
    scores, mask = np.zeros((2, 3, 2), "float32"), np.ones((2, 3), bool)
    transitions = np.array([[0, -np.inf], [0, 0]], "float32")
    potentials = (transitions, np.zeros(2, "float32"), np.zeros(2, "float32"))
    path = np.array([[0, 0, 1], [0, 2, 0]])
    likelihood = to_numpy(linear_chain.log_likelihood(*tensors(scores, potentials, mask, path)))
    assert likelihood[0] == -np.inf and np.isnan(likelihood[1])
