"""Interpolation of a neural language model with a Kneser-Ney n-gram model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.ranges import PositiveInt, Probability, check_arguments
from keras_seq._internal.types import Array, ArrayLike, Config, Shape, Tensor
from keras_seq.layers.text.incremental import IncrementalLayer
from keras_seq.layers.text.ngram_trie import NgramTrie

MIN_PROBABILITY = 1e-30
"""Smallest probability of which a logarithm is taken."""


@keras.saving.register_keras_serializable(package="keras_seq")
class KneserNey(IncrementalLayer):
    """Interpolation of a neural language model with an interpolated Kneser-Ney model.

    The n-gram model is that of Chen & Goodman (1999) with one discount D. The probability of a
    token w after a context h is

        P(w | h) = (max(c(h w) - D, 0) + D m(h) P(w | h')) / s(h)

    where h' is h without its first token. s is the sum of the counts c(h w) over all tokens w, and
    m the number of positive ones. The empty context backs off to the uniform distribution. For the
    longest n-grams c is the number of occurrences. For shorter n-grams it is the number of
    different tokens before them, plus their occurrences at the start of a sequence.

    Counts memorize, a network generalizes; a mixture is better than both (Mikolov et al. 2011). The
    log-linear interpolation (Klakow 1998) of the network's probability Q with P is

        M(w | h) = Q(w | h)^a P(w | h)^b / Z(h)

    where Z normalizes. The weights a and b depend on the length of the longest counted context.
    They are fitted to held-out texts by `SequenceGenerator.fit_interpolation`. In training the
    network is used alone: the counts predict the training set almost perfectly, and the network
    would learn to rely on them.

    >>> import numpy as np
    >>> from keras import ops
    >>> from keras_seq.layers import KneserNey
    >>> layer = KneserNey(5, order=2, interpolation=1.0)
    >>> layer.adapt([[2, 3, 4, 2], [2, 3, 2]])  # 2 begins and ends each sequence
    >>> logits = layer(np.zeros((1, 1, 5)), np.array([[2]]))  # the token after 2
    >>> int(ops.convert_to_numpy(logits).argmax())
    3

    Args:
        vocab_size: Number of ids, `TextEncoder.vocab_size`.
        order: Number of tokens of the longest n-grams.
        interpolation: Weight b of the n-gram model, from 0 to 1, for contexts of all lengths; a is
            1 - b. `SequenceGenerator.fit_interpolation` replaces both.
        discount: D, from 0 to 1.
        trie_shape: `NgramTrie.shape` of the counts, for saved layers. `adapt` sets it.

    Call arguments:
        logits: Logits of a network `(batch, timesteps, vocab_size)`.
        ids: Ids that the network reads, `(batch, timesteps)`.
        training: Whether to return the logits of the network alone.

    Returns:
        Float32 `(batch, timesteps, vocab_size)`: the logits in training, otherwise the
        log-probabilities of the mixture.

    Weights, none of them trained: `token`, `first_child`, `probability` and `backoff`, the arrays
    of an `NgramTrie`; and `mixture_weights` `(order, 2)`, a and b after counted contexts of 0 to
    `order` - 1 tokens.

    Raises:
        InputError: If an argument is out of its range, or the layer is used before `adapt`.
    """

    state_names = ("contexts",)

    def __init__(
        self,
        vocab_size: PositiveInt,
        order: PositiveInt,
        interpolation: Probability = 0.5,
        discount: Probability = 0.9,
        trie_shape: Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        check_arguments(KneserNey, locals())
        super().__init__(**kwargs)
        self.vocab_size, self.order = vocab_size, order
        self.interpolation, self.discount = interpolation, discount
        self.trie_shape = None if trie_shape is None else list(trie_shape)
        self.supports_masking = True  # Keras would warn that the mask of the logits is lost.

    def adapt(self, sequences: Iterable[ArrayLike]) -> None:
        """Count the n-grams of sequences. Call it once, before you use the layer.

        Args:
            sequences: Ids `(timesteps,)` of each sequence, 0 for padding. The first id is
                context only. Begin and end each text with the end id.

        Raises:
            InputError: If all sequences are empty, or if the layer already has counts.
        """
        rows = [np.asarray(sequence, "int64") for sequence in sequences]
        rows = [row[row > 0] for row in rows if (row > 0).any()]
        if not rows:
            raise InputError(
                f"{self.name}.adapt() needs at least one sequence with tokens, got none."
            )
        self.set_trie(NgramTrie(rows, self.order, self.vocab_size, self.discount))

    def set_trie(self, trie: NgramTrie) -> None:
        """Set the counts.

        Args:
            trie: Counts with the `order`, `vocab_size` and `discount` of the layer.

        Raises:
            InputError: If the layer already has counts of another shape.
        """
        if self.built and self.trie_shape != trie.shape:
            raise InputError(f"{self.name} already has counts: create a new KneserNey.")
        self.trie_shape = trie.shape
        if not self.built:
            self.build((None, None, self.vocab_size))
        for name in ("token", "first_child", "probability", "backoff"):
            getattr(self, name).assign(getattr(trie, name))

    def build(self, logits_shape: Shape, ids_shape: Shape | None = None) -> None:
        if self.trie_shape is None:
            raise InputError(f"{self.name} has no counts yet: call adapt(sequences) first.")
        size = (self.null_node + 2,)
        # Probabilities need float32, also in mixed precision.
        options: dict[str, Any] = {"trainable": False, "initializer": "zeros", "autocast": False}
        self.token = self.add_weight(size, dtype="int32", name="token", **options)
        self.first_child = self.add_weight(size, dtype="int32", name="first_child", **options)
        self.probability = self.add_weight(size, dtype="float32", name="probability", **options)
        self.backoff = self.add_weight(size, dtype="float32", name="backoff", **options)
        self.mixture_weights = self.add_weight(
            (self.order, 2), dtype="float32", name="mixture_weights", **options
        )
        self.mixture_weights.assign(np.tile(self.initial_weights, (self.order, 1)))

    @property
    def initial_weights(self) -> Array:
        """Weights a and b before they are fitted, `(2,)`."""
        return np.array([1 - self.interpolation, self.interpolation])

    @property
    def null_node(self) -> int:
        """Index of the node that stands for all n-grams that were not counted."""
        return self.trie_shape[0]  # type: ignore[index]

    @property
    def max_children(self) -> list[int]:
        """Largest number of children of a node, for n-grams of 0 to `order` - 1 tokens."""
        return self.trie_shape[1:]  # type: ignore[index]

    @property
    def num_bisections(self) -> int:
        """Number of bisections to find a token among the sorted children of a node."""
        return max(self.max_children).bit_length()

    def call(self, logits: Tensor, ids: Tensor, training: bool | None = False) -> Tensor:
        logits = ops.cast(logits, "float32")
        return logits if training else self.interpolate(logits, self.contexts(ids)[:, 1:])

    def interpolate(self, logits: Tensor, contexts: Tensor) -> Tensor:
        """Return the log-probabilities of the mixture, `(..., vocab_size)`.

        Args:
            logits: Logits of a network `(..., vocab_size)`.
            contexts: Nodes `(..., order)`, as `contexts` returns them.
        """
        weights = ops.take(self.mixture_weights, self.context_lengths(contexts), axis=0)
        counted = ops.log(ops.maximum(self.probabilities(contexts), MIN_PROBABILITY))
        network = ops.cast(logits, "float32")
        return ops.log_softmax(weights[..., :1] * network + weights[..., 1:] * counted, axis=-1)

    def initial_state(
        self, ids: Tensor, lengths: Tensor, max_length: int | Tensor
    ) -> dict[str, Tensor]:
        """Return the state before the last id of each prompt: `contexts` `(batch, order)`."""
        last = ops.cast(lengths, "int32")[:, None, None] - 1
        return {"contexts": ops.take_along_axis(self.contexts(ids), last, axis=1)[:, 0]}

    def step(
        self, ids: Tensor, state: dict[str, Tensor], style: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the contexts of the next token, for `interpolate`, and the new state."""
        contexts = self.advance(state["contexts"], ids)
        return contexts, {"contexts": contexts}

    def contexts(self, ids: Tensor) -> Tensor:
        """Return the nodes of the n-grams of 0 to `order` - 1 tokens that end at each time step.

        Args:
            ids: Ids `(batch, timesteps)`.

        Returns:
            int32 `(batch, timesteps + 1, order)`, `null_node` for n-grams that were not counted.
            Index 0 is before the first time step.
        """
        ids = ops.pad(ops.cast(ids, "int32"), [[0, 0], [1, 0]])
        nodes = [ops.zeros_like(ids)]
        for _ in range(self.order - 1):
            parents = ops.pad(nodes[-1][:, :-1], [[0, 0], [1, 0]], constant_values=self.null_node)
            nodes.append(self._find_children(parents, ids))
        return ops.stack(nodes, axis=-1)

    def advance(self, contexts: Tensor, ids: Tensor) -> Tensor:
        """Return the contexts `(batch, order)` after one more time step.

        Args:
            contexts: Contexts before the time step, `(batch, order)`.
            ids: Ids of the time step, `(batch,)`.
        """
        children = self._find_children(contexts[:, :-1], ops.cast(ids, "int32")[:, None])
        return ops.concatenate([contexts[:, :1], children], axis=1)

    def _find_children(self, nodes: Tensor, ids: Tensor) -> Tensor:
        """Return the nodes of the n-grams with one more token, found by bisection."""
        low = ops.take(self.first_child, nodes, axis=0)
        high = end = ops.take(self.first_child, nodes + 1, axis=0)
        for _ in range(self.num_bisections):
            middle = (low + high) // 2
            is_less = (low < high) & (ops.take(self.token, middle, axis=0) < ids)
            low, high = ops.where(is_less, middle + 1, low), ops.where(is_less, high, middle)
        is_counted = (low < end) & (ops.take(self.token, low, axis=0) == ids)
        return ops.where(is_counted, low, self.null_node)

    def read(self, contexts: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return the n-gram model's probabilities of given tokens, and the contexts after them.

        Args:
            contexts: Nodes `(..., order)`, as `contexts` returns them.
            ids: Ids of the next tokens, `(...)` or a shape that broadcasts with it.

        Returns:
            Probabilities of the broadcast shape `(...)`, and contexts `(..., order)`.
        """
        children = self._find_children(contexts, ops.cast(ids, "int32")[..., None])
        discounted = ops.take(self.probability, children, axis=0)
        backoff = ops.take(self.backoff, contexts, axis=0)
        probability, weight = 0.0, 1.0
        for n in reversed(range(self.order)):
            probability += weight * discounted[..., n]
            weight *= backoff[..., n]
        empty = ops.zeros_like(children[..., :1])
        contexts = ops.concatenate([empty, children[..., :-1]], axis=-1)
        return probability + weight / self.vocab_size, contexts

    def context_lengths(self, contexts: Tensor) -> Tensor:
        """Return the number of tokens of the longest counted context, int32 `(...)`.

        A context is counted if a token followed it in the sequences of `adapt`.

        Args:
            contexts: Nodes `(..., order)`, as `contexts` returns them.
        """
        nodes = contexts[..., 1:]
        start = ops.take(self.first_child, nodes, axis=0)
        end = ops.take(self.first_child, nodes + 1, axis=0)
        return ops.sum(ops.cast(start < end, "int32"), axis=-1)

    def probabilities(self, contexts: Tensor) -> Tensor:
        """Return the n-gram model's probabilities of the next token, `(..., vocab_size)`.

        Args:
            contexts: Nodes `(..., order)`, as `contexts` returns them.
        """
        shape = ops.shape(contexts)[:-1]
        contexts = ops.reshape(contexts, (-1, self.order))
        rows = ops.shape(contexts)[0]
        # The last column collects the values of children that do not exist.
        width = self.vocab_size + 1
        offset = ops.arange(rows)[:, None] * width
        weight = ops.ones((rows, 1), "float32")
        p = ops.zeros((rows, width), "float32")
        for n in reversed(range(self.order)):
            node = contexts[:, n, None]
            start = ops.take(self.first_child, node, axis=0)
            end = ops.take(self.first_child, node + 1, axis=0)
            children = start + ops.arange(self.max_children[n])
            is_child = children < end
            children = ops.where(is_child, children, self.null_node)
            column = ops.where(is_child, ops.take(self.token, children, axis=0), self.vocab_size)
            value = ops.take(self.probability, children, axis=0) * weight
            sums = ops.segment_sum(
                ops.reshape(value, (-1,)), ops.reshape(offset + column, (-1,)), rows * width
            )
            p = p + ops.reshape(sums, (rows, width))
            weight = weight * ops.take(self.backoff, node, axis=0)
        return ops.reshape(p[:, :-1] + weight / self.vocab_size, (*shape, self.vocab_size))

    def compute_output_shape(self, logits_shape: Shape, ids_shape: Shape | None = None) -> Shape:
        return logits_shape

    def compute_output_spec(
        self, logits: Tensor, ids: Tensor, training: bool | None = False
    ) -> keras.KerasTensor:
        return keras.KerasTensor(logits.shape, "float32")

    def get_config(self) -> Config:
        names = ("vocab_size", "order", "interpolation", "discount", "trie_shape")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
