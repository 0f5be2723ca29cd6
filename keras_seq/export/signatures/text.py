"""Base class of the adapters of text models."""

from typing import Any

from keras_seq.export.signatures.base import Adapter
from keras_seq.text.encoder import TextEncoder


def tokenizer_metadata(encoder: TextEncoder) -> dict[str, Any]:
    """Return what another program needs to turn texts into ids as an encoder does.

    Args:
        encoder: Text encoder.
    """
    rule = encoder.split_rule
    return {
        "tokenizer": encoder.tokenizer,
        "lowercase": encoder.lowercase,
        "tokens": encoder.tokens,
        **({} if rule is None else {"split_rule": rule.to_metadata()}),
    }


class TextAdapter(Adapter):
    """Adapter of a model with a text encoder. Examples are lists of tokens."""

    @property
    def encoder(self) -> TextEncoder:
        """Text encoder of the inputs."""
        return self.model.encoder

    def example_inputs(self) -> list[list[str]]:
        """Return four lists of at most 60 tokens from the vocabulary."""
        tokens = self.encoder.vocabulary
        return [tokens[start : start + n] or tokens for start, n in enumerate((1, 5, 20, 60))]

    def texts(self, examples: list[list[str]]) -> list[str]:
        """Return the texts of lists of tokens."""
        return [self.encoder.detokenize(tokens) for tokens in examples]

    def text_batches(self, examples: list[list[str]]) -> list[list[list[str]]]:
        """Return batches of texts: the last text, and all texts with an empty one."""
        texts = self.texts(examples)
        return [[texts[-1:]], [[*texts, ""]]]

    def encoded_batches(self, examples: list[list[str]]) -> list[list[Any]]:
        """Return batches of inputs: of the last example, and of all."""
        batches = examples[-1:], examples
        return [list(self.model.encode(batch).inputs.values()) for batch in batches]
