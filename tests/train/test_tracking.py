"""Loggers of a training: TensorBoard itself, and fakes of Weights & Biases and MLflow."""

import json
import sys
from pathlib import Path

import formula_recipe
import keras
import pytest

import keras_seq
from keras_seq import cli
from keras_seq._internal.errors import InputError
from keras_seq.train import callbacks

if keras.backend.backend() != "tensorflow":
    pytest.skip("trained on TensorFlow alone", allow_module_level=True)

RUN = Path("runs/formula/logged")
FAKES = {
    "wandb/__init__.py": """
import json, pathlib
class Error(Exception): pass
def record(**line):
    with open("wandb.log", "a") as file:
        file.write(json.dumps(line, default=str) + "\\n")
class Run:
    def __enter__(self): return self
    def __exit__(self, kind, *_): record(exit=0 if kind is None else 1)
def init(**options):
    if pathlib.Path("refuse").exists():
        raise Error("nobody is logged in")
    record(init=options)
    return Run()
""",
    "wandb/integration/__init__.py": "",
    "wandb/integration/keras.py": """
import keras, wandb
class WandbMetricsLogger(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None): wandb.record(epoch=epoch, logs=logs)
""",
    "mlflow/__init__.py": """
import json, types
from . import exceptions
def record(**line):
    with open("mlflow.log", "a") as file:
        file.write(json.dumps(line, default=str) + "\\n")
class Run:
    info = types.SimpleNamespace(run_id="id7")
    def __enter__(self): return self
    def __exit__(self, kind, *_): record(exit=0 if kind is None else 1)
def start_run(run_id=None, run_name=None):
    record(start=[run_id, run_name])
    return Run()
def log_params(params): record(params=params)
""",
    "mlflow/exceptions.py": "class MlflowException(Exception): pass",
    "mlflow/keras.py": """
import keras, mlflow
class MlflowCallback(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None): mlflow.record(epoch=epoch, logs=logs)
""",
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Return a folder with a recipe, which is the current one."""
    monkeypatch.chdir(tmp_path)
    formula_recipe.write(tmp_path / "formula")
    return tmp_path


@pytest.fixture
def fakes(tmp_path_factory, monkeypatch):
    """Let the packages of loggers be fakes that write a file with their calls."""
    folder = tmp_path_factory.mktemp("fakes")
    for name, text in FAKES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(folder)
    yield
    for name in [m for m in sys.modules if m.partition(".")[0] in ("wandb", "mlflow")]:
        del sys.modules[name]


def read_log(name):
    """Return the calls that a fake has recorded."""
    return [json.loads(line) for line in Path(f"{name}.log").read_text().splitlines()]


def stop_after_two(patch):
    """Interrupt the next training after two epochs."""
    save = callbacks.RunCallback.save

    def save_and_stop(run_callback):
        save(run_callback)
        if run_callback.epochs_done == 2:
            raise KeyboardInterrupt

    patch.setattr(callbacks.RunCallback, "save", save_and_stop)


def read_scalars(folder):
    """Return the scalars of a folder of TensorBoard: tag to epochs and values."""
    from tensorboard.backend.event_processing import event_accumulator
    from tensorboard.util import tensor_util

    events = event_accumulator.EventAccumulator(str(folder)).Reload()
    return {
        tag: [
            (e.step, tensor_util.make_ndarray(e.tensor_proto).item()) for e in events.Tensors(tag)
        ]
        for tag in events.Tags()["tensors"]
    }


def read_hyperparameters(folder):
    """Return the hyperparameters of a folder of TensorBoard."""
    from tensorboard.backend.event_processing import event_accumulator
    from tensorboard.plugins.hparams import metadata

    events = event_accumulator.EventAccumulator(str(folder)).Reload()
    content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    return metadata.parse_session_start_info_plugin_data(content).hparams


def test_tensorboard_gets_all_epochs_of_a_resumed_run(place, monkeypatch):
    options = ("--run", "logged", "--tensorboard")
    with monkeypatch.context() as patch:
        stop_after_two(patch)
        assert cli.main(["train", "./formula", "--width", "2", *options]) == 130
    assert cli.main(["train", "./formula", *options, "--resume"]) == 0
    history = [row.split(",") for row in (RUN / "history.csv").read_text().splitlines()]
    [column] = [i for i, name in enumerate(history[0]) if name == "val_accuracy"]
    expected = [float(row[column]) for row in history[1:]]
    scalars = read_scalars(RUN / "tensorboard/validation")
    epochs, values = zip(*scalars["epoch_accuracy"], strict=True)
    assert epochs == (0, 2)  # the second one ended after its checkpoint
    assert values == pytest.approx([expected[epoch] for epoch in epochs])
    scalars = read_scalars(RUN / "tensorboard/train")
    assert {"epoch_loss", "epoch_learning_rate"} <= set(scalars)
    hyperparameters = read_hyperparameters(RUN / "tensorboard")
    assert hyperparameters["width"].number_value == 2
    assert hyperparameters["kind"].string_value == "plain"


@pytest.mark.usefixtures("fakes")
def test_wandb_and_mlflow_get_validation_metrics_and_fields(place, monkeypatch):
    options = ("--run", "logged", "--logger", "wandb", "--logger", "mlflow")
    with monkeypatch.context() as patch:
        stop_after_two(patch)
        assert cli.main(["train", "./formula", "--width", "2", *options]) == 130
    assert cli.main(["train", "./formula", *options, "--resume"]) == 0
    for name in ("wandb", "mlflow"):
        log = read_log(name)
        epochs = [line for line in log if "epoch" in line]
        assert [line["epoch"] for line in epochs] == [0, 2]
        assert all({"loss", "val_accuracy"} <= set(line["logs"]) for line in epochs)
        assert [line["exit"] for line in log if "exit" in line] == [1, 0]
    starts = [line["init"] for line in read_log("wandb") if "init" in line]
    assert starts[0] == starts[1] and starts[0]["resume"] == "auto"
    assert starts[0]["name"] == "formula/logged" and starts[0]["config"]["width"] == 2
    assert starts[0]["dir"] == str(RUN)
    log = read_log("mlflow")
    assert [line["start"] for line in log if "start" in line] == [
        [None, "formula/logged"],
        ["id7", "formula/logged"],
    ]
    assert all(line["params"]["width"] == 2 for line in log if "params" in line)


@pytest.mark.usefixtures("fakes")
def test_loggers_in_python_are_started_once(place):
    keras_seq.train("./formula", run="logged", loggers=("wandb", "wandb"))
    assert sum("init" in line for line in read_log("wandb")) == 1
    Path("refuse").touch()
    with pytest.raises(InputError, match="wandb did not start: nobody is logged in"):
        keras_seq.train("./formula", loggers=["wandb"])
    with pytest.raises(InputError, match="no logger 'wand': did you mean 'wandb'"):
        keras_seq.train("./formula", loggers=["wand"])


def test_a_missing_package_is_named_before_any_work(place, monkeypatch, capsys):
    monkeypatch.setenv("NO_DATA", "1")
    monkeypatch.syspath_prepend(place)
    Path("mlflow").mkdir()  # written by MLflow, and not the package
    assert cli.main(["train", "./formula", "--logger", "mlflow"]) == 2
    error = capsys.readouterr().err
    assert "pip install mlflow" in error and "'keras-seq[loggers]'" in error
    assert error.count("\n") == 1 and not Path("runs").exists()
