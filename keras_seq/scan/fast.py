"""The fast path: compiled forward passes and hand-derived backpropagation through time.

What a cell computes is in `keras_seq.scan.bptt`, once for all backends. This module says when it
applies and how it runs. On TensorFlow it compiles itself, by XLA, one program for a share of the
batch; the programs of the shares run side by side, one a core, since XLA's loops use one core
only. On JAX it runs under the user's own `jit`.
"""

import dataclasses
import functools
import operator

import keras
from keras import ops

from keras_seq import cells
from keras_seq.scan import compiled
from keras_seq.scan.bptt import gru, lstm, peephole_lstm, simple_rnn
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


def _differentiable(programs, shares, training):
    """A function to y and the final states, with its gradient.

    Args:
        programs: `infer`, `forward` and `backward` of `Passes`.
        shares: In how many shares of the batch they run.
        training: Whether a gradient is likely; otherwise the forward pass is run again for it.
    """
    infer, forward, backward = programs

    def run(x, kernel, weights, states, mask):
        # JAX wants all that is traced as an argument, the mask too, though it has no gradient.
        seen = () if mask is None else (ops.cast(mask[:, :, None], states[0].dtype),)

        @ops.custom_gradient
        def on_shares(x, kernel, *rest):
            rest, mask = (rest[:-1], rest[-1]) if seen else (rest, None)
            weights_, states = list(rest[: len(weights)]), rest[len(weights) :]
            # In bfloat16 are only the products over the whole sequence.
            narrow, wide = x.dtype, states[0].dtype
            projected = ops.cast(_product(x, kernel), wide)
            whole = (
                compiled.split(projected, shares),
                _transposed(states, shares),
                compiled.split(mask, shares),
            )
            inputs = list(zip(*whole))
            first = forward if training else infer
            results = [first(z, weights_, states, mask) for z, states, mask in inputs]

            def gradient(*upstream):
                d_y, *d_finals = upstream if len(upstream) > 1 else upstream[0]
                parts = []
                given = (
                    compiled.split(x, shares),
                    compiled.split(d_y, shares),
                    _transposed(d_finals, shares),
                )
                for result, (z, states, mask), x_, d_y_, d_states in zip(results, inputs, *given):
                    tape = result[2] if training else forward(z, weights_, states, mask)[2]
                    d_z, d_u, d_rest, d_states = backward(weights_, mask, tape, d_y_, d_states)
                    d_z = ops.cast(d_z, narrow)
                    d_u = d_z if d_u is None else ops.cast(d_u, narrow)
                    d_recurrent = _weight_gradient(ops.cast(tape[-1], narrow), d_u)
                    d_weights = _weight_gradient(x_, d_z), ops.cast(d_recurrent, wide), *d_rest
                    parts.append((_product(d_z, ops.transpose(kernel)), d_weights, d_states))
                d_x, d_weights, d_states = zip(*parts)
                return (
                    compiled.joined(d_x),
                    *(functools.reduce(operator.add, d) for d in zip(*d_weights)),
                    *map(compiled.joined, zip(*d_states)),
                    *map(ops.zeros_like, seen),
                )

            y, finals = zip(*(result[:2] for result in results))
            return (compiled.joined(y), *map(compiled.joined, zip(*finals))), gradient

        return on_shares(x, kernel, *weights, *states, *seen)

    return run


def _product(sequence, matrix):
    """A matrix product for all time steps at once."""
    batch, timesteps, n = ops.shape(sequence)
    product = ops.matmul(ops.reshape(sequence, (-1, n)), matrix)
    return ops.reshape(product, (batch, timesteps, matrix.shape[1]))


def _weight_gradient(read, d_product):
    """The gradient of a weight matrix: all that it read times all that came of it, one product."""
    read, d_product = (ops.reshape(s, (-1, s.shape[-1])) for s in (read, d_product))
    return ops.matmul(ops.transpose(read), d_product)


def _on_jax(passes, training, x, kernel, weights, states, mask):
    programs = passes.infer, passes.forward, passes.backward
    # Under `jit` what is not used of the tape is left out, so that it may always be made.
    return _differentiable(programs, 1, True)(x, kernel, weights, states, mask)


def _on_tensorflow(passes, training, x, kernel, weights, states, mask):
    import tensorflow as tf

    length = None
    if not compiled.exactly(passes, x.shape[1]):
        length = tf.shape(x)[1]
        x, mask = padded(x, mask, compiled.extra(length), passes.go_backwards)
    # Eager calls need a function around; one a shape, since TensorFlow warns of traces anew.
    shapes = (x.shape, kernel.shape) if tf.executing_eagerly() else None
    run = _compiled(passes, training, compiled.shares(x.shape[0]), shapes)
    y, *finals = run(x, kernel, weights, states, mask)
    if length is not None and passes.return_sequences:
        y = unpadded(y, length)
    return (y, *finals)


@functools.cache
def _compiled(passes, training, shares, eager_shapes):
    """As `_differentiable`, from programs that XLA compiles."""
    import tensorflow as tf

    programs = [
        tf.function(program, jit_compile=True, autograph=False)
        for program in (passes.infer, passes.forward, passes.backward)
    ]
    run = _differentiable(programs, shares, training)
    return tf.function(run, autograph=False) if eager_shapes else run


def _transposed(tensors, shares):
    """A list of tensors for every share."""
    return [list(parts) for parts in zip(*(compiled.split(tensor, shares) for tensor in tensors))]
