"""Settings that must be made before Keras is imported, and fixtures of all tests."""

import contextlib
import gc
import importlib
import os
import sys
import types
from pathlib import Path

import hypothesis
import psutil
import pytest

# Packages are installed without bytecode. The first process writes it for all others.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# The tests spend more time on compilation than on computation.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "true")
os.environ.setdefault(
    "XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
)

# The same examples in every run and on every machine.
hypothesis.settings.register_profile(
    "repeatable",
    max_examples=25,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("repeatable")


def pytest_make_parametrize_id(val, argname):
    """Leave bytes out of the names of tests, because those of an archive contain the time."""
    return argname if isinstance(val, bytes) else None


@contextlib.contextmanager
def _cores(count):
    """Let the fast path see this number of cores, by which it splits a batch."""
    compiled = importlib.import_module("keras_seq.scan.compiled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "os", types.SimpleNamespace(cpu_count=lambda: count))
        yield


@pytest.fixture(autouse=True, scope="session")
def one_core():
    """Keep batches whole on every machine, so that there is one program to compile."""
    with _cores(1):
        yield


@pytest.fixture
def two_cores(one_core):
    """Split batches in two."""
    with _cores(2):
        yield


@pytest.fixture(autouse=True, scope="session")
def quick_graphs():
    """Disable the graph optimizations of TensorFlow."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


class Memory:
    """Memory of this process since the last garbage collection.

    Args:
        share: Growth before the next collection, as a share of the machine's memory per core.
    """

    def __init__(self, share):
        self.process = psutil.Process()
        self.max_growth = psutil.virtual_memory().total / os.cpu_count() * share
        self.size = self.read_size()

    def read_size(self):
        return self.process.memory_info().rss

    def collect_if_grown(self):
        """Collect garbage, frozen or not, if the process has grown by the allowed amount.

        A collection takes up to a minute, because compiled programs are freed.
        """
        if self.read_size() - self.size > self.max_growth:
            self.collect()

    def collect(self):
        """Collect garbage, frozen or not."""
        gc.unfreeze()
        gc.collect()
        self.size = self.read_size()

    def free_programs_of_jax(self, max_mappings):
        """Free the programs that JAX compiled, if they take more memory mappings than this.

        Linux allows 65,530 mappings per process, and XLA crashes beyond them.
        """
        mappings = Path("/proc/self/maps")
        if "jax" not in sys.modules or not mappings.exists():
            return
        if mappings.read_bytes().count(b"\n") > max_mappings:
            sys.modules["jax"].clear_caches()
            self.collect()


@pytest.fixture(scope="session")
def memory(pytestconfig):
    # A module of slow tests can need several gigabytes more.
    return Memory(1 / 3 if pytestconfig.option.markexpr == "not slow" else 1 / 6)


@pytest.fixture(autouse=True, scope="module")
def no_garbage_of_others(memory):
    """Hide objects of earlier modules from the garbage collector, which Keras calls often."""
    memory.free_programs_of_jax(20_000)
    memory.collect_if_grown()
    gc.freeze()


@pytest.fixture
def eagerly():
    """Trace and compile nothing during a test."""
    with importlib.import_module("helpers").eagerly():
        yield


@pytest.fixture(params=["eagerly", pytest.param("compiled", marks=pytest.mark.slow)])
def either_way(request):
    """Run a quick test eagerly, and as a slow test compiled, as users do."""
    keras = importlib.import_module("keras")
    if request.param == "eagerly":
        request.getfixturevalue("eagerly")
    elif keras.backend.backend() != "tensorflow":
        pytest.skip("only TensorFlow has both ways")


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """Return an empty folder that is the current one, with its own caches."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setenv("KERAS_SEQ_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def mock_public(monkeypatch):
    """Return a context manager that provides public data sets of TFDS without a network.

    It takes the names of the splits, and the arguments of `tfds.testing.mock_data`.
    """
    tfds = pytest.importorskip("tensorflow_datasets")
    tfds_builders = importlib.import_module("keras_seq.data.tfds_builders")
    monkeypatch.setattr(tfds_builders, "_is_online", lambda: True)

    @contextlib.contextmanager
    def mock(splits=("train", "validation", "test"), **options):
        def name_splits(builder, **_):  # `mock_data` does not
            infos = [
                tfds.core.splits.SplitInfo(name=s, shard_lengths=[1], num_bytes=0) for s in splits
            ]
            builder.info.set_splits(tfds.core.splits.SplitDict(infos))

        with tfds.testing.mock_data(**options), pytest.MonkeyPatch.context() as patch:
            patch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", name_splits)
            yield

    return mock
