"""Training on two devices and by two workers, compared to one device."""

import csv
import json
import os
import shutil
import socket
import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("distributed by TensorFlow alone", allow_module_level=True)

from keras_seq import cli
from keras_seq._internal.errors import InputError
from keras_seq.train import callbacks, distribution
from keras_seq.train.config import Config

RECIPE = {
    "__init__.py": '"""Tokens to say again."""',
    "config.py": """
import dataclasses
from keras_seq.train import config

@dataclasses.dataclass(frozen=True)
class Config(config.Config):
    batch_size: int = 8
    steps: int = 6

PRESETS = {"default": Config()}
""",
    "data.py": """
import numpy as np
from keras_seq.batching import RawExamples

def load(config):
    random = np.random.default_rng(0)
    splits = {}
    for name, count in (("train", 24), ("validation", 7)):
        lengths = random.integers(1, 13, count).astype("int32")
        tokens = random.integers(1, 9, (count, 12)) * (np.arange(12) < lengths[:, None])
        splits[name] = RawExamples([row[:n] for row, n in zip(tokens, lengths)])
    return splits
""",
    "model.py": """
import keras
import numpy as np
from keras_seq import layers
from keras_seq.batching import EncodedDataset
from keras_seq.losses import MaskedCrossentropy

def build(config, train):
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = keras.layers.Embedding(9, 6)(tokens)
    x = layers.LSTM(5, return_sequences=True)(x, mask=tokens != 0)
    model = keras.Model({"tokens": tokens}, keras.layers.Dense(9)(x))
    # Unlike Adam, SGD does not divide by gradients, which would amplify rounding errors.
    optimizer = keras.optimizers.SGD(1.0, momentum=0.9, global_clipnorm=0.1)
    model.compile(optimizer, loss=MaskedCrossentropy())
    return model

def encode(model, examples):
    lengths = np.array([len(row) for row in examples.inputs])
    tokens = np.array([np.pad(row, (0, 12 - len(row))) for row in examples.inputs], "int32")
    names = ["tokens", "targets"]
    return EncodedDataset({"tokens": tokens}, tokens, lengths, names, min_length=12)
""",
    "recipe.py": """
from keras_seq.train import recipe
from . import data, model

class Recipe(recipe.Recipe):
    load = staticmethod(data.load)
    build = staticmethod(model.build)
    encode = staticmethod(model.encode)

    def evaluate(self, model, splits, name):
        examples = self.encode(model, splits[name])
        predictions = model.predict_on_batch(examples.inputs).argmax(-1)
        accuracy = float((predictions == examples.targets).mean())
        return {"accuracy": accuracy, "examples": len(predictions)}

    def predict(self, model, config, inputs):
        return []
""",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with a recipe, its run `one`, and `half`, a copy after the first epoch."""
    place = tmp_path_factory.mktemp("place")
    (place / "again").mkdir()
    for name, text in RECIPE.items():
        (place / "again" / name).write_text(text)
    save = callbacks.RunCallback.save

    def save_and_copy(run_callback):
        save(run_callback)
        if run_callback.epochs_done == 1:
            shutil.copytree(run_callback.run.folder, place / "runs/again/half")

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr(callbacks.RunCallback, "save", save_and_copy)
        assert cli.main(["train", "./again", "--run", "one"]) == 0
    return place


def assert_same_as_one(place, name):
    """Assert that a run has the same files and numbers as the run `one`."""
    folder, reference = place / "runs/again" / name, place / "runs/again/one"
    names = {path.name for path in reference.iterdir()}
    assert {path.name for path in folder.iterdir()} == names
    rows, expected = (
        [
            {name: float(value) for name, value in row.items() if name != "seconds"}
            for row in csv.DictReader((run / "history.csv").read_text().splitlines())
        ]
        for run in (folder, reference)
    )
    assert len(rows) == len(expected) == 2
    for row, wanted in zip(rows, expected):
        assert row == pytest.approx(wanted, rel=1e-5) and row["val_examples"] == 7
    models = [keras.saving.load_model(run / "model.keras") for run in (folder, reference)]
    actual, expected_weights = ([*model.weights, *model.optimizer.variables] for model in models)
    for value, other in zip(actual, expected_weights, strict=True):
        assert value.numpy() == pytest.approx(other.numpy(), abs=1e-5)


def start_python(place, *arguments, **environment):
    """Start Python in another process."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=place,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_output(process):
    """Return the output of a process that must succeed."""
    out, error = process.communicate()
    assert process.returncode == 0, error
    return out


TWO_DEVICES = """
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras

from keras_seq import cli, layers
from keras_seq.train import distribution

assert cli.main("train ./again --distribute mirrored --resume --run half".split()) == 0

# Dropout differs between devices. The losses of a CRF add up to that of one device.
devices = distribution.make_devices("mirrored")
with devices.strategy.scope():
    dropout, crf = keras.layers.Dropout(0.5), layers.CRF(3, use_kernel=False)
    model = keras.Sequential([keras.Input((4, 3)), dropout, crf])
devices._offset_seeds(model)
scores, tags = tf.ones((2, 4, 3)), tf.zeros((2, 4), tf.int32)

def of_device():
    return dropout(scores, training=True), crf.loss(tags, scores)

drawn, losses = map(devices.strategy.experimental_local_results, devices.strategy.run(of_device))
assert not tf.reduce_all(drawn[0] == drawn[1])
assert abs(sum(losses) - crf.loss(tags, scores)) < 1e-6
"""


@pytest.mark.slow
def test_two_devices_go_on_as_one_does(place):
    out = read_output(start_python(place, "-c", TWO_DEVICES))
    assert "Training on 2 devices: CPU:0, CPU:1." in out.splitlines()
    assert_same_as_one(place, "half")


@pytest.mark.slow
def test_two_workers_train_as_one_does(place):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    addresses = [f"127.0.0.1:{server.getsockname()[1]}" for server in sockets]
    for server in sockets:
        server.close()
    command = ["-m", "keras_seq.cli", "train", "./again", "--distribute", "multiworker"]
    workers = [
        start_python(place, *command, TF_CONFIG=config(addresses, "worker", n)) for n in range(2)
    ]
    chief, other = map(read_output, workers)
    assert "This is worker 0 of 2. Waiting for the other workers." in chief
    assert "validation accuracy" in chief and "validation accuracy" not in other
    assert_same_as_one(place, "default")


def config(workers, kind, number, **others):
    task = {"type": kind, "index": number}
    return json.dumps({"cluster": {"worker": workers, **others}, "task": task})


@pytest.mark.parametrize(
    "text",
    [
        None,
        "worker",
        "[]",
        "{}",
        '{"cluster": {"worker": 3}, "task": {}}',
        config(["a:1", "b:2"], "worker", 2),
        config(["a:1"], "evaluator", 0),
    ],
)
def test_without_workers_it_says_what_is_missing(workplace, monkeypatch, capsys, text):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if text is not None:
        monkeypatch.setenv("TF_CONFIG", text)
    assert cli.main(["train", "mnist_rows", "--distribute", "multiworker"]) == 2
    error = capsys.readouterr().err
    assert "--distribute multiworker needs the environment variable TF_CONFIG, such as {" in error
    assert error.startswith("keras-seq: ") and error.count("\n") == 1
    assert not (workplace / "runs").exists()


def test_one_worker_is_the_chief(monkeypatch):
    for text, expected in (
        (config(["a:1", "b:2"], "worker", 0), True),
        (config(["a:1", "b:2"], "worker", 1), False),
        (config(["a:1"], "worker", 0, chief=["c:3"]), False),
        (config(["a:1"], "chief", 0, chief=["c:3"]), True),
    ):
        monkeypatch.setenv("TF_CONFIG", text)
        assert distribution.is_chief("multiworker") == expected
        assert distribution.is_chief("mirrored") and distribution.is_chief(None)


def test_what_cannot_be_shared_out_alike_is_refused():
    devices = distribution.Devices(SimpleNamespace(num_replicas_in_sync=3), "here")
    devices.check(Config(batch_size=64 + 2))
    with pytest.raises(InputError, match=r"a multiple of 3, .* got 64\. The next multiple is 66"):
        devices.check(Config(batch_size=64))


@pytest.mark.parametrize("option", ["patience", "time_limit"])
def test_several_workers_cannot_end_early(option):
    devices = distribution.Devices(SimpleNamespace(num_replicas_in_sync=2), "here", True)
    devices.check(Config(patience=0))
    with pytest.raises(InputError, match=f"--{option.replace('_', '-')} ends the training of a"):
        devices.check(Config(**{option: 3}))


def test_workers_that_were_not_started_alike_are_refused(monkeypatch):
    rows = np.array([[0, 16], [0, 32]])
    monkeypatch.setattr(distribution.Devices, "_gather", lambda self, numbers: rows)
    devices = distribution.Devices(None, "here", multi_worker=True)
    with pytest.raises(InputError, match=r"the same batch size, got \[16, 32\]"):
        devices._check_match({"seed": 0, "batch size": 16})


def test_another_backend_is_refused(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(InputError, match="needs Keras's TensorFlow backend, got jax"):
        distribution.make_devices.__wrapped__("mirrored")  # without the cache of earlier tests
