"""Scores of what is there: naive Bayes, whatever the order, or by place."""

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError


@keras.saving.register_keras_serializable(package="keras_seq")
class NaiveBayes(keras.layers.Layer):
    """Adds up what each feature says of each label: naive Bayes whose weights are learnt (NBSVM).

    The score of a label is the sum, over the features that are there, of the logarithm of how much
    more often the label has the feature than the others have, times a weight (Wang & Manning
    2012). Beside a recurrent layer it is the wide half of a model (Cheng et al. 2016): short texts
    often are what single words of them are. `count` must be called before the layer is of use.

    Args:
        features: How many there are, numbered from 1.
        labels: How many there are.
        start: Of the weights, small, since features that go together count twice.

    Input: integers `(batch, n)`, 0 where there is none. Output: `(batch, labels)`.

    Weights: `ratios` (features + 1, labels), counted; `weights` (features + 1, labels), learnt.
    """

    def __init__(self, features, labels, start=0.05, **kwargs):
        super().__init__(**kwargs)
        if features < 1 or labels < 2:
            raise InputError(
                f"NaiveBayes needs at least 1 feature and 2 labels, got {features} and {labels}."
            )
        self.features, self.labels, self.start = features, labels, start

    def build(self, input_shape):
        shape = (self.features + 1, self.labels)
        self.ratios = self.add_weight(shape, "zeros", name="ratios", trainable=False)
        self.learnt = self.add_weight(
            shape, keras.initializers.Constant(self.start), name="weights"
        )

    def count(self, features, labels):
        """Counts which features go with which labels; one more of each, so that none is never.

        Args:
            features: Integers `(examples, n)`; what is there twice counts once.
            labels: How much each label is that of each example, `(examples, labels)`.
        """
        counts = np.ones((self.features + 1, self.labels))
        for row, label in zip(features, labels):
            counts[np.unique(row)] += label
        ratios = _ratios(counts)
        ratios[0] = 0.0
        self.ratios.assign(ratios)

    def call(self, inputs):
        return ops.sum(ops.take(self.ratios * self.learnt, inputs, axis=0), axis=1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.labels)

    def get_config(self):
        names = ("features", "labels", "start")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable(package="keras_seq")
class WeightArray(keras.layers.Layer):
    """Adds up what each run of symbols says of each label at its place, counted from the middle.

    The weight array model of splice sites (Zhang & Marr 1993, of runs of three Burge & Karlin
    1997), which is naive Bayes by place, with weights that are learnt as of `NaiveBayes`. It is for
    sequences whose middle says where all else is. `count` must be called before the layer is of
    use.

    Args:
        labels: How many there are.
        run: Symbols in a row that count as one.
        places: How many symbols around the middle are looked at, at most; if the length of a
            sequence is odd, the middle is before its middle symbol.
        start: Of the weights.

    Input: how likely each symbol is at each step, `(batch, timesteps, symbols)`; what may be
    several symbols counts as a part of each. The mask `(batch, timesteps)` is False after the end
    alone. Output: `(batch, labels)`.

    Weights: `ratios` (runs * symbols ** run, labels), counted, where runs is places - run + 1, and
    `weights` of the same shape, learnt.
    """

    def __init__(self, labels, run=3, places=60, start=0.05, **kwargs):
        super().__init__(**kwargs)
        if labels < 2 or not 1 <= run <= places:
            raise InputError(
                "WeightArray needs at least 2 labels, and places for a run of at least 1, got "
                f"{labels} labels, and {places} places for a run of {run}."
            )
        self.labels, self.run, self.places, self.start = labels, run, places, start
        self.supports_masking = True

    def build(self, symbols_shape, mask_shape=None):
        shape = ((self.places - self.run + 1) * symbols_shape[-1] ** self.run, self.labels)
        self.ratios = self.add_weight(shape, "zeros", name="ratios", trainable=False)
        self.learnt = self.add_weight(
            shape, keras.initializers.Constant(self.start), name="weights"
        )

    def count(self, symbols, mask, labels, batch_size=256):
        """Counts which runs go with which labels; one more of each, so that none is never.

        Args:
            symbols, mask: As `call` takes them, of all examples.
            labels: How much each label is that of each example, `(examples, labels)`.
            batch_size: Examples at a time.
        """
        counts = np.ones(self.ratios.shape)
        for i in range(0, len(symbols), batch_size):
            part = slice(i, i + batch_size)
            counts += ops.convert_to_numpy(self._runs(symbols[part], mask[part])).T @ labels[part]
        self.ratios.assign(_ratios(counts))

    def _runs(self, symbols, mask):
        """How much of each run is at each place: `(batch, runs * symbols ** run)`."""
        steps = ops.arange(ops.shape(symbols)[1])
        middle = ops.sum(ops.cast(mask, "int32"), axis=1) // 2
        wanted = middle[:, None] + (np.arange(self.places, dtype="int32") - self.places // 2)
        there = ops.equal(wanted[:, :, None], steps) & mask[:, None, :]
        x = ops.matmul(ops.cast(there, symbols.dtype), symbols)
        count = self.places - self.run + 1
        runs = x[:, :count]
        for later in range(1, self.run):
            following = x[:, later : later + count]
            runs = ops.expand_dims(runs, -1) * following[:, :, None, :]
            runs = ops.reshape(runs, (-1, count, symbols.shape[-1] ** (later + 1)))
        return ops.reshape(runs, (-1, count * symbols.shape[-1] ** self.run))

    def call(self, symbols, mask):
        runs = self._runs(symbols, ops.cast(mask, "bool"))
        return ops.matmul(runs, self.ratios * self.learnt)

    def compute_mask(self, symbols, previous_mask):
        return None  # no steps are left

    def compute_output_shape(self, symbols_shape, mask_shape=None):
        return (symbols_shape[0], self.labels)

    def get_config(self):
        names = ("labels", "run", "places", "start")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _ratios(counts):
    """How much more often a label has a feature than the others have it, the logarithm.

    Args:
        counts: `(features, labels)`, none zero.
    """
    others = counts.sum(axis=1, keepdims=True) - counts
    return np.log(counts / counts.sum(axis=0)) - np.log(others / others.sum(axis=0))
