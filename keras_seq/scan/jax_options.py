"""Options of the JAX backend that are to be chosen by measurement on a GPU."""

import contextlib
import contextvars
from collections.abc import Iterator
from typing import NamedTuple

from keras_seq._internal.errors import InputError


class JaxOptions(NamedTuple):
    """Options of the loops over time on JAX, see `jax_options`.

    >>> from keras_seq.scan.jax_options import JaxOptions
    >>> JaxOptions()
    JaxOptions(unroll=1, fused=False)
    """

    unroll: int = 1
    """Number of time steps per iteration of a loop."""
    fused: bool = False
    """If True, the peephole cells run in the kernels of `keras_seq.scan.fused`."""


DEFAULT = JaxOptions()
_options = contextvars.ContextVar("jax_options", default=DEFAULT)


@contextlib.contextmanager
def jax_options(unroll: int = 1, fused: bool = False) -> Iterator[None]:
    """Set the options of the fast path on JAX within a `with` block.

    They apply when a function is traced, not when a compiled function is called. Other backends
    ignore them. Results do not depend on them, except for rounding.

    Args:
        unroll: Number of time steps per iteration of a loop, at least 1. Higher values take longer
            to compile.
        fused: Whether forward passes of the peephole cells run in one kernel, where
            `keras_seq.scan.fused` supports them. These have first derivatives only. Without a GPU
            they run in Pallas's interpreter, which is slow.

    Raises:
        InputError: If `unroll` is not a positive integer.
    """
    if not isinstance(unroll, int) or unroll < 1:
        raise InputError(f"jax_options: `unroll` must be an integer of at least 1, got {unroll!r}.")
    token = _options.set(JaxOptions(unroll, fused))
    try:
        yield
    finally:
        _options.reset(token)


def get_jax_options() -> JaxOptions:
    """Return the options that are in effect."""
    return _options.get()
