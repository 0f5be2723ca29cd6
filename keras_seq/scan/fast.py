"""The fast path: compiled forward passes and hand-derived backpropagation through time.

What a cell computes is in `keras_seq.scan.bptt`, once for all backends. This module says when it
applies and how it runs. On TensorFlow it compiles itself, by XLA, one program for a share of the
batch; the programs of the shares run side by side, one a core, since XLA's loops use one core
only. On JAX it runs under the user's own `jit`.
"""

import dataclasses
import functools
import os
import traceback

import keras
from keras import ops

from keras_seq import cells
from keras_seq.scan.bptt import gru, lstm, peephole_lstm, simple_rnn

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
    if keras.backend.standardize_dtype(sequences.dtype) not in ("float32", "float64"):
        return f"the dtype is {keras.backend.standardize_dtype(sequences.dtype)}"
    if keras.backend.backend() == "jax":
        return None
    if keras.backend.backend() != "tensorflow":
        return f"the backend is {keras.backend.backend()}"
    if _gpu():
        return "there is a GPU"
    if _exporting():
        return "the model is being exported, and XLA's programs are not portable"
    return None


def compiles_itself(cell):
    """Whether a layer of this cell had better not be compiled as a part of a whole model.

    Within XLA's one program for a whole train step, no two shares of a batch run side by side.
    """
    return keras.backend.backend() == "tensorflow" and type(cell) in PASSES and not _gpu()


def fast_scan(
    cell, sequences, initial_state, mask, go_backwards, zero_output_for_mask, return_sequences
):
    """As `keras_seq.scan.scan`, for a cell and sequences that have no `why_not`."""
    weights = [ops.convert_to_tensor(w) for w in _weights(cell, sequences.dtype)]
    passes = Passes(PASSES[type(cell)], go_backwards, zero_output_for_mask, return_sequences)
    run = _on_tensorflow if keras.backend.backend() == "tensorflow" else _on_jax
    y, *states = run(passes, cell.is_training, sequences, weights, list(initial_state), mask)
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
    """Forward and backward pass, batch-major, of one kind of cell with one set of options.

    `y` stands for what the layer returns: all outputs in the order computed, or the last.
    """

    module: object
    go_backwards: bool
    zero_output_for_mask: bool
    return_sequences: bool

    def infer(self, x, weights, states, mask):
        """Y and the final states."""
        y, states, _ = self.forward(x, weights, states, mask, tape=False)
        return y, states

    def forward(self, x, weights, states, mask, tape=True):
        """y, the final states and the tape."""
        mask = self._ordered(mask)
        hs, states, tape = self.module.forward(weights, self._ordered(x), states, mask, tape)
        visible = self._visible(mask)
        if not self.return_sequences:
            return (states[0] if mask is None else states[0] * visible[-1]), states, tape
        return _swapped(hs if mask is None else hs * visible), states, tape

    def backward(self, x, weights, states, mask, tape, d_y, d_states):
        """The gradients for x, for the weights and for the initial states."""
        mask = self._ordered(mask)
        visible = self._visible(mask)
        d_outputs = None
        if self.return_sequences:
            d_outputs = _swapped(d_y) if mask is None else _swapped(d_y) * visible
        else:
            d_y = d_y if mask is None else d_y * visible[-1]
            d_states = [d_states[0] + d_y, *d_states[1:]]
        d_x, d_weights, d_states = self.module.backward(
            weights, self._ordered(x), states, mask, tape, d_outputs, d_states
        )
        return _swapped(ops.flip(d_x, 0) if self.go_backwards else d_x), d_weights, d_states

    def _ordered(self, sequences):
        """Time-major, in the order in which the steps are taken."""
        if sequences is None:
            return None
        sequences = _swapped(sequences)
        return ops.flip(sequences, 0) if self.go_backwards else sequences

    def _visible(self, mask):
        """Where the output of a masked sequence is that of the state, not zero."""
        if mask is None or self.zero_output_for_mask:
            return mask
        return ops.cast(ops.cumsum(mask, axis=0) > 0, mask.dtype)


def _swapped(sequences):
    return ops.transpose(sequences, (1, 0, 2))


def _on_jax(passes, training, x, weights, states, mask):
    mask = None if mask is None else ops.cast(ops.expand_dims(mask, -1), x.dtype)
    n = len(weights)

    @ops.custom_gradient
    def run(x, *weights_and_states):
        weights, states = list(weights_and_states[:n]), list(weights_and_states[n:])
        y, finals, tape = passes.forward(x, weights, states, mask)

        def gradient(*args, upstream=None):
            d_y, *d_finals = args[0] if upstream is None else upstream
            d_x, d_weights, d_states = passes.backward(
                x, weights, states, mask, tape, d_y, d_finals
            )
            return (d_x, *d_weights, *d_states)

        return (y, *finals), gradient

    return run(x, *weights, *states)


def _on_tensorflow(passes, training, x, weights, states, mask):
    import tensorflow as tf

    length = None
    if x.shape[1] is None or tf.executing_eagerly():
        length = tf.shape(x)[1]
        x, mask = _padded(x, mask, length)
    if mask is not None:
        mask = tf.cast(mask, x.dtype)[:, :, None]
    run = _program(passes, training, _shares(x.shape[0]), eager=tf.executing_eagerly())
    y, *finals = run(x, weights, states, mask)
    if length is not None and passes.return_sequences:
        # Read backwards, what was added at the end comes first.
        y = y[:, -length:] if passes.go_backwards else y[:, :length]
    return (y, *finals)


@functools.cache
def _program(passes, training, shares, eager):
    """A function of x, weights, states and mask to y and the final states."""
    import tensorflow as tf

    def compiled(function):
        return tf.function(function, jit_compile=True, autograph=False)

    infer, forward, backward = map(compiled, (passes.infer, passes.forward, passes.backward))

    def run(x, weights, states, mask):
        n = len(weights)
        masks = _split(mask, shares)

        @tf.custom_gradient
        def on_shares(x, *weights_and_states):
            weights = list(weights_and_states[:n])
            inputs = _split(x, shares), _transposed(weights_and_states[n:], shares), masks
            # Without training a gradient is rare: then the forward pass is run again for it.
            first = forward if training else infer
            results = [first(x, weights, states, mask) for x, states, mask in zip(*inputs)]

            def gradient(d_y, *d_finals):
                parts = []
                given = _split(d_y, shares), _transposed(d_finals, shares)
                for result, x, states, mask, d_y_, d_states in zip(results, *inputs, *given):
                    tape = result[2] if training else forward(x, weights, states, mask)[2]
                    parts.append(backward(x, weights, states, mask, tape, d_y_, d_states))
                d_x, d_weights, d_states = zip(*parts)
                return (
                    tf.concat(d_x, 0),
                    *(tf.add_n(d) for d in zip(*d_weights)),
                    *(tf.concat(d, 0) for d in zip(*d_states)),
                )

            y, finals = zip(*(result[:2] for result in results))
            return (tf.concat(y, 0), *(tf.concat(final, 0) for final in zip(*finals))), gradient

        return on_shares(x, *weights, *states)

    return tf.function(run, autograph=False) if eager else run


def _split(tensor, shares):
    """A tensor in shares of its first axis, the last of which may have a few rows more."""
    import tensorflow as tf

    if tensor is None or shares == 1:
        return [tensor] * shares
    rows = tensor.shape[0] or tf.shape(tensor)[0]
    sizes = [rows // shares] * (shares - 1)
    return tf.split(tensor, [*sizes, rows - sum(sizes)], num=shares)


def _transposed(tensors, shares):
    """A list of tensors for every share."""
    return [list(parts) for parts in zip(*(_split(tensor, shares) for tensor in tensors))]


def _padded(x, mask, length):
    """Sequences and their mask, with masked steps added up to one of a few lengths.

    XLA compiles for each length anew; so an octave of lengths has eight programs at the most.
    """
    import tensorflow as tf

    # The octave's eighth part: 2 ** (floor(log2(length)) - 3), computed in whole numbers.
    powers = tf.constant([2**k for k in range(31)])
    step = tf.reduce_max(tf.where(powers <= length, powers, 1)) // 8
    step = tf.maximum(step, 1)
    extra = -length % step
    if mask is None:
        mask = tf.ones(tf.shape(x)[:2], dtype=bool)
    mask = tf.pad(mask, [[0, 0], [0, extra]])
    return tf.pad(x, [[0, 0], [0, extra], [0, 0]]), mask


def _shares(batch, rows=4):
    """Into how many shares a batch is split: one a core, but of a few rows at least."""
    cores = os.cpu_count() or 1
    return cores if batch is None else max(1, min(cores, batch // rows))


def _gpu():
    import tensorflow as tf

    return bool(tf.config.list_logical_devices("GPU"))


def _exporting():
    """Whether Keras is tracing a model for `export`, which it tells in no other way."""
    return any("keras/src/export" in frame.filename for frame in traceback.extract_stack())
