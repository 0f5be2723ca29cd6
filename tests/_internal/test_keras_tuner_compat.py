"""Existence and behavior of each private name of keras-tuner that keras-seq uses."""

from concurrent import futures

import keras
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("tuned on TensorFlow alone", allow_module_level=True)

import grpc
import keras_tuner
import numpy as np

from keras_seq._internal import keras_tuner_compat as compat


class Hooks(compat.OracleHooks):
    """Return prescribed values; write no files."""

    saved: list

    def save_trial(self, trial):
        self.saved.append(trial.trial_id)

    def random_values(self):
        return {"n": len(self.saved)}


class Random(Hooks, keras_tuner.oracles.RandomSearchOracle):
    pass


class Bayesian(Hooks, keras_tuner.oracles.BayesianOptimizationOracle):
    pass


class Plain(compat.OracleHooks, keras_tuner.oracles.RandomSearchOracle):
    pass


def oracle_of(cls, folder, **options):
    space = keras_tuner.HyperParameters()
    space.Int("n", 0, 9)
    objective = keras_tuner.Objective("val_loss", "min")
    oracle = cls(objective=objective, max_trials=5, hyperparameters=space, seed=1, **options)
    oracle.saved, oracle.verbose = [], 0
    oracle._set_project_dir(folder, "search")
    return oracle


@pytest.mark.parametrize("cls", [Random, Bayesian])
def test_an_oracle_saves_and_draws_by_the_hooks(cls, tmp_path):
    oracle = oracle_of(cls, tmp_path)
    trial = oracle.create_trial("worker")
    assert trial.hyperparameters.values == {"n": 0}
    assert oracle.saved == [trial.trial_id]
    oracle.update_trial(trial.trial_id, {"val_loss": 1.0})
    trial.status = "COMPLETED"
    oracle.end_trial(trial)
    assert set(oracle.saved) == {trial.trial_id} and len(oracle.saved) > 1
    assert oracle.run_times == {trial.trial_id: 1}
    assert oracle.was_tried({"n": 0}) and not oracle.was_tried({"n": 1})
    assert not list(tmp_path.rglob("trial.json"))


def test_the_hooks_do_what_the_oracle_would(tmp_path):
    oracle = oracle_of(Plain, tmp_path)
    trial = oracle.create_trial("worker")
    assert 0 <= trial.hyperparameters.values["n"] <= 9
    assert list(tmp_path.rglob("trial.json"))


def test_a_trial_that_is_to_be_retried_comes_next(tmp_path):
    oracle = oracle_of(Random, tmp_path)
    trial = oracle.create_trial("worker")
    oracle.ongoing_trials.clear()
    oracle.retry_queue.append(trial.trial_id)
    again = oracle.create_trial("another")
    assert again.trial_id == trial.trial_id and not oracle.retry_queue


@pytest.mark.slow
def test_a_bayesian_oracle_is_random_by_its_state(tmp_path):
    class Drawing(compat.OracleHooks, keras_tuner.oracles.BayesianOptimizationOracle):
        pass

    oracle = oracle_of(Drawing, tmp_path, num_initial_points=2)
    assert set(oracle.populate_at_random()) == {"status", "values"}
    for number in range(2):
        trial = oracle.create_trial("worker")
        oracle.update_trial(trial.trial_id, {"val_loss": float(number)})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    values = []
    for seed in (1, 2, 1):
        oracle.reseed(seed)
        oracle.populate_space("next")
        values.append(oracle._random_state.uniform())
    assert values[0] == values[2] != values[1]
    assert values[0] != np.random.RandomState(1).uniform(), "the oracle draws from another state"


def test_a_worker_asks_the_chief(tmp_path, monkeypatch):
    oracle = oracle_of(Random, tmp_path)
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    compat.answer_workers(oracle, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    monkeypatch.setenv("KERASTUNER_ORACLE_PORT", str(port))
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "worker")
    try:
        client = compat.OracleClient(oracle_of(Random, tmp_path))
        trial = client.create_trial("worker")
        assert trial.trial_id in oracle.trials
        assert client.get_trial(trial.trial_id).status == "RUNNING"
    finally:
        server.stop(grace=None).wait()
