"""One token after the other: the likeliest, or one drawn.

All strategies stand over one seam: `step(tokens, state) -> (log_probs, state)`, where `tokens` is
int32 `(rows,)`, `log_probs` `(rows, vocabulary)`, and `state` any nest of tensors whose first axis
is rows. On TensorFlow they may be called in a `tf.function`, then they are one graph.
"""

import keras
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.portable import argmax


def greedy(step, initial_state, *, start_id, end_id, max_length):
    """The likeliest token at every step.

    Args:
        step: See the module.
        initial_state: Before the first step.
        start_id: The token before the first, one for all rows or `(rows,)`.
        end_id: The token after which a row is finished.
        max_length: Steps at most.

    Returns:
        Tokens, int32 `(rows, max_length)`, the end token included and zeros after it, and their log
        probabilities `(rows, max_length)`, zeros after the end.
    """

    def choose(log_probs, _):
        return argmax(log_probs)

    return _rollout(choose, step, initial_state, start_id, end_id, max_length)


def sample(
    step,
    initial_state,
    *,
    start_id,
    end_id,
    max_length,
    temperature=1.0,
    top_k=None,
    top_p=None,
    seed=None,
    uniform=None,
):
    """A token drawn at every step.

    Args:
        step, initial_state, start_id, end_id, max_length: As in `greedy`.
        temperature: What log probabilities are divided by: below 1 favours what is likely.
        top_k: Draw among that many likeliest tokens only.
        top_p: Draw among the likeliest tokens only that together have this probability (nucleus
            sampling, Holtzman et al. 2020).
        seed: Of the random numbers; the same seed gives the same tokens.
        uniform: The random numbers instead, `(max_length, rows)` from 0 until before 1.

    Returns:
        As `greedy`; the log probabilities are those of the model, whatever the temperature.
    """
    if isinstance(temperature, (int, float)) and temperature <= 0:
        raise InputError(f"temperature must be positive, got {temperature}; greedy() is its limit.")
    if top_k is not None and top_k < 1:
        raise InputError(f"top_k must be at least 1, got {top_k}.")
    if top_p is not None and not 0 < top_p <= 1:
        raise InputError(f"top_p must be in (0, 1], got {top_p}.")
    if uniform is None:
        rows = ops.shape(keras.tree.flatten(initial_state)[0])[0]
        uniform = keras.random.uniform((max_length, rows), seed=seed)
    uniform = ops.convert_to_tensor(uniform)

    def choose(log_probs, number):
        ranked = ops.flip(ops.argsort(log_probs, axis=-1), axis=-1)
        scores = ops.take_along_axis(log_probs, ranked, axis=-1) / temperature
        probabilities = ops.softmax(scores, axis=-1)
        if top_k is not None:
            probabilities = probabilities[:, :top_k]
        before = ops.cumsum(probabilities, axis=-1) - probabilities
        if top_p is not None:
            total = ops.sum(probabilities, axis=-1, keepdims=True)
            probabilities = ops.where(before < top_p * total, probabilities, 0)
        # The inverse of the cumulative distribution: one random number a token.
        reached = ops.cumsum(probabilities, axis=-1)
        below = reached <= uniform[number][:, None] * reached[:, -1:]
        place = ops.sum(ops.cast(below, "int32"), axis=-1, keepdims=True)
        last = ops.sum(ops.cast(probabilities > 0, "int32"), axis=-1, keepdims=True) - 1
        return ops.take_along_axis(ranked, ops.minimum(place, last), axis=-1)[:, 0]

    return _rollout(choose, step, initial_state, start_id, end_id, max_length)


def _rollout(choose, step, state, start_id, end_id, max_length):
    rows = ops.shape(keras.tree.flatten(state)[0])[0]
    tokens = ops.broadcast_to(ops.cast(start_id, "int32"), (rows,))
    alive = ops.ones((rows,), "bool")
    chosen, log_probs = ops.zeros((max_length, rows), "int32"), ops.zeros((max_length, rows))

    def going_on(number, tokens, alive, *_):
        return (number < max_length) & ops.any(alive)

    def body(number, tokens, alive, state, chosen, log_probs):
        scores, state = step(tokens, state)
        tokens = ops.where(alive, ops.cast(choose(scores, number), "int32"), 0)
        found = ops.take_along_axis(scores, tokens[:, None], axis=-1)[:, 0]
        found = ops.where(alive, ops.cast(found, "float32"), 0)
        here = ops.arange(max_length)[:, None] == number
        chosen, log_probs = ops.where(here, tokens, chosen), ops.where(here, found, log_probs)
        return number + 1, tokens, alive & (tokens != end_id), state, chosen, log_probs

    first = ops.convert_to_tensor(0, dtype="int32")
    *_, chosen, log_probs = ops.while_loop(
        going_on, body, (first, tokens, alive, state, chosen, log_probs)
    )
    return ops.transpose(chosen), ops.transpose(log_probs)
