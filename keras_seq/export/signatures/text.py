"""Base class of the adapters of text models."""

from typing import Any

from keras_seq.export.signatures.base import Adapter
from keras_seq.text.encoder import TextEncoder


class TextAdapter(Adapter):
    """Adapter of a model with a text encoder. Examples are lists of tokens."""

    @property
    def encoder(self) -> TextEncoder:
        """Text encoder of the inputs."""
        return self.model.encoder

    def example_inputs(self) -> list[list[str]]:
        """Return lists of 1 to 60 tokens from the vocabulary."""
        tokens = self.encoder.vocabulary
        return [tokens[start : start + n] or tokens for start, n in enumerate((1, 5, 20, 60))]

    def texts(self, examples: list[list[str]]) -> list[str]:
        """Return the texts of lists of tokens."""
        return [self.encoder.detokenize(tokens) for tokens in examples]

    def text_batches(self, examples: list[list[str]]) -> list[list[list[str]]]:
        """Return arguments of a function of texts: one text, and all with an empty one."""
        texts = self.texts(examples)
        return [[texts[-1:]], [[*texts, ""]]]

    def encoded_batches(self, examples: list[list[str]]) -> list[list[Any]]:
        """Return the inputs of the model for the last example, and for all."""
        batches = examples[-1:], examples
        return [list(self.model.encode(batch).inputs.values()) for batch in batches]
