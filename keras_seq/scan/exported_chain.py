"""Linear chains in SavedModels: Viterbi decoding and marginals in one loop.

The cost is about one microsecond per operation. `TimeMajor` therefore moves the masked steps of
each sequence to its end, so that no step of the loop has to look at the mask. The best tags follow
from the table of best predecessors, in a number of operations that grows with the logarithm of the
length.
"""

from typing import Any

from keras_seq._internal.types import Tensor
from keras_seq.scan.log_space import replace_neg_inf
from keras_seq.scan.time_major import TimeMajor
from keras_seq.scan.unrolled import unrolled_loop

NUM_DOUBLINGS = 3
"""Number of doublings per iteration of a loop."""


def exported_viterbi_and_marginals(
    scores: Tensor, potentials: Any, mask: Tensor
) -> tuple[Tensor, Tensor]:
    """Compute `keras_seq.scan.linear_chain.viterbi_and_marginals` on TensorFlow.

    The arguments and the results are those of that function.
    """
    import tensorflow as tf

    transitions, start, end = (replace_neg_inf(tf.convert_to_tensor(p)) for p in potentials)
    batch, num_tags = tf.shape(scores)[0], scores.shape[-1]
    forward, backward = (TimeMajor(scores, mask, go_backwards) for go_backwards in (False, True))
    in_time, reversed_ = forward.inputs(), backward.inputs()
    # Rows of forward variables, of backward variables and of Viterbi variables.
    sequence = tf.concat([in_time, reversed_, in_time], axis=1)
    rows = tf.repeat(tf.range(3), batch)
    matrices = tf.gather(tf.stack([transitions, tf.transpose(transitions), transitions]), rows)
    is_sum = tf.cast(rows < 2, scores.dtype)[:, None, None]

    def step(carry: Any, elements: Any) -> tuple[Any, Any]:
        (relative,) = carry  # (rows, from tag, 1); the elements are (rows, 1, tag)
        terms = relative + matrices
        best = tf.reduce_max(terms, axis=1, keepdims=True)
        total = tf.reduce_sum(tf.exp(terms - best), axis=1, keepdims=True)
        new = tf.add_n([best, is_sum * tf.math.log(total), *elements])
        new -= tf.reduce_max(new, axis=2, keepdims=True)
        return (tf.reshape(new, (-1, num_tags, 1)),), (new,)

    first = tf.gather(tf.stack([start, end, start]), rows) + sequence[0]
    first -= tf.reduce_max(first, axis=1, keepdims=True)
    (others,) = unrolled_loop(
        step,
        (first[:, :, None],),
        [sequence[1 : forward.num_steps, :, None]],
        [((1, num_tags), scores.dtype)],
    )
    variables = tf.concat([first[None], others[:, :, 0]], axis=0)
    alpha, beta, delta = tf.split(variables, 3, axis=1)
    # Both include the score of the step itself.
    log_weights = forward.outputs(alpha, False) - scores
    log_weights += backward.outputs(beta, False)[:, ::-1]
    # `tf.nn.softmax` of oneDNN takes longer than these operations, in several threads.
    weights = tf.exp(log_weights - tf.reduce_max(log_weights, axis=-1, keepdims=True))
    weights /= tf.reduce_sum(weights, axis=-1, keepdims=True)
    probabilities = tf.where(mask[:, :, None], weights, 0)
    tags = _best_tags(forward, delta, transitions, end)
    return tf.where(mask, tags, 0), probabilities


def _best_tags(layout: TimeMajor, delta: Tensor, transitions: Tensor, end: Tensor) -> Tensor:
    """Return the tags of the best sequences, int32 `(batch, timesteps)`.

    Args:
        layout: Layout of the sequences.
        delta: Viterbi variables `(timesteps, batch, tags)`.
        transitions: Transitions `(from tag, to tag)`.
        end: End scores `(tags,)`.
    """
    import tensorflow as tf

    num_steps, num_tags = tf.shape(delta)[0], delta.shape[-1]
    # The best tag at each step for each tag at the next step; at the last step for the end.
    last = tf.argmax(delta + end, axis=-1, output_type=tf.int32)
    table = tf.argmax(delta[:, :, :, None] + transitions, axis=2, output_type=tf.int32)
    table = tf.where(layout.is_last_step()[:, :, None], last[:, :, None], table)
    identity = tf.broadcast_to(tf.range(num_tags), tf.shape(table))

    def body(distance: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
        for _ in range(NUM_DOUBLINGS):  # of the number of steps over which the table leads back
            later = tf.concat([table[distance:], identity[:distance]], axis=0)
            table, distance = tf.gather(table, later, batch_dims=2), 2 * distance
        return distance, table

    _, table = tf.while_loop(
        lambda distance, _: distance < num_steps,
        body,
        (1, table),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, None, num_tags])),
    )
    return layout.outputs(table[:, :, :1], False)[:, :, 0]
