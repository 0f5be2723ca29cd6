"""Search strategies: keras-tuner's oracles with atomic state, worker timeouts and pruning."""

import copy
import statistics
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import keras_tuner
from keras_tuner.engine.trial import Trial
from keras_tuner.oracles import BayesianOptimizationOracle, HyperbandOracle, RandomSearchOracle

from keras_seq._internal import files
from keras_seq._internal.keras_tuner_compat import OracleHooks
from keras_seq.train.config import Config
from keras_seq.train.progress import OnProgress
from keras_seq.tuning.locking import synchronized
from keras_seq.tuning.space import MAX_RESOURCE, format_value, training_fraction, trial_values

Strategy = Literal["random", "bayesian", "hyperband"]
"""Value of `--search`."""
WORKER_TIMEOUT = 60
"""Seconds without a message after which a worker counts as dead."""
HYPERBAND_ROUND_TRIALS = 23
"""Number of trials in one round of Hyperband, which runs all brackets."""
MIN_PRUNE_STEP = 20
"""Percentage of its training that a trial completes before it can be pruned."""
MIN_PRUNE_TRIALS = 4
"""Number of completed trials that the median rule needs."""
MAX_WORKER_DEATHS = 3
"""Number of workers that may die during a trial before it fails."""


if TYPE_CHECKING:

    class _Oracle(OracleHooks, keras_tuner.Oracle):
        """Base of `Search` for type checkers: subclasses combine it with an oracle."""

else:
    _Oracle = OracleHooks


class Search(_Oracle):
    """Mixin of the search strategies, for a `keras_tuner.Oracle`.

    - The state is one file, replaced atomically, so that a kill at any moment loses nothing. A
      worker that asks again gets its trial back.
    - The trial of a worker that is silent for `WORKER_TIMEOUT` seconds goes to another worker.
    - The search ends when all trials have ended, not when the last one has started.
    - The first trial is the config itself.
    - An error while saving ends the search, for workers and chief.
    - A trial is pruned if it is worse than the median of the completed trials at the same fraction
      of their training (median rule of Google Vizier, Golovin et al. 2017).

    >>> import tempfile
    >>> from pathlib import Path
    >>> import keras_tuner
    >>> from keras_seq.train.config import Config
    >>> from keras_seq.tuning import make_oracle
    >>> space = keras_tuner.HyperParameters()
    >>> _ = space.Int("units", 16, 64, default=32)
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = Path(folder.name) / "search.json"
    >>> search = make_oracle("random", path, space, 5, Config(), lambda *_: None)
    >>> search.create_trial("worker").hyperparameters.values
    {'units': 32}
    >>> folder.cleanup()

    Args:
        path: File of the state, or None for the client of a chief, which keeps the state.
        on_progress: Function that is called with `num_done` and, if a trial has ended, a line
            about it.
        prune: Whether to stop trials early, by the median rule.
        **arguments: Arguments of the oracle.
    """

    ongoing_trials: dict[str, Trial]

    def __init__(
        self, path: Path | None, on_progress: OnProgress, prune: bool, **arguments: Any
    ) -> None:
        super().__init__(max_consecutive_failed_trials=None, **arguments)
        self.path, self.on_progress, self.prune = path, on_progress, prune
        self.verbose = 0
        self.last_seen: dict[str, float] = {}
        self.ended = False
        self.lock = threading.RLock()
        self.failure: Exception | None = None
        if self.path is not None:
            state = files.read_with_fallback(self.path, _read_state)
            if state is not None:
                with files.expect_content(self.path, "the state of a search", _remedy(self.path)):
                    self.set_state(state)

    def save(self) -> None:
        """Write the state of the search."""
        assert self.path is not None
        files.write_checked_json(self.path, self.get_state(), keep_previous=True)

    def save_trial(self, trial: Trial) -> None:
        """Write the state of the search, which includes all trials."""
        self.save()

    def get_state(self) -> dict[str, Any]:
        """Return the state as a JSON object."""
        trials = {name: trial.get_state() for name, trial in self.trials.items()}
        return {**super().get_state(), "trials": trials, "ended": self.ended}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the search from a state."""
        self.trials = {name: Trial.from_state(trial) for name, trial in state["trials"].items()}
        super().set_state(state)
        self.ended = state["ended"]
        # keras-tuner saves before it removes an ended trial from those of the workers.
        self.ongoing_trials = {
            worker: trial for worker, trial in self.ongoing_trials.items() if _is_running(trial)
        }
        self.last_seen = dict.fromkeys(self.ongoing_trials, time.monotonic())

    @synchronized
    def create_trial(self, tuner_id: str) -> Trial:
        """Return the next trial for a worker, with status STOPPED if there is none."""
        self.last_seen[tuner_id] = time.monotonic()
        self.release_timed_out()
        trial = super().create_trial(tuner_id)
        if trial.status == "STOPPED":
            if self.ongoing_trials:  # one of them may still be released
                trial.status = "IDLE"
                self.tuner_ids.add(tuner_id)
            else:
                self.ended = True
                self.save()  # a chief that is started again must not wait for workers
        return copy.copy(trial)  # only `end_trial` may change the trial itself

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Return the values of a new trial. Stop the search if the first three trials failed."""
        if len(self.end_order) >= 3 and not self.completed:
            return {"status": "STOPPED", "values": None}
        return super().populate_space(trial_id)

    @synchronized
    def update_trial(self, trial_id: str, metrics: dict[str, Any], step: int = 0) -> Trial:
        """Record metrics of a trial. Return the trial, with status STOPPED if it must stop."""
        trial = self.trials[trial_id]
        if _is_running(trial):
            self.get_trial(trial_id)
            trial = super().update_trial(trial_id, metrics, step)
            self.on_progress(self.num_done)
            if not self.should_prune(trial, step):
                return trial
        return Trial(trial.hyperparameters, trial_id, "STOPPED")

    @synchronized
    def end_trial(self, trial: Trial) -> None:
        """Record the end of a trial."""
        if not _is_running(self.trials[trial.trial_id]):
            return  # a worker that had timed out returns after another one finished its trial
        if trial.trial_id in self.retry_queue:
            self.retry_queue.remove(trial.trial_id)
        was_trained = trial.status == "COMPLETED"
        super().end_trial(trial)
        trial = self.trials[trial.trial_id]
        if was_trained and trial.status != "COMPLETED":
            trial.message = "its score is not a number"
            self.save()
        self.on_progress(self.num_done, self.format_line(trial))

    def get_trial(self, trial_id: str) -> Trial:
        """Return a trial, and note that its worker is alive."""
        for worker, trial in list(self.ongoing_trials.items()):
            if trial.trial_id == trial_id:
                self.last_seen[worker] = time.monotonic()
        return super().get_trial(trial_id)

    @synchronized
    def release_timed_out(self) -> None:
        """Release the trials of workers that are silent for more than `WORKER_TIMEOUT` seconds."""
        now = time.monotonic()
        for worker in self.tuner_ids | set(self.ongoing_trials):
            if now - self.last_seen[worker] > WORKER_TIMEOUT:
                self.release(worker)

    @synchronized
    def release(self, worker: str) -> None:
        """Release the trial of a dead worker for another one. The third death fails the trial."""
        self.tuner_ids.discard(worker)
        trial = self.ongoing_trials.pop(worker, None)
        if trial is None:
            return
        self.run_times[trial.trial_id] += 1
        self.on_progress(
            self.num_done, f"{worker} has stopped, trial {trial.trial_id} waits for another worker"
        )
        if self.run_times[trial.trial_id] < MAX_WORKER_DEATHS:
            self.retry_queue.append(trial.trial_id)
            self.save()
        else:
            trial.status, trial.message = "FAILED", f"{MAX_WORKER_DEATHS} workers died during it"
            super().end_trial(trial)
            self.on_progress(self.num_done, self.format_line(trial))

    def score_trial(self, trial: Trial) -> None:
        """Set the score of a trial to its last reported value."""
        trial.score = trial.metrics.get_last_value(self.objective.name)

    def should_prune(self, trial: Trial, step: int) -> bool:
        """Return True if a trial is worse at a step than the median of the completed trials."""
        if not self.prune or step < MIN_PRUNE_STEP or len(self.completed) < MIN_PRUNE_TRIALS:
            return False
        median = statistics.median(self.value_at(other, step) for other in self.completed)
        value = self.value_at(trial, step)
        return value < median if self.objective.direction == "max" else value > median

    def value_at(self, trial: Trial, step: int) -> float:
        """Return the last score of a trial up to a step, in percent of a training."""
        history = trial.metrics.get_history(self.objective.name)
        earlier = [observation for observation in history if observation.step <= step]
        return (earlier or history[:1])[-1].mean()

    @property
    def completed(self) -> list[Trial]:
        """Completed trials, the best first. Failed trials are left out."""
        trials = [trial for trial in self.trials.values() if trial.status == "COMPLETED"]
        return sorted(trials, key=lambda t: t.score, reverse=self.objective.direction == "max")

    @property
    def num_done(self) -> float:
        """Number of trials that have ended, plus the fractions done of the running ones."""
        percentages = [
            trial.metrics.get_history(self.objective.name)[-1].step / training_fraction(trial)
            for trial in self.ongoing_trials.values()
            if _is_running(trial) and trial.metrics.exists(self.objective.name)
        ]
        return len(self.end_order) + sum(percentages) / 100

    def random_values(self) -> dict[str, Any] | None:
        """Return the values of the config for the first trial, then random ones."""
        if not self.trials:
            return {field.name: field.default for field in self.hyperparameters.space}
        return super().random_values()

    def format_line(self, trial: Trial) -> str:
        """Return a line that describes a trial."""
        cells = {name: value for name, value in self.make_row(trial).items() if value != ""}
        line = "  ".join(f"{name} {format_value(value)}" for name, value in cells.items())
        return line + (f"  {trial.message}" if trial.message else "")

    def make_row(self, trial: Trial) -> dict[str, Any]:
        """Return the row of a trial in the table of results: name to number or string."""

        def last(name: str, kind: type) -> Any:
            return kind(trial.metrics.get_last_value(name)) if trial.metrics.exists(name) else ""

        return {
            "trial": trial.trial_id,
            self.objective.name: trial.score if trial.status == "COMPLETED" else "failed",
            **trial_values(trial),
            "epochs": last("epochs", int),
            "seconds": last("seconds", float),
        }


class RandomSearch(Search, RandomSearchOracle):
    """Random search.

    >>> from keras_seq.tuning import RandomSearch
    >>> search = RandomSearch(None, print, prune=True, objective="val_loss", max_trials=5)
    >>> search.objective.direction, search.num_done
    ('min', 0.0)
    """


class BayesianSearch(Search, BayesianOptimizationOracle):
    """Bayesian optimization with a Gaussian process.

    >>> from keras_seq.tuning import BayesianSearch
    >>> search = BayesianSearch(None, print, prune=True, objective="val_loss", max_trials=5)
    >>> search.completed
    []
    """

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Return the values of a new trial: random ones if the proposal was tried before."""
        # The random state is not saved. Seeds per trial make a resumed search repeat a whole one.
        self.reseed(self.seed + len(self.trials))
        response = super().populate_space(trial_id)
        if response["values"] and self.was_tried(response["values"]):
            return self.populate_at_random()
        return response


class HyperbandSearch(Search, HyperbandOracle):
    """Hyperband: many short trials, of which the best are continued (Li et al. 2018).

    >>> from keras_seq.tuning import HyperbandSearch
    >>> search = HyperbandSearch(None, print, prune=False, objective="val_loss", max_epochs=9)
    >>> search.num_done
    0.0
    """


def make_oracle(
    search: Strategy,
    path: Path | None,
    space: keras_tuner.HyperParameters,
    num_trials: int,
    config: Config,
    on_progress: OnProgress | None = None,
) -> Search:
    """Return a search, resumed from its file if that exists.

    Args:
        search: Search strategy.
        path: File of the state, or None for the client of a chief.
        space: Search space.
        num_trials: Number of trials; for Hyperband a multiple of `HYPERBAND_ROUND_TRIALS`.
        config: Config with the monitored metric and the random seed.
        on_progress: As for `Search`. Required with a path.
    """
    arguments = {
        "path": path,
        "on_progress": on_progress,
        "prune": search != "hyperband",
        "objective": keras_tuner.Objective(f"val_{config.monitor}", config.mode),
        "hyperparameters": space,
        "seed": config.seed + 1,  # keras-tuner takes 0 for no seed
    }
    if search == "hyperband":
        rounds = num_trials // HYPERBAND_ROUND_TRIALS
        return HyperbandSearch(max_epochs=MAX_RESOURCE, hyperband_iterations=rounds, **arguments)
    if search == "bayesian":
        num_random = max(3, num_trials // 4)
        return BayesianSearch(max_trials=num_trials, num_initial_points=num_random, **arguments)
    return RandomSearch(max_trials=num_trials, **arguments)


def _read_state(path: Path) -> dict[str, Any]:
    return files.read_checked_json(path, _remedy(path))


def _remedy(path: Path) -> str:
    return f"remove {path.parent} to start the search again"


def _is_running(trial: Trial) -> bool:
    return trial.status == "RUNNING"
