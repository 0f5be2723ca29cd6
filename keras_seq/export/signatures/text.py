"""Base of the adapters for models that read texts."""

from typing import Any

from keras_seq.export.signatures.base import Adapter
from keras_seq.text.vocabulary import END


class TextAdapter(Adapter):
    """Adapter of a model that encodes lists of tokens; these are the examples."""

    def example_inputs(self) -> list[list[str]]:
        """Return lists of 1 to 60 tokens of the model's vocabulary."""
        known = [token for token in self.model._tokens.tokens[2:] if token != END]
        return [known[start : start + n] or known for start, n in enumerate((1, 5, 20, 60))]

    def texts(self, examples: list[list[str]]) -> list[str]:
        """Return the texts of lists of tokens."""
        return [self.model.text_of(tokens) for tokens in examples]

    def text_batches(self, examples: list[list[str]]) -> list[list[list[str]]]:
        """Return the arguments of a function of texts: one text; all, and an empty one."""
        texts = self.texts(examples)
        return [[texts[-1:]], [[*texts, ""]]]

    def encoded_batches(self, examples: list[list[str]]) -> list[list[Any]]:
        """Return the model's inputs for the last list of tokens alone, and for all of them."""
        batches = examples[-1:], examples
        return [list(self.model.encode(batch).inputs.values()) for batch in batches]
