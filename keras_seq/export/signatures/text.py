"""Base of the adapters for models that read texts."""

from typing import Any

from keras_seq.export.signatures.base import Adapter
from keras_seq.text.encoder import TextEncoder


class TextAdapter(Adapter):
    """Adapter of a model that encodes lists of tokens; these are the examples."""

    @property
    def encoder(self) -> TextEncoder:
        """The encoder of the texts that the model reads."""
        return self.model.encoder

    def example_inputs(self) -> list[list[str]]:
        """Return lists of 1 to 60 tokens of the vocabulary."""
        known = self.encoder.vocabulary
        return [known[start : start + n] or known for start, n in enumerate((1, 5, 20, 60))]

    def texts(self, examples: list[list[str]]) -> list[str]:
        """Return the texts of lists of tokens."""
        return [self.encoder.detokenize(tokens) for tokens in examples]

    def text_batches(self, examples: list[list[str]]) -> list[list[list[str]]]:
        """Return the arguments of a function of texts: one text; all, and an empty one."""
        texts = self.texts(examples)
        return [[texts[-1:]], [[*texts, ""]]]

    def encoded_batches(self, examples: list[list[str]]) -> list[list[Any]]:
        """Return the model's inputs for the last list of tokens alone, and for all of them."""
        batches = examples[-1:], examples
        return [list(self.model.encode(batch).inputs.values()) for batch in batches]
