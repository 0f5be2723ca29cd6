"""Tunes a recipe: tries values of the fields that its Config marks, and trains the best for good.

keras-tuner chooses what to try, and divides the work over machines. Each trial is trained like any
run, without the test split, in a folder of its own, so that an interrupted one goes on.
"""

import contextlib
import copy
import csv
import dataclasses
import functools
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from concurrent import futures
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_seq import pictures, progress, runs, training
from keras_seq.errors import InputError, unknown

try:
    import grpc
    import keras_tuner
    from keras_tuner.engine.trial import Trial
    from keras_tuner.oracles import BayesianOptimizationOracle, HyperbandOracle, RandomSearchOracle
    from keras_tuner.src import protos
    from keras_tuner.src.distribute.oracle_chief import OracleServicer
    from keras_tuner.src.distribute.oracle_client import OracleClient
except ImportError as error:
    raise InputError(
        f"Tuning needs keras-tuner ({error}): pip install 'keras-seq[tune]'."
    ) from None

CLUSTER = ("KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT")
"""keras-tuner's environment variables: who a process is, and where the chief is to be found."""
LOCAL = "KERAS_SEQ_LOCAL_WORKER"
"""Set for the workers that a chief starts on its own machine: they end with it."""
HEARTBEAT, SILENCE = 10, 60
"""Seconds after which a worker that is training says so; after which it is taken for dead."""
PARTS = 9
"""Hyperband trains for 1, 3 or all 9 parts of a training, in rounds of 23 trials."""
HYPERBAND_ROUND = 23


class Search:
    """What a search needs beyond keras-tuner's oracles.

    - Its state is one file, which is replaced as a whole, so that a kill at any moment loses
      nothing; who asks again under the same name gets the trial back that it had.
    - The trial of a worker that is silent for `SILENCE` goes to another, and the search ends when
      all trials have, not when the last has begun.
    - The first trial is the config as it stands.
    - A trial is stopped when it is worse than the median of all finished trials was at the same
      share of their training (the rule of Golovin et al. 2017, Google Vizier).

    Args:
        path: The file; None for a client of a chief, who alone keeps it.
        say: Called with how many trials are done, and with a line about one that is over.
        prunes: Whether to stop trials by the median.
        **arguments: Of the oracle.
    """

    def __init__(self, path, say, prunes, **arguments):
        super().__init__(max_consecutive_failed_trials=None, **arguments)
        self.path, self.say, self.prunes = path, say, prunes
        self.verbose = 0
        self.heard = {}  # worker to the time of its last word
        self.ended = False
        if self.path is not None and self.path.exists():
            self.set_state(json.loads(self.path.read_text()))

    def save(self):
        runs.write_json(self.path, self.get_state())

    def _save_trial(self, trial):
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
        self.heard = dict.fromkeys(self.ongoing_trials, time.monotonic())

    @keras_tuner.synchronized
    def create_trial(self, tuner_id):
        self.heard[tuner_id] = time.monotonic()
        self.release_silent()
        trial = super().create_trial(tuner_id)
        if trial.status == "STOPPED":
            if self.ongoing_trials:  # one of which may yet be given back
                trial.status = "IDLE"
                self.tuner_ids.add(tuner_id)
            else:
                self.ended = True
                self.save()  # a chief that is started again has nobody to wait for
        return copy.copy(trial)  # what becomes of it is for `end_trial` to say

    def populate_space(self, trial_id):
        if len(self.end_order) >= 3 and not self.finished:
            return {"status": "STOPPED", "values": None}  # nothing goes well here
        return super().populate_space(trial_id)

    @keras_tuner.synchronized
    def update_trial(self, trial_id, metrics, step=0):
        trial = self.trials[trial_id]
        if _runs(trial):
            self.get_trial(trial_id)
            trial = super().update_trial(trial_id, metrics, step)
            self.say(self.done)
            if not self.is_behind(trial, step):
                return trial
        return Trial(trial.hyperparameters, trial_id, "STOPPED")

    @keras_tuner.synchronized
    def end_trial(self, trial):
        if not _runs(self.trials[trial.trial_id]):
            return  # a worker taken for dead came back after another had done its work
        if trial.trial_id in self._retry_queue:
            self._retry_queue.remove(trial.trial_id)
        ended_well = trial.status == "COMPLETED"
        super().end_trial(trial)
        trial = self.trials[trial.trial_id]
        if ended_well and trial.status != "COMPLETED":
            trial.message = "its score is not a number"
            self.save()
        self.say(self.done, self.line(trial))

    def get_trial(self, trial_id):
        """The trial; that a worker asks for its own shows that it lives."""
        for worker, trial in list(self.ongoing_trials.items()):
            if trial.trial_id == trial_id:
                self.heard[worker] = time.monotonic()
        return super().get_trial(trial_id)

    @keras_tuner.synchronized
    def release_silent(self):
        """Gives back the trials of workers that have not been heard of for `SILENCE` seconds."""
        now = time.monotonic()
        for worker in self.tuner_ids | set(self.ongoing_trials):
            if now - self.heard[worker] > SILENCE:
                self.release(worker)

    @keras_tuner.synchronized
    def release(self, worker):
        """Gives back the trial of a worker that has died; the third such death fails the trial."""
        self.tuner_ids.discard(worker)
        trial = self.ongoing_trials.pop(worker, None)
        if trial is None:
            return
        self._run_times[trial.trial_id] += 1
        self.say(self.done, f"{worker} is gone, trial {trial.trial_id} waits for another")
        if self._run_times[trial.trial_id] < 3:
            self._retry_queue.append(trial.trial_id)
            self.save()
        else:
            trial.status, trial.message = "FAILED", "three workers died of it"
            super().end_trial(trial)
            self.say(self.done, self.line(trial))

    def score_trial(self, trial):
        trial.score = trial.metrics.get_last_value(self.objective.name)

    def is_behind(self, trial, step):
        """Whether a trial is worse than the median of the finished ones; asked for four of them."""
        if not self.prunes or step < 20:
            return False
        others = [self.value_at(other, step) for other in self.finished]
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
    def finished(self):
        """The trials that have ended well, the best first."""
        found = [trial for trial in self.trials.values() if trial.status == "COMPLETED"]
        return sorted(found, key=lambda t: t.score, reverse=self.objective.direction == "max")

    @property
    def done(self):
        """How many trials have ended, with the shares of those that are under way."""
        steps = [
            trial.metrics.get_history(self.objective.name)[-1].step / _share_of(trial)
            for trial in self.ongoing_trials.values()
            if _runs(trial) and trial.metrics.exists(self.objective.name)
        ]
        return len(self.end_order) + sum(steps) / 100

    def _random_values(self):
        if not self.trials:
            return {field.name: field.default for field in self.hyperparameters.space}
        return super()._random_values()

    def line(self, trial):
        """A trial in one line."""
        row = self.row(trial)
        values = "  ".join(f"{name} {text(value)}" for name, value in row.items() if value != "")
        return values + (f"  {trial.message}" if trial.message else "")

    def row(self, trial):
        """What there is to say of a trial: a dict of name to number or text."""

        def last(name, kind):
            return kind(trial.metrics.get_last_value(name)) if trial.metrics.exists(name) else ""

        return {
            "trial": trial.trial_id,
            self.objective.name: trial.score if trial.status == "COMPLETED" else "failed",
            **values_of(trial),
            "epochs": last("epochs", int),
            "seconds": last("seconds", float),
        }


class RandomSearch(Search, RandomSearchOracle):
    """Values at random."""


class BayesianSearch(Search, BayesianOptimizationOracle):
    """Values where a Gaussian process over those tried expects much, or knows little."""

    def populate_space(self, trial_id):
        # Not saved with the rest: a search that goes on sees the same as an undisturbed one.
        self._random_state = np.random.RandomState(self.seed + len(self.trials))
        response = super().populate_space(trial_id)
        if response["values"] and self._duplicate(response["values"]):
            return self._random_populate_space()
        return response


class HyperbandSearch(Search, HyperbandOracle):
    """Many values a little, the better ones longer (Li et al. 2018)."""


def tune(
    recipe,
    named,
    preset,
    config,
    run,
    command,
    arguments,
    *,
    search="random",
    trials=20,
    fields=None,
    workers=None,
):
    """Searches, or goes on with the search that the run's folder holds, and trains the best.

    Args:
        recipe, named, preset, config, run, command: As for `keras_seq.training.train`. The config
            has the values of what is not tuned, and those of the first trial.
        arguments: After `keras-seq tune`, to start workers with.
        search: "random", "bayesian" or "hyperband".
        trials: How many to try; Hyperband takes the nearest number of whole rounds.
        fields: Names of the fields to tune; by default all that are tunable.
        workers: Processes on this machine to work side by side; by default one a GPU, if there are
            several.

    Returns:
        The metrics of the best config, as `train` returns them, and a list of dicts, a row a trial,
        the best first. None, if this process is a worker of a chief elsewhere.

    Raises:
        InputError: The settings make no sense, or are not those that the search began with.
    """
    role = cluster_role()
    if role is not None and workers is not None and LOCAL not in os.environ:
        raise InputError(f"--workers starts workers on one machine; it takes no {CLUSTER[0]}.")
    for option, value in (("--trials", trials), ("--workers", workers)):
        if value is not None and value < 1:
            raise InputError(f"{option} must be at least 1.")
    if search == "hyperband":
        trials = HYPERBAND_ROUND * max(1, round(trials / HYPERBAND_ROUND))
    space = space_of(config, fields)
    folder = run.folder / "tuning"
    trainer = Trainer(recipe, named, preset, config, folder)
    gpus = _gpus()
    if role == "worker":
        print(_devices(gpus))
        _work_for_the_chief(make_oracle(search, None, space, trials, config), trainer)
        return None
    settings = {
        **dataclasses.asdict(config),
        "search": search,
        "trials": trials,
        "fields": sorted(field.name for field in space.space),
    }
    _check_settings(run, folder / "settings.json", settings)
    if "validation" not in recipe.load(config):  # before workers do, since it may be prepared here
        raise InputError(
            f"Tuning chooses by the validation split, and the data {config.data!r} has none."
        )
    runs.write_json(folder / "settings.json", settings)
    if workers is None:
        workers = len(gpus) if len(gpus) > 1 else 0
    with progress.trials(trials) as say:
        oracle = make_oracle(search, folder / "search.json", space, trials, config, say)
        if role == "chief":
            address = ":".join(os.environ[name] for name in CLUSTER[1:])
            say(oracle.done, f"Workers are awaited at {address}.")
            serve(oracle, address)
        elif workers:
            say(oracle.done, f"{_devices(gpus)}, {workers} side by side")
            serve(oracle, "127.0.0.1:0", functools.partial(_start_worker, arguments, gpus), workers)
        else:
            say(oracle.done, _devices(gpus))
            work(oracle, "tuner0", trainer)
    if not oracle.finished:
        why = oracle.trials[oracle.end_order[-1]].message or "see above"
        raise InputError(f"No trial of {folder} ended well; the last: {why}")
    rows = [oracle.row(trial) for trial in oracle.finished]
    score = oracle.objective.name
    logarithmic = {name: found.log for name, found in type(config).spaces().items()}
    pictures.parallel_coordinates(
        rows,
        {field.name: logarithmic[field.name] for field in space.space},
        score,
        config.less_is_better,
        run.folder / "trials.png",
    )
    rows += [oracle.row(trial) for trial in oracle.trials.values() if trial.status == "FAILED"]
    _write_table(run.folder / "trials.csv", rows)
    best = dataclasses.replace(config, **values_of(oracle.finished[0]))
    for checkpoint in folder.glob("trial_*/checkpoint.npz"):
        checkpoint.unlink()
    return training.train(recipe, named, preset, best, run, command), rows


def space_of(config, fields=None):
    """The tunable fields of a config as keras-tuner's `HyperParameters`, its values among them.

    Args:
        config: A recipe's Config.
        fields: Names; by default all that are tunable.

    Raises:
        InputError: One is not tunable, or there is none.
    """
    spaces = type(config).spaces()
    for name in fields or ():
        if name.replace("-", "_") not in spaces:
            raise unknown("tunable field", name, spaces)
    names = [name.replace("-", "_") for name in fields] if fields is not None else spaces
    found = keras_tuner.HyperParameters()
    for name in names:
        space, value = spaces[name], getattr(config, name)
        if isinstance(value, bool):
            found.Boolean(name, default=value)
        elif space.among:
            values = dict.fromkeys((*space.among, value))
            ordered = not isinstance(value, str)
            found.Choice(name, sorted(values) if ordered else list(values), ordered, value)
        else:
            kind = found.Int if isinstance(value, int) else found.Float
            low, high = min(*space.between, value), max(*space.between, value)
            kind(name, low, high, sampling="log" if space.log else "linear", default=value)
    if not found.space:
        raise InputError("There is nothing to tune: the fields that you set stay as they are.")
    return found


def make_oracle(search, path, space, trials, config, say=None):
    """What chooses the trials, as its file says it stands."""
    direction = "min" if config.less_is_better else "max"
    arguments = {
        "path": path,
        "say": say,
        "prunes": search != "hyperband",
        "objective": keras_tuner.Objective(f"val_{config.objective}", direction),
        "hyperparameters": space,
        "seed": config.seed + 1,  # 0 would be none
    }
    if search == "hyperband":
        rounds = trials // HYPERBAND_ROUND
        return HyperbandSearch(max_epochs=PARTS, hyperband_iterations=rounds, **arguments)
    if search == "bayesian":
        first = max(3, trials // 4)
        return BayesianSearch(max_trials=trials, num_initial_points=first, **arguments)
    return RandomSearch(max_trials=trials, **arguments)


def values_of(trial):
    """The values that a trial tries, by field; numbers with fractions to three digits."""
    values = trial.hyperparameters.values
    return {
        name: float(f"{value:.3g}") if isinstance(value, float) else value
        for name, value in values.items()
        if not name.startswith("tuner/")
    }


def text(value):
    """A value of a row of the table, for people."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@dataclasses.dataclass(frozen=True)
class Trainer:
    """Trains what is to be tried, and tells the oracle after every epoch."""

    recipe: Any
    named: str
    preset: str
    config: Any
    folder: Path

    def run(self, trial):
        """The run of a trial, which for Hyperband may go on from where an earlier one stopped."""
        return runs.Run(self.folder / f"trial_{trial.trial_id}")

    def train(self, trial, oracle):
        """Trains until the end, or until the oracle says that it is enough."""
        values = trial.hyperparameters.values
        config = dataclasses.replace(self.config, **values_of(trial))
        past = self.folder / f"trial_{values.get('tuner/trial_id')}" / "checkpoint.npz"
        run = self.run(trial)
        if past.exists() and not run.started:
            with runs.replaced(run.folder / past.name) as path:
                shutil.copy(past, path)
        keras.utils.clear_session()
        _, keeper = training.fit(
            self.recipe,
            self.named,
            self.preset,
            config,
            run,
            functools.partial(Report, oracle=oracle, trial=trial),
            share=_share_of(trial),
            test=False,
        )
        report(keeper, oracle, trial)

    def clean(self, trial):
        """Removes what only Hyperband would need again."""
        if "tuner/epochs" not in trial.hyperparameters.values:
            (self.run(trial).folder / "checkpoint.npz").unlink(missing_ok=True)


class Report(keras.callbacks.Callback):
    """Tells the oracle after every epoch how far a trial has come; it may say that it is enough."""

    def __init__(self, keeper, oracle, trial):
        super().__init__()
        self.keeper, self.oracle, self.trial = keeper, oracle, trial

    def on_epoch_end(self, epoch, logs=None):
        if report(self.keeper, self.oracle, self.trial).status == "STOPPED":
            self.model.stop_training = True


def report(keeper, oracle, trial):
    """Tells the oracle the score of a trial, at a step that is a percentage of the training."""
    config, name = keeper.config, f"val_{keeper.config.objective}"
    scores = [row[name] for row in keeper.history]
    if config.keep_best:
        best = min if config.less_is_better else max
        scores = [best((s for s in scores if not math.isnan(s)), default=math.nan)]
    metrics = {
        name: scores[-1],
        "epochs": keeper.epochs_done,
        "seconds": keeper.history[-1]["seconds"],
    }
    percent = round(100 * keeper.epochs_done / keeper.epochs)
    return oracle.update_trial(trial.trial_id, metrics, step=percent)


def work(oracle, name, trainer):
    """Does trials until there are no more.

    Args:
        oracle: A `Search`, or a client of it.
        name: Of this worker.
        trainer: Has `train(trial, oracle)` and `clean(trial)`.
    """
    while (trial := oracle.create_trial(name)).status != "STOPPED":
        if trial.status == "IDLE":
            time.sleep(1)
            continue
        with _heartbeat(oracle, trial):
            try:
                trainer.train(trial, oracle)
                trial.status = "COMPLETED"
            except grpc.RpcError:
                raise
            except Exception as error:
                # Some values may be impossible together, or too large for the machine.
                trial.status, trial.message = "FAILED", " ".join(str(error).split())[:500]
                if isinstance(oracle, OracleClient):  # which does not tell the chief why
                    print(f"trial {trial.trial_id}: {trial.message}", file=sys.stderr)
        oracle.end_trial(trial)
        trainer.clean(trial)


def serve(oracle, address, start=None, workers=0):
    """Answers workers until all trials have ended and all workers know.

    Args:
        oracle: A `Search`.
        address: Host and port to listen at; port 0 is any free one.
        start: Called with a number and the port, starts a worker: a `subprocess.Popen`.
        workers: How many to start.
    """
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    protos.get_service_grpc().add_OracleServicer_to_server(OracleServicer(oracle), server)
    try:
        port = server.add_insecure_port(address)
    except RuntimeError:
        raise InputError(
            f"The chief cannot listen at {address}: KERASTUNER_ORACLE_IP must be an address of "
            "its machine, KERASTUNER_ORACLE_PORT a free port."
        ) from None
    server.start()
    started = {f"worker{number}": start(number, port) for number in range(workers)}
    try:
        while not oracle.ended or oracle.ongoing_trials or oracle.tuner_ids:
            time.sleep(0.2)
            oracle.release_silent()
            gone = [name for name, process in started.items() if process.poll() is not None]
            for name in gone:
                oracle.release(name)
            if started and len(gone) == workers and not oracle.ended:
                raise InputError("All workers have ended; the same command goes on.")
    finally:
        server.stop(grace=2).wait()
        for process in started.values():
            process.terminate()
            process.wait()


def cluster_role():
    """What this process is by keras-tuner's environment variables: "chief", "worker" or None.

    Raises:
        InputError: Some of the three are set, but not all.
    """
    missing = [name for name in CLUSTER if not os.environ.get(name)]
    if len(missing) == len(CLUSTER):
        return None
    if missing:
        raise InputError(f"Of {', '.join(CLUSTER)}, {' and '.join(missing)} must be set too.")
    if not os.environ[CLUSTER[2]].isdecimal():
        raise InputError(f"{CLUSTER[2]} must be a number, not {os.environ[CLUSTER[2]]!r}.")
    return "chief" if "chief" in os.environ[CLUSTER[0]] else "worker"


def _work_for_the_chief(oracle, trainer):
    if LOCAL in os.environ:
        # The chief never writes into this pipe: it is closed when the chief is no more.
        def end_with_the_chief():
            sys.stdin.read()
            os._exit(1)

        threading.Thread(target=end_with_the_chief, daemon=True).start()
    try:
        work(OracleClient(oracle), os.environ[CLUSTER[0]], trainer)
    except grpc.RpcError as error:
        chief = ":".join(os.environ[name] for name in CLUSTER[1:])
        raise InputError(f"The chief at {chief} does not answer: {error.details()}") from None


def _start_worker(arguments, gpus, number, port):
    values = (f"worker{number}", "127.0.0.1", str(port))
    environment = {**os.environ, **dict(zip(CLUSTER, values)), LOCAL: "1"}
    if gpus:
        environment["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
    return subprocess.Popen(
        [sys.executable, "-m", "keras_seq.cli", "tune", *arguments],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )


def _gpus():
    """The GPUs that TensorFlow sees, as CUDA_VISIBLE_DEVICES names them."""
    import tensorflow as tf

    count = len(tf.config.list_physical_devices("GPU"))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(count)))
    return visible.split(",")[:count] if count else []


def _devices(gpus):
    """What is computed on."""
    where = f"GPU {', '.join(gpus)}" if gpus else f"the CPU, {os.cpu_count()} cores"
    return f"Trials run on {where}"


def _check_settings(run, path, settings):
    """A search goes on with what it was begun with; it does not begin where a run lies already."""
    if run.finished or (run.started and not path.exists()):
        run.check_free()
    if path.exists():
        was = json.loads(path.read_text())
        for name, value in settings.items():
            if was.get(name) != value:
                option = name.replace("_", "-")
                raise InputError(
                    f"{run.folder} was tuned with --{option} {was.get(name)}, not {value}; choose "
                    "another name with --run."
                )


@contextlib.contextmanager
def _heartbeat(oracle, trial):
    """Shows the oracle now and then that a trial is being worked on."""
    done = threading.Event()

    def beat():
        with contextlib.suppress(grpc.RpcError):  # which the worker itself will meet
            while not done.wait(HEARTBEAT):
                oracle.get_trial(trial.trial_id)

    threading.Thread(target=beat, daemon=True).start()
    try:
        yield
    finally:
        done.set()


def _runs(trial):
    return trial.status == "RUNNING"


def _share_of(trial):
    """The share of a whole training that a trial is."""
    return trial.hyperparameters.values.get("tuner/epochs", PARTS) / PARTS


def _write_table(path, rows):
    with runs.replaced(path) as new, new.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
