"""Losses that are means over tokens, also where several devices share a batch."""

import keras
from keras import ops


class OverTokens:
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
class MaskedCrossentropy(OverTokens, keras.losses.SparseCategoricalCrossentropy):
    """The cross-entropy of tokens that are no padding, from logits."""

    def __init__(self, from_logits=True, ignore_class=0, name="masked_crossentropy", **kwargs):
        super().__init__(from_logits=from_logits, ignore_class=ignore_class, name=name, **kwargs)
