"""Recurrent layers of torch (oneDNN kernels on a CPU), and only the matrix products of a layer."""

import os
from collections.abc import Callable
from typing import Any

import torch

torch.set_num_threads(os.cpu_count() or 1)

Task = dict[str, Any]

NAMES = {"SimpleRNN": "RNN", "GRU": "GRU"}
GATES = {"SimpleRNN": 1, "GRU": 3}


def build(task: Task) -> Callable[[], object]:
    """Return a function that runs the task once."""
    make = _products if task["how"] == "products" else _layer
    return make(task["cell"], task["mode"], *task["shape"])


def _layer(
    cell: str, mode: str, batch: int, timesteps: int, features: int, units: int
) -> Callable[[], None]:
    # torch has no peephole cells; they are compared with the plain LSTM.
    layer = getattr(torch.nn, NAMES.get(cell, "LSTM"))(features, units, batch_first=True)
    x = torch.randn(batch, timesteps, features)
    d_y = torch.randn(batch, timesteps, units)

    def forward() -> None:
        with torch.no_grad():
            layer(x)

    def train() -> None:
        layer.zero_grad()
        x.grad = None
        layer(x.requires_grad_())[0].backward(d_y)

    return train if mode == "train" else forward


def _products(
    cell: str, mode: str, batch: int, timesteps: int, features: int, units: int
) -> Callable[[], None]:
    """Return a function with the matrix products of a layer, forward and in training backward."""
    columns = GATES.get(cell, 4) * units
    kernel, recurrent_kernel = torch.randn(features, columns), torch.randn(units, columns)
    x, h = torch.randn(timesteps * batch, features), torch.randn(batch, units)
    hs, d_z = torch.randn(timesteps * batch, units), torch.randn(timesteps * batch, columns)
    d_z_step = torch.randn(batch, columns)

    def run() -> None:
        with torch.no_grad():
            x @ kernel
            for _ in range(timesteps):
                h @ recurrent_kernel
            if mode == "train":
                for _ in range(timesteps):
                    d_z_step @ recurrent_kernel.T
                d_z @ kernel.T, x.T @ d_z, hs.T @ d_z

    return run
