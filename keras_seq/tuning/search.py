"""What a search tries next and what came of it: keras-tuner's oracles, and what they lack."""

import copy
import functools
import statistics
import threading
import time
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial
from keras_tuner.oracles import BayesianOptimizationOracle, HyperbandOracle, RandomSearchOracle

from keras_seq._internal.files import read_checked_json, read_with_fallback, write_checked_json
from keras_seq._internal.keras_tuner_compat import OracleHooks
from keras_seq.tuning.space import trial_values

WORKER_TIMEOUT = 60
"""Seconds after the last word of a worker when it is taken for dead."""
MAX_RESOURCE = 9
"""Hyperband trains for 1, 3 or all 9 parts of a training, in rounds of 23 trials."""
HYPERBAND_ROUND_TRIALS = 23


def synchronized(method):
    """Lets one thread at a time work on a search, and none after an error such as a full disk.

    keras-tuner's own decorator, which the methods of its oracles have, keeps its lock for ever
    when there is an error, and a chief would wait for it.
    """

    @functools.wraps(method)
    def run(self, *args, **kwargs):
        with self.lock:
            if self.failure is not None:
                raise self.failure
            try:
                return method(self, *args, **kwargs)
            except Exception as error:
                self.failure = error
                raise

    return run


class Search(OracleHooks):
    """What a search needs beyond keras-tuner's oracles.

    - Its state is one file, which is replaced as a whole, so that a kill at any moment loses
      nothing; who asks again under the same name gets the trial back that it had.
    - The trial of a worker that is silent for `WORKER_TIMEOUT` seconds goes to another. The search
      ends when all trials have ended.
    - The first trial is the config as it stands.
    - An error while it is saved ends it, for workers and chief alike.
    - A trial is stopped when it is worse than the median of all finished trials was at the same
      share of their training (the rule of Golovin et al. 2017, Google Vizier).

    Args:
        path: The file; None for a client of a chief, who alone keeps it.
        on_progress: Called with how many trials are done, and with a line about one that is over.
        prune: Whether to stop trials by the median.
        **arguments: Of the oracle.
    """

    def __init__(self, path, on_progress, prune, **arguments):
        super().__init__(max_consecutive_failed_trials=None, **arguments)
        self.path, self.on_progress, self.prune = path, on_progress, prune
        self.verbose = 0
        self.last_seen = {}  # worker to the time of its last word
        self.ended = False
        self.lock, self.failure = threading.RLock(), None
        if self.path is not None:
            state = read_with_fallback(self.path, _read_state)
            if state is not None:
                self.set_state(state)

    def save(self):
        write_checked_json(self.path, self.get_state(), keep_previous=True)

    def save_trial(self, trial):
        self.save()  # trials are in the same file

    def get_state(self):
        trials = {name: trial.get_state() for name, trial in self.trials.items()}
        return {**super().get_state(), "trials": trials, "ended": self.ended}

    def set_state(self, state):
        self.trials = {name: Trial.from_state(found) for name, found in state["trials"].items()}
        super().set_state(state)
        self.ended = state["ended"]
        # keras-tuner forgets who works on what only after it has saved.
        self.ongoing_trials = {
            worker: trial for worker, trial in self.ongoing_trials.items() if _runs(trial)
        }
        self.last_seen = dict.fromkeys(self.ongoing_trials, time.monotonic())

    @synchronized
    def create_trial(self, tuner_id):
        self.last_seen[tuner_id] = time.monotonic()
        self.release_timed_out()
        trial = super().create_trial(tuner_id)
        if trial.status == "STOPPED":
            if self.ongoing_trials:  # one of which may yet be given back
                trial.status = "IDLE"
                self.tuner_ids.add(tuner_id)
            else:
                self.ended = True
                self.save()  # a chief that is started again has nobody to wait for
        return copy.copy(trial)  # only `end_trial` may change the trial itself

    def populate_space(self, trial_id):
        if len(self.end_order) >= 3 and not self.completed:
            return {"status": "STOPPED", "values": None}  # nothing goes well here
        return super().populate_space(trial_id)

    @synchronized
    def update_trial(self, trial_id, metrics, step=0):
        trial = self.trials[trial_id]
        if _runs(trial):
            self.get_trial(trial_id)
            trial = super().update_trial(trial_id, metrics, step)
            self.on_progress(self.num_done)
            if not self.should_prune(trial, step):
                return trial
        return Trial(trial.hyperparameters, trial_id, "STOPPED")

    @synchronized
    def end_trial(self, trial):
        if not _runs(self.trials[trial.trial_id]):
            return  # a worker taken for dead came back after another had done its work
        if trial.trial_id in self.retry_queue:
            self.retry_queue.remove(trial.trial_id)
        ended_well = trial.status == "COMPLETED"
        super().end_trial(trial)
        trial = self.trials[trial.trial_id]
        if ended_well and trial.status != "COMPLETED":
            trial.message = "its score is not a number"
            self.save()
        self.on_progress(self.num_done, self.format_line(trial))

    def get_trial(self, trial_id):
        """The trial; that a worker asks for its own shows that it lives."""
        for worker, trial in list(self.ongoing_trials.items()):
            if trial.trial_id == trial_id:
                self.last_seen[worker] = time.monotonic()
        return super().get_trial(trial_id)

    @synchronized
    def release_timed_out(self):
        """Give back the trials of workers silent for more than `WORKER_TIMEOUT` seconds."""
        now = time.monotonic()
        for worker in self.tuner_ids | set(self.ongoing_trials):
            if now - self.last_seen[worker] > WORKER_TIMEOUT:
                self.release(worker)

    @synchronized
    def release(self, worker):
        """Gives back the trial of a worker that has died; the third such death fails the trial."""
        self.tuner_ids.discard(worker)
        trial = self.ongoing_trials.pop(worker, None)
        if trial is None:
            return
        self.run_times[trial.trial_id] += 1
        self.on_progress(
            self.num_done, f"{worker} is gone, trial {trial.trial_id} waits for another"
        )
        if self.run_times[trial.trial_id] < 3:
            self.retry_queue.append(trial.trial_id)
            self.save()
        else:
            trial.status, trial.message = "FAILED", "three workers died of it"
            super().end_trial(trial)
            self.on_progress(self.num_done, self.format_line(trial))

    def score_trial(self, trial):
        trial.score = trial.metrics.get_last_value(self.objective.name)

    def should_prune(self, trial, step):
        """Whether a trial is worse than the median of the finished ones; asked for four of them."""
        if not self.prune or step < 20:
            return False
        others = [self.value_at(other, step) for other in self.completed]
        if len(others) < 4:
            return False
        mine, median = self.value_at(trial, step), statistics.median(others)
        return mine < median if self.objective.direction == "max" else mine > median

    def value_at(self, trial, step):
        """What a trial had reached at a share of the training, or where it was stopped before."""
        history = trial.metrics.get_history(self.objective.name)
        before = [seen for seen in history if seen.step <= step] or history[:1]
        return before[-1].mean()

    @property
    def completed(self):
        """The trials that have ended well, the best first."""
        found = [trial for trial in self.trials.values() if trial.status == "COMPLETED"]
        return sorted(found, key=lambda t: t.score, reverse=self.objective.direction == "max")

    @property
    def num_done(self):
        """How many trials have ended, with the shares of those that are under way."""
        steps = [
            trial.metrics.get_history(self.objective.name)[-1].step / training_fraction(trial)
            for trial in self.ongoing_trials.values()
            if _runs(trial) and trial.metrics.exists(self.objective.name)
        ]
        return len(self.end_order) + sum(steps) / 100

    def random_values(self):
        if not self.trials:
            return {field.name: field.default for field in self.hyperparameters.space}
        return super().random_values()

    def format_line(self, trial):
        """A trial in one line."""
        row = self.make_row(trial)
        values = "  ".join(
            f"{name} {format_value(value)}" for name, value in row.items() if value != ""
        )
        return values + (f"  {trial.message}" if trial.message else "")

    def make_row(self, trial):
        """Return the table row of a trial: a dict of name to number or text."""

        def last(name, kind):
            return kind(trial.metrics.get_last_value(name)) if trial.metrics.exists(name) else ""

        return {
            "trial": trial.trial_id,
            self.objective.name: trial.score if trial.status == "COMPLETED" else "failed",
            **trial_values(trial),
            "epochs": last("epochs", int),
            "seconds": last("seconds", float),
        }


class RandomSearch(Search, RandomSearchOracle):
    """Values at random."""


class BayesianSearch(Search, BayesianOptimizationOracle):
    """Values where a Gaussian process over those tried expects much, or knows little."""

    def populate_space(self, trial_id):
        # Not saved with the rest: a search that goes on sees the same as an undisturbed one.
        self.reseed(self.seed + len(self.trials))
        response = super().populate_space(trial_id)
        if response["values"] and self.was_tried(response["values"]):
            return self.populate_at_random()
        return response


class HyperbandSearch(Search, HyperbandOracle):
    """Many values a little, the better ones longer (Li et al. 2018)."""


def make_oracle(search, path, space, trials, config, on_progress=None):
    """What chooses the trials, as its file says it stands."""
    arguments = {
        "path": path,
        "on_progress": on_progress,
        "prune": search != "hyperband",
        "objective": keras_tuner.Objective(f"val_{config.monitor}", config.mode),
        "hyperparameters": space,
        "seed": config.seed + 1,  # 0 would be none
    }
    if search == "hyperband":
        rounds = trials // HYPERBAND_ROUND_TRIALS
        return HyperbandSearch(max_epochs=MAX_RESOURCE, hyperband_iterations=rounds, **arguments)
    if search == "bayesian":
        first = max(3, trials // 4)
        return BayesianSearch(max_trials=trials, num_initial_points=first, **arguments)
    return RandomSearch(max_trials=trials, **arguments)


def format_value(value):
    """A value of a row of the table, for people."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def training_fraction(trial):
    """The share of a whole training that a trial is."""
    return trial.hyperparameters.values.get("tuner/epochs", MAX_RESOURCE) / MAX_RESOURCE


def _read_state(path: Path) -> dict[str, Any]:
    return read_checked_json(path, f"remove {path.parent} to search again from the start")


def _runs(trial):
    return trial.status == "RUNNING"
