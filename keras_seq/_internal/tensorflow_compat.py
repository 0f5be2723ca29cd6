"""Private names of TensorFlow that keras-seq uses, each with its reason."""

from collections.abc import Sequence
from typing import Any

from keras_seq._internal.types import Tensor


def under_xla() -> bool:
    """Return whether TensorFlow is tracing within a function with `jit_compile=True`.

    Operators that XLA does not support must not be traced there. No public function exists.
    """
    import tensorflow as tf
    from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

    return GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


def in_forward_mode(tensors: Sequence[Tensor]) -> bool:
    """Return whether a `tf.autodiff.ForwardAccumulator` has a derivative of one of the tensors.

    The accumulator ignores custom gradients. In a graph, it differentiates the operations of the
    forward function; eagerly, no tape records within that function. No public function exists.

    Args:
        tensors: Tensors or variables.
    """
    import tensorflow as tf
    from tensorflow.python.eager.forwardprop_util import pack_tangents

    return bool(pack_tangents(list(map(tf.convert_to_tensor, tensors))).tangents)


def without_tracing_warning(function: Any) -> Any:
    """Return a `tf.function` that does not warn of frequent retracing.

    TensorFlow counts calls by the code of a function. The first calls of the functions of several
    layers therefore look like one function that is traced again and again. No public option exists.

    Args:
        function: Result of `tf.function`.
    """
    function._omit_frequent_tracing_warning = True
    return function
