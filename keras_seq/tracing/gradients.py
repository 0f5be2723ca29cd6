"""Gradients through time: how much a loss, or the last state, depends on every state before.

Every state of every time step is moved by a tensor of zeros, and the gradient for these tensors
is taken. It is what backpropagation through time hands from step to step, in `keras_seq.scan.bptt`
too, but by this way it can be had of any cell, on any backend, with masks and stacks.
"""

import keras
import numpy as np
from keras import ops, tree

from keras_seq._internal.errors import InputError
from keras_seq.tracing.hooks import call_with_hooks

BLOCK = 64
"""Rows of a Jacobian that are computed at once."""


def gradient_norms(trace, model, inputs, recurrent, loss):
    """As `keras_seq.tracing.Trace.gradient_norms`."""
    states = {(name, state): a for name in trace for state, a in trace[name].states.items()}

    def of(moves):
        moves = dict(zip(states, moves))

        def on_call(call):
            here = [(name, s) for name, part in zip(call.names, call.parts) for s in part.names]
            return _by_steps(call, [moves[key] for key in here])

        outputs = call_with_hooks(model, inputs, recurrent, on_call)
        with keras.StatelessScope():  # what a compiled loss counts is not changed
            value = ops.convert_to_tensor(loss(outputs))
        if value.shape != ():
            raise InputError(
                "The loss must return one number; it returned a tensor of the shape "
                f"{tuple(value.shape)}."
            )
        return value

    found = {name: {} for name in trace}
    zeros = [ops.zeros(array.shape, str(array.dtype)) for array in states.values()]
    for (name, state), gradient in zip(states, _gradients(of, zeros)):
        flat = gradient.reshape(*gradient.shape[:2], -1)
        found[name][state] = np.linalg.norm(flat, axis=-1)
    return found


def jacobian_norms(model, inputs, recurrent, name):
    """As `keras_seq.tracing.Trace.jacobian_norms`."""
    found = {}

    def on_call(call):
        if name in call.names:
            number = call.names.index(name)
            rows = [_jacobians_of_row(call, number, n) for n in range(call.sequences.shape[0])]
            for place, state in enumerate(call.parts[number].names):
                found[state] = np.stack([row[place] for row in rows])
        return call.run_original()

    call_with_hooks(model, inputs, recurrent, on_call)
    return found


def _jacobians_of_row(call, number, row):
    """The norms of the Jacobians for each state of one part, `(timesteps,)` each."""
    states = tree.flatten(call.initial_state)
    first = sum(len(part.names) for part in call.parts[:number])
    units = states[first].shape[-1]
    blocks = [
        _block_of_jacobians(
            call.repeat_sequence(row, min(BLOCK, units - begin)), number, first, begin
        )
        for begin in range(0, units, BLOCK)
    ]
    whole = (np.concatenate(rows).swapaxes(0, 1) for rows in zip(*blocks))
    return [np.linalg.norm(jacobian, ord=2, axis=(1, 2)) for jacobian in whole]


def _block_of_jacobians(copies, number, first, begin):
    """As many rows as there are copies of the sequence: in each the gradient of one unit of h_T."""
    states = tree.flatten(copies.initial_state)
    last = first + len(copies.parts[number].names)
    one_each = ops.eye(*states[first].shape, begin)
    zeros = [ops.zeros((len(s), len(copies.times), s.shape[-1]), s.dtype) for s in states]

    def of(moves):
        moves = [*zeros[:first], *moves, *zeros[last:]]
        for steps in copies.steps(_by_time(copies, moves)):
            h = steps[number].states[0]
        return ops.sum(h * ops.cast(one_each, h.dtype))

    return _gradients(of, zeros[first:last])


def _by_time(call, moves):
    """Tensors `(batch, timesteps, ...)` as lists, one a time step in the order computed."""
    apart = [ops.unstack(move, len(call.times), axis=1) for move in moves]
    return [[tensors[t] for tensors in apart] for t in call.times]


def _by_steps(call, moves):
    """As `Call.run_original`, step by step, the new states moved."""
    outputs = []
    for steps in call.steps(_by_time(call, moves)):
        outputs.append(steps[-1].output)
    states = [state for step in steps for state in step.states]
    states = tree.pack_sequence_as(call.initial_state, states)
    return outputs[-1], ops.stack(outputs, axis=1), states


def _gradients(function, tensors):
    """The gradients of a function of a list of tensors, as arrays; zeros where it has none."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = function(tensors)
        found = tape.gradient(value, tensors, unconnected_gradients="zero")
    elif backend == "torch":
        import torch

        tensors = [tensor.requires_grad_() for tensor in tensors]
        found = torch.autograd.grad(function(tensors), tensors, materialize_grads=True)
    else:
        import jax

        found = jax.grad(function)(tensors)
    return [ops.convert_to_numpy(gradient) for gradient in found]
