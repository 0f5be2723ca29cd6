"""TensorBoard callback for gates and gradients."""

import builtins

import keras
import numpy as np
import pytest
from helpers import sequences

import keras_seq
from keras_seq import layers
from keras_seq._internal.errors import InputError
from keras_seq.tracing import TensorBoardGates

tf = pytest.importorskip("tensorflow")


def read_events(folder):
    """Return the written numbers: tag to step to number."""
    events = {}
    for file in sorted(folder.iterdir()):
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                assert value.metadata.plugin_data.plugin_name == "scalars"
                number = float(tf.make_ndarray(value.tensor))
                events.setdefault(value.tag, {})[event.step] = number
    return events


@pytest.mark.slow
def test_gates_and_gradients_are_written(tmp_path):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((5, 3)), layers.GRU(4, name="gru"), keras.layers.Dense(1)]
    )
    model.compile("sgd", loss="mse")
    x, y = sequences(8), np.ones((8, 1), "float32")
    board = TensorBoardGates(tmp_path, x[:4], y[:4], epoch_freq=2)
    model.fit(x, y, epochs=4, verbose=0, callbacks=[board])
    events = read_events(tmp_path)
    gates = {f"gates/gru/{g}/{n}" for g in ("update", "reset") for n in ("mean", "closed", "open")}
    gradients = {f"gradients/gru/h/{name}" for name in ("first", "last", "ratio")}
    assert set(events) == gates | gradients | {"memory/gru"}
    assert all(list(by_step) == [2, 4] for by_step in events.values())

    # The last numbers are those of the current weights.
    trace = keras_seq.trace(model, x[:4])
    mean = trace["gru"].gates["update"].mean()
    assert events["gates/gru/update/mean"][4] == pytest.approx(mean, rel=1e-5)
    norms = trace.gradient_norms(lambda out: keras.losses.MeanSquaredError()(y[:4], out))["gru"][
        "h"
    ].mean(axis=0)
    for name, value in {
        "first": norms[0],
        "last": norms[-1],
        "ratio": norms[0] / norms[-1],
    }.items():
        assert events[f"gradients/gru/h/{name}"][4] == pytest.approx(value, rel=1e-3)


def test_without_tensorflow(tmp_path, monkeypatch):
    load = builtins.__import__

    def without(name, *rest):
        if name == "tensorflow":
            raise ImportError(name)
        return load(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match="TensorFlow writes the files of TensorBoard"):
        TensorBoardGates(tmp_path, sequences())
