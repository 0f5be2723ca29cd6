"""Computation without residuals for a backward pass."""

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def no_gradients() -> Iterator[None]:
    """Disable gradients on torch, the only backend that records operations by default."""
    if keras.backend.backend() != "torch":
        yield
        return
    import torch

    with torch.no_grad():
        yield
