"""The tokens that a model knows, and their numbers."""

import collections

import numpy as np

PADDING, UNKNOWN, END = "<PAD>", "<UNK>", "<EOS>"
"""The last is known only where a model adds it: after the last token, and before the first."""


class Vocabulary:
    """Numbers for tokens: 0 is `<PAD>`, 1 is `<UNK>`, then come the tokens that are known.

    Args:
        tokens: The tokens that are known, in the order of their numbers.
    """

    def __init__(self, tokens):
        self.tokens = [PADDING, UNKNOWN, *tokens]
        self._numbers = {token: number for number, token in enumerate(self.tokens)}
        self._table = None

    def __len__(self):
        return len(self.tokens)

    def __contains__(self, token):
        return token in self._numbers

    def number(self, token):
        """The number of a token, that of `<UNK>` if it is not known."""
        return self._numbers.get(token, 1)

    def numbers(self, sentences, width=None):
        """The numbers of the tokens of sentences, padded at the end.

        Args:
            sentences: Lists of tokens.
            width: Tokens a row; that of the longest sentence if not given. What is beyond is cut.

        Returns:
            int32 `(sentences, width)`.
        """
        if width is None:
            width = max(map(len, sentences), default=0)
        rows = np.zeros((len(sentences), width), "int32")
        for row, sentence in zip(rows, sentences):
            found = [self._numbers.get(token, 1) for token in sentence[:width]]
            row[: len(found)] = found
        return rows

    def table(self):
        """The same for TensorFlow graphs: a lookup table from strings to int32, made once."""
        import tensorflow as tf

        if self._table is None:
            numbers = tf.range(len(self.tokens), dtype=tf.int32)
            content = tf.lookup.KeyValueTensorInitializer(tf.constant(self.tokens), numbers)
            self._table = tf.lookup.StaticHashTable(content, default_value=1)
        return self._table


def frequent(tokens, at_least=1, at_most=None):
    """The distinct tokens, the most frequent first, equally frequent ones in alphabetical order.

    Args:
        tokens: Any hashable, sortable objects.
        at_least: How often a token must occur.
        at_most: How many to return.
    """
    counts = collections.Counter(tokens)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [token for token, count in ranked[:at_most] if count >= at_least]
