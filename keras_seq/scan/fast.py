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
from keras_seq.scan.derivatives import Derived
from keras_seq.scan.loop import differentiable_loop, loop
from keras_seq.scan.padding import padded, unpadded

PASSES = {
    cells.SimpleRNNCell: simple_rnn,
    cells.GRUCell: gru,
    cells.LSTMCell: lstm,
    cells.PeepholeLSTMCell: peephole_lstm,
    cells.DiagonalPeepholeLSTMCell: lstm,
}


def why_not(cell, sequences, unroll=False):
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
    if cell.recurrent_dropout and cell.is_training:
        return "recurrent dropout is on"
    if unroll:
        return "unroll is on"
    if _dtype(sequences) not in ("bfloat16", "float32", "float64"):
        return f"the dtype is {_dtype(sequences)}"
    if keras.backend.backend() == "jax":
        return None
    if keras.backend.backend() != "tensorflow":
        return f"the backend is {keras.backend.backend()}"
    return compiled.not_here()


def compiles_itself(cell):
    """Whether a layer of this cell had better not be compiled as a part of a whole model.

    Within XLA's one program for a whole train step, no two shares of a batch run side by side.
    """
    return keras.backend.backend() == "tensorflow" and type(cell) in PASSES and not compiled.gpu()


def fast_scan(
    cell, sequences, initial_state, mask, go_backwards, zero_output_for_mask, return_sequences
):
    """As `keras_seq.scan.scan`, for a cell and sequences that have no `why_not`."""
    kernel, *weights = (ops.convert_to_tensor(w) for w in _weights(cell, sequences.dtype))
    passes = Passes(PASSES[type(cell)], go_backwards, zero_output_for_mask, return_sequences)
    run = _on_tensorflow if keras.backend.backend() == "tensorflow" else _on_jax
    # Steps are taken in float32 at least.
    wide = "float32" if _dtype(sequences) == "bfloat16" else sequences.dtype
    weights, states = ([ops.cast(t, wide) for t in group] for group in (weights, initial_state))
    results = run(passes, cell.is_training, sequences, kernel, weights, states, mask)
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
    """

    module: object
    go_backwards: bool
    zero_output_for_mask: bool
    return_sequences: bool

    def infer(self, projected, weights, states, mask):
        """As `forward`, but without what `backward` needs."""
        return self.forward(projected, weights, states, mask, tape=False)

    def forward(self, projected, weights, states, mask, tape=True):
        """y, the final states and the tape."""
        hs, finals, tape = self.module.forward(
            weights, projected, states, mask, self.go_backwards, tape
        )
        y = self._as_computed(hs) if self.return_sequences else finals[0]
        return self._shown(y, mask), finals, tape

    def backward(self, weights, mask, tape, d_y, d_states):
        """As `keras_seq.scan.bptt.lstm.backward`."""
        d_y, d_outputs = self._shown(d_y, mask), None
        if self.return_sequences:
            d_outputs = self._as_computed(d_y)
        else:
            d_states = [d_states[0] + d_y, *d_states[1:]]
        return self.module.backward(weights, mask, self.go_backwards, tape, d_outputs, d_states)

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
    """The passes of a cell over shares of a batch, as the parts of a `Derived`.

    Their arguments are the sequences, the weights of the cell and the initial states; the mask, if
    there is one, is constant.
    """

    passes: Passes
    programs: tuple
    """`infer`, `forward` and `backward` of the passes."""
    num_shares: int
    num_states: int
    training: bool
    """True to keep residuals for a gradient; if false, a gradient runs the forward pass again."""

    def forward(self, arguments, constants):
        """Return y and the final states, and what `backward` needs."""
        infer, forward, _ = self.programs
        _, _, weights, states = self._named(arguments)
        projected = self._projected(arguments)
        inputs = self._split(projected, states, *constants)
        run = forward if self.training else infer
        y, finals, tapes = zip(*(run(z, weights, s, mask) for z, s, mask in inputs))
        results = compiled.joined(y), *map(compiled.joined, zip(*finals))
        return results, tapes if self.training else (projected,)

    def backward(self, arguments, constants, residuals, upstream):
        """Return the gradients for the arguments."""
        _, forward, backward = self.programs
        x, kernel, weights, states = self._named(arguments)
        narrow, wide = x.dtype, states[0].dtype
        tapes = residuals
        if not self.training:
            inputs = self._split(*residuals, states, *constants)
            tapes = [forward(z, weights, s, mask)[2] for z, s, mask in inputs]
        d_y, *d_finals = upstream
        parts = []
        given = zip(
            tapes, compiled.split(x, self.num_shares), self._split(d_y, d_finals, *constants)
        )
        for tape, x, (d_y, d_states, mask) in given:
            d_z, d_u, d_rest, d_states = backward(weights, mask, tape, d_y, d_states)
            d_z = ops.cast(d_z, narrow)
            d_u = d_z if d_u is None else ops.cast(d_u, narrow)
            d_recurrent = _weight_gradient(ops.cast(tape[-1], narrow), d_u)
            d_weights = _weight_gradient(x, d_z), ops.cast(d_recurrent, wide), *d_rest
            parts.append((_product(d_z, ops.transpose(kernel)), d_weights, d_states))
        d_x, d_weights, d_states = zip(*parts)
        return (
            compiled.joined(d_x),
            *(functools.reduce(operator.add, d) for d in zip(*d_weights)),
            *map(compiled.joined, zip(*d_states)),
        )

    def reference(self, arguments, constants):
        """Return y and the final states, by a loop that can be differentiated again."""
        _, _, weights, states = self._named(arguments)
        mask = constants[0] if constants else None
        with loop.by(differentiable_loop):
            y, finals, _ = self.passes.infer(self._projected(arguments), weights, states, mask)
        return y, *finals

    def _named(self, arguments):
        """Return the sequences, the kernel, the other weights and the states."""
        x, kernel, *rest = arguments
        return x, kernel, rest[: -self.num_states], rest[-self.num_states :]

    def _projected(self, arguments):
        x, kernel, _, states = self._named(arguments)
        # In bfloat16 are only the products over the whole sequence.
        return ops.cast(_product(x, kernel), states[0].dtype)

    def _split(self, sequence, states, mask=None):
        """Return a sequence, the states and the mask of each share."""
        states = zip(*(compiled.split(state, self.num_shares) for state in states))
        sequence, mask = (compiled.split(s, self.num_shares) for s in (sequence, mask))
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


def _run(derived, x, kernel, weights, states, mask):
    constants = () if mask is None else (ops.cast(mask[:, :, None], states[0].dtype),)
    return derived((x, kernel, *weights, *states), constants)


def _on_jax(passes, training, x, kernel, weights, states, mask):
    programs = passes.infer, passes.forward, passes.backward
    # Under `jit` what is not used of the tape is left out, so that it may always be made.
    shares = _Shares(passes, programs, 1, len(states), training=True)
    derived = Derived(shares.forward, shares.backward, shares.reference)
    return _run(derived, x, kernel, weights, states, mask)


def _on_tensorflow(passes, training, x, kernel, weights, states, mask):
    import tensorflow as tf

    length = None
    if not compiled.exactly(passes, x.shape[1]):
        length = tf.shape(x)[1]
        x, mask = padded(x, mask, compiled.extra(length), passes.go_backwards)
    # One function per shape for eager calls, because TensorFlow warns when it traces one again.
    shapes = (x.shape, kernel.shape) if tf.executing_eagerly() else None
    derived = _compiled(passes, training, compiled.shares(x.shape[0]), len(states), shapes)
    y, *finals = _run(derived, x, kernel, weights, states, mask)
    if length is not None and passes.return_sequences:
        y = unpadded(y, length)
    return (y, *finals)


@functools.cache
def _compiled(passes, training, count, num_states, eager_shapes):
    """The passes over shares of a batch, from programs that XLA compiles."""
    import tensorflow as tf

    programs = tuple(
        tf.function(program, jit_compile=True, autograph=False)
        for program in (passes.infer, passes.forward, passes.backward)
    )
    shares = _Shares(passes, programs, count, num_states, training)
    forward, backward = shares.forward, shares.backward
    if eager_shapes:
        # In a function the shares run side by side.
        forward, backward = (tf.function(f, autograph=False) for f in (forward, backward))
    return Derived(forward, backward, shares.reference)
