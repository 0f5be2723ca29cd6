"""Interpolation of a neural language model with Kneser-Ney counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq.layers.text.incremental import IncrementalLayer


@keras.saving.register_keras_serializable(package="keras_seq")
class KneserNey(IncrementalLayer):
    """Mixes the probabilities of a network with those of an interpolated Kneser-Ney model.

    The probability of a token after n - 1 others is (max(c - D, 0) + D m P') / s (Chen & Goodman
    1999, with one discount D): c of the n-gram, s and m the sum and the number of the c that stand
    after these others, P' the same after one token less, and last one over the number of tokens. c
    is a count for the longest n-grams; for shorter ones it is the number of different tokens that
    stand before them, with the times that they begin a sequence. Counts memorize, a network
    generalizes; their mixture is better than both (Mikolov et al. 2011).

    A network that saw the counts in training would learn to trust them, since there they know the
    answer: training leaves them out.

    >>> import numpy as np
    >>> from keras_seq.layers import KneserNey
    >>> layer = KneserNey(5, order=2, interpolation=1.0)
    >>> layer.adapt([[2, 3, 4, 2], [2, 3, 2]])  # 2 begins and ends each sequence
    >>> logits = layer(np.zeros((1, 1, 5)), np.array([[2]]))  # what follows on 2
    >>> int(logits.numpy().argmax())
    3

    Args:
        vocab_size: Number of ids, `TextEncoder.vocab_size`.
        order: Number of tokens of the longest n-gram.
        interpolation: Weight of the counts in the mixture, from 0 to 1.
        discount: D, which is taken off each count, from 0 to 1.
        trie_shape: `NgramTrie.shape` of the n-grams that are counted. `adapt` sets it.

    Call arguments:
        logits: `(batch, timesteps, vocab_size)`.
        ids: The ids that were read up to each step, `(batch, timesteps)`.
        training: Whether to leave out the counts.

    Returns:
        Logits as they are given, in training; else log probabilities of the mixture.

    Weights, none trained: a trie of all n-grams, the shorter ones first, those of one length in the
    order of their beginnings: `last` token, `value` (c - D) / s, number of the `first` n-gram that
    is one token longer, and what `rest` of the probability goes to shorter ones after it.

    Raises:
        InputError: If an argument is out of its range; if the layer is used before `adapt`.
    """

    state_names = ("contexts",)

    def __init__(
        self,
        vocab_size: int,
        order: int,
        interpolation: float = 0.3,
        discount: float = 0.9,
        trie_shape: Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if vocab_size < 1 or order < 1 or not (0 <= interpolation <= 1 and 0 <= discount <= 1):
            raise InputError(
                "KneserNey takes positive numbers, and an interpolation and a discount of 0 to 1, "
                f"got vocab_size {vocab_size}, order {order}, interpolation {interpolation} and "
                f"discount {discount}."
            )
        self.vocab_size, self.order = vocab_size, order
        self.interpolation, self.discount = interpolation, discount
        self.trie_shape = None if trie_shape is None else list(trie_shape)
        self.supports_masking = True  # else it warns of a mask, which logits need not

    def adapt(self, sequences: Iterable[Sequence[int]]) -> None:
        """Count the n-grams of sequences, once and before the layer is used.

        Args:
            sequences: Ids, 0 for padding. The first of each is known and not predicted, so that a
                text has the id of the end before and after it.

        Raises:
            InputError: If there is no sequence, or if the layer has counts already.
        """
        rows = [np.asarray(sequence, "int64") for sequence in sequences]
        rows = [row[row > 0] for row in rows if (row > 0).any()]
        if not rows:
            raise InputError(f"There is no sequence that {self.name} could count.")
        self.set_trie(NgramTrie(rows, self.order, self.vocab_size, self.discount))

    def set_trie(self, trie: NgramTrie) -> None:
        """Take the n-grams of a trie.

        Args:
            trie: Counted with the same `order`, `vocab_size` and `discount`.

        Raises:
            InputError: If the layer has counts of another shape already.
        """
        if self.built and self.trie_shape != trie.shape:
            raise InputError(f"{self.name} has counts already: make a new KneserNey.")
        self.trie_shape = trie.shape
        if not self.built:
            self.build((None, None, self.vocab_size))
        for name in ("last", "first", "value", "rest"):
            getattr(self, name).assign(getattr(trie, name))

    def build(self, logits_shape: Any, ids_shape: Any = None) -> None:
        if self.trie_shape is None:
            raise InputError(f"{self.name} has no counts yet: call adapt(sequences) first.")
        size = (self.null_node + 2,)
        # In mixed precision too, probabilities are float32.
        options: dict[str, Any] = {"trainable": False, "initializer": "zeros", "autocast": False}
        self.last = self.add_weight(size, dtype="int32", name="last", **options)
        self.first = self.add_weight(size, dtype="int32", name="first", **options)
        self.value = self.add_weight(size, dtype="float32", name="value", **options)
        self.rest = self.add_weight(size, dtype="float32", name="rest", **options)

    @property
    def null_node(self) -> int:
        """Number of n-grams, which stands for one that was not counted."""
        return self.trie_shape[0]  # type: ignore[index]

    @property
    def max_children(self) -> list[int]:
        """For each length the number of tokens that follow on one n-gram, at most."""
        return self.trie_shape[1:]  # type: ignore[index]

    def call(self, logits: Any, ids: Any, training: bool | None = False) -> Any:
        logits = ops.cast(logits, "float32")
        if training:
            return logits
        if self.interpolation == 0:
            return ops.log_softmax(logits, axis=-1)
        return self.interpolate(logits, self.probabilities(self.contexts(ids)[:, 1:]))

    def interpolate(self, logits: Any, probabilities: Any) -> Any:
        """Return the log probabilities of the mixture.

        Args:
            logits: Those of a network `(..., vocab_size)`.
            probabilities: Those of the counts, of the same shape.
        """
        network = ops.softmax(ops.cast(logits, "float32"), axis=-1)
        return ops.log((1 - self.interpolation) * network + self.interpolation * probabilities)

    def initial_state(self, ids: Any, lengths: Any, max_length: Any) -> dict[str, Any]:
        """Return the n-grams before the last id of each prompt, `contexts` `(batch, order)`."""
        last = ops.cast(lengths, "int32")[:, None, None] - 1
        return {"contexts": ops.take_along_axis(self.contexts(ids), last, axis=1)[:, 0]}

    def step(
        self, ids: Any, state: dict[str, Any], style: Any = None
    ) -> tuple[Any, dict[str, Any]]:
        """Return the probabilities of the next token by the counts, and the state after ids."""
        contexts = self.advance(state["contexts"], ids)
        return self.probabilities(contexts), {"contexts": contexts}

    def contexts(self, ids: Any) -> Any:
        """Return for each step the n-grams that end there: of no token, of one, up to `order` - 1.

        Args:
            ids: Integers `(batch, timesteps)`.

        Returns:
            int32 `(batch, timesteps + 1, order)`, also before the first step; the number of all
            n-grams where there is none.
        """
        ids = ops.pad(ops.cast(ids, "int32"), [[0, 0], [1, 0]])
        ngrams = [ops.zeros_like(ids)]
        for _ in range(self.order - 1):
            before = ops.pad(ngrams[-1][:, :-1], [[0, 0], [1, 0]], constant_values=self.null_node)
            ngrams.append(self._longer(before, ids))
        return ops.stack(ngrams, axis=-1)

    def advance(self, contexts: Any, ids: Any) -> Any:
        """Return the contexts `(batch, order)` after one step more, which reads `(batch,)`."""
        longer = self._longer(contexts[:, :-1], ops.cast(ids, "int32")[:, None])
        return ops.concatenate([contexts[:, :1], longer], axis=1)

    def _longer(self, ngrams: Any, ids: Any) -> Any:
        """Return the n-grams with one token more, by bisection: those of one parent are sorted."""
        low, end = ops.take(self.first, ngrams, axis=0), ops.take(self.first, ngrams + 1, axis=0)
        high = end
        for _ in range(max(self.max_children).bit_length()):
            middle = (low + high) // 2
            less = (low < high) & (ops.take(self.last, middle, axis=0) < ids)
            low, high = ops.where(less, middle + 1, low), ops.where(less, high, middle)
        is_counted = (low < end) & (ops.take(self.last, low, axis=0) == ids)
        return ops.where(is_counted, low, self.null_node)

    def probabilities(self, contexts: Any) -> Any:
        """Return those of the next token `(..., vocab_size)`, after contexts `(..., order)`."""
        shape = ops.shape(contexts)[:-1]
        contexts = ops.reshape(contexts, (-1, self.order))
        rows = ops.shape(contexts)[0]
        place = ops.arange(rows)[:, None] * (self.vocab_size + 1)
        left = ops.ones((rows, 1), "float32")
        p = ops.zeros((rows, self.vocab_size + 1), "float32")
        for n in reversed(range(self.order)):
            begin = ops.take(self.first, contexts[:, n, None], axis=0)
            end = ops.take(self.first, contexts[:, n, None] + 1, axis=0)
            longer = begin + ops.arange(self.max_children[n])
            is_counted = longer < end
            longer = ops.where(is_counted, longer, self.null_node)
            # What was not counted goes to one token too many.
            token = ops.where(is_counted, ops.take(self.last, longer, axis=0), self.vocab_size)
            value = ops.take(self.value, longer, axis=0) * left
            added = ops.segment_sum(
                ops.reshape(value, (-1,)),
                ops.reshape(place + token, (-1,)),
                rows * (self.vocab_size + 1),
            )
            p = p + ops.reshape(added, (rows, self.vocab_size + 1))
            left = left * ops.take(self.rest, contexts[:, n, None], axis=0)
        return ops.reshape(p[:, :-1] + left / self.vocab_size, (*shape, self.vocab_size))

    def compute_output_shape(self, logits_shape: Any, ids_shape: Any = None) -> Any:
        return logits_shape

    def compute_output_spec(self, logits: Any, ids: Any, training: Any = False) -> Any:
        return keras.KerasTensor(logits.shape, "float32")

    def get_config(self) -> dict[str, Any]:
        names = ("vocab_size", "order", "interpolation", "discount", "trie_shape")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


class NgramTrie:
    """Counted n-grams of sequences, as `KneserNey` takes them.

    Args:
        sequences: Ids; the first of each is known, not predicted.
        order: Number of tokens of the longest n-gram.
        vocab_size: Number of ids.
        discount: D, which is taken off each count.
    """

    def __init__(
        self, sequences: Sequence[Any], order: int, vocab_size: int, discount: float
    ) -> None:
        stream = np.concatenate(sequences).astype("int64")
        place = np.concatenate([np.arange(len(sequence)) for sequence in sequences])
        # Of each length: of each n-gram the last token, and where what stands before its last and
        # after its first token is among the n-grams one token shorter; which ones begin sequences.
        lasts, beginnings, ends, begun, sizes = [], [], [], [], [1]
        ids = np.zeros(len(stream), "int64")
        for n in range(order):
            there = np.flatnonzero(place >= n)
            before = ids[there - 1] if n else ids
            known, example, numbers = np.unique(
                before * vocab_size + stream[there], return_index=True, return_inverse=True
            )
            lasts.append(known % vocab_size)
            beginnings.append(known // vocab_size)
            ends.append(ids[there[example]])
            ids = np.full(len(stream), -1)
            ids[there] = numbers
            sizes.append(len(known))
            begun.append(np.bincount(ids[(place == n) & (place > 0)], minlength=sizes[-1]))
        starts = np.cumsum([0, *sizes])
        last, value = [np.zeros(1, "int64")], [np.zeros(1)]
        first: list[np.ndarray] = []
        rest: list[np.ndarray] = []
        widest: list[int] = []
        counts = np.bincount(ids[(ids >= 0) & (place > 0)], minlength=sizes[-1])
        for n in reversed(range(order)):
            sums = np.bincount(beginnings[n], counts, sizes[n])
            kinds = np.bincount(beginnings[n], counts > 0, sizes[n])
            spread = np.maximum(sums, 1)
            last.insert(1, lasts[n])
            value.insert(1, np.maximum(counts - discount, 0) / spread[beginnings[n]])
            rest.insert(0, np.where(sums > 0, discount * kinds / spread, 1.0))
            fan = np.bincount(beginnings[n], minlength=sizes[n])
            first.insert(0, starts[n + 1] + np.cumsum(fan) - fan)
            widest.insert(0, int(fan.max(initial=0)))
            counts = np.bincount(ends[n], counts > 0, sizes[n]) + (begun[n - 1] if n else 0)
        # The longest have none longer; and one n-gram more, for those that are not there.
        count, leaves = int(starts[-1]), sizes[-1] + 2
        self.shape = [count, *widest]
        self.last = np.concatenate([*last, [0, 0]])
        self.value = np.concatenate([*value, [0, 0]])
        self.first = np.concatenate([*first, np.full(leaves, count)])
        self.rest = np.concatenate([*rest, np.ones(leaves)])
