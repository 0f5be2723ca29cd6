"""What counting foretells, beside what a network does."""

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError


@keras.saving.register_keras_serializable(package="keras_seq")
class KneserNey(keras.layers.Layer):
    """Mixes the probabilities of a network with those of an interpolated Kneser-Ney model.

    The probability of a token after n - 1 others is (max(c - D, 0) + D m P') / s (Chen & Goodman
    1999, with one discount D): c of the n-gram, s and m the sum and the number of the c that stand
    after these others, P' the same after one token less, and last one over the number of tokens. c
    is a count for the longest n-grams; for shorter ones it is the number of different tokens that
    stand before them, with the times that they begin a sequence. Counting knows what was said word
    for word, a network what is alike: together they foretell better than either (Mikolov et al.
    2011).

    A network that saw the counts in training would learn to trust them, since there they know the
    answer: training leaves them out.

    Args:
        tokens: How many there are, those for padding and for what is unknown included.
        order: Tokens of the longest n-gram.
        share: Of the counts in the mixture, from 0 to 1.
        shape: That of the `Ngrams` which `set_ngrams` puts in.

    Input: logits `(batch, timesteps, tokens)` and the integers that were read up to each step,
    `(batch, timesteps)`. Output: logits; log probabilities if not in training.

    Weights, none trained: a trie of all n-grams, the shorter ones first, those of one length in the
    order of their beginnings: `last` token, `value` (c - D) / s, number of the `first` n-gram that
    is one token longer, and what `rest` of the probability goes to shorter ones after it.
    """

    def __init__(self, tokens, order, share, shape, **kwargs):
        super().__init__(**kwargs)
        if tokens < 1 or order < 1 or not 0 <= share <= 1:
            raise InputError(
                f"KneserNey takes positive numbers and a share of 0 to 1, got {tokens} tokens, "
                f"order {order} and share {share}."
            )
        self.tokens, self.order, self.share, self.shape = tokens, order, share, list(shape)
        self.nothing, *self.widest = self.shape
        self.supports_masking = True  # else it warns of a mask, which logits need not
        self.halvings = int(max(self.widest)).bit_length()

    def build(self, logits_shape, ids_shape=None):
        size = (self.nothing + 2,)
        # In mixed precision too, probabilities are float32.
        how = {"trainable": False, "initializer": "zeros", "autocast": False}
        self.last = self.add_weight(size, dtype="int32", name="last", **how)
        self.first = self.add_weight(size, dtype="int32", name="first", **how)
        self.value = self.add_weight(size, dtype="float32", name="value", **how)
        self.rest = self.add_weight(size, dtype="float32", name="rest", **how)

    def set_ngrams(self, ngrams):
        """Puts in what was counted, an `Ngrams` of the same shape."""
        for name in ("last", "first", "value", "rest"):
            getattr(self, name).assign(getattr(ngrams, name))

    def call(self, logits, ids, training=False):
        logits = ops.cast(logits, "float32")
        return logits if training else self.mixed(logits, self.contexts(ids)[:, 1:])

    def mixed(self, logits, contexts):
        """Log probabilities (..., tokens) after contexts (..., order), see `contexts`."""
        logits = ops.cast(logits, "float32")
        if self.share == 0:
            return ops.log_softmax(logits, axis=-1)
        known, counted = ops.softmax(logits, axis=-1), self.probabilities(contexts)
        return ops.log((1 - self.share) * known + self.share * counted)

    def contexts(self, ids):
        """For each step the n-grams that end there: of no token, of one, up to `order` - 1.

        Args:
            ids: Integers `(batch, timesteps)`.

        Returns:
            int32 `(batch, timesteps + 1, order)`, also before the first step; the number of all
            n-grams where there is none.
        """
        ids = ops.pad(ops.cast(ids, "int32"), [[0, 0], [1, 0]])
        found = [ops.zeros_like(ids)]
        for _ in range(self.order - 1):
            before = ops.pad(found[-1][:, :-1], [[0, 0], [1, 0]], constant_values=self.nothing)
            found.append(self._longer(before, ids))
        return ops.stack(found, axis=-1)

    def after(self, contexts, ids):
        """The contexts `(batch, order)` after one step more, that reads `(batch,)`."""
        longer = self._longer(contexts[:, :-1], ops.cast(ids, "int32")[:, None])
        return ops.concatenate([contexts[:, :1], longer], axis=1)

    def _longer(self, ngrams, ids):
        """The n-grams with one token more, by halving: those of one beginning are in order."""
        low, end = ops.take(self.first, ngrams, axis=0), ops.take(self.first, ngrams + 1, axis=0)
        high = end
        for _ in range(self.halvings):
            middle = (low + high) // 2
            less = (low < high) & (ops.take(self.last, middle, axis=0) < ids)
            low, high = ops.where(less, middle + 1, low), ops.where(less, high, middle)
        found = (low < end) & (ops.take(self.last, low, axis=0) == ids)
        return ops.where(found, low, self.nothing)

    def probabilities(self, contexts):
        """Those of the next token (..., tokens), after contexts (..., order)."""
        shape = ops.shape(contexts)[:-1]
        contexts = ops.reshape(contexts, (-1, self.order))
        rows = ops.shape(contexts)[0]
        place = ops.arange(rows)[:, None] * (self.tokens + 1)
        left = ops.ones((rows, 1), "float32")
        p = ops.zeros((rows, self.tokens + 1), "float32")
        for n in reversed(range(self.order)):
            begin = ops.take(self.first, contexts[:, n, None], axis=0)
            end = ops.take(self.first, contexts[:, n, None] + 1, axis=0)
            longer = begin + ops.arange(self.widest[n])
            there = longer < end
            longer = ops.where(there, longer, self.nothing)
            # What is not there goes to one token too many.
            token = ops.where(there, ops.take(self.last, longer, axis=0), self.tokens)
            value = ops.take(self.value, longer, axis=0) * left
            added = ops.segment_sum(
                ops.reshape(value, (-1,)),
                ops.reshape(place + token, (-1,)),
                rows * (self.tokens + 1),
            )
            p = p + ops.reshape(added, (rows, self.tokens + 1))
            left = left * ops.take(self.rest, contexts[:, n, None], axis=0)
        return ops.reshape(p[:, :-1] + left / self.tokens, (*shape, self.tokens))

    def compute_output_shape(self, logits_shape, ids_shape=None):
        return logits_shape

    def compute_output_spec(self, logits, ids, training=False):
        return keras.KerasTensor(logits.shape, "float32")

    def get_config(self):
        names = ("tokens", "order", "share", "shape")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


class Ngrams:
    """The n-grams of sequences, counted; what `KneserNey` is filled from.

    Args:
        sequences: Integers; the first of each is known, not foretold.
        order: Tokens of the longest n-gram.
        tokens: How many tokens there are.
        discount: D, what is taken off each count.
    """

    def __init__(self, sequences, order, tokens, discount):
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
                before * tokens + stream[there], return_index=True, return_inverse=True
            )
            lasts.append(known % tokens)
            beginnings.append(known // tokens)
            ends.append(ids[there[example]])
            ids = np.full(len(stream), -1)
            ids[there] = numbers
            sizes.append(len(known))
            begun.append(np.bincount(ids[(place == n) & (place > 0)], minlength=sizes[-1]))
        starts = np.cumsum([0, *sizes])
        last, value = [np.zeros(1, "int64")], [np.zeros(1)]
        first, rest, widest = [], [], []
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
