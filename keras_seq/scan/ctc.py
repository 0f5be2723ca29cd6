"""Connectionist temporal classification (CTC) loss."""

from collections.abc import Callable, Sequence

import keras
from keras import ops

from keras_seq._internal.tensorflow_compat import under_xla
from keras_seq._internal.types import Tensor
from keras_seq.scan import compiled
from keras_seq.scan.derivatives import CustomGradient, Tensors
from keras_seq.scan.log_space import NEG_INF, replace_neg_inf
from keras_seq.scan.loop import Carry, differentiable_loop

BLANK = 0
"""Class of the blank. The first label has class 1."""

NO_ALIGNMENT_LOSS = 1e5
"""Loss of labels without an alignment, since the input has too few time steps."""


def ctc_loss(
    logits: Tensor, labels: Tensor, label_lengths: Tensor, input_lengths: Tensor
) -> Tensor:
    """Return the negative log probability of labels over all alignments (Graves et al. 2006).

    The loss is differentiable to any order. Labels without an alignment have the loss
    `NO_ALIGNMENT_LOSS` and no gradient.

    Args:
        logits: `(batch, timesteps, classes)`; class 0 is the blank.
        labels: Int32 `(batch, labels)`, from 1 to `classes - 1` within `label_lengths`.
        label_lengths: Number of labels, int32 `(batch,)`.
        input_lengths: Number of time steps, int32 `(batch,)`.

    Returns:
        Loss per sequence, `(batch,)`.
    """
    # At least one column, so that indexing cannot fail.
    labels = ops.pad(labels, [[0, 0], [0, 1]])
    is_label = ops.arange(ops.shape(labels)[1]) < label_lengths[:, None]
    # Two equal labels need a blank between them.
    is_repeated = is_label[:, 1:] & (labels[:, 1:] == labels[:, :-1])
    min_lengths = label_lengths + ops.sum(ops.cast(is_repeated, "int32"), axis=1)
    is_feasible = min_lengths <= input_lengths
    # Infeasible rows are computed without labels, and their loss is replaced below.
    labels = ops.where(is_label & is_feasible[:, None], labels, 0)
    label_lengths = ops.where(is_feasible, label_lengths, 0)
    constants = labels, label_lengths, input_lengths
    (loss,) = _select_implementation(logits)((logits,), constants)
    return ops.where(is_feasible, loss, NO_ALIGNMENT_LOSS)


def _select_implementation(
    logits: Tensor,
) -> CustomGradient | Callable[[Tensors, Tensors], Tensors]:
    """Return the fastest implementation for a backend and data type."""
    backend = keras.backend.backend()
    if backend == "torch":
        return _TORCH
    # TensorFlow's operator computes in float32, also for float64, and XLA cannot compile it.
    is_float32 = keras.backend.standardize_dtype(logits.dtype) == "float32"
    if backend == "tensorflow" and is_float32 and not under_xla():
        return _TENSORFLOW
    return _reference


def _reference(arguments: Tensors, constants: Tensors) -> Tensors:
    """Return the loss, computed with the forward variables of Graves et al. 2006.

    The extended labels have blanks before, between and after the labels. The forward variable of a
    position in them is the log probability of all alignments that reach it, here relative to the
    best position.
    """
    (logits,), (labels, label_lengths, input_lengths) = arguments, constants
    batch, timesteps, _ = ops.shape(logits)
    blanks = ops.zeros_like(labels)
    extended = ops.reshape(ops.stack([blanks, labels], axis=2), (batch, -1))
    extended = ops.pad(extended, [[0, 0], [0, 1]])  # the last blank
    num_positions = ops.shape(extended)[1]
    scores = ops.log_softmax(logits, axis=-1)
    index = ops.broadcast_to(extended[:, None], (batch, timesteps, num_positions))
    scores = replace_neg_inf(ops.take_along_axis(scores, index, axis=2))
    steps = ops.arange(timesteps)
    within = ops.cast(steps < input_lengths[:, None], scores.dtype)[:, :, None]
    # The blank between two different labels may be skipped.
    skips = (extended[:, 2:] != 0) & (extended[:, 2:] != extended[:, :-2])
    skips = ops.pad(ops.where(skips, 0.0, NEG_INF), [[0, 0], [2, 0]], constant_values=NEG_INF)
    skips = ops.cast(skips, scores.dtype)

    def advance(forward: Tensor, distance: int) -> Tensor:
        return ops.pad(forward[:, :-distance], [[0, 0], [distance, 0]], constant_values=NEG_INF)

    def step(carry: Carry, elements: Sequence[Tensor]) -> tuple[Carry, Carry]:
        forward, log_scale = carry
        score, within = elements
        paths = [forward, advance(forward, 1), advance(forward, 2) + skips]
        new = ops.logsumexp(ops.stack(paths, axis=2), axis=2) + score
        # The scale is subtracted here and added to the result, so it needs no gradient.
        best = ops.stop_gradient(ops.max(new, axis=1, keepdims=True))
        forward = ops.where(within > 0, replace_neg_inf(new - best), forward)
        return (forward, log_scale + best * within), ()

    position = ops.arange(num_positions)
    start = ops.cast(ops.where(position == 0, 0.0, NEG_INF), scores.dtype)
    carry = start + ops.zeros_like(scores[:, 0]), ops.zeros_like(scores[:, 0, :1])
    (forward, log_scale), () = differentiable_loop(step, carry, (scores, within), ())
    # An alignment ends at the last label or the blank after it.
    last = 2 * label_lengths[:, None]
    ends = (position == last) | (position == last - 1)
    log_prob = ops.logsumexp(ops.where(ends, forward, NEG_INF), axis=1)
    return (-(log_prob + log_scale[:, 0]),)


def _forward_on_tensorflow(arguments: Tensors, constants: Tensors) -> tuple[Tensors, Tensors]:
    """Return the loss and its gradient from TensorFlow's implementation for the device."""
    (logits,) = arguments
    forward = _keras_loss if compiled.has_gpu() else _tensorflow_operator
    loss, gradient = forward(logits, *constants)
    return (loss,), (gradient,)


def _keras_loss(
    logits: Tensor, labels: Tensor, label_lengths: Tensor, input_lengths: Tensor
) -> tuple[Tensor, Tensor]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = ops.ctc_loss(labels, logits, label_lengths, input_lengths, mask_index=0)
    return loss, tape.gradient(loss, logits)


def _tensorflow_operator(
    logits: Tensor, labels: Tensor, label_lengths: Tensor, input_lengths: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the loss and its gradient from TensorFlow's operator for the CPU.

    The operator computes the sequences of a batch in parallel; Keras's loss is a loop in the graph.
    """
    import tensorflow as tf

    # The operator needs at least one label, and its blank is the last class.
    is_empty = label_lengths == 0
    labels = tf.concat([tf.where(is_empty[:, None], 1, labels[:, :1]), labels[:, 1:]], axis=1)
    indices = tf.where(labels > 0)
    loss, gradient = tf.raw_ops.CTCLoss(
        inputs=tf.transpose(tf.roll(logits, -1, axis=2), (1, 0, 2)),
        labels_indices=indices,
        labels_values=tf.gather_nd(labels, indices) - 1,
        sequence_length=input_lengths,
        ignore_longer_outputs_than_inputs=True,
    )
    gradient = tf.roll(tf.transpose(gradient, (1, 0, 2)), 1, axis=2)
    # Without labels, the only alignment is all blanks.
    within = tf.sequence_mask(input_lengths, tf.shape(logits)[1], logits.dtype)
    blank_loss = -tf.reduce_sum(tf.nn.log_softmax(logits)[:, :, 0] * within, axis=1)
    d_blanks = tf.nn.softmax(logits) - tf.one_hot(0, tf.shape(logits)[2], dtype=logits.dtype)
    gradient = tf.where(is_empty[:, None, None], d_blanks * within[:, :, None], gradient)
    return tf.where(is_empty, blank_loss, loss), gradient


def _forward_on_torch(arguments: Tensors, constants: Tensors) -> tuple[Tensors, Tensors]:
    """Return the loss and its gradient from torch, which keeps float64; Keras rounds it."""
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


def _scale_gradient(
    arguments: Tensors,
    constants: Tensors,
    residuals: Tensors,
    upstream: Tensors,
) -> Tensors:
    del arguments, constants
    return (residuals[0] * upstream[0][:, None, None],)


_TENSORFLOW = CustomGradient(_forward_on_tensorflow, _scale_gradient, _reference)
_TORCH = CustomGradient(_forward_on_torch, _scale_gradient, _reference)
