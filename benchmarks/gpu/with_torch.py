"""Recurrent layers of torch (cuDNN on a GPU), matrix products alone, and Keras's torch backend."""

import contextlib
from collections.abc import Callable
from typing import Any

import keras
import torch

from benchmarks.gpu.tasks import Task
from benchmarks.gpu.timing import Contestant, Run, describe
from keras_seq import cells, layers

HAS_GPU = torch.cuda.is_available()
DEVICE = "cuda" if HAS_GPU else "cpu"
NAMES = {"SimpleRNN": "RNN", "GRU": "GRU"}
GATES = {"SimpleRNN": 1, "GRU": 3}


def describe_device() -> dict[str, Any]:
    """Return the device and the versions."""
    device = torch.cuda.get_device_name() if HAS_GPU else "cpu"
    cudnn = torch.backends.cudnn.version() if HAS_GPU else None
    return {"platform": DEVICE, "device": device, "torch": torch.__version__, "cudnn": cudnn}


def build(task: Task) -> tuple[dict[str, Contestant], dict[str, str]]:
    """Return the contestants of a task, and errors."""
    allows_tf32 = task.precision != "float32"
    torch.backends.cuda.matmul.allow_tf32 = allows_tf32
    torch.backends.cudnn.allow_tf32 = allows_tf32
    contestants: dict[str, Contestant] = {}
    errors: dict[str, str] = {}
    for name in task.contestants:
        try:
            runs = (_products if name == "products" else _layer)(name, task)
            contestants[name] = Contestant(runs, _memory(runs["train"]))
        except Exception as error:
            errors[name] = describe(error)
    return contestants, errors


def _layer(name: str, task: Task) -> dict[str, Run]:
    batch, timesteps, features, units = task.shape
    dtype = torch.bfloat16 if task.precision == "bfloat16" else torch.float32
    x = torch.randn(batch, timesteps, features, device=DEVICE, dtype=dtype)
    d_y = torch.randn(batch, timesteps, units, device=DEVICE, dtype=dtype)
    call: Callable[[Any], Any]
    if name == "torch":
        network = getattr(torch.nn, NAMES.get(task.cell, "LSTM"))
        layer = network(features, units, batch_first=True, device=DEVICE, dtype=dtype)
        weights = list(layer.parameters())
        call = lambda x: layer(x)[0]  # noqa: E731
    else:
        keras_layer = make_layer(name, task)
        keras_layer.build(x.shape)
        weights = [variable.value for variable in keras_layer.trainable_variables]
        call = keras_layer

    def forward() -> None:
        with torch.no_grad():
            call(x)
        _wait()

    def train() -> None:
        x.requires_grad_()
        torch.autograd.grad(call(x), [x, *weights], d_y)
        _wait()

    return {"forward": forward, "train": train}


def make_layer(contestant: str, task: Task) -> keras.Layer:
    """Return a new layer on Keras's torch backend.

    Args:
        contestant: "ours", "keras" or "cell".
        task: Task.
    """
    units = task.shape[-1]
    dtype = "mixed_bfloat16" if task.precision == "bfloat16" else "float32"
    options: dict[str, Any] = {"return_sequences": True, "dtype": dtype}
    if contestant == "cell":
        return keras.layers.RNN(getattr(cells, f"{task.cell}Cell")(units, dtype=dtype), **options)
    library = layers if contestant == "ours" else keras.layers
    return getattr(library, task.cell)(units, **options)


def _products(name: str, task: Task) -> dict[str, Run]:
    """Return functions of the matrix products of a layer, in order of their dependencies."""
    del name
    batch, timesteps, features, units = task.shape
    columns = GATES.get(task.cell, 4) * units
    recurrent_columns = 3 * units if task.cell == "PeepholeLSTM" else columns
    dtype = torch.bfloat16 if task.precision == "bfloat16" else torch.float32

    def draw(*shape: int) -> Any:
        return torch.randn(*shape, device=DEVICE, dtype=dtype)

    x, hs, d_z = (draw(batch * timesteps, n) for n in (features, units, columns))
    kernel, recurrent_kernel = draw(features, columns), draw(units, recurrent_columns)
    h, d_u = draw(batch, units), draw(batch, recurrent_columns)

    def forward() -> None:
        x @ kernel
        for _ in range(timesteps):
            h @ recurrent_kernel

    def train() -> None:
        forward()
        for _ in range(timesteps):
            d_u @ recurrent_kernel.T
        d_z @ kernel.T, x.T @ d_z, hs.T @ d_z[:, :recurrent_columns]

    return {"forward": _as_graph(forward), "train": _as_graph(train)}


def _as_graph(function: Run) -> Run:
    """Return a function as a graph of CUDA, which hides the time of launches."""
    if not HAS_GPU:
        return function
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        function()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        function()

    def run() -> None:
        graph.replay()
        _wait()

    return run


def _memory(train: Run) -> int | None:
    """Return the peak memory of a train step, None without a GPU."""
    if not HAS_GPU:
        return None
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    with contextlib.suppress(RuntimeError):
        train()
    return torch.cuda.max_memory_allocated()


def _wait() -> None:
    if HAS_GPU:
        torch.cuda.synchronize()
