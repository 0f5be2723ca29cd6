"""Gradients through time of a loss, or of the last state, with respect to all earlier states.

A tensor of zeros is added to every state at every time step, and the gradient with respect to these
tensors is taken. Backpropagation through time passes the same values from step to step. This works
for any cell on any backend, with masks and stacked layers.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops, tree

from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Array, States, Tensor
from keras_seq.tracing.hooks import Call, Layers, call_with_hooks

if TYPE_CHECKING:
    from keras_seq.tracing.trace import Trace

MAX_JACOBIAN_ROWS = 64
"""Maximum number of rows of a Jacobian that are computed at once."""


def gradient_norms(
    trace: "Trace",
    model: keras.layers.Layer,
    inputs: Any,
    recurrent: Layers,
    loss: Callable[[Any], Tensor],
) -> dict[str, dict[str, Array]]:
    """Return the norms of the gradients of a loss, see `Trace.gradient_norms`.

    Args:
        trace: Trace of the model.
        model: Traced model.
        inputs: Inputs of the trace.
        recurrent: Recurrent layers by path.
        loss: Function from the outputs of the model to a scalar.
    """
    states = {(name, state): a for name in trace for state, a in trace[name].states.items()}

    def perturbed_loss(perturbations: Sequence[Tensor]) -> Tensor:
        by_state = dict(zip(states, perturbations, strict=True))

        def on_call(call: Call) -> tuple[Tensor, Tensor, Any]:
            keys = [
                (name, state)
                for name, stepper in zip(call.names, call.steppers, strict=True)
                for state in stepper.state_names
            ]
            return _run_perturbed(call, [by_state[key] for key in keys])

        outputs = call_with_hooks(model, inputs, recurrent, on_call)
        with keras.StatelessScope():  # a compiled loss must not update its running means
            value = ops.convert_to_tensor(loss(outputs))
        if value.shape != ():
            raise InputError(
                f"The loss must return a scalar, got a tensor of shape {tuple(value.shape)}."
            )
        return value

    norms: dict[str, dict[str, Array]] = {name: {} for name in trace}
    zeros = [ops.zeros(array.shape, str(array.dtype)) for array in states.values()]
    for (name, state), gradient in zip(states, _gradients(perturbed_loss, zeros), strict=True):
        flat = gradient.reshape(*gradient.shape[:2], -1)
        norms[name][state] = np.linalg.norm(flat, axis=-1)
    return norms


def jacobian_norms(
    model: keras.layers.Layer, inputs: Any, recurrent: Layers, name: str
) -> dict[str, Array]:
    """Return the norms of the Jacobians of the last state, see `Trace.jacobian_norms`.

    Args:
        model: Traced model.
        inputs: Inputs of the trace.
        recurrent: Recurrent layers by path.
        name: Name of the layer in the trace.
    """
    norms: dict[str, Array] = {}

    def on_call(call: Call) -> tuple[Tensor, Tensor, Any]:
        if name in call.names:
            cell_index = call.names.index(name)
            rows = [
                _jacobian_norms_of_sequence(call, cell_index, index)
                for index in range(call.sequences.shape[0])
            ]
            for position, state in enumerate(call.steppers[cell_index].state_names):
                norms[state] = np.stack([row[position] for row in rows])
        return call.run_original()

    call_with_hooks(model, inputs, recurrent, on_call)
    return norms


def _jacobian_norms_of_sequence(call: Call, cell_index: int, index: int) -> list[Array]:
    """Return the norms of the Jacobians for each state of one cell, `(timesteps,)` each.

    Args:
        call: Call of the layer.
        cell_index: Index of the cell in the layer.
        index: Index of the sequence in the batch.
    """
    states = tree.flatten(call.initial_state)
    first = sum(len(stepper.state_names) for stepper in call.steppers[:cell_index])
    units = states[first].shape[-1]
    blocks = []
    for start in range(0, units, MAX_JACOBIAN_ROWS):
        copies = call.repeat_sequence(index, min(MAX_JACOBIAN_ROWS, units - start))
        blocks.append(_jacobian_rows(copies, cell_index, first, start))
    jacobians = (np.concatenate(rows).swapaxes(0, 1) for rows in zip(*blocks, strict=True))
    return [np.linalg.norm(jacobian, ord=2, axis=(1, 2)) for jacobian in jacobians]


def _jacobian_rows(copies: Call, cell_index: int, first: int, start: int) -> list[Array]:
    """Return rows of the Jacobians of the last h, one per copy of the sequence.

    Args:
        copies: Call on copies of one sequence. Copy i computes the gradient of unit `start + i`.
        cell_index: Index of the cell in the layer.
        first: Index of the cell's first state among the states of the layer.
        start: Unit of the first row.
    """
    states = tree.flatten(copies.initial_state)
    last = first + len(copies.steppers[cell_index].state_names)
    units = ops.eye(*states[first].shape, start)
    num_steps = len(copies.step_order)
    zeros = [ops.zeros((len(s), num_steps, s.shape[-1]), s.dtype) for s in states]

    def last_units(perturbations: Sequence[Tensor]) -> Tensor:
        padded = [*zeros[:first], *perturbations, *zeros[last:]]
        for steps in copies.run_steps(_by_time_step(copies, padded)):
            h = steps[cell_index].states[0]
        return ops.sum(h * ops.cast(units, h.dtype))

    return _gradients(last_units, zeros[first:last])


def _by_time_step(call: Call, tensors: Sequence[Tensor]) -> list[States]:
    """Split tensors `(batch, timesteps, ...)` into a list per time step, in the order computed."""
    unstacked = [ops.unstack(tensor, len(call.step_order), axis=1) for tensor in tensors]
    return [[slices[t] for slices in unstacked] for t in call.step_order]


def _run_perturbed(call: Call, perturbations: Sequence[Tensor]) -> tuple[Tensor, Tensor, Any]:
    """Return the result of `Call.run_original`, with perturbed states."""
    outputs = []
    for steps in call.run_steps(_by_time_step(call, perturbations)):
        outputs.append(steps[-1].output)
    states = [state for step in steps for state in step.states]
    states = tree.pack_sequence_as(call.initial_state, states)
    return outputs[-1], ops.stack(outputs, axis=1), states


def _gradients(
    function: Callable[[Sequence[Tensor]], Tensor], tensors: list[Tensor]
) -> list[Array]:
    """Return the gradients of a scalar function for some tensors, zeros for unused ones."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = function(tensors)
        gradients = tape.gradient(value, tensors, unconnected_gradients="zero")
    elif backend == "torch":
        import torch

        tensors = [tensor.requires_grad_() for tensor in tensors]
        gradients = torch.autograd.grad(function(tensors), tensors, materialize_grads=True)
    else:
        import jax

        gradients = jax.grad(function)(tensors)
    return [ops.convert_to_numpy(gradient) for gradient in gradients]
