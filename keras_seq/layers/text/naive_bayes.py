"""Naive Bayes with learned weights: of sets of features, and of n-grams by position."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, NamedTuple, cast

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
ADAPT_BATCH_SIZE = 1_024
"""Number of examples that are counted at a time."""


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
        self._adapt(distinct_features(features, self.num_features), labels)

    def adapt_leave_one_out(self, features: Iterable[Array], labels: Array) -> Array:
        """Adapt the layer, and return the logits of each example without its own counts.

        The logits of a call are too confident on training examples, because their labels were
        counted. These are as for new examples.

        Args:
            features: As in `adapt`.
            labels: As in `adapt`.

        Returns:
            Logits `(examples, num_labels)`, as of a layer that all other examples were counted in.
        """
        labels = np.asarray(labels)
        batches = list(distinct_features(features, self.num_features))
        counts = self._adapt(batches, labels)
        totals = counts[_occurs(counts)].sum(axis=0)
        feature_weights = ops.convert_to_numpy(self.feature_weights)
        logits = np.zeros(labels.shape)
        for batch in batches:
            num_features = np.bincount(batch.rows, minlength=len(labels))
            num_occurrences = np.bincount(batch.rows, batch.frequencies, len(labels))
            other = counts[batch.ids] - labels[batch.rows]
            occurs = _occurs(other)
            rows, ids, frequencies = (array[occurs] for array in batch)
            num_own = num_features - np.bincount(rows, minlength=len(labels))
            other_totals = totals - num_features[:, None] * labels - num_own[:, None]
            scores = _log_count_ratios(other[occurs], other_totals[rows]) * feature_weights[ids]
            if self.normalize:
                scores /= num_occurrences[rows, None] ** 0.5
            for label in range(self.num_labels):
                weighted = frequencies * scores[:, label]
                logits[:, label] += np.bincount(rows, weighted, len(labels))
        return logits

    def scale(self, factor: float) -> None:
        """Multiply all learned weights, and so the logits, by a factor."""
        self.feature_weights.assign(self.feature_weights * factor)

    def _adapt(self, batches: "Iterable[DistinctFeatures]", labels: Array) -> Array:
        """Set the log-count ratios, and return the weights of the labels of each feature, plus one.

        Args:
            batches: Features of batches of examples.
            labels: As in `adapt`.
        """
        if not self.built:
            self.build((None, None))
        labels = np.asarray(labels)
        counts = np.ones((self.num_features + 1, self.num_labels))
        for rows, ids, _ in batches:
            for label in range(self.num_labels):
                np.add.at(counts[:, label], ids, labels[rows, label])
        occurs = _occurs(counts)
        ratios = np.zeros_like(counts)
        ratios[occurs] = _log_count_ratios(counts[occurs])
        self.log_count_ratios.assign(ratios)
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


class DistinctFeatures(NamedTuple):
    """Features of a batch of examples, each once per example."""

    rows: Array
    """Number of the example, from 0."""
    ids: Array
    """Id of the feature."""
    frequencies: Array
    """Number of times that the feature occurs in the example."""


def distinct_features(features: Iterable[Array], num_features: int) -> Iterator[DistinctFeatures]:
    """Yield the features of examples, without padding, in batches.

    Args:
        features: Ids of each example, `(features,)`; 0 is padding.
        num_features: Largest id.
    """
    examples = [np.asarray(row) for row in features]
    for start in range(0, len(examples), ADAPT_BATCH_SIZE):
        batch = examples[start : start + ADAPT_BATCH_SIZE]
        ids = np.concatenate(batch).astype("int64")
        rows = np.repeat(np.arange(start, start + len(batch)), [len(row) for row in batch])
        is_feature = ids > 0
        keys = rows[is_feature] * (num_features + 1) + ids[is_feature]
        keys, frequencies = np.unique(keys, return_counts=True)
        yield DistinctFeatures(*np.divmod(keys, num_features + 1), frequencies)


def _occurs(counts: Array) -> Array:
    """Return whether each feature occurs in an example, from counts of `NaiveBayes._adapt`."""
    return counts.sum(axis=1) > counts.shape[1] + MIN_WEIGHT


def _log_count_ratios(counts: Array, totals: Array | None = None) -> Array:
    """Return the logarithm of P(feature | label) / P(feature | other labels).

    Args:
        counts: `(features, labels)`, all positive.
        totals: Sum of the counts over all features, `(labels,)`, or one for each row of `counts`,
            `(features, labels)`. Default: the sum of `counts`.
    """
    totals = counts.sum(axis=0) if totals is None else totals
    others = counts.sum(axis=1, keepdims=True) - counts
    other_totals = totals.sum(axis=-1, keepdims=True) - totals
    return np.log(counts / totals) - np.log(others / other_totals)
