"""Losses of sequences: means over tokens, also where several devices share a batch; CTC."""

import keras
from keras import ops

from keras_seq.scan import compiled


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


@keras.saving.register_keras_serializable(package="keras_seq")
class CTC(keras.losses.CTC):
    """As `keras.losses.CTC` (Graves et al. 2006), the blank 0 and zeros after the labels.

    On TensorFlow's CPU it is one operator of C++, which works on the sequences of a batch side by
    side; Keras's is a loop over time in the graph.
    """

    def call(self, y_true, y_pred):
        if keras.backend.backend() != "tensorflow" or compiled.gpu():
            return super().call(y_true, y_pred)
        import tensorflow as tf

        labels, logits = ops.cast(y_true, "int32"), ops.cast(y_pred, "float32")
        batch, timesteps, _ = ops.shape(logits)
        # The operator refuses what has no labels, of which there is but one alignment.
        silent = ops.all(labels == 0, axis=1)
        first = ops.where(silent[:, None], 1, labels[:, :1])
        loss = tf.nn.ctc_loss(
            tf.sparse.from_dense(ops.concatenate([first, labels[:, 1:]], axis=1)),
            logits,
            label_length=None,
            logit_length=tf.fill((batch,), timesteps),
            logits_time_major=False,
            blank_index=0,
        )
        return ops.where(silent, -ops.sum(ops.log_softmax(logits)[:, :, 0], axis=1), loss)
