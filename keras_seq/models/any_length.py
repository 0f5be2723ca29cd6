"""Predictions whose TensorFlow graph depends neither on the length nor on the number of examples.

`tf.function` traces a graph for the first length, and another one for all lengths at the second.
The functions here trace the latter at once, so that only the first call takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

Nest = Any
"""Array or nested structure of arrays."""


def compile_for_any_length(function: Callable[..., Any], *shapes: Nest) -> Callable[..., Any]:
    """Compile a function on TensorFlow: one graph for one example, and one for several.

    A graph for one example does not split the batch between cores.

    Args:
        function: Function of nested structures of tensors.
        *shapes: For each argument the `keras.KerasTensor` of every tensor. The first axis of one
            that has a shape is examples.

    Returns:
        The function, whose arguments must be tensors.
    """
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    def compile_for(rows: int | None) -> Any:
        def spec(tensor: keras.KerasTensor) -> tf.TensorSpec:
            shape = list(tensor.shape)
            shape[:1] = [size or rows for size in shape[:1]]
            return tf.TensorSpec(shape, tensor.dtype)

        signature = keras.tree.map_structure(spec, list(shapes))
        return tf.function(function, input_signature=signature, autograph=False)

    graphs = {rows: compile_for(rows) for rows in (1, None)}

    def call(*arguments: Nest) -> Any:
        leaves = keras.tree.flatten(arguments)
        is_single = all(leaf.shape[0] == 1 for leaf in leaves if len(leaf.shape))
        return graphs[1 if is_single else None](*arguments)

    return call


class AnyLengthModel(keras.Model):
    """Functional `keras.Model` whose `predict_on_batch` is not traced again for every new length.

    >>> import numpy as np
    >>> from keras_seq.models.any_length import AnyLengthModel
    >>> ids = keras.Input((None,), dtype="int32", name="ids")
    >>> model = AnyLengthModel({"ids": ids}, ids + 1)
    >>> [model.predict_on_batch({"ids": np.zeros((1, n), "int32")}).shape for n in (2, 3)]
    [(1, 2), (1, 3)]
    """

    def predict_on_batch(self, x: Nest) -> Nest:
        """Return the outputs for one batch, as `keras.Model.predict_on_batch` does.

        Args:
            x: Inputs as arrays.
        """
        self.make_predict_function()
        predict = self.predict_function
        is_compiled = keras.backend.backend() == "tensorflow" and not self.run_eagerly
        if not is_compiled or not _has_structure(x, self.input):
            return super().predict_on_batch(x)
        # Keras makes another function after a change of the model, such as in `compile`.
        if getattr(self, "_any_length_source", None) is not predict:
            self._any_length_source = predict
            self._any_length = compile_for_any_length(lambda x: predict([(x,)]), self.input)
        tensors = keras.tree.map_structure(
            lambda array, spec: ops.convert_to_tensor(array, spec.dtype), x, self.input
        )
        return keras.tree.map_structure(ops.convert_to_numpy, self._any_length(tensors))


def _has_structure(x: Nest, inputs: Nest) -> bool:
    """Return whether `x` has the structure and the ranks of the inputs of a model."""
    try:
        keras.tree.assert_same_structure(x, inputs)
    except (TypeError, ValueError):
        return False
    pairs = zip(keras.tree.flatten(x), keras.tree.flatten(inputs))
    return all(len(getattr(array, "shape", ())) == len(spec.shape) for array, spec in pairs)
