"""Character n-grams of tokens as an expert of a text classifier."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.ranges import FiniteFloat, PositiveInt, check_arguments
from keras_seq._internal.types import Array, ArrayLike, Config, Shape, Tensor
from keras_seq.layers.named_weights import AxisNames, NamedWeight
from keras_seq.layers.text.naive_bayes import LabelCount, NaiveBayes
from keras_seq.layers.text.token_attributes import NUM_HASHES, lowercase_codes, reduce_hash

BOUNDARY = 1
"""Code point before and after each token. It is a control character, which no text contains."""
ADAPT_BATCH_SIZE = 256
"""Number of texts that are counted at a time."""


@keras.saving.register_keras_serializable(package="keras_seq")
class CharNgramExpert(keras.layers.Layer):
    """Naive Bayes expert over the character n-grams of the tokens of a text, see `NaiveBayes`.

    Unknown words count too, by their parts: the n-grams in lower case, within the token and its
    boundaries. As in fastText (Bojanowski et al. 2017), they need no vocabulary, since each n-gram
    is hashed into one of `num_buckets`. Logits are divided by the square root of the number of
    n-grams. Call `adapt` before you use the layer.

    >>> import numpy as np
    >>> from keras import ops
    >>> from keras_seq.layers import CharNgramExpert
    >>> from keras_seq.text.code_points import token_code_points
    >>> expert = CharNgramExpert(num_labels=2)
    >>> texts = token_code_points([["charming"], ["boredom"]], max_characters=20)
    >>> expert.adapt(texts, np.eye(2))
    >>> unknown = token_code_points([["charmingly"], ["bored"]], max_characters=20)
    >>> ops.convert_to_numpy(expert(unknown)).argmax(axis=1).tolist()
    [0, 1]

    Args:
        num_labels: Number of labels, at least 2.
        min_n: Number of characters of the shortest n-grams, boundaries included.
        max_n: Number of characters of the longest n-grams, at least `min_n`.
        num_buckets: Number of hashes, a power of two of at most 2 ** 24.
        initial_weight: Weight of each log-count ratio before training.

    Call arguments:
        inputs: Code points of the characters of each token, `(batch, timesteps, characters)`, 0
            for padding. The class attribute `reads` tells models to pass characters, not ids.

    Returns:
        Logits `(batch, num_labels)`.

    Raises:
        InputError: If a number is out of its range.
    """

    reads = "characters"

    def __init__(
        self,
        num_labels: LabelCount,
        min_n: PositiveInt = 3,
        max_n: PositiveInt = 6,
        num_buckets: PositiveInt = 2**17,
        initial_weight: FiniteFloat = 0.45,
        *,
        name: str = "char_ngrams",
        **kwargs: Any,
    ) -> None:
        check_arguments(CharNgramExpert, locals())
        super().__init__(name=name, **kwargs)
        if max_n < min_n:
            raise InputError(f"CharNgramExpert: `max_n` must be at least {min_n}, got {max_n}.")
        if num_buckets > NUM_HASHES or num_buckets & (num_buckets - 1):
            raise InputError(
                "CharNgramExpert: `num_buckets` must be a power of two of at most 2 ** 24, got "
                f"{num_buckets}."
            )
        self.num_labels, self.num_buckets = num_labels, num_buckets
        self.min_n, self.max_n, self.initial_weight = min_n, max_n, initial_weight
        self.naive_bayes = NaiveBayes(
            num_buckets,
            num_labels,
            initial_weight,
            normalize=True,
            trainable=self.trainable,
            dtype=self.dtype_policy,
            name="naive_bayes",
        )

    def build(self, inputs_shape: Shape) -> None:
        self.naive_bayes.build((inputs_shape[0], None))

    def adapt(self, inputs: ArrayLike, labels: Array) -> None:
        """Count the n-grams of each label.

        Args:
            inputs: Code points of the tokens of all training texts, `(texts, timesteps,
                characters)`.
            labels: Weight of each label for each text, `(texts, num_labels)`.
        """
        self.naive_bayes.adapt(self.feature_ids(inputs), labels)

    def adapt_leave_one_out(self, inputs: ArrayLike, labels: Array) -> Array:
        """Adapt the expert, and return the logits of each text without its own counts.

        See `NaiveBayes.adapt_leave_one_out`.

        Args:
            inputs: As in `adapt`.
            labels: As in `adapt`.
        """
        return self.naive_bayes.adapt_leave_one_out(self.feature_ids(inputs), labels)

    def scale(self, factor: float) -> None:
        """Multiply all learned weights, and so the logits, by a factor."""
        self.naive_bayes.scale(factor)

    def feature_ids(self, inputs: ArrayLike) -> Iterator[Array]:
        """Return an iterator over the ids of the n-grams of each text, `(n,)`, without padding.

        Args:
            inputs: As in `adapt`.
        """
        inputs = np.asarray(inputs)
        if not self.built:
            self.build(inputs.shape)
        return self._hashed_texts(inputs)

    def _hashed_texts(self, inputs: Array) -> Iterator[Array]:
        for start in range(0, len(inputs), ADAPT_BATCH_SIZE):
            codes = inputs[start : start + ADAPT_BATCH_SIZE]
            is_token = codes.any(axis=-1)
            tokens = codes[is_token]
            # One of a few lengths, so that few programs are compiled.
            length = 1 << len(tokens).bit_length()
            padded = np.pad(tokens, [[0, length - len(tokens)], [0, 0]])
            hashes = ops.convert_to_numpy(self.hash(ops.convert_to_tensor(padded[None])))[0]
            ends = np.cumsum(is_token.sum(axis=1))
            for row in np.split(hashes[: len(tokens)], ends[:-1]):
                yield row[row > 0]

    def hash(self, inputs: Tensor) -> Tensor:
        """Return the ids of the n-grams of each token, int32 `(batch, timesteps, n-grams)`.

        Ids are from 1 to `num_buckets`, and 0 for padding.

        Args:
            inputs: As in a call.
        """
        codes = lowercase_codes(ops.cast(inputs, "int32"))
        size = codes.shape[-1] + 2
        is_character = ops.cast(ops.not_equal(codes, 0), "int32")
        count = ops.cast(ops.sum(is_character, axis=-1, keepdims=True), "int32")
        codes = ops.pad(codes, [[0, 0], [0, 0], [1, 1]])
        place = ops.arange(size, dtype="int32")
        is_boundary = ops.equal(place, 0) | ops.equal(place, count + 1)
        codes = ops.where((count > 0) & is_boundary, BOUNDARY, codes)
        # In ONNX Runtime, a sum of integers must not overflow.
        terms = [
            reduce_hash((codes + 1) * multiplier) for multiplier in _multipliers(0, self.max_n)
        ]
        hashes = []
        for n, multiplier in enumerate(_multipliers(1, self.max_n), 1):
            if self.min_n <= n <= size:
                count = size + 1 - n
                total = terms[0][:, :, :count]
                for k in range(1, n):
                    total = total + terms[k][:, :, k : k + count]
                # The upper bits of a product depend on all bits of its factors.
                buckets = reduce_hash(total * multiplier) // (NUM_HASHES // self.num_buckets) + 1
                exists = ops.not_equal(codes[:, :, n - 1 :], 0)
                hashes.append(ops.where(exists, buckets, 0))
        return ops.concatenate(hashes, axis=-1)

    def call(self, inputs: Tensor) -> Tensor:
        hashes = self.hash(inputs)
        return self.naive_bayes(ops.reshape(hashes, (ops.shape(hashes)[0], -1)))

    def named_weights(self, tokens: AxisNames, labels: AxisNames) -> list[NamedWeight]:
        """Return the learned weights, whose axis of labels has names.

        Args:
            tokens: Not used.
            labels: Labels in the order of their ids.
        """
        return [NamedWeight(self.naive_bayes.feature_weights, (None, labels))]

    def compute_output_shape(self, inputs_shape: Shape) -> Shape:
        return (inputs_shape[0], self.num_labels)

    def get_config(self) -> Config:
        names = ("num_labels", "min_n", "max_n", "num_buckets", "initial_weight")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _multipliers(seed: int, count: int) -> list[int]:
    """Return odd numbers below 2 ** 31, by which the characters of an n-gram are multiplied."""
    return (np.random.default_rng(seed).integers(2**20, 2**30, count) * 2 + 1).tolist()
