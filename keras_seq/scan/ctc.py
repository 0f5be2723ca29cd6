"""Connectionist temporal classification: the log probability of labels over all alignments."""

from typing import Any

import keras
from keras import ops

from keras_seq._internal.tensorflow_compat import under_xla
from keras_seq.scan import compiled
from keras_seq.scan.derivatives import CustomGradient, Tensors
from keras_seq.scan.log_space import NEG_INF, replace_neg_inf
from keras_seq.scan.loop import differentiable_loop

BLANK = 0
"""Class of the blank. The first label has class 1."""

NO_ALIGNMENT = 1e5
"""Loss of labels that have no alignment, since there are too few steps for them."""


def ctc_loss(logits: Any, labels: Any, label_lengths: Any, input_lengths: Any) -> Any:
    """Return the negative log probability of labels (Graves et al. 2006).

    It can be differentiated any number of times. Labels that have no alignment cost `NO_ALIGNMENT`
    and have no gradient.

    Args:
        logits: `(batch, timesteps, classes)`; class 0 is the blank.
        labels: Int32 `(batch, labels)`, from 1 to `classes - 1` where they count.
        label_lengths: Int32 `(batch,)`.
        input_lengths: Int32 `(batch,)`; number of time steps that count.

    Returns:
        `(batch,)`.
    """
    # At least one column, so that there is something to index.
    labels = ops.pad(labels, [[0, 0], [0, 1]])
    counts = ops.arange(ops.shape(labels)[1]) < label_lengths[:, None]
    # Between two equal labels there must be a blank.
    repeated = counts[:, 1:] & (labels[:, 1:] == labels[:, :-1])
    needed = label_lengths + ops.sum(ops.cast(repeated, "int32"), axis=1)
    feasible = needed <= input_lengths
    # The others are computed as if they had no labels, and that is thrown away.
    labels = ops.where(counts & feasible[:, None], labels, 0)
    label_lengths = ops.where(feasible, label_lengths, 0)
    constants = labels, label_lengths, input_lengths
    (loss,) = _implementation(logits)((logits,), constants)
    return ops.where(feasible, loss, NO_ALIGNMENT)


def _implementation(logits):
    """Return a function of arguments and constants to the loss, as fast as the backend allows."""
    backend = keras.backend.backend()
    if backend == "torch":
        return _TORCH
    # TensorFlow's operator is for float32, also where it takes float64, and XLA cannot compile it.
    narrow = keras.backend.standardize_dtype(logits.dtype) == "float32"
    if backend == "tensorflow" and narrow and not under_xla():
        return _TENSORFLOW
    return _reference


def _reference(arguments: Tensors, constants: Tensors) -> Tensors:
    """Return the loss, by the forward variables of Graves et al.

    Blanks stand before, between and after the labels. The forward variable of a place among these
    is the probability of all alignments that have come to it, here its logarithm, relative to the
    best of all places.
    """
    (logits,), (labels, label_lengths, input_lengths) = arguments, constants
    batch, timesteps, _ = ops.shape(logits)
    blanks = ops.zeros_like(labels)
    places = ops.reshape(ops.stack([blanks, labels], axis=2), (batch, -1))  # one blank short
    places = ops.pad(places, [[0, 0], [0, 1]])
    count = ops.shape(places)[1]
    scores = ops.log_softmax(logits, axis=-1)
    index = ops.broadcast_to(places[:, None], (batch, timesteps, count))
    scores = replace_neg_inf(ops.take_along_axis(scores, index, axis=2))
    steps = ops.arange(timesteps)
    seen = ops.cast(steps < input_lengths[:, None], scores.dtype)[:, :, None]
    # A blank may be left out between two labels that differ.
    skips = (places[:, 2:] != 0) & (places[:, 2:] != places[:, :-2])
    skips = ops.pad(ops.where(skips, 0.0, NEG_INF), [[0, 0], [2, 0]], constant_values=NEG_INF)
    skips = ops.cast(skips, scores.dtype)

    def from_before(forward, by):
        return ops.pad(forward[:, :-by], [[0, 0], [by, 0]], constant_values=NEG_INF)

    def step(carry, elements):
        forward, taken = carry
        score, seen = elements
        ways = [forward, from_before(forward, 1), from_before(forward, 2) + skips]
        new = ops.logsumexp(ops.stack(ways, axis=2), axis=2) + score
        # What is taken off here and added to the result has no gradient.
        best = ops.stop_gradient(ops.max(new, axis=1, keepdims=True))
        forward = ops.where(seen > 0, replace_neg_inf(new - best), forward)
        return (forward, taken + best * seen), ()

    at = ops.arange(count)
    start = ops.cast(ops.where(at == 0, 0.0, NEG_INF), scores.dtype) + ops.zeros_like(scores[:, 0])
    carry = start, ops.zeros_like(scores[:, 0, :1])
    (forward, taken), () = differentiable_loop(step, carry, (scores, seen), ())
    ends = (at == 2 * label_lengths[:, None]) | (at == 2 * label_lengths[:, None] - 1)
    result = ops.logsumexp(ops.where(ends, forward, NEG_INF), axis=1)
    return (-(result + taken[:, 0]),)


def _by_tensorflow(arguments, constants):
    """Return the loss and its gradient by what TensorFlow has for the device."""
    (logits,) = arguments
    forward = _by_keras if compiled.has_gpu() else _by_operator
    loss, gradient = forward(logits, *constants)
    return (loss,), (gradient,)


def _by_keras(logits, labels, label_lengths, input_lengths):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = ops.ctc_loss(labels, logits, label_lengths, input_lengths, mask_index=0)
    return loss, tape.gradient(loss, logits)


def _by_operator(logits, labels, label_lengths, input_lengths):
    """Return the loss and its gradient by the operator of TensorFlow for the CPU.

    It works on the sequences of a batch side by side, where Keras's is a loop in the graph.
    """
    import tensorflow as tf

    # The operator needs a label, and its blank is the last class.
    silent = label_lengths == 0
    labels = tf.concat([tf.where(silent[:, None], 1, labels[:, :1]), labels[:, 1:]], axis=1)
    indices = tf.where(labels > 0)
    loss, gradient = tf.raw_ops.CTCLoss(
        inputs=tf.transpose(tf.roll(logits, -1, axis=2), (1, 0, 2)),
        labels_indices=indices,
        labels_values=tf.gather_nd(labels, indices) - 1,
        sequence_length=input_lengths,
        ignore_longer_outputs_than_inputs=True,
    )
    gradient = tf.roll(tf.transpose(gradient, (1, 0, 2)), 1, axis=2)
    # No label has but one alignment, blanks throughout.
    seen = tf.sequence_mask(input_lengths, tf.shape(logits)[1], logits.dtype)
    blanks = -tf.reduce_sum(tf.nn.log_softmax(logits)[:, :, 0] * seen, axis=1)
    to_blanks = tf.nn.softmax(logits) - tf.one_hot(0, tf.shape(logits)[2], dtype=logits.dtype)
    gradient = tf.where(silent[:, None, None], to_blanks * seen[:, :, None], gradient)
    return tf.where(silent, blanks, loss), gradient


def _by_torch(arguments, constants):
    """Return the loss and its gradient by torch's own, in float64 too, which Keras's rounds."""
    import torch

    labels, label_lengths, input_lengths = constants
    logits = arguments[0].detach().requires_grad_()
    with torch.enable_grad():
        log_probs = torch.log_softmax(logits, dim=-1).transpose(0, 1)
        loss = torch.nn.functional.ctc_loss(
            log_probs, labels, input_lengths, label_lengths, reduction="none"
        )
        (gradient,) = torch.autograd.grad(loss.sum(), logits)
    return (loss.detach(),), (gradient,)


def _weighted(arguments, constants, residuals, upstream):
    return (residuals[0] * upstream[0][:, None, None],)


_TENSORFLOW = CustomGradient(_by_tensorflow, _weighted, _reference)
_TORCH = CustomGradient(_by_torch, _weighted, _reference)
