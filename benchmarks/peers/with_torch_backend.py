"""keras-seq on Keras's torch backend, and torch's own layers in the same process."""

import os

os.environ["KERAS_BACKEND"] = "torch"  # before Keras is imported

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from benchmarks.peers.with_torch import NAMES
from keras_seq import layers, scan

Task: TypeAlias = dict[str, Any]
Call: TypeAlias = Callable[[torch.Tensor], torch.Tensor]


def build(task: Task) -> Callable[[], object]:
    """Return a function that runs the task once."""
    batch, timesteps, features, units = task["shape"]
    x = torch.randn(batch, timesteps, features)
    d_y = torch.randn(batch, timesteps, units)
    lengths = torch.randint(1, timesteps + 1, (batch,)) if task["is_masked"] else None
    make = _torch_layer if task["how"] == "torch" else _our_layer
    call, weights = make(task["cell"], task["shape"], lengths)

    def forward() -> None:
        with torch.no_grad():
            call(x)

    def train() -> None:
        for tensor in (x, *weights):
            tensor.grad = None
        call(x.requires_grad_()).backward(d_y)

    run = train if task["mode"] == "train" else forward

    def run_general_loop() -> None:
        with scan.general_only():
            run()

    return run_general_loop if task["how"] == "general loop" else run


def _torch_layer(
    cell: str, shape: tuple[int, ...], lengths: torch.Tensor | None
) -> tuple[Call, Iterable[torch.Tensor]]:
    _, timesteps, features, units = shape
    # torch has no peephole cells; they are compared with the plain LSTM.
    layer = getattr(torch.nn, NAMES.get(cell, "LSTM"))(features, units, batch_first=True)

    def call(x: torch.Tensor) -> torch.Tensor:
        if lengths is None:
            return layer(x)[0]
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        outputs, _ = layer(packed)
        return pad_packed_sequence(outputs, batch_first=True, total_length=timesteps)[0]

    return call, list(layer.parameters())


def _our_layer(
    cell: str, shape: tuple[int, ...], lengths: torch.Tensor | None
) -> tuple[Call, Iterable[torch.Tensor]]:
    batch, timesteps, features, units = shape
    layer = getattr(layers, cell)(units, return_sequences=True)
    layer.build((batch, timesteps, features))
    mask = None if lengths is None else torch.arange(timesteps) < lengths[:, None]

    def call(x: torch.Tensor) -> torch.Tensor:
        return layer(x, mask=mask)

    return call, [weight.value for weight in layer.trainable_weights]
