"""Operations of Keras, by means that every runtime of an exported model has."""

from typing import Any

import keras
from keras import ops

from keras_seq._internal.export_target import export_target


def argmax(x: Any, axis: int = -1, keepdims: bool = False) -> Any:
    """Return the index of the largest value along an axis, int32; the first of equal ones.

    Keras tells zero from minus zero by their bits, which ONNX and LiteRT cannot read. In an export
    they are equal.

    Args:
        x: Tensor of numbers.
        axis: Axis to search.
        keepdims: Whether the result keeps the axis, with the size 1.
    """
    if export_target() is None or keras.backend.backend() != "tensorflow":
        return ops.argmax(x, axis, keepdims)
    import tensorflow as tf

    indices = tf.argmax(x, axis, output_type=tf.int32)
    return tf.expand_dims(indices, axis) if keepdims else indices
