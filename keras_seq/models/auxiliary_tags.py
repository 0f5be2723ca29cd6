"""Output layer for an auxiliary task of a tagger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from keras_seq._internal.errors import check_list
from keras_seq._internal.ranges import Probability, check_arguments
from keras_seq._internal.types import Config, Shape, Tensor
from keras_seq.layers.named_weights import AxisNames, NamedWeight, dense_weights
from keras_seq.text.encoder import TextEncoder


@keras.saving.register_keras_serializable(package="keras_seq")
class AuxiliaryTags(keras.layers.Layer):
    """Output layer for an auxiliary task of a `SequenceTagger`, such as part-of-speech tagging.

    Id 0 is padding, and 1 stands for all unknown tags.

    >>> from keras import ops
    >>> from keras_seq.models import AuxiliaryTags
    >>> head = AuxiliaryTags(["noun", "verb"])
    >>> head.encode(["verb", "adverb", "noun"])
    [3, 1, 2]
    >>> tuple(head(ops.zeros((1, 3, 8))).shape)
    (1, 3, 4)

    Args:
        names: Names of the tags, at least one, all different.
        dropout: Fraction of the inputs to drop in training.

    Call arguments:
        inputs: `(batch, timesteps, features)`.
        training: Whether dropout applies.

    Returns:
        Logits `(batch, timesteps, names + 2)`.

    Raises:
        InputError: If there are no names, or two are equal.
    """

    def __init__(self, names: Sequence[str], dropout: Probability = 0.3, **kwargs: Any) -> None:
        check_arguments(AuxiliaryTags, locals())
        super().__init__(**kwargs)
        self.supports_masking = True
        self.encoder = TextEncoder(names)
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy)
        self.output_layer = keras.layers.Dense(
            self.encoder.vocab_size, dtype=self.dtype_policy, name="logits"
        )

    def encode(self, names: Sequence[str]) -> list[int]:
        """Return the ids of tags.

        Args:
            names: Names of the tags.
        """
        check_list(names, "tags")
        return self.encoder.encode(list(names))

    def build(self, input_shape: Shape) -> None:
        self.output_layer.build(input_shape)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        return self.output_layer(self.dropout(inputs, training=training))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.encoder.vocab_size)

    def named_weights(self) -> list[NamedWeight]:
        """Return the weights, whose last axis is indexed by the tags."""
        return dense_weights(self.output_layer, AxisNames("auxiliary tags", self.encoder.tokens))

    def get_config(self) -> Config:
        arguments = {"names": self.encoder.vocabulary, "dropout": self.dropout.rate}
        return {**super().get_config(), **arguments}
