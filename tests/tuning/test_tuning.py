"""Searches over a recipe that takes no time to train."""

import collections
import contextlib
import csv
import dataclasses
import errno
import functools
import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
from pathlib import Path

import keras
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("tuned on TensorFlow alone", allow_module_level=True)

import damage
import formula_recipe
import grpc
import keras_tuner
from helpers import slow_but

from keras_seq import cli, tuning
from keras_seq._internal import files
from keras_seq._internal.errors import InputError
from keras_seq.train import callbacks, plots, registry, runs
from keras_seq.train.config import Config, tunable
from keras_seq.tuning import cluster

SCORE = "val_accuracy"


@pytest.fixture
def formula(workplace, monkeypatch):
    """Return the name of the recipe for a command, in an empty folder."""
    for name in tuning.KERASTUNER_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    # Collecting the garbage of earlier tests would take seconds per trial.
    clear = functools.partial(keras.utils.clear_session, free_memory=False)
    monkeypatch.setattr(keras.utils, "clear_session", clear)
    return formula_recipe.write(workplace / "formula")


def table(folder):
    with (folder / "trials.csv").open() as file:
        return list(csv.DictReader(file))


def without_seconds(rows):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def read_log(path="log"):
    return Path(path).read_text().splitlines()


@pytest.mark.slow
def test_a_killed_search_goes_on_with_no_trial_lost_or_done_twice(formula, workplace, capsys):
    command = ["tune", formula, "--trials", "7", "--seed", "1"]
    assert cli.main(command) == 0, capsys.readouterr().err
    whole, undisturbed = table(workplace / "runs/formula/tuned"), read_log()
    (workplace / "log").unlink()
    # In the third trial, after its second of three epochs.
    killed = subprocess.run(
        [sys.executable, "-m", "keras_seq.cli", *command, "--run", "killed"],
        env={**os.environ, "KILL_AT": "8"},
        capture_output=True,
    )
    assert killed.returncode == -9, killed.stderr
    assert read_log() == undisturbed[:8]
    command += ["--run", "killed"]
    assert cli.main([*command, "--bad", "1"]) == 2
    assert "was tuned with --bad 0, not 1" in capsys.readouterr().err
    assert cli.main(command) == 0
    folder = workplace / "runs/formula/killed"
    assert read_log() == undisturbed, "every epoch of every trial once"
    assert without_seconds(table(folder)) == without_seconds(whole) and len(whole) == 7

    out = capsys.readouterr().out
    assert "Trials run on the CPU" in out and "test accuracy" in out
    assert sum(line.startswith("test") for line in undisturbed) == 1
    scores = [float(row[SCORE]) for row in whole]
    assert scores == sorted(scores, reverse=True)
    config = json.loads((folder / "config.json").read_text())["config"]
    assert {name: str(config[name]) for name in ("width", "rate", "kind", "bias")} == {
        name: whole[0][name] for name in ("width", "rate", "kind", "bias")
    }
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["validation"]["accuracy"] == pytest.approx(scores[0])
    first = next(row for row in whole if row["trial"] == "0")
    assert (first["width"], first["rate"], first["kind"]) == ("4", "0.1", "plain")
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "history.csv",
        "learning_curve.png",
        "metrics.json",
        "model.keras",
        "trials.csv",
        "trials.png",
        "tuning",
    }
    assert not list(folder.rglob("*.npz"))
    assert cli.main(command) == 2
    assert "holds a finished run" in capsys.readouterr().err


@pytest.mark.slow
def test_a_search_that_has_grown_goes_on_in_a_new_process(formula, workplace):
    command = ["tune", formula, "--trials", "3", "--seed", "1"]
    grown = f"""
import sys
from keras_seq import cli
from keras_seq._internal import files
from keras_seq.tuning import cluster
cluster.MAX_RSS_GROWTH = -(2**40)  # not in the process that replaces it
sys.exit(cli.main({command}))
"""
    done = subprocess.run([sys.executable, "-c", grown], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Trials run on the CPU") == 2
    assert [row[SCORE] != "failed" for row in table(workplace / "runs/formula/tuned")] == [True] * 3
    # Three epochs of each of three trials and of the best config, which is evaluated at its end.
    assert sum(line.startswith("validation") for line in read_log()) == 3 * 4 + 1


def test_a_second_process_is_refused(formula, workplace, capsys):
    folder = Path("runs/formula/tuned")
    # A lock belongs to an open file, so this one acts like that of another process.
    with runs.Run(folder).lock():
        assert cli.main(["tune", formula, "--trials", "1"]) == 2
        error = f"Another process uses {folder}; wait until it ends."
        assert capsys.readouterr().err == f"keras-seq: {error}\n"
        assert [path.name for path in folder.iterdir()] == [".lock"] and not Path("log").exists()
    assert not Path("runs").exists()
    assert cli.main(["tune", formula, "--trials", "1"]) == 0


@pytest.mark.slow
def test_a_full_disk_ends_a_search_which_goes_on_later(formula, workplace, monkeypatch, capsys):
    command = ["tune", formula, "--trials", "2", "--seed", "1"]
    for name in ("search.json", "checkpoint.npz"):
        with monkeypatch.context() as patch:
            fill_the_disk(patch, name, after=4)
            assert cli.main(command) == 2
        error = capsys.readouterr().err
        assert (
            "The disk" in error and "is full; free some space" in error and error.count("\n") == 1
        )
    assert cli.main(command) == 0
    rows = table(workplace / "runs/formula/tuned")
    assert len(rows) == 2 and all(row[SCORE] != "failed" for row in rows)


def fill_the_disk(monkeypatch, name, after):
    """Let writing a file with this name fail after a number of times."""
    write, times = files.atomic_write, iter(range(after))

    def full(path, *arguments, **options):
        if Path(path).name == name and next(times, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write(path, *arguments, **options)

    monkeypatch.setattr(files, "atomic_write", full)


@pytest.fixture(scope="module")
def searches(tmp_path_factory):
    """Return a folder with the search `whole`, and `half`, stopped after five of nine epochs."""
    folder = tmp_path_factory.mktemp("searches")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in tuning.KERASTUNER_VARIABLES:
            patch.delenv(name, raising=False)
        command = ["tune", formula_recipe.write(folder / "formula"), *THREE]
        assert cli.main([*command, "--run", "whole"]) == 0
        save, times = callbacks.RunCallback.save, iter(range(4))

        def stop_after_five(run_callback):
            save(run_callback)
            if next(times, None) is None:
                raise KeyboardInterrupt

        patch.setattr(callbacks.RunCallback, "save", stop_after_five)
        assert cli.main([*command, "--run", "half"]) == 130
    return folder


THREE = ("--trials", "3", "--seed", "1", "--fields", "rate")


@pytest.mark.parametrize("kind", slow_but(["cut"], ["cut", "flipped"]))
@pytest.mark.parametrize(
    "name, message",
    {
        "settings.json": "settings.json is damaged",
        "search.json": "using its previous version search.previous.json",
        "trial_1/checkpoint.npz": "using its previous version checkpoint.previous.npz",
        "trial_1/config.json": "trial_1 starts again",
    }.items(),
)
def test_a_damaged_search(searches, tmp_path, monkeypatch, capsys, name, message, kind):
    shutil.copytree(searches, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    path = Path("runs/formula/half/tuning") / name
    [damaged] = damage.versions(path.read_bytes(), kind, 1)
    path.write_bytes(damaged)
    code = cli.main(["tune", "./formula", *THREE, "--run", "half"])
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    if name == "settings.json":
        assert code == 2
        return
    assert code == 0, error
    whole, half = (table(Path("runs/formula") / run) for run in ("whole", "half"))
    assert without_seconds(half) == without_seconds(whole) and len(whole) == 3


def test_a_search_goes_on_with_the_same_code_only(searches, tmp_path, monkeypatch, capsys):
    shutil.copytree(searches, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    Path("formula/model.py").write_text(formula_recipe.FILES["model.py"] + "# changed")
    assert cli.main(["tune", "./formula", *THREE, "--run", "half"]) == 2
    error = capsys.readouterr().err
    assert (
        "code of the recipe formula. Changed since: model.py." in error and error.count("\n") == 1
    )


def test_a_programming_error_ends_a_search(formula):
    path = Path("formula/model.py")
    head = "def build(config, train):"
    path.write_text(path.read_text().replace(head, f"{head}\n    None + 1"))
    with pytest.raises(TypeError):
        cli.main(["tune", formula, "--trials", "2"])


@pytest.mark.slow
def test_hyperband_goes_on_where_a_trial_stopped(formula, workplace, capsys):
    options = ["--search", "hyperband", "--steps", "9", "--fields", "rate", "--width", "8"]
    assert cli.main(["tune", formula, *options]) == 0, capsys.readouterr().err
    rows = table(workplace / "runs/formula/tuned")
    epochs = collections.Counter(row["epochs"] for row in rows)
    assert epochs == {"1": 9, "3": 3 + 5, "9": 1 + 2 + 3}
    *lines, _, _ = read_log()  # the last two are of the best config
    seen = collections.Counter(line for line in lines if line.startswith("validation"))
    best = rows[0]["rate"]
    again = {line for line, count in seen.items() if count > 1}
    assert all(line.split()[2] == best for line in again), "only the best is trained again"
    assert not list((workplace / "runs").rglob("*.npz"))


def test_values_that_cannot_be_trained_fail_alone(formula, workplace, capsys):
    options = ["--trials", "5", "--fields", "width", "--bad", "2"]
    assert cli.main(["tune", formula, *options]) == 0
    rows = table(workplace / "runs/formula/tuned")
    assert [(row["width"], row[SCORE] == "failed") for row in rows] == [
        ("8", False),
        ("4", False),
        ("2", True),
    ], "a space of three values is done after three trials"
    assert "too narrow" in capsys.readouterr().out
    assert cli.main(["tune", formula, "--bad", "9", "--trials", "9", "--run", "none"]) == 2
    assert "failed, the last one with: too narrow" in capsys.readouterr().err
    state = json.loads((workplace / "runs/formula/none/tuning/search.json").read_text())
    assert len(state["trials"]) == 3


@pytest.mark.slow
def test_a_trial_on_all_devices(formula, workplace, capsys):
    options = ["--trials", "2", "--fields", "width", "--distribute", "mirrored"]
    assert cli.main(["tune", formula, *options]) == 0, capsys.readouterr().err
    assert "Training on 1 device: CPU:0." in capsys.readouterr().out
    # The last word is the optimizer step of the evaluated model.
    assert [line.split()[-1] for line in read_log()] == [*"123" * 3, "3", "3"]


MISTAKES = {
    "unknown field": (["--fields", "widht"], {}, "did you mean 'width'?"),
    "no trials": (["--trials", "0"], {}, "--trials must be an integer of at least 1"),
    "no workers": (["--workers", "0"], {}, "--workers must be an integer of at least 1"),
    "side by side and one by one": (
        ["--workers", "2", "--distribute", "mirrored"],
        {},
        "Use one of them",
    ),
    "unknown search": (["--search", "grid"], {}, '"grid" for --search'),
    "no validation split": (["--data", "unheld"], {}, "the data 'unheld' does not have"),
    "all is set": (
        ["--width=2", "--rate", "1", "--kind", "fine", "--no-bias"],
        {},
        "no fields to tune",
    ),
    "half a cluster": ([], {tuning.KERASTUNER_VARIABLES[0]: "chief"}, "KERASTUNER_ORACLE_PORT too"),
    "no port": (
        [],
        dict(zip(tuning.KERASTUNER_VARIABLES, ("chief", "here", "a"))),
        "must be a number, got 'a'",
    ),
    "workers of a worker": (
        ["--workers", "2"],
        dict(zip(tuning.KERASTUNER_VARIABLES, ("w", "127.0.0.1", "1"))),
        "--workers starts workers on one machine",
    ),
    "not this machine": (
        [],
        dict(zip(tuning.KERASTUNER_VARIABLES, ("chief", "192.0.2.1", "80"))),
        "cannot listen at 192.0.2.1:80",
    ),
}


@pytest.mark.parametrize("options, environment, message", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_gets_one_sentence(formula, monkeypatch, capsys, options, environment, message):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert cli.main(["tune", formula, *options]) == 2
    error = capsys.readouterr().err
    assert message in error and error.startswith("keras-seq: ") and error.count("\n") == 1


def test_without_keras_tuner_it_says_what_to_install(formula, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "keras_tuner", None)
    monkeypatch.delitem(sys.modules, "keras_seq.tuning")
    monkeypatch.delattr("keras_seq.tuning")
    assert cli.main(["tune", formula]) == 2
    assert "pip install 'keras-seq[tune]'" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(registry.list_recipes()))
def test_every_recipe_is_tunable_and_its_presets_lie_in_the_space(name):
    recipe = registry.list_recipes()[name]
    for preset, config in recipe.presets.items():
        space = tuning.make_hyperparameters(config)
        names = {field.name for field in space.space}
        assert names >= {"cell", "units", "num_layers", "dropout", "learning_rate"}
        for field in space.space:
            value = getattr(config, field.name)
            if value is None:  # the recipe chooses it by the data
                value = field.default
            assert field.default == value, preset
            assert field.prob_to_value(field.value_to_prob(value)) == pytest.approx(value)


def test_the_space_of_numbers_reaches_to_the_value_that_is_set():
    @dataclasses.dataclass(frozen=True)
    class Deep(Config):
        depth: int = tunable(2, low=1, high=4)
        rate: float = tunable(0.1, low=0.01, high=1, log=True)
        width: int = tunable(4, choices=(2, 4, 8))

    space = {
        field.name: field
        for field in tuning.make_hyperparameters(Deep(depth=6, rate=0.001, width=5)).space
    }
    assert [space["depth"].prob_to_value(p) for p in (0, 1)] == [1, 6]
    assert isinstance(space["depth"].random_sample(seed=1), int)
    assert space["rate"].prob_to_value(0.5) == pytest.approx((0.001 * 1) ** 0.5)
    assert space["width"].values == [2, 4, 5, 8]


def test_a_number_that_the_recipe_chooses_begins_in_the_middle():
    @dataclasses.dataclass(frozen=True)
    class Chosen(Config):
        depth: int | None = tunable(None, low=1, high=4)
        rate: float | None = tunable(None, low=0.01, high=1, log=True)

    depth, rate = tuning.make_hyperparameters(Chosen()).space
    assert isinstance(depth.default, int) and depth.default == 2
    assert rate.default == pytest.approx(0.1)


def test_a_field_that_is_set_is_not_tuned_however_it_is_spelt(formula, monkeypatch, capsys):
    tuned = []
    monkeypatch.setattr(tuning, "tune", lambda *_, fields, **__: tuned.append(fields))
    for words in (["--rate", "0.1"], ["--rate=0.1", "--no-bias"], ["--RATE", "0.1", "--bias"]):
        code = cli.main(["tune", formula, *words])
        assert code == (2 if "--RATE" in words else 0), capsys.readouterr().err
    assert tuned == [["width", "kind", "bias"], ["width", "kind"]]


class TableTrainer:
    """Trainer with scores from a table: value of x to a score per epoch."""

    def __init__(self, scores=None):
        self.scores, self.done = scores or {}, []

    def train(self, trial, oracle):
        x = trial.hyperparameters.values["x"]
        for epoch, score in enumerate(self.scores.get(x, [x]), 1):
            metrics = {SCORE: score, "epochs": epoch, "seconds": 1.0}
            if oracle.update_trial(trial.trial_id, metrics, step=25 * epoch).status == "STOPPED":
                break
        self.done.append((x, epoch))

    def clean(self, trial):
        pass


def ignore_progress(done, line=None):
    pass


def make_search(path, trials=6, mode="max", on_progress=ignore_progress, search="random"):
    """Return a search for the greatest x from 1 to 40."""
    space = keras_tuner.HyperParameters()
    space.Choice("x", list(range(1, 41)), default=20)
    config = type("Config", (Config,), {"mode": mode})()
    return tuning.make_oracle(search, path / "search.json", space, trials, config, on_progress)


@pytest.mark.parametrize("mode", ["max", "min"])
def test_a_trial_worse_than_the_median_is_stopped(tmp_path, mode):
    sign = -1 if mode == "min" else 1
    curves = {x: [sign * (x * (1 + epoch / 10)) for epoch in range(4)] for x in range(1, 41)}
    trainer = TableTrainer(curves)
    tuning.run_trials(make_search(tmp_path, 12, mode), "tuner0", trainer)
    assert len(trainer.done) == 12
    reached = []
    for number, (x, epochs) in enumerate(trainer.done):
        expected = 4
        for epoch in (1, 2, 3, 4):
            others = [curves[y][min(epoch, last) - 1] for y, last in reached]
            if number >= 4 and sign * curves[x][epoch - 1] < sign * statistics.median(others):
                expected = epoch
                break
        assert epochs == expected
        reached.append((x, epochs))
    assert min(epochs for _, epochs in trainer.done) == 1, "else nothing was tested"


def test_a_silent_worker_gives_its_trial_back(tmp_path):
    lines = []
    oracle = make_search(
        tmp_path, 2, on_progress=lambda done, line=None: lines.append((done, line))
    )
    lost = oracle.create_trial("a")
    kept = oracle.create_trial("b")
    assert oracle.create_trial("c").status == "IDLE", "one may yet be given back"
    oracle.last_seen["a"] -= tuning.WORKER_TIMEOUT + 1
    oracle.last_seen["b"] -= tuning.WORKER_TIMEOUT + 1
    oracle.get_trial(kept.trial_id)
    assert oracle.create_trial("c").trial_id == lost.trial_id
    assert lines == [(0, f"a has stopped, trial {lost.trial_id} waits for another worker")]
    # The worker was only slow. The first result counts; the other worker is told to stop.
    metrics = {SCORE: 3.0}
    oracle.update_trial(lost.trial_id, metrics)
    lost.status = "COMPLETED"
    oracle.end_trial(lost)
    assert oracle.update_trial(lost.trial_id, {SCORE: 9.0}).status == "STOPPED"
    oracle.end_trial(lost)
    assert oracle.trials[lost.trial_id].score == 3 and oracle.end_order == [lost.trial_id]


def test_progress_counts_trials_and_what_is_done_of_those_under_way(tmp_path):
    seen = []
    oracle = make_search(tmp_path, 2, on_progress=lambda done, line=None: seen.append(done))
    tuning.run_trials(oracle, "tuner0", TableTrainer({x: [1, 2] for x in range(1, 41)}))
    assert seen == [0.25, 0.5, 1, 1.25, 1.5, 2]
    oracle = make_search(tmp_path / "hyperband", 23, search="hyperband")
    trial = oracle.create_trial("a")  # for a ninth of a training
    oracle.update_trial(trial.trial_id, {SCORE: 1.0}, step=11)
    assert oracle.num_done == pytest.approx(0.99)


def test_a_search_ends_when_three_trials_failed_and_no_other_went_well(tmp_path):
    def fails(worker):
        trial = oracle.create_trial(worker)
        trial.status, trial.message = "FAILED", "it does not fit"
        oracle.end_trial(trial)

    oracle = make_search(tmp_path, 9)
    hopeful = oracle.create_trial("a")
    for _ in range(3):
        fails("b")
    assert oracle.create_trial("b").status == "IDLE", "the other may yet go well"
    oracle.update_trial(hopeful.trial_id, {SCORE: 1.0})
    hopeful.status = "COMPLETED"
    oracle.end_trial(hopeful)
    assert oracle.create_trial("b").status == "RUNNING"

    for search in ("random", "bayesian", "hyperband"):
        oracle = make_search(tmp_path / search, 23, search=search)
        for _ in range(3):
            fails("b")
        assert oracle.create_trial("b").status == "STOPPED" and oracle.ended


def test_a_trial_that_kills_its_workers_fails(tmp_path):
    oracle = make_search(tmp_path, 1)
    for worker in "abc":
        assert oracle.create_trial(worker).status == "RUNNING"
        oracle.release(worker)
    assert oracle.create_trial("d").status == "STOPPED"
    assert [trial.status for trial in oracle.trials.values()] == ["FAILED"]


class Worker(threading.Thread):
    """Worker of a chief as a thread of this process, connected over the network."""

    def __init__(self, monkeypatch, trainer, number, port):
        super().__init__(daemon=True)
        for name, value in zip(
            tuning.KERASTUNER_VARIABLES, (f"worker{number}", "127.0.0.1", str(port))
        ):
            monkeypatch.setenv(name, value)
        self.client = cluster.OracleClient(make_search(Path("none")))
        self.name, self.trainer = f"worker{number}", trainer
        self.start()

    def run(self):
        with contextlib.suppress(SystemExit, grpc.RpcError):
            tuning.run_trials(self.client, self.name, self.trainer)

    def poll(self):
        return None if self.is_alive() else 1

    def terminate(self):
        pass

    wait = threading.Thread.join


def test_a_chief_and_two_workers_of_which_one_dies(tmp_path, monkeypatch):
    class Dies(TableTrainer):
        def train(self, trial, oracle):
            dying.append(trial.trial_id)
            raise SystemExit  # which `except Exception` does not catch

    def start(number, port):
        return Worker(monkeypatch, TableTrainer() if number else Dies(), number, port)

    dying = []
    oracle = make_search(tmp_path)
    tuning.serve_workers(oracle, "127.0.0.1:0", start, 2)
    assert len(dying) == 1
    scores = [trial.score for trial in oracle.completed]
    assert scores == [trial.hyperparameters.values["x"] for trial in oracle.completed]
    assert len(scores) == 6 and scores == sorted(scores, reverse=True)
    assert json.loads((tmp_path / "search.json").read_text())["trials"].keys() == {*"012345"}
    # A chief that is started again afterwards waits for no workers.
    tuning.serve_workers(make_search(tmp_path), "127.0.0.1:0")


def test_a_chief_whose_disk_is_full_ends_with_its_workers(tmp_path, monkeypatch):
    oracle, started = make_search(tmp_path), []
    fill_the_disk(monkeypatch, "search.json", after=7)

    def start(number, port):
        started.append(Worker(monkeypatch, TableTrainer(), number, port))
        return started[-1]

    with pytest.raises(OSError, match="No space left"):
        tuning.serve_workers(oracle, "127.0.0.1:0", start, 2)
    assert not any(worker.is_alive() for worker in started)
    assert 0 < len(make_search(tmp_path).end_order) < 6, "what was saved before is not lost"


@pytest.mark.slow
@pytest.mark.parametrize(
    "search, trials, every",
    [
        ("random", 6, 1),
        ("bayesian", 8, 27),
        ("hyperband", 23, 19),
        pytest.param("bayesian", 8, 9, marks=pytest.mark.slow),
    ],
)
def test_the_state_holds_at_every_moment_of_a_search(tmp_path, search, trials, every):
    """A search resumed after any write runs the same trials, each to its end once."""
    whole = make_search(tmp_path, trials, search=search)
    states = []
    save = whole.save

    def remember():
        save()
        states.append(whole.path.read_bytes())

    whole.save = remember
    tuning.run_trials(whole, "tuner0", TableTrainer())
    expected = [trial.hyperparameters.values for trial in whole.trials.values()]
    assert expected[0]["x"] == 20, "the config as it stands"
    tried = [values["x"] for values in expected if "tuner/trial_id" not in values]
    assert len(set(tried)) == len(tried) and len(expected) == trials
    assert len(states) >= 5 * trials
    for number, state in enumerate(states[::every]):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "search.json").write_bytes(state)
        again, trainer = make_search(folder, trials, search=search), TableTrainer()
        ended = len(again.completed)
        tuning.run_trials(again, "tuner0", trainer)
        assert [trial.hyperparameters.values for trial in again.trials.values()] == expected
        assert len(trainer.done) == trials - ended == trials - len(json.loads(state)["end_order"])


@pytest.mark.parametrize("change", [{"trials": 3}, {"ended": None, "trials": {"0": {}}}, None])
def test_a_state_of_other_content(tmp_path, change):
    search = make_search(tmp_path, 2)
    search.save()
    path = tmp_path / "search.json"
    content = {"a": 1} if change is None else {**search.get_state(), **change}
    files.write_checked_json(path, content)
    with pytest.raises(InputError, match=r"search.json is damaged: it does not hold the state of"):
        make_search(tmp_path, 2)


def test_axes_of_the_picture(tmp_path):
    heights, ticks = plots._axis([0.01, 0.1, 1.0], True)
    assert heights == pytest.approx([0, 0.5, 1]) and ticks == [("0.01", 0), ("1", 1)]
    assert plots._axis([3, 3], False)[0] == [0.5, 0.5]
    assert plots._axis(["b", "a"], False) == ([0.75, 0.25], [("a", 0.25), ("b", 0.75)])
    rows = [{"x": 1, "kind": "a", "score": 0.3}, {"x": 2, "kind": "b", "score": 0.2}]
    path = tmp_path / "trials.png"
    plots.parallel_coordinates(rows, {"x": False, "kind": False}, "score", "min", path)
    assert path.stat().st_size > 5_000
