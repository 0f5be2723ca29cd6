"""Trie of the n-grams that a `KneserNey` layer counts."""

from collections.abc import Sequence

import numpy as np

from keras_seq._internal.types import Array, ArrayLike


class NgramTrie:
    """Trie of the n-grams of sequences, with their discounted probabilities.

    Node 0 is the empty n-gram. The other nodes are sorted by length, then by their parent (the
    n-gram without its last token), then by their last token. Two more nodes end the arrays: the
    null node, which stands for all n-grams that were not counted, and a sentinel.

    Attributes:
        token: Last token of each node's n-gram.
        probability: Discounted probability of that token after the others, max(c - D, 0) / s.
        first_child: First child of each node. The children of a node end where those of the next
            node begin.
        backoff: Probability mass that each node leaves to shorter contexts, D m / s.
        shape: Number of nodes without the last two, then `KneserNey.max_children`.

    Args:
        sequences: Ids `(timesteps,)` of each sequence. The first id is context only.
        order: Number of tokens of the longest n-grams.
        vocab_size: Number of ids.
        discount: Discount D, from 0 to 1.
    """

    def __init__(
        self, sequences: Sequence[ArrayLike], order: int, vocab_size: int, discount: float
    ) -> None:
        stream = np.concatenate(sequences).astype("int64")
        position = np.concatenate([np.arange(len(sequence)) for sequence in sequences])
        # For each length, one value per n-gram: its last token; its parent and its suffix, as
        # indices of n-grams that are one token shorter; its count at the start of sequences.
        tokens, parents, suffixes, starts = [], [], [], []
        sizes = [1]
        ngrams = np.zeros(len(stream), "int64")  # index of the n-gram that ends at each position
        for n in range(order):
            ends = np.flatnonzero(position >= n)
            parent = ngrams[ends - 1] if n else ngrams
            keys, example, inverse = np.unique(
                parent * vocab_size + stream[ends], return_index=True, return_inverse=True
            )
            tokens.append(keys % vocab_size)
            parents.append(keys // vocab_size)
            suffixes.append(ngrams[ends[example]])
            ngrams = np.full(len(stream), -1)
            ngrams[ends] = inverse
            sizes.append(len(keys))
            starts.append(
                np.bincount(ngrams[(position == n) & (position > 0)], minlength=sizes[-1])
            )
        first_node = np.cumsum([0, *sizes])
        token, probability = [np.zeros(1, "int64")], [np.zeros(1)]
        first_child: list[Array] = []
        backoff: list[Array] = []
        max_children: list[int] = []
        counts = np.bincount(ngrams[(ngrams >= 0) & (position > 0)], minlength=sizes[-1])
        for n in reversed(range(order)):
            total = np.bincount(parents[n], counts, sizes[n])
            num_counted = np.bincount(parents[n], counts > 0, sizes[n])
            divisor = np.maximum(total, 1)
            token.insert(1, tokens[n])
            probability.insert(1, np.maximum(counts - discount, 0) / divisor[parents[n]])
            backoff.insert(0, np.where(total > 0, discount * num_counted / divisor, 1.0))
            num_children = np.bincount(parents[n], minlength=sizes[n])
            first_child.insert(0, first_node[n + 1] + np.cumsum(num_children) - num_children)
            max_children.insert(0, int(num_children.max(initial=0)))
            # Continuation counts of the shorter n-grams.
            counts = np.bincount(suffixes[n], counts > 0, sizes[n]) + (starts[n - 1] if n else 0)
        # The longest n-grams and the last two nodes have no children.
        num_nodes, num_leaves = int(first_node[-1]), sizes[-1] + 2
        self.shape = [num_nodes, *max_children]
        self.token = np.concatenate([*token, [0, 0]])
        self.probability = np.concatenate([*probability, [0, 0]])
        self.first_child = np.concatenate([*first_child, np.full(num_leaves, num_nodes)])
        self.backoff = np.concatenate([*backoff, np.ones(num_leaves)])
