"""Names of TensorFlow that are not public, each with its reason."""

from collections.abc import Sequence
from typing import Any


def under_xla() -> bool:
    """Return whether TensorFlow traces what is inside a function with `jit_compile=True`.

    No public name tells it, and operators that XLA does not know must not be traced there.
    """
    import tensorflow as tf
    from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

    return GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


def in_forward_mode(tensors: Sequence[Any]) -> bool:
    """Return whether a `tf.autodiff.ForwardAccumulator` has a derivative of one of the tensors.

    No public name tells it. The accumulator does not see the custom gradient of what is done to
    them: in a graph it takes the operations behind it, and eagerly no tape records in it.

    Args:
        tensors: Tensors, or what `tf.convert_to_tensor` takes.
    """
    import tensorflow as tf
    from tensorflow.python.eager.forwardprop_util import pack_tangents

    return bool(pack_tangents(list(map(tf.convert_to_tensor, tensors))).tangents)
