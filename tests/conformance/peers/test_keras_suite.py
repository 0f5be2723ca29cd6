"""Keras's tests of recurrent layers, run with our classes instead of Keras's.

The wheel of Keras 3.15 holds its test files; that of 3.14 does not. A test file of Keras reads its
classes from a module `layers`, and here that module has our recurrent layers and cells. Keras's
wrappers `Bidirectional` and `StackedRNNCells` stay what they are.
"""

import importlib
import importlib.util
import types
import unittest

import keras
import pytest

from keras_seq import cells, layers

# Keras's check of a layer feeds a generator, and its own `fit` then warns that it cannot shuffle.
pytestmark = pytest.mark.filterwarnings("ignore:.*shuffle=True")

FILES = [
    f"keras.src.layers.rnn.{name}_test"
    for name in (
        "bidirectional",
        "dropout_rnn_cell",
        "gru",
        "lstm",
        "rnn",
        "simple_rnn",
        "stacked_rnn_cells",
        "time_distributed",
    )
]
"""All of its folder but the convolutional LSTMs, which this project does not have."""

SLOW_FILES = "gru_test", "simple_rnn_test", "rnn_test"
"""Files whose tests are slow here. Those of the LSTM and of `Bidirectional` run in every run."""

OURS = {
    name: getattr(module, name)
    for module, names in (
        (layers, ("GRU", "LSTM", "RNN", "SimpleRNN", "TimeDistributed")),
        (cells, ("GRUCell", "LSTMCell", "SimpleRNNCell")),
    )
    for name in names
}

BY_TYPE = "It reads a private method of `Bidirectional` that asks for Keras's own class by type."

ARTIFACTS = {
    "bidirectional_test.test_fused_gru_eligibility": BY_TYPE,
    "bidirectional_test.test_fused_lstm_eligibility": BY_TYPE,
}
"""Tests that do not apply to our classes, each with the reason. None of them may pass."""

missing = [name for name in FILES if importlib.util.find_spec(name) is None]
if missing:
    pytest.skip(
        f"Keras {keras.__version__} is installed without {', '.join(missing)}.",
        allow_module_level=True,
    )

MODULES = {name.rpartition(".")[2]: importlib.import_module(name) for name in FILES}


def with_our_classes(file, module):
    """Return the test cases of a file by name, with our classes in place and some tests marked."""
    module.layers = types.SimpleNamespace(**{**vars(keras.src.layers), **OURS})
    cases = {}
    for cls in vars(module).values():
        if isinstance(cls, type) and issubclass(cls, unittest.TestCase):
            marked = {}
            for name in dir(cls):
                if reason := ARTIFACTS.get(f"{file}.{name}"):
                    mark = pytest.mark.xfail(reason=reason, strict=True)
                    marked[name] = mark(getattr(cls, name))
                elif name == "test_basics" or (file in SLOW_FILES and name.startswith("test_")):
                    # Compiles models; conformance/test_layers.py asks the same of our layers.
                    marked[name] = pytest.mark.slow(getattr(cls, name))
            name = f"{file}_{cls.__name__}"
            cases[name] = type(cls)(name, (cls,), {"__module__": __name__, **marked})
    return cases


# pytest collects the test cases of Keras from here.
for file, module in MODULES.items():
    globals().update(with_our_classes(file, module))


@pytest.mark.parametrize("file", MODULES)
def test_files_of_keras_import_only_patched_classes(file):
    module = MODULES[file]
    assert all(getattr(module.layers, name) is cls for name, cls in OURS.items())
    of_keras = [getattr(keras.src.layers, name) for name in OURS]
    assert not [name for name, value in vars(module).items() if value in of_keras]


@pytest.mark.parametrize("test", ARTIFACTS)
def test_an_artifact_is_a_test_of_keras(test):
    file, name = test.split(".")
    assert any(hasattr(value, name) for value in vars(MODULES[file]).values())
