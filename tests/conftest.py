"""Settings that must be made before Keras is imported."""

import importlib
import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# These tests spend their time compiling, not computing.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "true")
os.environ.setdefault(
    "XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """An empty folder to run in, with a TFDS cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tensorflow_datasets.core.constants.DATA_DIR", str(tmp_path / "tfds"))
    return tmp_path


@pytest.fixture
def online(monkeypatch):
    """As if there were a network: sets that TFDS's mock stands for are not prepared."""
    prepare = importlib.import_module("keras_seq.data.prepare")
    monkeypatch.setattr(prepare, "_online", lambda: True)
