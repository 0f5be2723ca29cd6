"""Ids of known bigrams of tokens, and an embedding for them."""

from collections.abc import Hashable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.export_target import dispatch_by_target
from keras_seq._internal.keras_compat import flatten_layers
from keras_seq._internal.ranges import PositiveInt, check_arguments
from keras_seq._internal.types import Config, Initializer, Shape, Tensor
from keras_seq.layers.named_weights import AxisNames, NamedWeight
from keras_seq.text.vocabulary import UNKNOWN

MAX_TOKEN_IDS = 46_340
"""Largest number of token ids for which the keys of all pairs fit in int32."""


@keras.saving.register_keras_serializable(package="keras_seq")
class BigramLookup(keras.layers.Layer):
    """Lookup table from known bigrams, which are pairs of neighboring tokens, to ids.

    Ids start at 1. They are sorted by the first token of the pair, then by the second.

    >>> import numpy as np
    >>> from keras import ops
    >>> from keras_seq.layers import BigramLookup
    >>> ops.convert_to_numpy(BigramLookup([(2, 3), (3, 2)])(np.array([[2, 3, 2]]))).tolist()
    [[0, 1, 2, 0]]

    Args:
        pairs: Known bigrams `(id of the token, id of the next token)`.

    Call arguments:
        inputs: Ids of tokens `(batch, timesteps)`, 0 for padding.

    Returns:
        Ids of bigrams, int32 `(batch, timesteps + 1)`, 0 for unknown bigrams. The first
        bigram pairs padding with the first token, the last one the last token with padding.

    Raises:
        InputError: If `pairs` is empty, or if an id is not from 0 to 46,339.
    """

    def __init__(self, pairs: Sequence[Sequence[int]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        array = np.asarray(pairs, "int64").reshape(-1, 2)
        if not len(array) or array.min() < 0:
            raise InputError(
                "BigramLookup needs at least one pair of token ids, none negative, got "
                f"{len(array)} pairs."
            )
        self.base = int(array.max()) + 1
        if self.base > MAX_TOKEN_IDS:
            raise InputError(
                f"BigramLookup: token ids must be below {MAX_TOKEN_IDS:,}, since the keys of pairs "
                f"are 32 bits wide, got {self.base - 1}."
            )
        # Keras would track each of the lists in a list, which takes seconds for many pairs.
        self._pairs = array
        self.keys = np.unique(array[:, 0] * self.base + array[:, 1]).astype("int32")

    @property
    def pairs(self) -> list[list[int]]:
        """Known bigrams."""
        return self._pairs.tolist()

    def call(self, inputs: Tensor) -> Tensor:
        ids = ops.pad(ops.cast(inputs, "int32"), [[0, 0], [1, 1]])
        first, second = ids[:, :-1], ids[:, 1:]
        in_range = (first < self.base) & (second < self.base)
        return ops.where(in_range, self.lookup(first * self.base + second), 0)

    @dispatch_by_target
    def lookup(self, keys: Tensor) -> Tensor:
        """Return the ids of bigrams, 0 for unknown ones.

        Args:
            keys: int32 keys of bigrams, `first * base + second`, of any shape.
        """
        rows = ops.searchsorted(self.keys, ops.reshape(keys, (-1,)))
        rows = ops.reshape(ops.minimum(rows, len(self.keys) - 1), ops.shape(keys))
        is_known = ops.take(self.keys, rows) == keys
        return ops.where(is_known, ops.cast(rows, "int32") + 1, 0)

    def names(self, tokens: AxisNames) -> list[tuple[Hashable, Hashable]]:
        """Return the tokens of each bigram, in the order of the ids from 1.

        Args:
            tokens: Tokens in the order of their ids.
        """
        ids = (divmod(int(key), self.base) for key in self.keys)
        return [(tokens.names[first], tokens.names[second]) for first, second in ids]

    def compute_output_spec(self, inputs: Tensor) -> keras.KerasTensor:
        batch, timesteps = inputs.shape
        return keras.KerasTensor((batch, timesteps and timesteps + 1), "int32")

    def get_config(self) -> Config:
        return {**super().get_config(), "pairs": self.pairs}


@keras.saving.register_keras_serializable(package="keras_seq")
class BigramEmbedding(keras.layers.Layer):
    """Embeddings of the bigrams of each token with its left and its right neighbor.

    In languages without spaces a bigram of characters often is a word (Pei, Ge & Chang 2014).
    Unknown bigrams share one vector.

    >>> import numpy as np
    >>> from keras_seq.layers import BigramEmbedding
    >>> layer = BigramEmbedding([(2, 3), (3, 2)], output_dim=4)
    >>> tuple(layer(np.array([[2, 3, 2]])).shape)
    (1, 3, 8)

    Args:
        pairs: Known bigrams, see `BigramLookup`.
        output_dim: Width of the vector of a bigram.
        embeddings_initializer: Initializer of the vectors.

    Call arguments:
        inputs: Ids of tokens `(batch, timesteps)`, 0 for padding.

    Returns:
        `(batch, timesteps, 2 * output_dim)`, the left bigram first.

    Raises:
        InputError: If `pairs` is invalid, see `BigramLookup`.
    """

    def __init__(
        self,
        pairs: Sequence[Sequence[int]],
        output_dim: PositiveInt,
        embeddings_initializer: Initializer = "uniform",
        **kwargs: Any,
    ) -> None:
        check_arguments(BigramEmbedding, locals())
        super().__init__(**kwargs)
        self.bigrams, self.output_dim = BigramLookup(pairs), output_dim
        self.table = keras.layers.Embedding(
            len(self.bigrams.keys) + 1,  # row 0 is for unknown bigrams
            output_dim,
            embeddings_initializer,
            dtype=self.dtype_policy,
            name="table",
        )

    def build(self, input_shape: Shape) -> None:
        self.table.build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        vectors = self.table(self.bigrams(inputs))
        return ops.concatenate([vectors[:, :-1], vectors[:, 1:]], axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape, 2 * self.output_dim)

    def named_weights(self, tokens: AxisNames) -> list[NamedWeight]:
        """Return the weights whose axes are indexed by bigrams.

        Args:
            tokens: Tokens in the order of their ids.
        """
        bigrams = AxisNames("bigrams", [UNKNOWN, *self.bigrams.names(tokens)])
        return [NamedWeight(self.table.embeddings, (bigrams, None))]

    def get_config(self) -> Config:
        initializer = keras.initializers.serialize(self.table.embeddings_initializer)
        return {
            **super().get_config(),
            "pairs": self.bigrams.pairs,
            "output_dim": self.output_dim,
            "embeddings_initializer": initializer,
        }


def merge_pairs(
    features: Sequence[keras.layers.Layer], pairs: Sequence[Sequence[int]]
) -> list[list[int]]:
    """Return the bigrams of a trained model, followed by new ones.

    If the model has no `BigramEmbedding`, the result is empty: a new one would change the shape of
    the layers that read the features.

    >>> merge_pairs([BigramEmbedding([[2, 3]], output_dim=4)], [[2, 4], [2, 3]])
    [[2, 3], [2, 4]]

    Args:
        features: Feature layers of the trained model, whose ids are also those of `pairs`.
        pairs: New bigrams.
    """
    layers = [layer for feature in features for layer in flatten_layers(feature)]
    known = [layer.bigrams.pairs for layer in layers if isinstance(layer, BigramEmbedding)]
    merged = dict.fromkeys(tuple(pair) for pair in [*known[0], *pairs]) if known else {}
    return [list(pair) for pair in merged]
