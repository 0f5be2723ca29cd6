"""Operations of Keras that every runtime of an exported model supports."""

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
