"""Autoregressive decoding: greedy search and sampling.

On TensorFlow the functions may be called in a `tf.function`, which compiles the whole loop.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import keras
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.portable import argmax, while_loop
from keras_seq._internal.ranges import Range
from keras_seq._internal.types import ArrayLike, Tensor

State: TypeAlias = Any
"""Nested structure of tensors `(rows, ...)`."""
Step: TypeAlias = Callable[[Tensor, State], tuple[Tensor, State]]
"""Function from the last tokens `(rows,)` and a state to the log probabilities of the next tokens
`(rows, vocab_size)` and the next state."""


def greedy(
    step: Step,
    initial_state: State,
    *,
    start_id: ArrayLike,
    end_id: int,
    max_length: int | Tensor,
) -> tuple[Tensor, Tensor]:
    """Generate sequences by taking the most likely token at every step.

    >>> from keras import ops
    >>> from keras_seq.decoding import greedy
    >>> p = ops.convert_to_tensor([[0.1, 0.6, 0.3], [0.1, 0.2, 0.7], [0.3, 0.4, 0.3]])
    >>> def step(tokens, state):  # the next token depends on the last one only
    ...     return ops.log(ops.take(p, tokens, axis=0)), state
    >>> tokens, _ = greedy(step, ops.zeros((1,)), start_id=0, end_id=2, max_length=4)
    >>> ops.convert_to_numpy(tokens).tolist()
    [[1, 2, 0, 0]]

    Args:
        step: Function `step(tokens, state) -> (log_probs, state)` from the last tokens, int32
            `(rows,)`, to the log probabilities of the next ones, `(rows, vocab_size)`.
        initial_state: State before the first step, a nested structure of tensors `(rows, ...)`.
        start_id: Id of the token before the first: one for all rows, or `(rows,)`.
        end_id: Id of the token that ends a sequence.
        max_length: Largest number of tokens, the end token included.

    Returns:
        Tokens, int32 `(rows, max_length)`, with zeros after the end token; and their natural log
        probabilities `(rows, max_length)`, with zeros after the end token.
    """

    def choose(log_probs: Tensor, _: Tensor) -> Tensor:
        return argmax(log_probs)

    return _generate(choose, step, initial_state, start_id, end_id, max_length)


def sample(
    step: Step,
    initial_state: State,
    *,
    start_id: ArrayLike,
    end_id: int,
    max_length: int | Tensor,
    temperature: float | Tensor = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int | None = None,
    uniform: ArrayLike | None = None,
) -> tuple[Tensor, Tensor]:
    """Generate sequences by sampling a token at every step.

    Args:
        step: As in `greedy`.
        initial_state: As in `greedy`.
        start_id: As in `greedy`.
        end_id: As in `greedy`.
        max_length: As in `greedy`.
        temperature: Divisor of the log probabilities, positive. Values below 1 favor likely tokens.
        top_k: Number of most likely tokens to sample from, at least 1. Default: all.
        top_p: Total probability of the most likely tokens to sample from, in (0, 1] (nucleus
            sampling, Holtzman et al. 2020), applied after `top_k`. Default: all tokens.
        seed: Random seed.
        uniform: Uniform random numbers in [0, 1), `(max_length, rows)`, to use instead of `seed`.

    Returns:
        As `greedy`. The log probabilities are those of `step`, independent of the temperature.

    Raises:
        InputError: If `temperature`, `top_k` or `top_p` is out of its range.
    """
    if isinstance(temperature, (int, float)) and not temperature > 0:
        raise InputError(
            f"temperature must be positive, got {temperature}. Call greedy() for the most likely "
            "tokens."
        )
    if top_k is not None:
        Range(1, is_integer=True).check("top_k", top_k)
    if top_p is not None and not 0 < top_p <= 1:
        raise InputError(f"top_p must be in (0, 1], got {top_p}.")
    if uniform is None:
        rows = ops.shape(keras.tree.flatten(initial_state)[0])[0]
        uniform = keras.random.uniform((max_length, rows), seed=seed)
    uniform = ops.convert_to_tensor(uniform)

    def choose(log_probs: Tensor, position: Tensor) -> Tensor:
        ranked = ops.flip(ops.argsort(log_probs, axis=-1), axis=-1)
        scores = ops.take_along_axis(log_probs, ranked, axis=-1) / temperature
        probabilities = ops.softmax(scores, axis=-1)
        if top_k is not None:
            probabilities = probabilities[:, :top_k]
        before = ops.cumsum(probabilities, axis=-1) - probabilities
        if top_p is not None:
            total = ops.sum(probabilities, axis=-1, keepdims=True)
            probabilities = ops.where(before < top_p * total, probabilities, 0)
        # Inverse transform sampling takes one random number per token.
        cumulative = ops.cumsum(probabilities, axis=-1)
        is_below = cumulative <= uniform[position][:, None] * cumulative[:, -1:]
        rank = ops.sum(ops.cast(is_below, "int32"), axis=-1, keepdims=True)
        last = ops.sum(ops.cast(probabilities > 0, "int32"), axis=-1, keepdims=True) - 1
        return ops.take_along_axis(ranked, ops.minimum(rank, last), axis=-1)[:, 0]

    return _generate(choose, step, initial_state, start_id, end_id, max_length)


def _generate(
    choose: Callable[[Tensor, Tensor], Tensor],
    step: Step,
    state: State,
    start_id: ArrayLike,
    end_id: int,
    max_length: int | Tensor,
) -> tuple[Tensor, Tensor]:
    """Return tokens and their log probabilities, as `greedy` does.

    Args:
        choose: Function from log probabilities `(rows, vocab_size)` and the index of the step to
            tokens `(rows,)`.
        step: As in `greedy`.
        state: State before the first step.
        start_id: As in `greedy`.
        end_id: As in `greedy`.
        max_length: As in `greedy`.
    """
    rows = ops.shape(keras.tree.flatten(state)[0])[0]
    tokens = ops.broadcast_to(ops.cast(start_id, "int32"), (rows,))
    alive = ops.ones((rows,), "bool")
    chosen, log_probs = ops.zeros((max_length, rows), "int32"), ops.zeros((max_length, rows))

    def cond(position: Tensor, _tokens: Tensor, alive: Tensor, *_: Tensor) -> Tensor:
        return (position < max_length) & ops.any(alive)

    def body(
        position: Tensor,
        tokens: Tensor,
        alive: Tensor,
        state: State,
        chosen: Tensor,
        log_probs: Tensor,
    ) -> tuple[Tensor, ...]:
        scores, state = step(tokens, state)
        tokens = ops.where(alive, ops.cast(choose(scores, position), "int32"), 0)
        log_p = ops.take_along_axis(scores, tokens[:, None], axis=-1)[:, 0]
        log_p = ops.where(alive, ops.cast(log_p, "float32"), 0)
        is_now = ops.arange(max_length)[:, None] == position
        chosen, log_probs = ops.where(is_now, tokens, chosen), ops.where(is_now, log_p, log_probs)
        return position + 1, tokens, alive & (tokens != end_id), state, chosen, log_probs

    first = ops.convert_to_tensor(0, dtype="int32")
    *_, chosen, log_probs = while_loop(cond, body, (first, tokens, alive, state, chosen, log_probs))
    return ops.transpose(chosen), ops.transpose(log_probs)
