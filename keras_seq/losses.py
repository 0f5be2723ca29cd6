"""Losses of sequences: masked cross-entropy of tokens, and CTC."""

from typing import Annotated, Any

import keras
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.keras_compat import (
    get_keras_mask,
    reduce_weighted_values,
    set_keras_mask,
)
from keras_seq._internal.ranges import Range, check_arguments
from keras_seq._internal.types import ArrayLike, Config, Tensor
from keras_seq._internal.value_checks import check_valid
from keras_seq.scan.ctc import ctc_loss


class TokenMeanMixin:
    """Mixin that weights each replica's loss by its number of tokens.

    With `tf.distribute`, Keras averages the losses of the replicas as if all had the same number of
    tokens. With the mixin, the average equals the mean on a single device. Place it before a
    `keras.losses.Loss` whose `y_true` is token ids, 0 for padding:

    >>> import keras
    >>> from keras_seq.losses import TokenMeanMixin
    >>> class TokenLoss(TokenMeanMixin, keras.losses.SparseCategoricalCrossentropy):
    ...     pass
    >>> loss = TokenLoss(from_logits=True, ignore_class=0)
    """

    def __call__(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Tensor:
        loss = super().__call__(y_true, y_pred, sample_weight)  # type: ignore[misc]
        if keras.backend.backend() != "tensorflow":
            return loss
        import tensorflow as tf

        context = tf.distribute.get_replica_context()
        if context is None or context.num_replicas_in_sync == 1:
            return loss
        num_tokens = ops.cast(ops.count_nonzero(y_true), loss.dtype)
        mean = context.all_reduce(tf.distribute.ReduceOp.MEAN, num_tokens)
        return ops.divide_no_nan(loss * num_tokens, mean)


def check_ids(ids: Tensor, num_classes: int, ignored: int | None, kind: str) -> Tensor:
    """Check that ids of classes are in their range.

    Args:
        ids: Ids `(batch,)` or `(batch, timesteps)`.
        num_classes: Number of classes.
        ignored: Id that is always allowed, or None.
        kind: Name of the ids for the message, such as "label".

    Returns:
        Bools of the shape of `ids`. They are all True, except in programs without checks; see
        `keras_seq._internal.value_checks.check_valid`.

    Raises:
        InputError: If an id is out of range.
    """
    is_valid = (ids >= 0) & (ids < num_classes)
    if ignored is not None:
        is_valid = is_valid | (ids == ignored)
    place = "row {} of the batch" + ", step {}" * (len(ids.shape) - 1)
    message = f"The {kind} {{}} in {place} is out of range: ids are from 0 to {num_classes - 1}."
    check_valid(is_valid, ops.cast(ids, "int32"), message)
    return is_valid


@keras.saving.register_keras_serializable(package="keras_seq")
class LabelCrossentropy(keras.losses.SparseCategoricalCrossentropy):
    """Cross-entropy of labels that are checked to be in their range.

    >>> import numpy as np
    >>> from keras_seq.losses import LabelCrossentropy
    >>> loss = LabelCrossentropy()
    >>> round(float(loss(np.array([3]), np.zeros((1, 4)))), 4)  # log 4
    1.3863
    >>> loss(np.array([4]), np.zeros((1, 4)))
    Traceback (most recent call last):
    keras_seq._internal.errors.InputError: The label 4 in row 0 of the batch is out of range: ids \
are from 0 to 3.

    Args:
        from_logits: Whether the predictions are logits, not probabilities.
        name: Name of the loss.
        **kwargs: Further arguments of `keras.losses.SparseCategoricalCrossentropy`.

    Call arguments:
        y_true: Ids of labels `(batch,)`.
        y_pred: Logits or probabilities `(batch, labels)`.
        sample_weight: None, or weights `(batch,)`.

    Raises:
        InputError: If a label is out of range. In a graph, the backend raises an error with the
            same message. With `jit_compile=True` on TensorFlow, the loss is NaN instead.
    """

    def __init__(
        self, from_logits: bool = True, name: str = "label_crossentropy", **kwargs: Any
    ) -> None:
        super().__init__(from_logits=from_logits, name=name, **kwargs)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the loss of each example, `(batch,)`."""
        labels = y_true[:, 0] if len(y_true.shape) == 2 else y_true
        is_valid = check_ids(labels, y_pred.shape[-1], None, "label")
        losses = super().call(ops.where(is_valid, labels, 0), y_pred)
        return ops.where(is_valid, losses, float("nan"))


@keras.saving.register_keras_serializable(package="keras_seq")
class MaskedCrossentropy(TokenMeanMixin, keras.losses.SparseCategoricalCrossentropy):
    """Cross-entropy of tokens, averaged over all tokens except padding.

    >>> import numpy as np
    >>> from keras_seq.losses import MaskedCrossentropy
    >>> loss = MaskedCrossentropy(label_smoothing=0.1)
    >>> round(float(loss(np.array([[2, 0]]), np.zeros((1, 2, 4)))), 4)  # log 4
    1.3863

    Args:
        from_logits: Whether the predictions are logits, not probabilities.
        ignore_class: Token id of padding.
        label_smoothing: Fraction of the probability to spread evenly over all tokens, in [0, 1)
            (Szegedy et al. 2016).
        name: Name of the loss.
        **kwargs: Further arguments of `keras.losses.SparseCategoricalCrossentropy`.

    Call arguments:
        y_true: Token ids `(batch, timesteps)`.
        y_pred: Logits or probabilities `(batch, timesteps, vocab_size)`.
        sample_weight: None, or weights `(batch,)` or `(batch, timesteps)`.

    Raises:
        InputError: If `label_smoothing` is out of range, or positive without `from_logits`, or if a
            token id is out of range. In a graph, the backend raises an error with the same message.
            With `jit_compile=True` on TensorFlow, the loss is NaN instead.
    """

    def __init__(
        self,
        from_logits: bool = True,
        ignore_class: int | None = 0,
        label_smoothing: Annotated[float, Range(0, below=1)] = 0.0,
        name: str = "masked_crossentropy",
        **kwargs: Any,
    ) -> None:
        check_arguments(MaskedCrossentropy, locals())
        super().__init__(from_logits=from_logits, ignore_class=ignore_class, name=name, **kwargs)
        if label_smoothing and not from_logits:
            raise InputError(
                f"label_smoothing={label_smoothing} needs logits: pass from_logits=True."
            )
        self.label_smoothing = label_smoothing

    def __call__(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Tensor:
        if sample_weight is not None:
            # On torch, Keras cannot multiply weights per sequence by a mask of time steps.
            weight = ops.convert_to_tensor(sample_weight, dtype=self.dtype)
            weight = weight[:, None] if len(weight.shape) == 1 else weight
            sample_weight = weight * ops.ones_like(ops.cast(y_true, self.dtype))
        return super().__call__(y_true, y_pred, sample_weight)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the loss of each token, `(batch, timesteps)`, with a Keras mask."""
        is_valid = check_ids(y_true, y_pred.shape[-1], self.ignore_class, "token id")
        losses = super().call(ops.where(is_valid, y_true, 0), y_pred)
        mask = get_keras_mask(losses)
        losses = ops.where(is_valid, losses, float("nan"))
        if self.label_smoothing:
            uniform = ops.logsumexp(y_pred, axis=-1) - ops.mean(y_pred, axis=-1)
            losses = losses + self.label_smoothing * (uniform - losses)
        if mask is not None:
            losses = ops.where(mask, losses, 0)
            set_keras_mask(losses, mask=mask)
        return losses

    def get_config(self) -> Config:
        """Return the arguments of the constructor."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable(package="keras_seq")
class CTC(keras.losses.CTC):
    """Loss of connectionist temporal classification (Graves et al. 2006), as `keras.losses.CTC`.

    On TensorFlow it is several times faster on a CPU than Keras's loss. On all backends it is
    differentiable to any order and compiles with `jit_compile=True`. A sequence with too few time
    steps for its labels has no alignment. Its loss is 1e5 and its gradient 0, so it shows in the
    mean but does not change the weights.

    >>> import numpy as np
    >>> from keras_seq.losses import CTC
    >>> labels, logits = np.array([[1, 0]]), np.zeros((1, 2, 3), "float32")
    >>> round(float(CTC()(labels, logits)), 4)  # 3 of the 9 paths are alignments: log 3
    1.0986

    Args:
        reduction: Reduction over the batch, as for `keras.losses.CTC`.
        name: Name of the loss.
        dtype: Data type of the loss.

    Call arguments:
        y_true: Labels `(batch, labels)` from 1 to `classes - 1`, padded with 0, the blank.
        y_pred: Logits `(batch, timesteps, classes)`. Time steps that their Keras mask excludes are
            ignored.
        sample_weight: None or weights `(batch,)`.
        input_lengths: None or numbers of time steps, `(batch,)`.
        label_lengths: None or numbers of labels, `(batch,)`. If given, no label may be 0.

    Raises:
        InputError: If a shape is wrong or a label is out of range. In a graph, the backend raises
            an error with the same message for a label. With `jit_compile=True` on TensorFlow, the
            loss is NaN instead.
    """

    def __call__(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        sample_weight: ArrayLike | None = None,
        input_lengths: ArrayLike | None = None,
        label_lengths: ArrayLike | None = None,
    ) -> Tensor:
        mask = get_keras_mask(y_pred)
        logits = ops.convert_to_tensor(y_pred, dtype=self.dtype)
        if mask is not None:
            logits = ops.take_along_axis(logits, _to_front(mask)[:, :, None], axis=1)
            input_lengths = ops.sum(ops.cast(mask, "int32"), axis=1)
        losses = self.call(y_true, logits, input_lengths, label_lengths)
        # Keras's own reduction would apply the mask of the steps to the losses of the sequences.
        return reduce_weighted_values(
            losses, sample_weight=sample_weight, reduction=self.reduction, dtype=self.dtype
        )

    def call(
        self,
        y_true: Tensor,
        y_pred: Tensor,
        input_lengths: Tensor | None = None,
        label_lengths: Tensor | None = None,
    ) -> Tensor:
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
        num_classes = logits.shape[-1]
        is_label = ops.arange(ops.shape(labels)[1]) < label_lengths[:, None]
        is_valid = ops.logical_not(is_label) | ((labels > 0) & (labels < num_classes))
        check_valid(
            is_valid,
            labels,
            f"CTC takes labels from 1 to {num_classes - 1}, got {{}} in row {{}} of the batch, "
            "label number {}. 0 is the blank; the logits need a class for each label.",
        )
        # TensorFlow's operator may run before the check and raise an error of its own.
        labels = ops.where(is_valid, labels, 1)
        loss = ctc_loss(logits, labels, label_lengths, input_lengths)
        return ops.where(ops.all(is_valid, axis=1), loss, float("nan"))


def _to_front(mask: Tensor) -> Tensor:
    """Return the order of columns that moves the unmasked ones to the front.

    Args:
        mask: Bools `(batch, columns)`.
    """
    num_columns = ops.shape(mask)[1]
    columns = ops.arange(num_columns)
    return ops.argsort(ops.where(mask, columns, num_columns + columns), axis=1)
