"""What the models that read text have in common."""

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq.data.vectors import read_vectors
from keras_seq.text.subwords import splitter


class SequenceModel(keras.Model):
    """A functional model that knows tokens, and how a text becomes some.

    A layer named "embedding", if there is one, has the vectors of the tokens; the first recurrent
    layer is "recurrent_0", or is inside of "bidirectional_0".

    Args:
        inputs, outputs: As of `keras.Model`.
        arguments: Those that the model was made with, by name; "split" is one.
        tokens: `keras_seq.text.vocabulary.Vocabulary`.
    """

    def __init__(self, inputs, outputs, arguments, tokens):
        super().__init__(inputs, outputs, name=arguments["name"])
        self._arguments, self._tokens = arguments, tokens
        self._split = splitter(arguments["split"], tokens)

    def tokens_of(self, text):
        """The tokens of a text."""
        return [token for token, _, _ in self._split(text)]

    def text_of(self, tokens):
        """The text of tokens."""
        return self._split.joined(tokens)

    def continued(self, text, tokens):
        """A text and the tokens that follow on it, as one text."""
        return self._split.continued(text, tokens)

    def load_vectors(self, path, encoding="utf-8"):
        """Starts the embedding of known tokens from a file of word2vec, fastText or GloVe.

        Args:
            path: Text file, see `keras_seq.data.vectors.read_vectors`.
            encoding: Of the file.

        Returns:
            How many tokens of the vocabulary have a vector there.

        Raises:
            InputError: There is no embedding, or the file has vectors of another width.
        """
        found = read_vectors(path, set(self._tokens.tokens[2:]), encoding)
        self._embed(found, str(path))
        return len(found)

    def start_from(self, other):
        """Starts from what another model has learnt, such as a language model.

        Tokens that both know take its embedding. If the first recurrent layers have the same cell
        and as many units, ours (its forward half, if it reads from both ends) takes its weights; of
        the kernel, the rows of the embedding.

        Args:
            other: A trained model of `keras_seq.models`.

        Returns:
            How many tokens of the vocabulary have a vector there, and whether weights were taken.

        Raises:
            InputError: There is no embedding, none of the tokens is known there, or the embedding
                has another width.
        """
        if not isinstance(other._arguments["embedding"], int):
            raise InputError(f"{other.name} has no embedding to start from.")
        table = ops.convert_to_numpy(other.get_layer("embedding").embeddings)
        known = [token for token in self._tokens.tokens[2:] if token in other._tokens]
        if not known:
            raise InputError(f"{other.name} knows none of the tokens; does it split texts alike?")
        self._embed({token: table[other._tokens.number(token)] for token in known}, other.name)
        ours, theirs = (model.first_recurrent.cell for model in (self, other))
        alike = type(ours) is type(theirs) and ours.units == theirs.units
        if alike:
            for weight, learnt in zip(ours.weights, theirs.weights, strict=True):
                values, width = ops.convert_to_numpy(weight).copy(), table.shape[1]
                rows = slice(width) if weight is ours.kernel else slice(None)
                values[rows] = ops.convert_to_numpy(learnt)[rows]
                weight.assign(values)
        return len(known), alike

    @property
    def encoder(self):
        """The vocabulary, whose `tokens` stand in the order of their ids."""
        return self._tokens

    @property
    def token_embedding(self):
        """The embedding of the tokens, or None."""
        has_one = isinstance(self._arguments["embedding"], int)
        return self.get_layer("embedding") if has_one else None

    @property
    def first_recurrent(self):
        """The first recurrent layer, its forward half if it reads from both ends."""
        if self._arguments.get("bidirectional"):
            return self.get_layer("bidirectional_0").forward_layer
        return self.get_layer("recurrent_0")

    def _embed(self, vectors, whose):
        if not isinstance(self._arguments["embedding"], int):
            raise InputError(
                "Vectors need an embedding to go to; embedding=None is one-hot, a dict stays as "
                "it is."
            )
        table = self.get_layer("embedding").embeddings
        width = len(next(iter(vectors.values())))
        if width != table.shape[1]:
            raise InputError(
                f"{whose} has vectors of {width} numbers, but the embedding has {table.shape[1]}: "
                f"make the model with embedding={width}."
            )
        values = ops.convert_to_numpy(table).copy()
        for token, vector in vectors.items():
            values[self._tokens.number(token)] = vector
        table.assign(values)

    def get_config(self):
        return dict(self._arguments)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)


def log_probs_to_write(logits):
    """Log probabilities of tokens to choose from: `<PAD>` and `<UNK>` are never made.

    Args:
        logits: `(rows, tokens)`.
    """
    never = np.zeros(logits.shape[-1], "float32")
    never[[0, 1]] = float("-inf")
    return ops.log_softmax(ops.cast(logits, "float32"), axis=-1) + never
