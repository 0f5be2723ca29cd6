"""Operations that keep float64, which Keras 3.15 narrows to float32 on JAX and torch."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops


def matmul(x: Any, y: Any) -> Any:
    """Return the matrix product; `keras.ops.matmul` narrows it on torch."""
    if keras.backend.backend() == "torch" and is_float64(x):
        return ops.convert_to_tensor(x) @ ops.convert_to_tensor(y)
    return ops.matmul(x, y)


def tanh(x: Any) -> Any:
    """Return the hyperbolic tangent; `keras.ops.tanh` narrows it on JAX."""
    if keras.backend.backend() == "jax" and is_float64(x):
        import jax.numpy as jnp

        return jnp.tanh(x)
    return ops.tanh(x)


def activation(function: Callable) -> Callable:
    """Return an activation that keeps float64 if Keras's own does not."""
    return tanh if function is keras.activations.tanh else function


def is_float64(x: Any) -> bool:
    """Return whether a tensor or variable is of this type."""
    return "float64" in str(x.dtype)
