"""Base class of models that read text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from keras_seq.layers.recurrent.layer_factory import directions
from keras_seq.layers.recurrent.stack import RNNStack
from keras_seq.layers.text.token_embedding import TokenEmbedding
from keras_seq.models.base import BaseModel
from keras_seq.text.encoder import Text, TextEncoder
from keras_seq.text.tokenizer_choice import TokenizerReport


class TextModel(BaseModel):
    """Base class of models with a text encoder, feature layers and recurrent layers.

    `keras_seq.models.transfer` copies trained weights from one such model to another.
    """

    encoder: TextEncoder
    """Encoder of input texts."""
    features: Sequence[keras.layers.Layer]
    stack: Any
    """`RNNStack`, or a list of them."""
    tokenizer_report: TokenizerReport | None = None
    """How the tokenizer reproduces the training tokens from raw text, if that was measured."""

    @property
    def token_embedding(self) -> TokenEmbedding | None:
        """The first trainable embedding among the features, or None."""
        embeddings = (f for f in self.features if isinstance(f, TokenEmbedding) and f.trainable)
        return next(embeddings, None)

    @property
    def first_recurrent(self) -> keras.layers.RNN:
        """The first recurrent layer, or its forward layer if it is bidirectional."""
        stack = self.stack if isinstance(self.stack, RNNStack) else self.stack[0]
        return directions(stack.recurrent_layers[0])[0]

    def trace_inputs(self, example: Text, target: Any = None) -> tuple[Any, list[str]]:
        """Return the inputs of the network for one text, and its tokens.

        Args:
            example: Text, or the list of its tokens.
            target: Not used.

        Returns:
            Inputs (a batch of one) and the tokens.
        """
        return self.encode([example]).inputs, self.encoder.tokenize(example)
