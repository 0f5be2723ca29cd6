"""The fast path: compiled forward passes and hand-derived backpropagation through time.

What a cell computes is in `keras_seq.scan.bptt`, once for all backends. This module says when it
applies and how it runs. On TensorFlow it compiles itself, by XLA, one program for a share of the
batch; the programs of the shares run side by side, one a core, since XLA's loops use one core
only. On JAX it runs under the user's own `jit`.
"""

import dataclasses
import functools
import operator
from typing import NamedTuple

import keras
from keras import ops

from keras_seq import cells
from keras_seq.scan import compiled
from keras_seq.scan.bptt import gru, lstm, peephole_lstm, simple_rnn
from keras_seq.scan.derivatives import CustomGradient
from keras_seq.scan.loop import differentiable_loops
from keras_seq.scan.padding import crop, pad_steps, remove_padding

PASSES = {
    cells.SimpleRNNCell: simple_rnn,
    cells.GRUCell: gru,
    cells.LSTMCell: lstm,
    cells.PeepholeLSTMCell: peephole_lstm,
    cells.DiagonalPeepholeLSTMCell: lstm,
}


def unsupported_reason(cell, sequences, unroll=False, training=False):
    """Why the fast path does not apply, in a few words, or None if it does."""
    if type(cell) not in PASSES:
        return f"it has no passes for {type(cell).__name__}"
    if cell.activation is not keras.activations.tanh:
        return "the activation is not tanh"
    if getattr(cell, "recurrent_activation", keras.activations.sigmoid) is not (
        keras.activations.sigmoid
    ):
        return "the recurrent activation is not sigmoid"
    if not getattr(cell, "reset_after", True):
        return "reset_after is off"
    if cell.recurrent_dropout and training:
        return "recurrent dropout is on"
    if unroll:
        return "unroll is on"
    if _dtype(sequences) not in ("bfloat16", "float32", "float64"):
        return f"the dtype is {_dtype(sequences)}"
    if keras.backend.backend() == "jax":
        return None
    if keras.backend.backend() != "tensorflow":
        return f"the backend is {keras.backend.backend()}"
    return compiled.xla_disabled_reason()


def manages_own_jit(cell):
    """Whether a layer of this cell had better not be compiled as a part of a whole model.

    Within XLA's one program for a whole train step, no two shares of a batch run side by side.
    """
    return (
        keras.backend.backend() == "tensorflow" and type(cell) in PASSES and not compiled.has_gpu()
    )


def fast_scan(
    cell,
    sequences,
    initial_state,
    mask,
    go_backwards,
    zero_output_for_mask,
    return_sequences,
    training,
):
    """As `keras_seq.scan.scan`, for a cell and sequences that have no `unsupported_reason`."""
    kernel, *weights = (ops.convert_to_tensor(w) for w in _weights(cell, sequences.dtype))
    passes = Passes(PASSES[type(cell)], go_backwards, zero_output_for_mask, return_sequences)
    run = _on_tensorflow if keras.backend.backend() == "tensorflow" else _on_jax
    # Steps are taken in float32 at least.
    wide = "float32" if _dtype(sequences) == "bfloat16" else sequences.dtype
    weights, states = ([ops.cast(t, wide) for t in group] for group in (weights, initial_state))
    results = run(passes, training, sequences, kernel, weights, states, mask)
    y, *states = (ops.cast(result, sequences.dtype) for result in results)
    if not return_sequences:
        return y, y[:, None], states
    return y[:, -1], y, states


def _weights(cell, dtype):
    """The weights in the order of the passes; a missing bias is zeros."""
    bias = cell.bias
    if bias is None:
        columns = cell.kernel.shape[1]
        shape = (2, columns) if isinstance(cell, cells.GRUCell) else (columns,)
        bias = ops.zeros(shape, dtype)
    peepholes = ()
    if isinstance(cell, cells.DiagonalPeepholeLSTMCell):
        gates = ("input", "forget", "output")
        peepholes = [getattr(cell, f"{gate}_gate_peephole_weights") for gate in gates]
    return [cell.kernel, cell.recurrent_kernel, bias, *peepholes]


@dataclasses.dataclass(frozen=True)
class Passes:
    """Forward and backward pass of one kind of cell with one set of options, on a share of a batch.

    They begin with the projected inputs and end with the gradient for these: the products over the
    whole sequence are left to the backend's own, which use all cores. `y` stands for what the layer
    returns: all outputs in the order computed, or the last. `weights` are those but the kernel.
    `extra` is None, or the number of steps that were added where the computation begins; they are
    not computed, so that one program serves for several lengths.
    """

    module: object
    go_backwards: bool
    zero_output_for_mask: bool
    return_sequences: bool

    def infer(self, projected, weights, states, mask, extra=None):
        """As `forward`, but without what `backward` needs."""
        return self.forward(projected, weights, states, mask, extra, tape=False)

    def forward(self, projected, weights, states, mask, extra=None, tape=True):
        """y, the final states and the tape."""
        span = None if extra is None else (extra, ops.shape(projected)[1])
        hs, finals, tape = self.module.forward(
            weights, projected, states, mask, self.go_backwards, tape, span
        )
        y = self._as_computed(hs) if self.return_sequences else finals[0]
        return self._shown(y, mask), finals, tape

    def backward(self, weights, mask, tape, d_y, d_states, extra=None):
        """As `keras_seq.scan.bptt.lstm.backward`."""
        span = None if extra is None else (0, ops.shape(tape[-1])[1] - extra)
        d_y, d_outputs = self._shown(d_y, mask), None
        if self.return_sequences:
            d_outputs = self._as_computed(d_y)
        else:
            d_states = [d_states[0] + d_y, *d_states[1:]]
        return self.module.backward(
            weights, mask, self.go_backwards, tape, d_outputs, d_states, span
        )

    def _as_computed(self, sequence):
        return ops.flip(sequence, 1) if self.go_backwards else sequence

    def _shown(self, y, mask):
        """Zeros in y, or in its gradient, where the output is not that of the state."""
        if mask is None:
            return y
        mask = self._as_computed(mask)
        if not self.zero_output_for_mask:
            mask = ops.cast(ops.cumsum(mask, axis=1) > 0, mask.dtype)
        return y * (mask if self.return_sequences else mask[:, -1])


def _dtype(tensor):
    return keras.backend.standardize_dtype(tensor.dtype)


class _Shares(NamedTuple):
    """The passes of a cell over shares of a batch, as the parts of a `CustomGradient`.

    Their arguments are the sequences, the weights of the cell and the initial states. Constants are
    the mask, if there is one, and, if the length was rounded, by how many steps.
    """

    passes: Passes
    programs: tuple
    """`infer`, `forward` and `backward` of the passes."""
    num_shares: int
    num_states: int
    training: bool
    """True to keep residuals for a gradient; if false, a gradient runs the forward pass again."""
    rounded: bool
    """Whether the last constant is the number of steps to add to reach a length that has a program.
    Sequences longer than `compiled.MIN_BUCKET_LENGTH` come with these steps. To shorter ones they
    are added here, so that the products over the whole sequence do not grow several times."""

    def forward(self, arguments, constants):
        """Return y and the final states, and what `backward` needs."""
        infer, forward, _ = self.programs
        _, _, weights, states = self._named(arguments)
        mask, extra, added = self._constants(arguments, constants)
        projected = pad_steps(self._projected(arguments), added, self.passes.go_backwards)
        inputs = self._split(projected, states, mask)
        run = forward if self.training else infer
        y, finals, tapes = zip(*(run(z, weights, s, m, extra) for z, s, m in inputs))
        y = compiled.join_shards(y)
        if self.passes.return_sequences:
            y = remove_padding(y, added, False)
        results = y, *map(compiled.join_shards, zip(*finals))
        return results, tapes if self.training else (projected,)

    def backward(self, arguments, constants, residuals, upstream):
        """Return the gradients for the arguments."""
        _, forward, backward = self.programs
        x, kernel, weights, states = self._named(arguments)
        narrow, wide = x.dtype, states[0].dtype
        mask, extra, added = self._constants(arguments, constants)
        tapes = residuals
        if not self.training:
            inputs = self._split(*residuals, states, mask)
            tapes = [forward(z, weights, s, m, extra)[2] for z, s, m in inputs]
        d_y, *d_finals = upstream
        if self.passes.return_sequences:
            d_y = pad_steps(d_y, added, False)
        parts = []
        given = zip(
            tapes, compiled.split_batch(x, self.num_shares), self._split(d_y, d_finals, mask)
        )
        for tape, x, (d_y, d_states, m) in given:
            d_z, d_u, d_rest, d_states = backward(weights, m, tape, d_y, d_states, extra)
            read, d_z, d_u = (
                remove_padding(s, added, self.passes.go_backwards) for s in (tape[-1], d_z, d_u)
            )
            d_z = ops.cast(d_z, narrow)
            d_u = d_z if d_u is None else ops.cast(d_u, narrow)
            d_recurrent = _weight_gradient(ops.cast(read, narrow), d_u)
            d_weights = _weight_gradient(x, d_z), ops.cast(d_recurrent, wide), *d_rest
            parts.append((_product(d_z, ops.transpose(kernel)), d_weights, d_states))
        d_x, d_weights, d_states = zip(*parts)
        return (
            compiled.join_shards(d_x),
            *(functools.reduce(operator.add, d) for d in zip(*d_weights)),
            *map(compiled.join_shards, zip(*d_states)),
        )

    def reference(self, arguments, constants):
        """Return y and the final states, by a loop that can be differentiated again."""
        _, _, weights, states = self._named(arguments)
        mask, extra, added = self._constants(arguments, constants)
        projected, before = self._projected(arguments), None
        if extra is not None:
            before = extra - added  # came with the sequences
            projected = remove_padding(projected, before, self.passes.go_backwards)
            mask = remove_padding(mask, extra, self.passes.go_backwards)
        with differentiable_loops():
            y, finals, _ = self.passes.infer(projected, weights, states, mask)
        if self.passes.return_sequences:
            y = pad_steps(y, before, False)
        return y, *finals

    def _named(self, arguments):
        """Return the sequences, the kernel, the other weights and the states."""
        x, kernel, *rest = arguments
        return x, kernel, rest[: -self.num_states], rest[-self.num_states :]

    def _constants(self, arguments, constants):
        """Return the mask or None, and how many steps are added in all, and how many of them here.

        The mask is as long as the sequences will be.
        """
        if not self.rounded:
            return constants[0] if constants else None, None, None
        *mask, extra = constants
        timesteps = ops.shape(arguments[0])[1]
        added = ops.maximum(compiled.MIN_BUCKET_LENGTH - timesteps, 0)
        return pad_steps(mask[0] if mask else None, added, self.passes.go_backwards), extra, added

    def _projected(self, arguments):
        x, kernel, _, states = self._named(arguments)
        # In bfloat16 are only the products over the whole sequence.
        return ops.cast(_product(x, kernel), states[0].dtype)

    def _split(self, sequence, states, mask=None):
        """Return a sequence, the states and the mask of each share."""
        states = zip(*(compiled.split_batch(state, self.num_shares) for state in states))
        sequence, mask = (compiled.split_batch(s, self.num_shares) for s in (sequence, mask))
        return list(zip(sequence, map(list, states), mask))


def _product(sequence, matrix):
    """A matrix product for all time steps at once."""
    batch, timesteps, n = ops.shape(sequence)
    product = ops.matmul(ops.reshape(sequence, (batch * timesteps, n)), matrix)
    return ops.reshape(product, (batch, timesteps, matrix.shape[1]))


def _weight_gradient(read, d_product):
    """The gradient of a weight matrix: all that it read times all that came of it, one product."""
    read, d_product = (ops.reshape(s, (-1, s.shape[-1])) for s in (read, d_product))
    return ops.matmul(ops.transpose(read), d_product)


def _run(derived, x, kernel, weights, states, mask, *constants):
    if mask is not None:
        constants = (ops.cast(mask[:, :, None], states[0].dtype), *constants)
    return derived((x, kernel, *weights, *states), constants)


def _on_jax(passes, training, x, kernel, weights, states, mask):
    programs = passes.infer, passes.forward, passes.backward
    # Under `jit` what is not used of the tape is left out, so that it may always be made.
    shares = _Shares(passes, programs, 1, len(states), training=True, rounded=False)
    derived = CustomGradient(shares.forward, shares.backward, shares.reference)
    return _run(derived, x, kernel, weights, states, mask)


def _on_tensorflow(passes, training, x, kernel, weights, states, mask):
    import tensorflow as tf

    constants, length = (), None
    if not compiled.has_exact_program(passes, x.shape[1]):
        length = tf.shape(x)[1]
        extra = compiled.padding_to_bucket(length)
        constants = (extra,)
        extra = tf.where(length > compiled.MIN_BUCKET_LENGTH, extra, 0)
        x, mask = (pad_steps(s, extra, passes.go_backwards) for s in (x, mask))
    # One function per shape for eager calls, because TensorFlow warns when it traces one again.
    shapes = (x.shape, kernel.shape) if tf.executing_eagerly() else None
    count = compiled.num_shards(x.shape[0])
    derived = _compiled(passes, training, count, len(states), bool(constants), shapes)
    y, *finals = _run(derived, x, kernel, weights, states, mask, *constants)
    if constants and passes.return_sequences:
        y = crop(y, length)
    return (y, *finals)


@functools.cache
def _compiled(passes, training, count, num_states, rounded, eager_shapes):
    """The passes over shares of a batch, from programs that XLA compiles."""
    import tensorflow as tf

    program_shapes = None
    if eager_shapes:
        (batch, timesteps, _), kernel = eager_shapes
        program_shapes = batch, max(timesteps, compiled.MIN_BUCKET_LENGTH), kernel
    programs = _programs(passes, program_shapes)
    shares = _Shares(passes, programs, count, num_states, training, rounded)
    forward, backward = shares.forward, shares.backward
    if eager_shapes:
        # In a function the shares run side by side.
        forward, backward = (tf.function(f, autograph=False) for f in (forward, backward))
    return CustomGradient(forward, backward, shares.reference)


@functools.cache
def _programs(passes, shapes):
    """The passes as functions that XLA compiles; others for other shapes, unless they are None."""
    import tensorflow as tf

    return tuple(
        tf.function(program, jit_compile=True, autograph=False)
        for program in (passes.infer, passes.forward, passes.backward)
    )
