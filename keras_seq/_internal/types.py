"""Types that annotations of the whole package share.

Tensors of TensorFlow, JAX and torch have no common base class, so that `Tensor` tells a reader what
a function takes and returns, and a type checker nothing. Docstrings give shapes in backticks:
`(batch, timesteps, features)`.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

Tensor: TypeAlias = Any
"""A tensor of Keras's backend, symbolic or not."""
ArrayLike: TypeAlias = Any
"""A tensor, a NumPy array, or nested lists of numbers."""
Array: TypeAlias = np.ndarray
"""A NumPy array."""
Shape: TypeAlias = tuple[int | None, ...]
"""Sizes of a tensor, None where a size is not known."""
States: TypeAlias = list[Tensor]
"""States of a recurrent cell, each `(batch, units)`."""
Initializer: TypeAlias = Any
"""A `keras.initializers.Initializer`, its name, or its configuration."""
Activation: TypeAlias = str | Callable[..., Tensor] | None
"""Name of an activation, or a function from tensor to tensor."""
Config: TypeAlias = dict[str, Any]
"""Arguments of a constructor, as `get_config` returns them."""
