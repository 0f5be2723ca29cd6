"""Type aliases shared by the annotations of the whole package.

Tensors of TensorFlow, JAX and torch have no common base class. `Tensor` therefore informs readers
only; type checkers treat it as `Any`. Docstrings give shapes in backticks: `(batch, timesteps,
features)`.
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
"""Sizes of a tensor; None where a size is unknown."""
States: TypeAlias = list[Tensor]
"""States of a recurrent cell, each `(batch, units)`."""
Initializer: TypeAlias = Any
"""A `keras.initializers.Initializer`, its name, or its configuration."""
Regularizer: TypeAlias = Any
"""A `keras.regularizers.Regularizer`, its name, or its configuration; None for none."""
Constraint: TypeAlias = Any
"""A `keras.constraints.Constraint`, its name, or its configuration; None for none."""
Activation: TypeAlias = str | Callable[..., Tensor] | None
"""Name of an activation, or a function from tensor to tensor; None is linear."""
Config: TypeAlias = dict[str, Any]
"""Arguments of a constructor, as `get_config` returns them."""
