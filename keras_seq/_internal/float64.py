"""Operations that keep float64, which Keras 3.15 narrows to float32 on JAX and torch."""

from collections.abc import Callable

import keras
from keras import ops

from keras_seq._internal.types import Tensor


def matmul(x: Tensor, y: Tensor) -> Tensor:
    """Return the matrix product; `keras.ops.matmul` narrows it on torch."""
    if keras.backend.backend() == "torch" and is_float64(x):
        return ops.convert_to_tensor(x) @ ops.convert_to_tensor(y)
    return ops.matmul(x, y)


def tanh(x: Tensor) -> Tensor:
    """Return the hyperbolic tangent; `keras.ops.tanh` narrows it on JAX."""
    if keras.backend.backend() == "jax" and is_float64(x):
        import jax.numpy as jnp

        return jnp.tanh(x)
    return ops.tanh(x)


def activation(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return an activation that keeps float64, given one of Keras."""
    return tanh if function is keras.activations.tanh else function


def is_float64(x: Tensor) -> bool:
    """Return whether the data type of a tensor or variable is float64."""
    return "float64" in str(x.dtype)
