"""Base class of the adapters of text models."""

from typing import Any

from keras_seq._internal.types import Tensor
from keras_seq.export.signatures.base import Adapter
from keras_seq.models.token_inputs import MAX_CHARACTERS
from keras_seq.text.code_points import token_code_points_tf
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


class TokenInputsAdapter(TextAdapter):
    """Adapter of a model that reads token ids and, if a layer does so, characters."""

    def input_signature(self) -> list[Any]:
        """Return a `tf.TensorSpec` of each input: "tokens", and "characters" if they are read."""
        import tensorflow as tf

        signature = [tf.TensorSpec([None, None], tf.int32, "tokens")]
        if self.model.reads_characters:
            signature.append(tf.TensorSpec([None, None, MAX_CHARACTERS], tf.int32, "characters"))
        return signature

    def input_tensors(self, texts: Tensor) -> dict[str, Tensor]:
        """Return the inputs of the network for texts, in a TensorFlow graph.

        A text without tokens counts as one unknown token.

        Args:
            texts: Strings `(batch,)`.

        Raises:
            InputError: If the model reads characters, and its tokenizer is "wordpiece" with
                `lowercase=True`.
        """
        # All texts may be empty.
        ids = self.encoder.encode_tf(texts, unk_if_empty=True).ids
        inputs = {"tokens": ids}
        if self.model.reads_characters:
            spellings = pad_like(self.encoder.spellings_tf(texts), ids)
            inputs["characters"] = token_code_points_tf(spellings, MAX_CHARACTERS)
        return inputs

    def metadata(self) -> dict[str, Any]:
        """Return the tokenizer, and the number of characters of a token if they are read."""
        metadata = tokenizer_metadata(self.encoder)
        if self.model.reads_characters:
            metadata["max_characters"] = MAX_CHARACTERS
        return metadata


def pad_like(tokens: Any, ids: Tensor) -> Tensor:
    """Return tokens padded with empty strings to the shape of ids.

    Args:
        tokens: Ragged strings `(batch, (tokens))`.
        ids: Ids of tokens `(batch, timesteps)`.
    """
    import tensorflow as tf

    strings = tokens.to_tensor("")
    missing = tf.shape(ids)[1] - tf.shape(strings)[1]
    return tf.pad(strings, [[0, 0], [0, missing]], constant_values="")
