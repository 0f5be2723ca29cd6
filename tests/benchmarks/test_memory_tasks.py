"""Tasks against independent step-by-step solutions; training, rows and pages."""

import numpy as np
import pytest

import keras_seq
from benchmarks.memory_tasks import report, training
from benchmarks.memory_tasks.tasks import TASKS


def marked_sum(x, distance):
    assert x.shape == (distance, 2)
    places = np.flatnonzero(x[:, 1])
    assert len(places) == 2 and places[0] < distance // 2 <= places[1]
    return [x[places[0], 0] + x[places[1], 0]]


def copied(x, distance):
    ids, symbols, answer = x.argmax(axis=1), [], []
    for t, symbol in enumerate(ids):
        if 1 <= symbol <= 8:
            symbols.append(symbol)
        elif symbol == 9:
            assert t == len(symbols) + distance - 1
            answer = list(symbols)
            return [0] * (t + 1) + answer
    raise AssertionError("there is no start signal")


def verb(x, distance):
    words = [TASKS["agreement"].words[i] for i in x.argmax(axis=1)]
    assert words[0] == "the" and words[1].startswith("cat") and len(words) == distance + 2
    return [float(words[1].endswith("s"))]


def since_the_last_spike(x, distance):
    last, answers = None, []
    for t, spike in enumerate(x[:, 0]):
        due = bool(spike) and last is not None
        answers.append([(t - last - distance) / 10, 1] if due else [0, 0])
        last = t if spike else last
    assert sum(due for _, due in answers) == 4
    return answers


def alarms(x, distance):
    ring, answers = None, []
    for t, signal in enumerate(x[:, 0]):
        assert not (signal and ring is not None)  # nor does a signal come with a spike
        if signal:
            ring = t + distance + round(10 * float(signal)) - 1
        answers.append([float(t == ring)])
        ring = None if t == ring else ring
    assert sum(a for (a,) in answers) == 3
    return answers


def third_spike(x, distance):
    begin, end = np.flatnonzero(x[:, 0])
    assert begin < 20 and 30 <= end - begin <= distance
    return [[float(t - end == end - begin)] for t in range(len(x))]


RULES = {
    "adding": marked_sum,
    "copying": copied,
    "agreement": verb,
    "measuring": since_the_last_spike,
    "generating": alarms,
    "doubling": third_spike,
}


@pytest.mark.parametrize("name", TASKS)
def test_targets_are_what_the_rule_says(name):
    task = TASKS[name]
    distance = task.distances[0]
    x, targets = task.examples(np.random.default_rng(0), 200, distance)
    for sequence, target in zip(x, targets):
        np.testing.assert_allclose(target, RULES[name](sequence, distance), atol=1e-6)


def test_every_delay_and_both_numbers_come():
    rng = np.random.default_rng(0)
    x, _ = TASKS["doubling"].examples(rng, 2000, 60)
    begin, end = np.nonzero(x[..., 0])[1].reshape(-1, 2).T
    assert set(end - begin) == set(range(30, 61)) and set(begin) == set(range(20))
    _, answers = TASKS["measuring"].examples(rng, 100, 10)
    assert set(np.round(10 * answers[answers[..., 1] == 1, 0])) == set(range(10))
    x, many = TASKS["agreement"].examples(rng, 500, 10)
    assert 0.4 < many.mean() < 0.6
    # The nouns between say nothing of the verb.
    others = x[:, 2:, [4, 6]].sum(axis=(1, 2)) - x[:, 2:, [3, 5]].sum(axis=(1, 2))
    assert abs(np.corrcoef(others, many[:, 0])[0, 1]) < 0.15


def test_scores():
    rng = np.random.default_rng(0)
    for name, wrong in (("generating", 0.5), ("doubling", 3.0)):
        task = TASKS[name]
        _, targets = task.examples(rng, 10, task.distances[0])
        outputs = 4 * targets - 2
        assert task.score(targets, outputs) == 1
        outputs[3, 5] = wrong
        assert task.score(targets, outputs) == 0.9
    task = TASKS["measuring"]
    _, targets = task.examples(rng, 10, 30)
    # What is said where nothing is due does not count.
    outputs = np.where(targets[..., 1:] == 1, targets[..., :1] + 0.04, 7)
    assert task.score(targets, outputs) == 1
    outputs[targets[..., 1] == 1, 0] += np.eye(40)[5] * 0.02
    assert task.score(targets, outputs) == 0.9
    task = TASKS["copying"]
    _, targets = task.examples(rng, 10, 25)
    outputs = np.eye(9)[targets]
    assert task.score(targets, outputs) == 1
    outputs[0, -1] = np.eye(9)[0]
    assert task.score(targets, outputs) == pytest.approx(0.99)
    assert TASKS["agreement"].score(np.array([[1.0], [0.0]]), np.array([[0.3], [0.2]])) == 0.5
    assert TASKS["adding"].score(np.ones((4, 1)), np.full((4, 1), 1.5)) == 0.25


def test_the_masked_squared_error():
    targets = np.array([[[0.5, 1], [0, 0]], [[0.1, 1], [0.9, 1]]], "float32")
    outputs = np.array([[[0.7], [9]], [[0.1], [0.6]]], "float32")
    expected = (0.2**2 + 0.3**2) / 3
    assert float(training.masked_squared_error(targets, outputs)) == pytest.approx(expected)


@pytest.mark.parametrize("cell", training.CELLS)
def test_gates_begin_with_the_memory_of_the_task(cell):
    model = training.build_model(TASKS["adding"], cell, (5, 2), 100)
    before = model.get_weights()
    training.set_chrono_bias(model.get_layer("memory").cell, 100, 0)
    gates = keras_seq.trace(model, np.zeros((1, 5, 2), "float32"))["memory"].gates
    if cell == "SimpleRNN":
        assert all(np.array_equal(*pair) for pair in zip(before, model.get_weights()))
        return
    keeps = gates["update" if cell == "GRU" else "forget"][0, 0]
    steps = 1 / (1 - keeps)
    assert 2 <= steps.min() < 20 and 80 < steps.max() <= 100
    if cell != "GRU":
        np.testing.assert_allclose(gates["input"][0, 0], 1 - keeps, rtol=1e-4)


def test_diagonal_peepholes_begin_at_zero():
    model = training.build_model(TASKS["doubling"], "DiagonalPeepholeLSTM", (5, 1), 100)
    cell = model.get_layer("memory").cell
    peepholes = [w for w in cell.weights if w.shape == (32,)]
    assert len(peepholes) == 3 and not any(np.any(w) for w in peepholes)
    assert np.all(np.std(cell.recurrent_kernel, axis=0) > 0)


@pytest.fixture
def small(monkeypatch):
    for name, value in {"BATCH_SIZE": 32, "VALIDATION_STEPS": 20, "NUM_TEST": 100}.items():
        monkeypatch.setattr(training, name, value)


@pytest.mark.slow
def test_a_cell_learns_and_stops_when_it_is_right(small):
    row = training.train("agreement", 2, "GRU", 0, steps=300)
    assert row["score"] == 1.0 and row["solved"] and row["steps"] < 300
    assert row["curve"][-1] == [row["steps"], 1.0] and row["curve"][0][1] < 1


@pytest.mark.slow
def test_rows_are_merged_and_shown(small, tmp_path):
    path = tmp_path / "rows.json"
    first = training.train("adding", 6, "LSTM", 1, steps=20)
    assert not first["solved"] and first["steps"] == 20
    for when in ("default_init", "chrono_init", "trained"):
        assert first["gradients"][when][0] == [0, 1.0]
        assert [distance for distance, _ in first["gradients"][when]] == list(range(6))
    report.merge(first, path)
    solved = {"score": 0.5, "solved": True, "steps": 60}
    report.merge({**first, **solved, "cell": "GRU", "seed": 0}, path)
    report.merge({**first, "score": 0.25}, path)
    report.merge({**first, "seed": 0, "score": 0.75}, path)
    rows = report.read_rows(path)
    assert list(rows) == [("adding", 6, *rest) for rest in (("GRU", 0), ("LSTM", 0), ("LSTM", 1))]
    scores, steps = [line for line in report.text([*rows.values()]) if line.startswith("| adding")]
    assert scores == "| adding: mean squared error | 6 |  | 0.50000 | 0.50000 (2) |  |  |"
    assert steps == "| adding, at most 4,000 | 6 |  | 60 | - |  |  |"
    report.draw([*rows.values()], tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 10_000
