"""Gradients derived by hand, for functions that stay differentiable to any order."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import keras
from keras import ops

from keras_seq._internal.tensorflow_compat import in_forward_mode, under_xla
from keras_seq._internal.types import Tensor

Tensors: TypeAlias = Sequence[Tensor]


class CustomGradient(NamedTuple):
    """Function with a hand-derived gradient, and an equal function for higher derivatives.

    Value and first derivative are those of `forward` and `backward`. On TensorFlow these may
    contain operations without a gradient, such as XLA programs, because no tape records them. All
    higher derivatives are those of `reference`, which is traced only if needed. On JAX,
    `forward` and `backward` are differentiated themselves, so that forward over reverse mode works.
    """

    forward: Callable[[Tensors, Tensors], tuple[Tensors, Any]]
    """Function of `arguments` and `constants`; returns a tuple of results and the residuals."""
    backward: Callable[[Tensors, Tensors, Any, Tensors], Tensors]
    """Function of `arguments`, `constants`, residuals and the gradients for the results; returns
    the gradients for `arguments`."""
    reference: Callable[[Tensors, Tensors], Tensors]
    """Function of `arguments` and `constants`; returns the results by operations that the backend
    differentiates to any order."""

    def __call__(self, arguments: Tensors, constants: Tensors = ()) -> Tensors:
        """Return the results.

        Args:
            arguments: Tensors that have a gradient.
            constants: Tensors without a gradient.
        """
        run = {"jax": _run_on_jax, "tensorflow": _run_on_tensorflow, "torch": _run_on_torch}
        return run[keras.backend.backend()](self, tuple(arguments), tuple(constants))


def _run_on_jax(function: CustomGradient, arguments: Tensors, constants: Tensors) -> Tensors:
    @ops.custom_gradient
    def run(*tensors: Tensor) -> Any:
        groups = tensors[: len(arguments)], tensors[len(arguments) :]
        results, residuals = function.forward(*groups)

        def gradient(upstream: Tensors) -> Tensors:
            gradients = function.backward(*groups, residuals, upstream)
            return (*gradients, *map(ops.zeros_like, constants))

        return results, gradient

    # JAX requires all traced tensors as arguments, including those without a gradient.
    return run(*arguments, *constants)


def _run_on_torch(function: CustomGradient, arguments: Tensors, constants: Tensors) -> Tensors:
    import torch

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, *arguments: Tensor) -> Tensors:
            results, context.residuals = function.forward(arguments, constants)
            context.save_for_backward(*arguments)
            return results

        @staticmethod
        def backward(context: Any, *upstream: Tensor) -> Tensors:
            arguments = context.saved_tensors
            if not torch.is_grad_enabled():
                return function.backward(arguments, constants, context.residuals, upstream)
            # A second derivative will be taken (`create_graph=True`).
            results = function.reference(arguments, constants)
            return torch.autograd.grad(
                results, arguments, upstream, create_graph=True, materialize_grads=True
            )

    return Function.apply(*arguments)


def _run_on_tensorflow(function: CustomGradient, arguments: Tensors, constants: Tensors) -> Tensors:
    import tensorflow as tf

    count = len(arguments)

    @tf.custom_gradient
    def run(*arguments: Tensor) -> Any:
        # Stopped copies, since in a graph a persistent or second tape would at once request the
        # gradient of each operation that it records.
        stopped = tuple(map(tf.stop_gradient, arguments))
        results, residuals = function.forward(stopped, constants)

        @tf.custom_gradient
        def first_order(*tensors: Tensor) -> Any:
            upstream = tuple(map(tf.stop_gradient, tensors[count:]))
            gradients = function.backward(stopped, constants, residuals, upstream)

            def second_order(*second_upstream: Tensor) -> Tensors:
                groups = tensors[:count], constants, tensors[count:]
                return _differentiate_reference(function, *groups, second_upstream)

            return gradients, second_order

        def gradient(*upstream: Tensor) -> Tensors:
            if in_forward_mode(upstream):
                return _differentiate_reference(function, arguments, constants, upstream)
            return first_order(*arguments, *upstream)

        return results, gradient

    # Tensors, since a custom gradient treats variables separately.
    arguments = tuple(map(tf.convert_to_tensor, arguments))
    if not in_forward_mode(arguments):
        return run(*arguments)
    if tf.executing_eagerly():
        return function.reference(arguments, constants)
    return _differentiate_reference(function, arguments, constants)


def _differentiate_reference(
    function: CustomGradient, arguments: Tensors, constants: Tensors, *upstreams: Tensors
) -> Tensors:
    """Return a derivative of the reference: its results, with no upstream gradients.

    Args:
        function: Function with a reference.
        arguments: Tensors that have a gradient.
        constants: Tensors without a gradient.
        *upstreams: Upstream gradients, one group per order of the derivative.
    """
    # The last sizes are keys, since `reduce_retracing` may generalize lengths only.
    sizes = tuple(a.shape[-1] for a in arguments)
    derivative = _reference_function(function, len(upstreams), sizes, under_xla())
    return derivative(arguments, constants, *upstreams)


@functools.cache
def _reference_function(
    function: CustomGradient,
    order: int,
    sizes: tuple[int | None, ...],
    is_within_xla: bool,
) -> Any:
    """Return a derivative of the reference as one `tf.function`.

    Tapes and forward accumulators record it as a whole, not the loops in it.
    """
    # Parts of the cache key; under XLA, loops are built differently.
    del order, sizes, is_within_xla
    import tensorflow as tf

    def run(arguments: Tensors, constants: Tensors, *upstreams: Tensors) -> Tensors:
        # Copies, since in a graph each tensor depends on earlier ones.
        groups = [[tf.identity(t) for t in group] for group in (arguments, *upstreams)]
        return tuple(_differentiate(lambda tensors: function.reference(tensors, constants), groups))

    return tf.function(run, autograph=False, reduce_retracing=True)


def _differentiate(function: Callable[[Tensors], Tensors], groups: Sequence[Tensors]) -> Tensors:
    """Return a derivative of a function.

    Args:
        function: Function from tensors to tensors.
        groups: Arguments, followed by one group of upstream gradients per order.
    """
    import tensorflow as tf

    *lower, upstream = groups
    if not lower:
        return function(upstream)
    tensors = [tensor for group in lower for tensor in group]
    if not tf.executing_eagerly():
        # Without a tape, since in forward mode TensorFlow may call this while no tape records.
        results = _differentiate(function, lower)
        return tf.gradients(results, tensors, upstream, unconnected_gradients="zero")
    # Executed eagerly only with `tf.config.run_functions_eagerly`.
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        results = _differentiate(function, lower)
    return tape.gradient(results, tensors, upstream, unconnected_gradients="zero")
