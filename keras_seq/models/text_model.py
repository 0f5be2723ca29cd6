"""Base class of models that read text."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import keras

from keras_seq._internal.errors import check_list
from keras_seq._internal.keras_compat import flatten_layers
from keras_seq.layers.named_weights import AxisNames, NamedWeight
from keras_seq.layers.recurrent.layer_factory import directions
from keras_seq.layers.recurrent.stack import RNNStack
from keras_seq.layers.text.token_embedding import TokenEmbedding
from keras_seq.models.base import BaseModel
from keras_seq.text.encoder import Text, TextEncoder
from keras_seq.text.tokenizer_choice import TokenizerReport, measure_tokenizer


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
    """Share of the training sentences that the tokenizer reproduces from raw text, or None."""

    @property
    def token_embedding(self) -> TokenEmbedding | None:
        """The first trainable embedding among the features, or None."""
        embeddings = (f for f in self.features if isinstance(f, TokenEmbedding) and f.trainable)
        return next(embeddings, None)

    @property
    def reads_characters(self) -> bool:
        """True if a feature layer or an expert reads the characters of tokens."""
        return isinstance(self.input, dict) and "characters" in self.input

    @property
    def first_recurrent(self) -> keras.layers.RNN:
        """The first recurrent layer, or its forward layer if it is bidirectional."""
        stack = self.stack if isinstance(self.stack, RNNStack) else self.stack[0]
        return directions(stack.recurrent_layers[0])[0]

    def named_weights(self) -> list[NamedWeight]:
        """Return the weights of the features whose axes are indexed by tokens."""
        return self._weights_by_token(*self.features)

    def _weights_by_token(self, *features: keras.layers.Layer) -> list[NamedWeight]:
        """Return the weights of layers that read ids, and of layers within them."""
        tokens = AxisNames("tokens", self.encoder.tokens)
        layers = [layer for feature in features for layer in flatten_layers(feature)]
        lists = [layer.named_weights(tokens) for layer in layers if hasattr(layer, "named_weights")]
        return [weight for weights in lists for weight in weights]

    def check_tokenizer(self, examples: Sequence[Text]) -> None:
        """Measure once whether the tokenizer reproduces lists of tokens from their raw text.

        Args:
            examples: Texts, which are not measured, or lists of tokens to train on.

        Raises:
            InputError: If `examples` is one text.

        Warns:
            UserWarning: If more than 1% of the lists are split into other tokens.
        """
        check_list(examples, "texts")
        tokenizer = self.encoder.text_tokenizer
        sentences = [tokens for tokens in examples if not isinstance(tokens, str)]
        if self.tokenizer_report is not None or tokenizer.metaspace or not sentences:
            return
        self.tokenizer_report = measure_tokenizer(tokenizer, sentences)
        if message := self.tokenizer_report.warning:
            warnings.warn(
                f"{self.tokenizer_report}\n{message}\nkeras_seq.text.choose_tokenizer chooses a "
                "tokenizer for lists of tokens.",
                stacklevel=3,
            )

    def measure_tokenizer(self, examples: Sequence[Text]) -> TokenizerReport | None:
        """Return how the tokenizer reproduces lists of tokens from their raw text.

        Return `tokenizer_report` if there is one. Otherwise lists of symbols such as notes are
        measured, joined by blanks if the tokenizer does so.

        Args:
            examples: Texts or lists of tokens.

        Returns:
            The report, or None for texts, which the model itself tokenizes.
        """
        if isinstance(next(iter(examples), ""), str):
            return None
        if self.tokenizer_report is not None:
            return self.tokenizer_report
        tokenizer = self.encoder.text_tokenizer
        joining = "blanks" if tokenizer.separator else "unspaced"
        return measure_tokenizer(tokenizer, examples, joining=joining)

    def trace_inputs(self, example: Text, target: Any = None) -> tuple[Any, list[str]]:
        """Return the inputs of the network for one text, and its tokens.

        Args:
            example: Text, or the list of its tokens.
            target: Not used.

        Returns:
            Inputs (a batch of one) and the tokens.
        """
        return self.encode([example]).inputs, self.encoder.tokenize(example)
