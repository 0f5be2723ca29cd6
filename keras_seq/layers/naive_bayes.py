"""Scores of what is there, whatever its order."""

import keras
import numpy as np
from keras import ops

from keras_seq.errors import InputError


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
        others = counts.sum(axis=1, keepdims=True) - counts
        ratios = np.log(counts / counts.sum(axis=0)) - np.log(others / others.sum(axis=0))
        ratios[0] = 0.0
        self.ratios.assign(ratios)

    def call(self, inputs):
        return ops.sum(ops.take(self.ratios * self.learnt, inputs, axis=0), axis=1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.labels)

    def get_config(self):
        names = ("features", "labels", "start")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
