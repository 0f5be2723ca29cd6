"""Choice of GPUs for the trials of a search, with simulated GPUs."""

import functools
import importlib
import sys
import types

import formula_recipe
import keras
import pytest

from keras_seq import cli, tuning
from keras_seq.tuning import cluster

GPUS = ["0", "1", "2"]
tune = importlib.import_module("keras_seq.tuning.tune")  # its function has the same name


@pytest.fixture
def formula(workplace, monkeypatch):
    for name in tuning.KERASTUNER_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return formula_recipe.write(workplace / "formula")


@pytest.fixture
def starts(monkeypatch):
    """Return the environments of workers that are started, which end at once."""
    environments = []

    def start(command, env, **options):
        environments.append(env)
        return types.SimpleNamespace(poll=lambda: 1, terminate=lambda: None, wait=lambda: None)

    monkeypatch.setattr(
        cluster, "subprocess", types.SimpleNamespace(Popen=start, PIPE=0, DEVNULL=0)
    )
    return environments


def simulate_gpus(monkeypatch, backend, count):
    """Let a backend see GPUs in addition to the CPU."""
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    if backend == "tensorflow":
        devices = types.SimpleNamespace(list_physical_devices=lambda kind: [kind] * count)
        monkeypatch.setitem(sys.modules, "tensorflow", types.SimpleNamespace(config=devices))
    elif backend == "jax":
        platforms = ["cpu", *["gpu"] * count]
        local = [types.SimpleNamespace(platform=platform) for platform in platforms]
        monkeypatch.setitem(sys.modules, "jax", types.SimpleNamespace(local_devices=lambda: local))
    else:
        cuda = types.SimpleNamespace(device_count=lambda: count)
        monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(cuda=cuda))


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
@pytest.mark.parametrize(
    ("variable", "count", "expected"),
    [
        (None, 2, ["0", "1"]),
        ("", 0, []),
        ("-1", 0, []),
        ("5,3", 2, ["5", "3"]),
        ("GPU-8f1e,GPU-02ab", 2, ["GPU-8f1e", "GPU-02ab"]),
        ("1,-1,2", 1, ["1"]),  # CUDA ignores what follows an invalid index
    ],
)
def test_visible_gpus(backend, variable, count, expected, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if variable is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    simulate_gpus(monkeypatch, backend, count)
    assert cluster.visible_gpus() == expected


def test_without_a_gpu_a_worker_sees_the_devices_of_its_chief(starts, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    cluster.start_worker(["ner"], [], 0, 80)
    assert starts[0]["CUDA_VISIBLE_DEVICES"] == ""


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], GPUS),  # a worker per GPU
        (["--workers", "2"], GPUS[:2]),
        (["--workers", "5"], [*GPUS, *GPUS[:2]]),
    ],
)
def test_one_trial_per_gpu(options, expected, formula, starts, monkeypatch, capsys):
    monkeypatch.setattr(tune, "visible_gpus", lambda: GPUS)
    assert cli.main(["tune", formula, "--trials", "9", *options]) == 2
    assert "All workers have ended" in capsys.readouterr().err
    assert [env["CUDA_VISIBLE_DEVICES"] for env in starts] == expected
    assert [env["KERASTUNER_TUNER_ID"] for env in starts] == [
        f"worker{index}" for index in range(len(expected))
    ]
    assert all(env["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false" for env in starts)
    assert all(env["TF_FORCE_GPU_ALLOW_GROWTH"] == "true" for env in starts)


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tuned on TensorFlow alone")
@pytest.mark.parametrize(
    ("gpus", "options"), [(GPUS[:1], []), (GPUS, ["--distribute", "mirrored"])]
)
def test_one_gpu_and_distribution_start_no_workers(
    gpus, options, formula, starts, monkeypatch, capsys
):
    clear = functools.partial(keras.utils.clear_session, free_memory=False)
    monkeypatch.setattr(keras.utils, "clear_session", clear)
    monkeypatch.setattr(tune, "visible_gpus", lambda: gpus)
    assert cli.main(["tune", formula, "--trials", "1", *options]) == 0, capsys.readouterr().err
    assert not starts


def test_description_of_devices():
    assert cluster.describe_devices(GPUS) == "Trials run on GPU 0, 1, 2"
    assert cluster.describe_devices([]).startswith("Trials run on the CPU, ")
