"""Losses of sequences: means over tokens, also where several devices share a batch; CTC."""

import keras
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.keras_compat import (
    get_keras_mask,
    reduce_weighted_values,
    set_keras_mask,
)
from keras_seq._internal.value_checks import check_valid
from keras_seq.scan.ctc import ctc_loss


class TokenMeanMixin:
    """Makes a loss that is a mean over tokens one over the tokens of all devices.

    A base to put before a `keras.losses.Loss` whose `y_true` is numbers of tokens, 0 for padding.
    Keras takes the mean of what the devices find (`tf.distribute`), as if each had as many tokens.
    """

    def __call__(self, y_true, y_pred, sample_weight=None):
        loss = super().__call__(y_true, y_pred, sample_weight)
        if keras.backend.backend() != "tensorflow":
            return loss
        import tensorflow as tf

        context = tf.distribute.get_replica_context()
        if context is None or context.num_replicas_in_sync == 1:
            return loss
        tokens = ops.cast(ops.count_nonzero(y_true), loss.dtype)
        mean = context.all_reduce(tf.distribute.ReduceOp.MEAN, tokens)
        return ops.divide_no_nan(loss * tokens, mean)


@keras.saving.register_keras_serializable(package="keras_seq")
class MaskedCrossentropy(TokenMeanMixin, keras.losses.SparseCategoricalCrossentropy):
    """Cross-entropy of tokens, from logits: the mean over all tokens other than padding.

    >>> import numpy as np
    >>> from keras_seq.losses import MaskedCrossentropy
    >>> loss = MaskedCrossentropy(label_smoothing=0.1)
    >>> round(float(loss(np.array([[2, 0]]), np.zeros((1, 2, 4)))), 4)  # log 4
    1.3863

    Args:
        from_logits: Whether the predictions are logits, not probabilities.
        ignore_class: Id of padding.
        label_smoothing: Fraction of the probability that is spread evenly over all tokens (Szegedy
            et al. 2016), at least 0 and less than 1.
        name: Name of the loss.
        **kwargs: Further arguments of `keras.losses.SparseCategoricalCrossentropy`.

    Call arguments:
        y_true: Ids of tokens `(batch, timesteps)`.
        y_pred: Logits `(batch, timesteps, tokens)`.

    Raises:
        InputError: If `label_smoothing` is out of its range, or there are no logits to smooth.
    """

    def __init__(
        self,
        from_logits=True,
        ignore_class=0,
        label_smoothing=0.0,
        name="masked_crossentropy",
        **kwargs,
    ):
        super().__init__(from_logits=from_logits, ignore_class=ignore_class, name=name, **kwargs)
        if not 0 <= label_smoothing < 1:
            raise InputError(f"label_smoothing must be in [0, 1), got {label_smoothing}.")
        if label_smoothing and not from_logits:
            raise InputError("label_smoothing needs logits: from_logits=True.")
        self.label_smoothing = label_smoothing

    def __call__(self, y_true, y_pred, sample_weight=None):
        if sample_weight is not None:
            # On torch, Keras cannot multiply weights of sequences by a mask of time steps.
            weight = ops.convert_to_tensor(sample_weight, dtype=self.dtype)
            weight = weight[:, None] if len(weight.shape) == 1 else weight
            sample_weight = weight * ops.ones_like(ops.cast(y_true, self.dtype))
        return super().__call__(y_true, y_pred, sample_weight)

    def call(self, y_true, y_pred):
        """Return the loss of each token, `(batch, timesteps)`, and its mask."""
        losses = super().call(y_true, y_pred)
        if not self.label_smoothing:
            return losses
        uniform = ops.logsumexp(y_pred, axis=-1) - ops.mean(y_pred, axis=-1)
        smoothed = losses + self.label_smoothing * (uniform - losses)
        mask = get_keras_mask(losses)
        if mask is not None:
            smoothed = ops.where(mask, smoothed, 0)
            set_keras_mask(smoothed, mask=mask)
        return smoothed

    def get_config(self):
        """Return the arguments of the constructor."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable(package="keras_seq")
class CTC(keras.losses.CTC):
    """Connectionist temporal classification (Graves et al. 2006), as `keras.losses.CTC`.

    On TensorFlow's CPU it is several times faster than Keras's. On all backends it can be
    differentiated any number of times, and it compiles with `jit_compile=True`. A text that its
    recording is too short for has no alignment: it costs 1e5, so that it is seen in the mean, and
    has no gradient, so that it does not spoil the weights.

    Call arguments:
        y_true: Labels `(batch, labels)` from 1 to `classes - 1`; 0 is the blank, and no label.
        y_pred: Logits `(batch, timesteps, classes)`. Steps that are masked do not count.
        sample_weight: None or weights `(batch,)`.
        input_lengths: None or number of time steps that count, `(batch,)`.
        label_lengths: None or number of labels that count, `(batch,)`; then these must not be 0.

    Raises:
        InputError: If a shape is wrong or a label does not exist. In a graph, a label that does not
            exist is the backend's error, with the same sentence; under `jit_compile=True` on
            TensorFlow the result is NaN.
    """

    def __call__(self, y_true, y_pred, sample_weight=None, input_lengths=None, label_lengths=None):
        mask = get_keras_mask(y_pred)
        logits = ops.convert_to_tensor(y_pred, dtype=self.dtype)
        if mask is not None:
            logits = ops.take_along_axis(logits, _to_front(mask)[:, :, None], axis=1)
            input_lengths = ops.sum(ops.cast(mask, "int32"), axis=1)
        losses = self.call(y_true, logits, input_lengths, label_lengths)
        # The mask of the steps is not one of the sequences.
        return reduce_weighted_values(
            losses, sample_weight=sample_weight, reduction=self.reduction, dtype=self.dtype
        )

    def call(self, y_true, y_pred, input_lengths=None, label_lengths=None):
        """Return the loss of each sequence, `(batch,)`."""
        labels, logits = ops.cast(y_true, "int32"), ops.convert_to_tensor(y_pred)
        if len(labels.shape) != 2 or len(logits.shape) != 3:
            raise InputError(
                "CTC takes labels (batch, labels) and logits (batch, timesteps, classes), got "
                f"shapes {tuple(labels.shape)} and {tuple(logits.shape)}."
            )
        if keras.backend.standardize_dtype(logits.dtype) in ("float16", "bfloat16"):
            logits = ops.cast(logits, "float32")
        batch, timesteps, _ = ops.shape(logits)
        if label_lengths is None:
            label_lengths = ops.sum(ops.cast(labels != 0, "int32"), axis=1)
            labels = ops.take_along_axis(labels, _to_front(labels != 0), axis=1)
        if input_lengths is None:
            input_lengths = ops.full((batch,), timesteps)
        label_lengths, input_lengths = (
            ops.cast(lengths, "int32") for lengths in (label_lengths, input_lengths)
        )
        classes = logits.shape[-1]
        counts = ops.arange(ops.shape(labels)[1]) < label_lengths[:, None]
        valid = ops.logical_not(counts) | ((labels > 0) & (labels < classes))
        check_valid(
            valid,
            labels,
            f"CTC takes labels from 1 to {classes - 1}, got {{}} in row {{}} of the batch, label "
            "number {}; 0 is the blank, and the logits have a class for each label.",
        )
        # TensorFlow's operator may run before the check, and has an error of its own.
        labels = ops.where(valid, labels, 1)
        loss = ctc_loss(logits, labels, label_lengths, input_lengths)
        return ops.where(ops.all(valid, axis=1), loss, float("nan"))


def _to_front(chosen):
    """Return the order of the columns that puts those that are chosen before the others."""
    count = ops.shape(chosen)[1]
    columns = ops.arange(count)
    return ops.argsort(ops.where(chosen, columns, count + columns), axis=1)
