"""Settings that must be made before Keras is imported."""

import contextlib
import gc
import importlib
import os
import types

import hypothesis
import psutil
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# These tests spend their time compiling, not computing.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "true")
os.environ.setdefault(
    "XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
)

# The same examples in every run and on every machine, however slow it is.
hypothesis.settings.register_profile(
    "same",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("same")


def pytest_make_parametrize_id(val, argname):
    """Names no test by bytes, such as those of an archive, which hold the time of day."""
    return argname if isinstance(val, bytes) else None


@contextlib.contextmanager
def _cores(count):
    """As if the fast path ran on so many cores: it splits a batch into as many shares."""
    compiled = importlib.import_module("keras_seq.scan.compiled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "os", types.SimpleNamespace(cpu_count=lambda: count))
        yield


@pytest.fixture(autouse=True, scope="session")
def one_core():
    """Leaves a batch whole on every machine: of several shares each is a program to compile."""
    with _cores(1):
        yield


@pytest.fixture
def two_cores(one_core):
    """Splits a batch in two, for tests of what is split."""
    with _cores(2):
        yield


@pytest.fixture(autouse=True, scope="session")
def quick_graphs():
    """Leaves TensorFlow's graphs as they are traced."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


class Memory:
    """Memory of this process that has been in use since garbage was last collected."""

    def __init__(self):
        self.process = psutil.Process()
        self.size = self.read_size()

    def read_size(self):
        return self.process.memory_info().rss

    def collect_after(self, growth):
        """Collect garbage, frozen or not, if the process has grown by so many bytes."""
        if self.read_size() - self.size > growth:
            gc.unfreeze()
            gc.collect()
            self.size = self.read_size()


@pytest.fixture(scope="session")
def memory():
    return Memory()


@pytest.fixture(autouse=True, scope="module")
def no_garbage_of_others(memory):
    """Keep the collector, which Keras calls often, from reading what earlier modules left."""
    memory.collect_after(1e9)
    gc.freeze()


@pytest.fixture
def eagerly():
    """Traces and compiles nothing during a test that runs its models a few times only."""
    with importlib.import_module("helpers").eagerly():
        yield


@pytest.fixture(params=["eagerly", pytest.param("compiled", marks=pytest.mark.slow)])
def either_way(request):
    """Runs a test of a whole recipe quickly, and slowly as users do."""
    keras = importlib.import_module("keras")
    if request.param == "eagerly":
        request.getfixturevalue("eagerly")
    elif keras.backend.backend() != "tensorflow":
        pytest.skip("only TensorFlow has two ways")


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """An empty folder to run in, with caches of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setenv("KERAS_SEQ_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def mock_public(monkeypatch):
    """Return a context in which there are public sets of TFDS, as if there were a network.

    It takes the names of their splits, and what `tfds.testing.mock_data` takes.
    """
    tfds = pytest.importorskip("tensorflow_datasets")
    tfds_builders = importlib.import_module("keras_seq.data.tfds_builders")
    monkeypatch.setattr(tfds_builders, "_is_online", lambda: True)

    @contextlib.contextmanager
    def mock(splits=("train", "validation", "test"), **options):
        def name_splits(builder, **_):  # which `mock_data` alone does not
            infos = [
                tfds.core.splits.SplitInfo(name=s, shard_lengths=[1], num_bytes=0) for s in splits
            ]
            builder.info.set_splits(tfds.core.splits.SplitDict(infos))

        with tfds.testing.mock_data(**options), pytest.MonkeyPatch.context() as patch:
            patch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", name_splits)
            yield

    return mock
