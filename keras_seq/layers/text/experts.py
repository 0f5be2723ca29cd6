"""Experts of a text classifier: layers from ids to logits, and the mixture of their logits."""

import itertools
from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import unknown_name
from keras_seq._internal.types import Array, ArrayLike, Config, Shape, Tensor
from keras_seq.layers.named_weights import AxisNames, NamedWeight
from keras_seq.layers.text.bigram_embedding import BigramLookup
from keras_seq.layers.text.naive_bayes import NaiveBayes, WeightArrayModel

MAX_FACTOR, NUM_BISECTIONS = 10.0, 40
"""Largest factor of `fit_factor`, and its number of bisections."""


@keras.saving.register_keras_serializable(package="keras_seq")
class NaiveBayesExpert(keras.layers.Layer):
    """Naive Bayes expert over the tokens and the known bigrams of a text, see `NaiveBayes`.

    Call `adapt` before you use the layer.

    >>> import numpy as np
    >>> from keras import ops
    >>> from keras_seq.layers import NaiveBayesExpert
    >>> expert = NaiveBayesExpert(4, 2)  # ids 2 and 3 are words
    >>> texts, labels = np.array([[2, 2], [3, 0]]), np.eye(2)
    >>> expert.adapt(texts, labels)
    >>> ops.convert_to_numpy(expert(texts)).argmax(axis=1).tolist()
    [0, 1]

    Args:
        vocab_size: Number of ids, `TextEncoder.vocab_size`.
        num_labels: Number of labels.
        pairs: Known bigrams `(id of the token, id of the next token)`. Default: none.
        initial_weight: Weight of each log-count ratio before training.
        normalize: Whether to divide the logits by the square root of the number of tokens and known
            bigrams.

    Call arguments:
        ids: Ids of tokens `(batch, timesteps)`, 0 for padding.

    Returns:
        Logits `(batch, num_labels)`.
    """

    def __init__(
        self,
        vocab_size: int,
        num_labels: int,
        pairs: Sequence[Sequence[int]] | None = None,
        initial_weight: float = 0.05,
        normalize: bool = False,
        *,
        name: str = "naive_bayes",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.vocab_size, self.num_labels = vocab_size, num_labels
        self.initial_weight, self.normalize = initial_weight, normalize
        self.bigrams = BigramLookup(pairs, name="bigrams") if pairs else None
        num_pairs = len(self.bigrams.keys) if self.bigrams else 0
        self.naive_bayes = NaiveBayes(
            vocab_size - 1 + num_pairs,
            num_labels,
            initial_weight,
            normalize,
            trainable=self.trainable,
            dtype=self.dtype_policy,
            name="naive_bayes",
        )

    def build(self, ids_shape: Shape) -> None:
        self.naive_bayes.build(ids_shape)

    def adapt(self, ids: ArrayLike, labels: Array) -> None:
        """Count the tokens and bigrams of each label.

        Args:
            ids: Ids of the tokens of all training texts, `(texts, timesteps)`.
            labels: Weight of each label for each text, `(texts, num_labels)`.
        """
        self.naive_bayes.adapt(self.feature_ids(ids), labels)

    def adapt_leave_one_out(self, ids: ArrayLike, labels: Array) -> Array:
        """Adapt the expert, and return the logits of each text without its own counts.

        See `NaiveBayes.adapt_leave_one_out`.

        Args:
            ids: As in `adapt`.
            labels: As in `adapt`.
        """
        return self.naive_bayes.adapt_leave_one_out(self.feature_ids(ids), labels)

    def feature_ids(self, ids: ArrayLike) -> Array:
        """Return the ids of the tokens and known bigrams of each text, `(texts, n)`.

        Args:
            ids: As in `adapt`.
        """
        if not self.built:
            self.build(ids.shape)
        return ops.convert_to_numpy(self._features(ops.convert_to_tensor(ids)))

    def scale(self, factor: float) -> None:
        """Multiply all learned weights, and so the logits, by a factor."""
        self.naive_bayes.scale(factor)

    def call(self, ids: Tensor) -> Tensor:
        return self.naive_bayes(self._features(ids))

    def _features(self, ids: Tensor) -> Tensor:
        """Return the ids of the features: tokens first, then bigrams from `vocab_size` on."""
        if self.bigrams is None:
            return ids
        bigrams = self.bigrams(ids)
        bigrams = ops.where(bigrams > 0, bigrams + self.vocab_size - 1, 0)
        return ops.concatenate([ops.cast(ids, bigrams.dtype), bigrams], axis=1)

    def named_weights(self, tokens: AxisNames, labels: AxisNames) -> list[NamedWeight]:
        """Return the learned weights, whose axes are indexed by tokens or bigrams, and by labels.

        Args:
            tokens: Tokens in the order of their ids.
            labels: Labels in the order of their ids.
        """
        bigrams = [] if self.bigrams is None else self.bigrams.names(tokens)
        features = AxisNames("features", [*tokens.names, *bigrams])
        return [NamedWeight(self.naive_bayes.feature_weights, (features, labels))]

    def compute_output_shape(self, ids_shape: Shape) -> Shape:
        return (ids_shape[0], self.num_labels)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "vocab_size": self.vocab_size,
            "num_labels": self.num_labels,
            "pairs": None if self.bigrams is None else self.bigrams.pairs,
            "initial_weight": self.initial_weight,
            "normalize": self.normalize,
        }


@keras.saving.register_keras_serializable(package="keras_seq")
class WeightArrayExpert(keras.layers.Layer):
    """Weight array expert over the tokens of a sequence, see `WeightArrayModel`.

    Call `adapt` before you use the layer.

    >>> import numpy as np
    >>> from keras import ops
    >>> from keras_seq.layers import WeightArrayExpert
    >>> expert = WeightArrayExpert([[0, 0], [0, 0], [1, 0], [0, 1]], 2, order=1, window=2)
    >>> sequences, labels = np.array([[2, 3], [3, 2]]), np.eye(2)
    >>> expert.adapt(sequences, labels)
    >>> ops.convert_to_numpy(expert(sequences)).argmax(axis=1).tolist()
    [0, 1]

    Args:
        symbols: Probability of each symbol for each id, `(vocab_size, symbols)`. An ambiguous
            token, such as N in DNA, has several symbols.
        num_labels: Number of labels.
        order: Number of symbols of an n-gram.
        window: Number of time steps around the middle that are scored.
        initial_weight: Weight of each log-count ratio before training.

    Call arguments:
        ids: Ids of tokens `(batch, timesteps)`, 0 for padding.

    Returns:
        Logits `(batch, num_labels)`.
    """

    def __init__(
        self,
        symbols: ArrayLike,
        num_labels: int,
        order: int = 3,
        window: int = 60,
        initial_weight: float = 0.05,
        *,
        name: str = "weight_array",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.symbols = np.array(symbols, "float32")
        self.num_labels, self.order, self.window = num_labels, order, window
        self.initial_weight = initial_weight
        self.weight_array = WeightArrayModel(
            num_labels,
            order,
            window,
            initial_weight,
            dtype=self.dtype_policy,
            name="weight_array",
        )

    def build(self, ids_shape: Shape) -> None:
        self.weight_array.build((*ids_shape, self.symbols.shape[1]))

    def adapt(self, ids: ArrayLike, labels: Array) -> None:
        """Count the n-grams of each label at each position.

        Args:
            ids: Ids of the tokens of all training sequences, `(sequences, timesteps)`.
            labels: Weight of each label for each sequence, `(sequences, num_labels)`.
        """
        if not self.built:
            self.build(ids.shape)
        self.weight_array.adapt(*self._features(ops.convert_to_tensor(ids)), labels)

    def call(self, ids: Tensor) -> Tensor:
        return self.weight_array(*self._features(ids))

    def _features(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return the probability of each symbol at each time step, and the mask."""
        symbols = ops.cast(ops.take(self.symbols, ids, axis=0), self.compute_dtype)
        return symbols, ops.not_equal(ids, 0)

    def named_weights(self, tokens: AxisNames, labels: AxisNames) -> list[NamedWeight]:
        """Return the learned weights, whose axes are indexed by n-grams at positions and by labels.

        Args:
            tokens: Tokens in the order of their ids.
            labels: Labels in the order of their ids.
        """
        starts = range(-(self.window // 2), self.window - self.window // 2 - self.order + 1)
        ngrams = range(self.symbols.shape[1] ** self.order)
        positions = AxisNames("n-grams", list(itertools.product(starts, ngrams)))
        return [NamedWeight(self.weight_array.feature_weights, (positions, labels))]

    def compute_output_shape(self, ids_shape: Shape) -> Shape:
        return (ids_shape[0], self.num_labels)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "symbols": self.symbols.tolist(),
            "num_labels": self.num_labels,
            "order": self.order,
            "window": self.window,
            "initial_weight": self.initial_weight,
        }


@keras.saving.register_keras_serializable(package="keras_seq")
class LogitMixture(keras.layers.Layer):
    """Sum or mean of the logits of several experts.

    The sum suits experts with independent evidence. The mean suits experts that read the same
    evidence, which a sum would count twice.

    >>> import numpy as np
    >>> from keras import ops
    >>> from keras_seq.layers import LogitMixture
    >>> logits = [np.array([[1.0, 3.0]]), np.array([[3.0, 3.0]])]
    >>> ops.convert_to_numpy(LogitMixture("mean")(logits)).tolist()
    [[2.0, 3.0]]

    Args:
        mode: "sum" or "mean".

    Call arguments:
        logits: List of logits, each `(batch, labels)`.

    Returns:
        Logits `(batch, labels)`.

    Raises:
        InputError: If `mode` is neither.
    """

    def __init__(self, mode: Literal["sum", "mean"] = "sum", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if mode not in ("sum", "mean"):
            raise unknown_name("mode of LogitMixture", mode, ("sum", "mean"))
        self.mode = mode

    def call(self, logits: Sequence[Tensor]) -> Tensor:
        total = sum(logits[1:], start=logits[0])
        return total / len(logits) if self.mode == "mean" else total

    def compute_output_shape(self, logits_shape: Sequence[Shape]) -> Shape:
        return logits_shape[0]

    def get_config(self) -> Config:
        return {**super().get_config(), "mode": self.mode}


def fit_factor(logits: Array, labels: Array) -> float:
    """Return the factor of logits with the lowest cross-entropy (temperature, Guo et al. 2017).

    The prior of the factor is normal with a mean and a standard deviation of 1, so that very few
    examples hardly move it away from 1.

    Args:
        logits: Logits of examples that the model was not trained on, `(examples, labels)`.
        labels: Weight of each label for each example, `(examples, labels)`.

    Returns:
        Factor from 0 to 10.
    """
    weights = labels.sum(axis=1, keepdims=True)
    low, high = 0.0, MAX_FACTOR
    # The cross-entropy is convex in the factor, so the root of its derivative is bisected.
    for _ in range(NUM_BISECTIONS):
        factor = (low + high) / 2
        likelihoods = np.exp(factor * (logits - logits.max(axis=1, keepdims=True)))
        probabilities = likelihoods / likelihoods.sum(axis=1, keepdims=True)
        slope = ((weights * probabilities - labels) * logits).sum() + factor - 1
        low, high = (low, factor) if slope > 0 else (factor, high)
    return (low + high) / 2
