"""Recurrent layers on Keras's JAX backend."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import keras
import numpy as np
from jax import numpy as jnp

from benchmarks.gpu.tasks import MODES, Task
from benchmarks.gpu.timing import Contestant, describe
from keras_seq import cells, layers, scan

PRECISIONS = {"float32": "highest", "tf32": "tensorfloat32", "bfloat16": "tensorfloat32"}
"""JAX's precision of products of float32 numbers."""


def describe_device() -> dict[str, Any]:
    """Return the device and the versions."""
    device = jax.devices()[0]
    return {"platform": device.platform, "device": device.device_kind, "jax": jax.__version__}


def build(task: Task) -> tuple[dict[str, Contestant], dict[str, str]]:
    """Return the contestants of a task, which are compiled in parallel, and errors."""
    batch, timesteps, features, units = task.shape
    dtype = "bfloat16" if task.precision == "bfloat16" else "float32"
    rng = np.random.default_rng(0)
    x, d_y = (
        jnp.asarray(rng.standard_normal((batch, timesteps, n)) * 0.5, dtype)
        for n in (features, units)
    )
    errors: dict[str, str] = {}
    programs: dict[tuple[str, str], Any] = {}
    weights: list[Any] | None = None
    for name in task.contestants:
        try:
            layer = make_layer(name, task)
            layer.build(x.shape)
            # All layers of a cell have the same weights.
            weights = weights or [variable.value for variable in layer.trainable_variables]
            for mode in MODES:
                programs[name, mode] = _lower(layer, name, mode, task, (weights, x, d_y))
        except Exception as error:
            errors[name] = describe(error)
    with ThreadPoolExecutor() as pool:
        futures = {key: pool.submit(program.compile) for key, program in programs.items()}
    contestants: dict[str, Contestant] = {}
    reference = None
    for name in task.contestants:
        if name in errors:
            continue
        try:
            runs = {mode: futures[name, mode].result() for mode in MODES}
            outputs = np.asarray(runs["forward"](weights, x, d_y), "float32")
        except Exception as error:
            errors[name] = describe(error)
            continue
        reference = outputs if reference is None else reference
        difference = float(abs(outputs - reference).max() / abs(reference).max())
        contestants[name] = Contestant(
            {mode: _bind(run, weights, x, d_y) for mode, run in runs.items()},
            _memory(runs["train"]),
            difference,
        )
    return contestants, errors


def make_layer(contestant: str, task: Task) -> keras.Layer:
    """Return a new layer.

    Args:
        contestant: Name of `benchmarks.gpu.tasks.jax_contestants`.
        task: Task.
    """
    units = task.shape[-1]
    dtype = "mixed_bfloat16" if task.precision == "bfloat16" else "float32"
    options: dict[str, Any] = {"return_sequences": True, "dtype": dtype}
    if contestant == "cell":
        return keras.layers.RNN(getattr(cells, f"{task.cell}Cell")(units, dtype=dtype), **options)
    if contestant == "keras":
        return getattr(keras.layers, task.cell)(units, **options)
    if task.cell == "LSTM" and contestant != "ours":
        options["use_cudnn"] = False
    return getattr(layers, task.cell)(units, **options)


def _lower(layer: keras.Layer, name: str, mode: str, task: Task, arguments: Any) -> Any:
    """Return the program of a layer in one mode, before its compilation."""
    others = [variable.value for variable in layer.non_trainable_variables]

    def forward(weights: Any, x: Any, d_y: Any) -> Any:
        del d_y
        return layer.stateless_call(weights, others, x, training=False)[0]

    def train(weights: Any, x: Any, d_y: Any) -> Any:
        def call(weights: Any, x: Any) -> Any:
            return layer.stateless_call(weights, others, x, training=True)[0]

        y, pull_back = jax.vjp(call, weights, x)
        return y[0, 0], pull_back(d_y)

    is_bfloat16 = name == "fused bfloat16"
    precision = "bfloat16" if is_bfloat16 else PRECISIONS[task.precision]
    fused = name.startswith("fused")
    unroll = int(name.removeprefix("unroll ")) if name.startswith("unroll") else 1
    with contextlib.ExitStack() as stack:
        stack.enter_context(jax.default_matmul_precision(precision))
        stack.enter_context(scan.jax_options(unroll=unroll, fused=fused))
        return jax.jit({"forward": forward, "train": train}[mode]).lower(*arguments)


def _bind(run: Any, *arguments: Any) -> Any:
    return lambda: jax.block_until_ready(run(*arguments))


def _memory(program: Any) -> int | None:
    analysis = program.memory_analysis()
    if analysis is None:
        return None
    return (
        analysis.temp_size_in_bytes
        + analysis.argument_size_in_bytes
        + analysis.output_size_in_bytes
    )
