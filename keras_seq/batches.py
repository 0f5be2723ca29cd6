"""Batches of arrays in an order that depends on the seed and the epoch alone."""

import tensorflow as tf


def epochs_of_batches(arrays, batch_size, seed, first_epoch, epochs):
    """Batches of all epochs from `first_epoch` on, one after the other.

    A run that stops after an epoch and goes on later sees what an undisturbed one sees.

    Args:
        arrays: A nest of arrays with the same first axis, (examples, ...).
        batch_size: Examples a batch; the last batch of an epoch may have fewer.
        seed: Of the order.
        first_epoch: Epochs already done.
        epochs: Epochs in all.

    Returns:
        A `tf.data.Dataset` of nests like `arrays`.
    """
    arrays = tf.nest.map_structure(tf.convert_to_tensor, arrays)
    examples = len(tf.nest.flatten(arrays)[0])

    def epoch_of_batches(epoch):
        order = tf.random.experimental.stateless_shuffle(tf.range(examples), seed=[seed, epoch])
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size)

    def gather(indices):
        return tf.nest.map_structure(lambda array: tf.gather(array, indices), arrays)

    numbers = tf.data.Dataset.range(first_epoch, epochs)
    return numbers.flat_map(epoch_of_batches).map(gather).prefetch(2)
