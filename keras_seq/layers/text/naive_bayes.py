"""Naive Bayes with learned weights: of sets of features, and of n-grams by position."""

from collections.abc import Iterable
from typing import Annotated, Any, cast

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.ranges import FiniteFloat, PositiveInt, Range, check_arguments
from keras_seq._internal.types import Array, ArrayLike, Config, Shape, Tensor

LabelCount = Annotated[int, Range(2, is_integer=True)]
"""Number of labels."""
MIN_WEIGHT = 1e-6
"""Sum of the weights of examples up to which a feature occurs in none, because sums are rounded."""


@keras.saving.register_keras_serializable(package="keras_seq")
class NaiveBayes(keras.layers.Layer):
    """Naive Bayes over a set of features, with learned weights (NBSVM, Wang & Manning 2012).

    The logit of a label is a sum over the features of an example: the log-count ratio of feature
    and label, times a learned weight. Next to recurrent layers it is the wide part of a wide and
    deep model (Cheng et al. 2016). Call `adapt` before you use the layer.

    >>> import numpy as np
    >>> from keras import ops
    >>> from keras_seq.layers import NaiveBayes
    >>> layer = NaiveBayes(num_features=2, num_labels=2)
    >>> layer.adapt(np.array([[1, 0], [2, 1]]), np.eye(2))
    >>> ops.convert_to_numpy(layer(np.array([[2, 0]]))).argmax(axis=1).tolist()
    [1]

    Args:
        num_features: Number of features, whose ids start at 1.
        num_labels: Number of labels, at least 2.
        initial_weight: Weight of each log-count ratio before training. Default: 0.05, since
            correlated features would otherwise be counted several times.
        normalize: Whether to divide the sum by the square root of the number of features, so that
            long examples are not classified with more confidence than short ones.

    Call arguments:
        inputs: Ids of features `(batch, n)`, 0 for padding.

    Returns:
        Logits `(batch, num_labels)`.

    Weights: `log_count_ratios` `(num_features + 1, num_labels)`, counted, and `feature_weights` of
    the same shape, learned.

    Raises:
        InputError: If `num_features` is not positive, or `num_labels` is less than 2.
    """

    def __init__(
        self,
        num_features: PositiveInt,
        num_labels: LabelCount,
        initial_weight: FiniteFloat = 0.05,
        normalize: bool = False,
        **kwargs: Any,
    ) -> None:
        check_arguments(NaiveBayes, locals())
        super().__init__(**kwargs)
        self.num_features, self.num_labels = num_features, num_labels
        self.initial_weight, self.normalize = initial_weight, normalize

    def build(self, input_shape: Shape) -> None:
        _add_weights(self, (self.num_features + 1, self.num_labels))

    def adapt(self, features: Iterable[Array], labels: Array) -> None:
        """Count the features of each label, with add-one smoothing.

        Features that occur in no example, such as words of an earlier training, say nothing: their
        ratio is 0.

        Args:
            features: Ids of the features of all examples `(examples, n)`. A feature that occurs
                twice in an example counts once.
            labels: Weight of each label for each example `(examples, num_labels)`.
        """
        if not self.built:
            self.build((None, None))
        counts = self._count((_count_features(row)[0] for row in features), labels)
        occurs = _occurs(counts)
        ratios = np.zeros_like(counts)
        ratios[occurs] = _log_count_ratios(counts[occurs])
        self.log_count_ratios.assign(ratios)

    def leave_one_out(self, features: Iterable[Array], labels: Array) -> Array:
        """Return the logits of training examples, each without its own counts.

        The logits of a call are too confident on training examples, because their labels were
        counted. These are as for new examples.

        Args:
            features: As in `adapt`, of all training examples.
            labels: As in `adapt`.

        Returns:
            Logits `(examples, num_labels)`, as of a layer that all other examples were counted in.
        """
        if not self.built:
            self.build((None, None))
        rows = [_count_features(row) for row in features]
        counts = self._count([ids for ids, _ in rows], labels)
        totals = counts[_occurs(counts)].sum(axis=0)
        feature_weights = ops.convert_to_numpy(self.feature_weights)
        logits = np.zeros((len(rows), self.num_labels))
        for number, ((ids, frequencies), label) in enumerate(zip(rows, labels)):
            other = counts[ids] - label
            occurs = _occurs(other)
            other_totals = totals - len(ids) * label - (~occurs).sum()
            scores = _log_count_ratios(other[occurs], other_totals) * feature_weights[ids[occurs]]
            logits[number] = frequencies[occurs] @ scores
            if self.normalize:
                logits[number] /= max(1, frequencies.sum()) ** 0.5
        return logits

    def scale(self, factor: float) -> None:
        """Multiply all learned weights, and so the logits, by a factor."""
        self.feature_weights.assign(self.feature_weights * factor)

    def _count(self, rows: Iterable[Array], labels: Array) -> Array:
        """Return the weights of the labels of each feature, plus one.

        Args:
            rows: Different features of each example.
            labels: As in `adapt`.
        """
        counts = np.ones((self.num_features + 1, self.num_labels))
        for ids, label in zip(rows, labels):
            counts[ids] += label
        return counts

    def call(self, inputs: Tensor) -> Tensor:
        ratios = ops.take(self.log_count_ratios, inputs, axis=0)
        logits = ops.sum(ratios * ops.take(self.feature_weights, inputs, axis=0), axis=1)
        if self.normalize:
            is_feature = ops.cast(ops.not_equal(inputs, 0), logits.dtype)
            count = ops.sum(is_feature, axis=1, keepdims=True)
            logits /= ops.sqrt(ops.maximum(count, 1))
        return logits

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.num_labels)

    def get_config(self) -> Config:
        names = ("num_features", "num_labels", "initial_weight", "normalize")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable(package="keras_seq")
class WeightArrayModel(keras.layers.Layer):
    """Weight array model of sequences that are aligned at their middle, such as splice sites.

    It is naive Bayes over the n-grams at each position relative to the middle, with learned weights
    as in `NaiveBayes` (Zhang & Marr 1993; with n = 3, Burge & Karlin 1997). Call `adapt` before you
    use the layer.

    >>> import numpy as np
    >>> from keras import ops
    >>> from keras_seq.layers import WeightArrayModel
    >>> layer = WeightArrayModel(num_labels=2, order=1, window=2)
    >>> symbols = np.eye(2, dtype="float32")[[[0, 1], [1, 0]]]  # 2 sequences of 2 symbols
    >>> mask = np.ones((2, 2), "bool")
    >>> layer.adapt(symbols, mask, np.eye(2))
    >>> ops.convert_to_numpy(layer(symbols, mask)).argmax(axis=1).tolist()
    [0, 1]

    Args:
        num_labels: Number of labels, at least 2.
        order: Number of symbols of an n-gram, at least 1.
        window: Number of time steps around the middle that are scored, at least `order`. The middle
            of a sequence of odd length is just before its middle symbol.
        initial_weight: Weight of each log-count ratio before training.

    Call arguments:
        symbols: Probability of each symbol at each time step, `(batch, timesteps, symbols)`. An
            ambiguous time step counts fractionally for each symbol.
        mask: Bools `(batch, timesteps)`, False only after the end of a sequence.

    Returns:
        Logits `(batch, num_labels)`.

    Weights: `log_count_ratios` `((window - order + 1) * symbols ** order, num_labels)`, counted,
    and `feature_weights` of the same shape, learned.

    Raises:
        InputError: If `num_labels` is less than 2, or `order` is not from 1 to `window`.
    """

    def __init__(
        self,
        num_labels: LabelCount,
        order: PositiveInt = 3,
        window: PositiveInt = 60,
        initial_weight: FiniteFloat = 0.05,
        **kwargs: Any,
    ) -> None:
        check_arguments(WeightArrayModel, locals())
        super().__init__(**kwargs)
        if order > window:
            raise InputError(
                f"WeightArrayModel: `order` must be at most `window`, {window}, got {order}."
            )
        self.num_labels, self.order, self.window = num_labels, order, window
        self.initial_weight = initial_weight
        self.supports_masking = True

    def build(self, symbols_shape: Shape, mask_shape: Shape | None = None) -> None:
        num_symbols = cast(int, symbols_shape[-1])
        num_ngrams = (self.window - self.order + 1) * num_symbols**self.order
        _add_weights(self, (num_ngrams, self.num_labels))

    def adapt(
        self, symbols: ArrayLike, mask: ArrayLike, labels: Array, batch_size: int = 256
    ) -> None:
        """Count the n-grams of each label at each position, with add-one smoothing.

        Args:
            symbols: As in a call, for all examples.
            mask: As in a call, for all examples.
            labels: Weight of each label for each example `(examples, num_labels)`.
            batch_size: Number of examples that are counted at a time.
        """
        if not self.built:
            self.build(symbols.shape)
        counts = np.ones(self.log_count_ratios.shape)
        for start in range(0, len(symbols), batch_size):
            rows = slice(start, start + batch_size)
            ngrams = ops.convert_to_numpy(self._ngrams(symbols[rows], mask[rows]))
            counts += ngrams.T @ labels[rows]
        self.log_count_ratios.assign(_log_count_ratios(counts))

    def _ngrams(self, symbols: Tensor, mask: Tensor) -> Tensor:
        """Return the probability of each n-gram at each position, `(batch, num_ngrams)`."""
        steps = ops.arange(ops.shape(symbols)[1])
        middle = ops.sum(ops.cast(mask, "int32"), axis=1) // 2
        window = middle[:, None] + (np.arange(self.window, dtype="int32") - self.window // 2)
        selection = ops.equal(window[:, :, None], steps) & mask[:, None, :]
        x = ops.matmul(ops.cast(selection, symbols.dtype), symbols)
        count = self.window - self.order + 1
        ngrams = x[:, :count]
        for offset in range(1, self.order):
            following = x[:, offset : offset + count]
            ngrams = ops.expand_dims(ngrams, -1) * following[:, :, None, :]
            ngrams = ops.reshape(ngrams, (-1, count, symbols.shape[-1] ** (offset + 1)))
        return ops.reshape(ngrams, (-1, count * symbols.shape[-1] ** self.order))

    def call(self, symbols: Tensor, mask: Tensor) -> Tensor:
        ngrams = self._ngrams(symbols, ops.cast(mask, "bool"))
        return ops.matmul(ngrams, self.log_count_ratios * self.feature_weights)

    def compute_mask(self, symbols: Tensor, previous_mask: Tensor | None) -> None:
        return None  # The output has no time steps.

    def compute_output_shape(self, symbols_shape: Shape, mask_shape: Shape | None = None) -> Shape:
        return (symbols_shape[0], self.num_labels)

    def get_config(self) -> Config:
        names = ("num_labels", "order", "window", "initial_weight")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _add_weights(layer: NaiveBayes | WeightArrayModel, shape: Shape) -> None:
    layer.log_count_ratios = layer.add_weight(
        shape, "zeros", name="log_count_ratios", trainable=False
    )
    layer.feature_weights = layer.add_weight(
        shape,
        keras.initializers.Constant(layer.initial_weight),
        trainable=layer.trainable,
        name="feature_weights",
    )


def _count_features(row: Array) -> tuple[Array, Array]:
    """Return the different features of an example, without padding, and their frequencies."""
    row = np.asarray(row)
    return np.unique(row[row > 0], return_counts=True)


def _occurs(counts: Array) -> Array:
    """Return whether each feature occurs in an example, from counts of `NaiveBayes._count`."""
    return counts.sum(axis=1) > counts.shape[1] + MIN_WEIGHT


def _log_count_ratios(counts: Array, totals: Array | None = None) -> Array:
    """Return the logarithm of P(feature | label) / P(feature | other labels).

    Args:
        counts: `(features, labels)`, all positive.
        totals: Sum of the counts over all features, `(labels,)`. Default: the sum of `counts`.
    """
    totals = counts.sum(axis=0) if totals is None else totals
    others = counts.sum(axis=1, keepdims=True) - counts
    return np.log(counts / totals) - np.log(others / (totals.sum() - totals))
