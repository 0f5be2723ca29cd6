"""Computing without what a backward pass would need."""

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def no_gradients() -> Iterator[None]:
    """Keep no graph of operations on torch, the only backend that does so unasked."""
    if keras.backend.backend() != "torch":
        yield
        return
    import torch

    with torch.no_grad():
        yield
