"""Fast path: compiled forward passes and hand-derived backpropagation through time.

`keras_seq.scan.bptt` holds the passes of each cell, the same for all backends. This module checks
that they apply, and runs them. On TensorFlow, XLA compiles one program for a shard of the batch.
The shards run in parallel, one per core, since XLA runs a loop on one core only. On JAX, the
passes run within the user's own `jit`. On torch, `torch_functions` takes the place of the passes.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_seq import cells
from keras_seq._internal.tensorflow_compat import without_tracing_warning
from keras_seq._internal.types import States, Tensor
from keras_seq.scan import compiled, torch_functions
from keras_seq.scan.derivatives import CustomGradient, Tensors
from keras_seq.scan.fused import get_passes
from keras_seq.scan.jax_options import get_jax_options
from keras_seq.scan.padding import crop, pad_steps
from keras_seq.scan.passes import PASSES, Passes, ShardedPasses, cell_weights


def unsupported_reason(
    cell: Any, sequences: Tensor, unroll: bool = False, training: bool | None = False
) -> str | None:
    """Return why the fast path does not apply, as a clause; None if it does.

    Args:
        cell: Recurrent cell.
        sequences: `(batch, timesteps, features)`.
        unroll: Whether the loop is unrolled.
        training: Whether dropout applies.
    """
    backend, dtype = keras.backend.backend(), _dtype(sequences)
    tanh, sigmoid = keras.activations.tanh, keras.activations.sigmoid
    activation = getattr(cell, "activation", None)
    if backend == "torch" and type(cell) is cells.SimpleRNNCell:
        # torch has a function for each of both activations.
        activation = tanh if activation is keras.activations.relu else activation
    gate_activation = getattr(cell, "recurrent_activation", sigmoid)
    conditions = (
        (type(cell) not in PASSES, f"the fast path does not support {type(cell).__name__}"),
        (activation is not tanh, "the activation is not tanh"),
        (gate_activation is not sigmoid, "the recurrent activation is not sigmoid"),
        (not getattr(cell, "reset_after", True), "reset_after is off"),
        (getattr(cell, "recurrent_dropout", 0) and training, "recurrent dropout is on"),
        (unroll, "unroll is on"),
        (dtype not in ("bfloat16", "float32", "float64"), f"the dtype is {dtype}"),
    )
    for is_unsupported, reason in conditions:
        if is_unsupported:
            return reason
    if backend == "torch":
        return torch_functions.unsupported_reason(cell, sequences)
    return compiled.xla_disabled_reason() if backend == "tensorflow" else None


def manages_own_jit(cell: Any) -> bool:
    """Return whether a layer of this cell should not be compiled as part of a model.

    XLA would make one program of a whole train step, in which shards do not run in parallel.
    """
    return (
        keras.backend.backend() == "tensorflow" and type(cell) in PASSES and not compiled.has_gpu()
    )


def fast_scan(
    cell: Any,
    sequences: Tensor,
    initial_state: States,
    mask: Tensor | None,
    go_backwards: bool,
    zero_output_for_mask: bool,
    return_sequences: bool,
    training: bool | None,
) -> tuple[Tensor, Tensor, States]:
    """Run a cell over a sequence, where there is no `unsupported_reason`.

    The arguments and the results are those of `keras_seq.scan.scan`.
    """
    if keras.backend.backend() == "torch":
        options = mask, go_backwards, zero_output_for_mask, return_sequences
        return torch_functions.torch_scan(cell, sequences, initial_state, *options)
    kernel, *weights = (ops.convert_to_tensor(w) for w in cell_weights(cell, sequences.dtype))
    module = PASSES[type(cell)]
    if get_jax_options().fused and keras.backend.backend() == "jax":
        module = get_passes(module, len(weights))
    passes = Passes(module, go_backwards, zero_output_for_mask, return_sequences)
    run = _run_on_tensorflow if keras.backend.backend() == "tensorflow" else _run_on_jax
    # The steps are computed in float32 at least.
    compute_dtype = "float32" if _dtype(sequences) == "bfloat16" else sequences.dtype
    weights, states = (
        [ops.cast(t, compute_dtype) for t in group] for group in (weights, initial_state)
    )
    results = run(passes, training, sequences, kernel, weights, states, mask)
    y, *states = (ops.cast(result, sequences.dtype) for result in results)
    if not return_sequences:
        return y, y[:, None], states
    return y[:, -1], y, states


def _dtype(tensor: Tensor) -> str:
    return keras.backend.standardize_dtype(tensor.dtype)


def _run(
    function: CustomGradient,
    x: Tensor,
    kernel: Tensor,
    weights: Tensors,
    states: States,
    mask: Tensor | None,
    *constants: Tensor,
) -> Tensors:
    if mask is not None:
        constants = (ops.cast(mask[:, :, None], states[0].dtype), *constants)
    return function((x, kernel, *weights, *states), constants)


def _run_on_jax(
    passes: Passes,
    training: bool | None,
    x: Tensor,
    kernel: Tensor,
    weights: Tensors,
    states: States,
    mask: Tensor | None,
) -> Tensors:
    del training  # residuals are always kept: `jit` removes those that nothing uses
    programs = passes.infer, passes.forward, passes.backward
    shards = ShardedPasses(passes, programs, 1, len(states), training=True, is_padded=False)
    function = CustomGradient(shards.forward, shards.backward, shards.reference)
    return _run(function, x, kernel, weights, states, mask)


def _run_on_tensorflow(
    passes: Passes,
    training: bool | None,
    x: Tensor,
    kernel: Tensor,
    weights: Tensors,
    states: States,
    mask: Tensor | None,
) -> Tensors:
    import tensorflow as tf

    constants: Tensors = ()
    length = None
    if not compiled.has_exact_program(passes, x.shape[1]):
        length = tf.shape(x)[1]
        padding = compiled.padding_to_bucket(length)
        constants = (padding,)
        # Shorter sequences are padded by `ShardedPasses`.
        padding = tf.where(length > compiled.MIN_BUCKET_LENGTH, padding, 0)
        x, mask = (pad_steps(s, padding, passes.go_backwards) for s in (x, mask))
    # One function per shape for eager calls, because TensorFlow warns of repeated tracing.
    shapes = (x.shape, kernel.shape) if tf.executing_eagerly() else None
    num_shards = compiled.choose_num_shards(x.shape[0])
    function = _sharded_function(passes, training, num_shards, len(states), bool(constants), shapes)
    y, *finals = _run(function, x, kernel, weights, states, mask, *constants)
    if constants and passes.return_sequences:
        y = crop(y, length)
    return (y, *finals)


@functools.cache
def _sharded_function(
    passes: Passes,
    training: bool | None,
    num_shards: int,
    num_states: int,
    is_padded: bool,
    eager_shapes: Any,
) -> CustomGradient:
    """Return the passes over shards of a batch, as programs that XLA compiles."""
    import tensorflow as tf

    program_shapes = None
    if eager_shapes:
        (batch, timesteps, _), kernel = eager_shapes
        program_shapes = batch, max(timesteps, compiled.MIN_BUCKET_LENGTH), kernel
    programs = _xla_functions(passes, program_shapes)
    shards = ShardedPasses(passes, programs, num_shards, num_states, training, is_padded)
    forward, backward = shards.forward, shards.backward
    if eager_shapes:
        # Within a function, the shards run in parallel.
        forward, backward = (
            without_tracing_warning(tf.function(f, autograph=False)) for f in (forward, backward)
        )
    return CustomGradient(forward, backward, shards.reference)


@functools.cache
def _xla_functions(passes: Passes, shapes: Any) -> Sequence[Callable[..., Any]]:
    """Return the passes as functions that XLA compiles, separate ones per shapes if given."""
    del shapes  # part of the cache key
    import tensorflow as tf

    return tuple(
        without_tracing_warning(tf.function(program, jit_compile=True, autograph=False))
        for program in (passes.infer, passes.forward, passes.backward)
    )
