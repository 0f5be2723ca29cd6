"""Experts of a text classifier: layers from ids to logits, and the mixture of their logits."""

from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import unknown_name
from keras_seq.layers.text.bigram_embedding import BigramLookup
from keras_seq.layers.text.naive_bayes import NaiveBayes, WeightArrayModel


@keras.saving.register_keras_serializable(package="keras_seq")
class NaiveBayesExpert(keras.layers.Layer):
    """Naive Bayes over the tokens of a text and over known pairs of neighbours.

    A wide part next to a recurrent network (Wang & Manning 2012; Cheng et al. 2016). Its ratios
    come from `adapt`, which must be called before the layer is of use; their weights are learned.

    >>> import numpy as np
    >>> from keras_seq.layers import NaiveBayesExpert
    >>> expert = NaiveBayesExpert(4, 2)  # ids 2 and 3 are words
    >>> texts, labels = np.array([[2, 2], [3, 0]]), np.eye(2)
    >>> expert.adapt(texts, labels)
    >>> expert(texts).numpy().argmax(axis=1).tolist()
    [0, 1]

    Args:
        vocab_size: Number of ids, `TextEncoder.vocab_size`.
        num_labels: Number of labels.
        pairs: Pairs of ids that are features too, `(id, id of the next token)`.
        initial_weight: Weight of each ratio before training.

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
        *,
        name: str = "naive_bayes",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.vocab_size, self.num_labels = vocab_size, num_labels
        self.initial_weight = initial_weight
        self.bigrams = BigramLookup(pairs, name="bigrams") if pairs else None
        num_pairs = len(self.bigrams.keys) if self.bigrams else 0
        self.naive_bayes = NaiveBayes(
            vocab_size - 1 + num_pairs,
            num_labels,
            initial_weight,
            dtype=self.dtype_policy,
            name="naive_bayes",
        )

    def build(self, ids_shape: Any) -> None:
        self.naive_bayes.build(ids_shape)

    def adapt(self, ids: Any, labels: Any) -> None:
        """Count which tokens and pairs go with which labels.

        Args:
            ids: Ids of the tokens of all training texts.
            labels: Weight of each label for each text `(texts, num_labels)`.
        """
        if not self.built:
            self.build(ids.shape)
        features = ops.convert_to_numpy(self._features(ops.convert_to_tensor(ids)))
        self.naive_bayes.adapt(features, labels)

    def call(self, ids: Any) -> Any:
        return self.naive_bayes(self._features(ids))

    def _features(self, ids: Any) -> Any:
        """Return the numbers of the tokens, then those of the pairs, which follow on them."""
        if self.bigrams is None:
            return ids
        pairs = self.bigrams(ids)
        pairs = ops.where(pairs > 0, pairs + self.vocab_size - 1, 0)
        return ops.concatenate([ops.cast(ids, pairs.dtype), pairs], axis=1)

    def compute_output_shape(self, ids_shape: Any) -> Any:
        return (ids_shape[0], self.num_labels)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "vocab_size": self.vocab_size,
            "num_labels": self.num_labels,
            "pairs": None if self.bigrams is None else self.bigrams.pairs,
            "initial_weight": self.initial_weight,
        }


@keras.saving.register_keras_serializable(package="keras_seq")
class WeightArrayExpert(keras.layers.Layer):
    """Weight array model: runs of symbols, each scored by its place from the middle of a sequence.

    For sequences that are aligned at their middle, such as splice sites (Zhang & Marr 1993; Burge &
    Karlin 1997). Its ratios come from `adapt`, which must be called before the layer is of use;
    their weights are learned.

    >>> import numpy as np
    >>> from keras_seq.layers import WeightArrayExpert
    >>> expert = WeightArrayExpert([[0, 0], [0, 0], [1, 0], [0, 1]], 2, order=1, window=2)
    >>> sequences, labels = np.array([[2, 3], [3, 2]]), np.eye(2)
    >>> expert.adapt(sequences, labels)
    >>> expert(sequences).numpy().argmax(axis=1).tolist()
    [0, 1]

    Args:
        symbols: Probability of each symbol for each id `(vocab_size, symbols)`, such as a
            `vector_table`. A token may stand for several symbols.
        num_labels: Number of labels.
        order: Number of symbols of a run.
        window: Number of time steps around the middle that are scored.
        initial_weight: Weight of each ratio before training.

    Call arguments:
        ids: Ids of tokens `(batch, timesteps)`, 0 for padding.

    Returns:
        Logits `(batch, num_labels)`.
    """

    def __init__(
        self,
        symbols: Sequence[Sequence[float]] | np.ndarray,
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

    def build(self, ids_shape: Any) -> None:
        self.weight_array.build((*ids_shape, self.symbols.shape[1]))

    def adapt(self, ids: Any, labels: Any) -> None:
        """Count which runs go with which labels at which places.

        Args:
            ids: Ids of the tokens of all training sequences.
            labels: Weight of each label for each sequence `(sequences, num_labels)`.
        """
        if not self.built:
            self.build(ids.shape)
        self.weight_array.adapt(*self._features(ops.convert_to_tensor(ids)), labels)

    def call(self, ids: Any) -> Any:
        return self.weight_array(*self._features(ids))

    def _features(self, ids: Any) -> tuple[Any, Any]:
        """Return the probabilities of symbols at each time step, and the mask."""
        symbols = ops.cast(ops.take(self.symbols, ids, axis=0), self.compute_dtype)
        return symbols, ops.not_equal(ids, 0)

    def compute_output_shape(self, ids_shape: Any) -> Any:
        return (ids_shape[0], self.num_labels)

    def get_config(self) -> dict[str, Any]:
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

    The sum is for experts that see different things, as naive Bayes takes its features to be
    independent. The mean is for experts that see the same, which the sum would count twice.

    >>> import numpy as np
    >>> from keras_seq.layers import LogitMixture
    >>> LogitMixture("mean")([np.array([[1.0, 3.0]]), np.array([[3.0, 3.0]])]).numpy().tolist()
    [[2.0, 3.0]]

    Args:
        mode: "sum" or "mean".

    Call arguments:
        logits: List of logits `(batch, labels)`.

    Returns:
        Logits `(batch, labels)`.

    Raises:
        InputError: If there is no such mode.
    """

    def __init__(self, mode: Literal["sum", "mean"] = "sum", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if mode not in ("sum", "mean"):
            raise unknown_name("mode of LogitMixture", mode, ("sum", "mean"))
        self.mode = mode

    def call(self, logits: Sequence[Any]) -> Any:
        total = sum(logits[1:], start=logits[0])
        return total / len(logits) if self.mode == "mean" else total

    def compute_output_shape(self, logits_shape: Any) -> Any:
        return logits_shape[0]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mode": self.mode}
