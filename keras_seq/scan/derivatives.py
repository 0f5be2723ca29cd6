"""Derivatives of every order for functions whose first derivative is derived by hand."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
from keras import ops

from keras_seq._internal.tensorflow_compat import in_forward_mode, under_xla

Tensors = Sequence[Any]


class CustomGradient(NamedTuple):
    """A function with a gradient derived by hand, and what it is equal to.

    The value and the first derivative are those of `forward` and `backward`. On TensorFlow, these
    may hold operations that have no gradient, such as programs of XLA: no tape sees them. Beyond
    the first derivative everything is taken of `reference`, which is not even traced before. On
    JAX, `forward` and `backward` are differentiated themselves, so that forward mode works over
    reverse mode.
    """

    forward: Callable
    """Takes `arguments` and `constants`; returns a tuple of results, and a tuple of residuals."""
    backward: Callable
    """Takes `arguments`, `constants`, residuals and the gradients for the results; returns a tuple
    of the gradients for `arguments`."""
    reference: Callable
    """Takes `arguments` and `constants`; returns the results by what the backend can differentiate
    any number of times."""

    def __call__(self, arguments: Tensors, constants: Tensors = ()) -> Tensors:
        """Return the results.

        Args:
            arguments: Tensors to differentiate for.
            constants: Tensors that have no gradient.
        """
        run = {"jax": _on_jax, "tensorflow": _on_tensorflow, "torch": _on_torch}
        return run[keras.backend.backend()](self, tuple(arguments), tuple(constants))


def _on_jax(derived, arguments, constants):
    @ops.custom_gradient
    def function(*tensors):
        given = tensors[: len(arguments)], tensors[len(arguments) :]
        results, residuals = derived.forward(*given)

        def gradient(upstream):
            gradients = derived.backward(*given, residuals, upstream)
            return (*gradients, *map(ops.zeros_like, constants))

        return results, gradient

    # JAX wants all that is traced as an argument, also what has no gradient.
    return function(*arguments, *constants)


def _on_torch(derived, arguments, constants):
    import torch

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(context, *arguments):
            results, context.residuals = derived.forward(arguments, constants)
            context.save_for_backward(*arguments)
            return results

        @staticmethod
        def backward(context, *upstream):
            arguments = context.saved_tensors
            if not torch.is_grad_enabled():
                return derived.backward(arguments, constants, context.residuals, upstream)
            # There is to be a gradient of the gradient (`create_graph=True`).
            results = derived.reference(arguments, constants)
            return torch.autograd.grad(
                results, arguments, upstream, create_graph=True, materialize_grads=True
            )

    return Function.apply(*arguments)


def _on_tensorflow(derived, arguments, constants):
    import tensorflow as tf

    count = len(arguments)

    @tf.custom_gradient
    def function(*arguments):
        # Of stopped copies, since a persistent or a second tape in a graph would ask at once for
        # the gradient of each operation that it sees.
        stopped = tuple(map(tf.stop_gradient, arguments))
        results, residuals = derived.forward(stopped, constants)

        @tf.custom_gradient
        def first(*tensors):
            upstream = tuple(map(tf.stop_gradient, tensors[count:]))
            gradients = derived.backward(stopped, constants, residuals, upstream)

            def second(*upstream_of_first):
                given = tensors[:count], constants, tensors[count:]
                return _of_reference(derived, *given, upstream_of_first)

            return gradients, second

        def gradient(*upstream):
            if in_forward_mode(upstream):
                return _of_reference(derived, arguments, constants, upstream)
            return first(*arguments, *upstream)

        return results, gradient

    # Not as variables, whose gradients would be asked for by another name.
    arguments = tuple(map(tf.convert_to_tensor, arguments))
    if not in_forward_mode(arguments):
        return function(*arguments)
    if tf.executing_eagerly():
        return derived.reference(arguments, constants)
    return _of_reference(derived, arguments, constants)


def _of_reference(derived, arguments, constants, *upstreams):
    """Return the results of the reference or, for each upstream gradient, one derivative more."""
    # A function may forget a size that differs between calls, such as the length; not these.
    sizes = tuple(a.shape[-1] for a in arguments)
    function = _reference_function(derived, len(upstreams), sizes, under_xla())
    return function(arguments, constants, *upstreams)


@functools.cache
def _reference_function(derived, order, sizes, within_xla):
    """Return a derivative of the reference, as one function of TensorFlow.

    Tapes and forward accumulators see it as a whole, not the loops in it. There is one within
    programs of XLA and another elsewhere, since loops are built otherwise there.
    """
    import tensorflow as tf

    def function(arguments, constants, *upstreams):
        # Of copies, since in a graph each depends on those before it.
        groups = [[tf.identity(t) for t in group] for group in (arguments, *upstreams)]
        return tuple(_derivative(lambda given: derived.reference(given, constants), groups))

    return tf.function(function, autograph=False, reduce_retracing=True)


def _derivative(function, groups):
    """Return what a function makes of the first group, or the derivative with those upstream."""
    import tensorflow as tf

    *before, upstream = groups
    if not before:
        return function(upstream)
    given = [tensor for group in before for tensor in group]
    if not tf.executing_eagerly():
        # Not by a tape, since in forward mode TensorFlow may call this while none records.
        results = _derivative(function, before)
        return tf.gradients(results, given, upstream, unconnected_gradients="zero")
    # There is no graph with `tf.config.run_functions_eagerly`.
    with tf.GradientTape() as tape:
        tape.watch(given)
        results = _derivative(function, before)
    return tape.gradient(results, given, upstream, unconnected_gradients="zero")
