"""Operations of Keras that every runtime of an exported model and every graph supports."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_seq._internal.export_target import export_target
from keras_seq._internal.types import Tensor


def argmax(x: Tensor, axis: int = -1, keepdims: bool = False) -> Tensor:
    """Return the index of the largest value along an axis, int32; the first of equal values.

    `keras.ops.argmax` distinguishes zero from minus zero by their bits, which ONNX and LiteRT do
    not support. In an export they are equal.

    Args:
        x: Tensor of numbers.
        axis: Axis to search.
        keepdims: Whether the result keeps the axis, with size 1.
    """
    if export_target() is None or keras.backend.backend() != "tensorflow":
        return ops.argmax(x, axis, keepdims)
    import tensorflow as tf

    indices = tf.argmax(x, axis, output_type=tf.int32)
    return tf.expand_dims(indices, axis) if keepdims else indices


def take_rows(x: Tensor, indices: Tensor) -> Tensor:
    """Return entries of axis 0 at indices that are not negative.

    `keras.ops.take` also counts negative indices from the end, which takes more operations in a
    TensorFlow graph.

    Args:
        x: Tensor.
        indices: Integers of any shape.
    """
    if keras.backend.backend() != "tensorflow":
        return ops.take(x, indices, axis=0)
    import tensorflow as tf

    return tf.gather(x, indices)


def while_loop(
    cond: Callable[..., Tensor], body: Callable[..., Any], start: tuple[Any, ...]
) -> tuple[Any, ...]:
    """Run `keras.ops.while_loop` also if the graph forgets the shapes of the variables.

    TensorFlow fails if a variable begins with a known number of rows, and an iteration returns
    one whose number of rows is unknown in the graph, such as a gather by computed indices.

    Args:
        cond: Function of the variables that returns whether to go on.
        body: Function from the variables to those of the next iteration, of the same shapes.
        start: Variables before the first iteration, tensors or nested structures of them.
    """

    def keep_shapes(*variables: Any) -> Any:
        return keras.tree.map_structure(with_shape_of, body(*variables), variables)

    results: tuple[Any, ...] = ops.while_loop(cond, keep_shapes, start)
    return results


def with_shape_of(tensor: Tensor, other: Tensor) -> Tensor:
    """Return a tensor whose shape in a TensorFlow graph is known as well as that of another.

    Args:
        tensor: Tensor.
        other: Tensor of the same shape.
    """
    if keras.backend.backend() == "tensorflow":
        tensor = ops.convert_to_tensor(tensor)
        tensor.set_shape(other.shape)
    return tensor
