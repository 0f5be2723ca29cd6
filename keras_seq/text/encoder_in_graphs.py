"""What a `TextEncoder` does in TensorFlow graphs."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

from keras_seq._internal.errors import InputError
from keras_seq.text.lookup import StringLookup
from keras_seq.text.tokenizers import METASPACE, Tokenizer

if TYPE_CHECKING:
    import tensorflow as tf


class EncodedTexts(NamedTuple):
    """Ids of the tokens of texts."""

    ids: Any
    """int32 `(batch, timesteps)`, `pad_id` after the end of each text."""
    lengths: Any
    """int32 `(batch,)`: number of ids of each text."""


class EncoderInGraphs:
    """The methods of `TextEncoder` that work on tensors."""

    pad_id = 0
    unk_id = 1
    end_id: int | None
    vocabulary: list[str]
    tokens: list[str]
    lowercase: bool
    tokenizer: str
    _tokenizer: Tokenizer

    def tokenize_tf(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Return the tokens of texts.

        Args:
            texts: Strings `(batch,)`.

        Returns:
            Ragged strings `(batch, (tokens))`.
        """
        return self._tokenizer.tokenize_tf(texts, self.lowercase)

    def spellings_tf(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Return how each token is written in its text, as `spellings` does.

        Args:
            texts: Strings `(batch,)`.

        Raises:
            InputError: If the encoder cuts words in lower case into pieces: the place of a piece in
                its text is not known then.
        """
        import tensorflow as tf

        if self.lowercase and self.tokenizer == "wordpiece":
            raise InputError(
                "In a TensorFlow graph the spelling of wordpieces is known only with "
                "lowercase=False."
            )
        # No character changes its class with its case, so that the tokens are the same.
        tokens = self._tokenizer.tokenize_tf(texts)
        if not self._tokenizer.metaspace:
            return tokens
        return tokens.with_flat_values(
            tf.strings.regex_replace(tokens.flat_values, f"^{METASPACE}", "")
        )

    def tokens_to_ids_tf(self, tokens: tf.RaggedTensor) -> tf.RaggedTensor:
        """Return the ids of tokens of texts.

        Args:
            tokens: Ragged strings `(batch, (tokens))`.

        Returns:
            Ragged int32 tensor `(batch, (tokens))`.
        """
        import tensorflow as tf

        places = self._lookup(tokens.flat_values)
        first = len(self.tokens) - len(self.vocabulary)
        return tokens.with_flat_values(tf.where(places >= 0, places + first, self.unk_id))

    def encode_tf(
        self,
        texts: tf.Tensor,
        *,
        start: bool = False,
        end: bool = False,
        unk_if_empty: bool = False,
    ) -> EncodedTexts:
        """Return the ids of texts, as `encode_batch` does.

        Args:
            texts: Strings `(batch,)`.
            start: As for `encode_batch`.
            end: As for `encode_batch`.
            unk_if_empty: As for `encode_batch`.
        """
        import tensorflow as tf

        before, after = self._frame(start, end)
        ids, count = self.tokens_to_ids_tf(self.tokenize_tf(texts)), tf.size(texts)
        parts = [tf.fill([count, 1], id_) for id_ in before]
        parts.append(ids)
        if unk_if_empty:
            empty = tf.cast(ids.row_lengths() == 0, tf.int64)
            parts.append(
                tf.RaggedTensor.from_row_lengths(tf.fill([tf.reduce_sum(empty)], 1), empty)
            )
        parts += [tf.fill([count, 1], id_) for id_ in after]
        rows = tf.concat(parts, axis=1) if len(parts) > 1 else ids
        return EncodedTexts(rows.to_tensor(self.pad_id), tf.cast(rows.row_lengths(), tf.int32))

    def ids_to_tokens_tf(self, ids: tf.Tensor) -> tf.RaggedTensor:
        """Return the tokens of ids, without padding and end.

        Args:
            ids: Integers `(batch, timesteps)`.

        Returns:
            Ragged strings `(batch, (tokens))`.
        """
        import tensorflow as tf

        keep = ids != self.pad_id
        if self.end_id is not None:
            keep &= ids != self.end_id
        return tf.ragged.boolean_mask(tf.gather(tf.constant(self.tokens), ids), keep)

    def detokenize_tf(self, tokens: tf.RaggedTensor) -> tf.Tensor:
        """Return the texts `(batch,)` of tokens.

        Args:
            tokens: Ragged strings `(batch, (tokens))`.
        """
        return self._tokenizer.detokenize_tf(tokens)

    def decode_tf(self, ids: tf.Tensor) -> tf.Tensor:
        """Return the texts `(batch,)` of ids, without padding and end.

        Args:
            ids: Integers `(batch, timesteps)`.
        """
        return self.detokenize_tf(self.ids_to_tokens_tf(ids))

    def append_tf(self, texts: tf.Tensor, tokens: tf.RaggedTensor) -> tf.Tensor:
        """Return texts and the tokens that follow on them, as texts `(batch,)`.

        Args:
            texts: Strings `(batch,)`.
            tokens: Ragged strings `(batch, (tokens))`.
        """
        return self._tokenizer.append_tf(texts, tokens)

    @functools.cached_property
    def _lookup(self) -> StringLookup:
        return StringLookup(self.vocabulary)

    def _frame(self, start: bool, end: bool) -> tuple[list[int], list[int]]:
        """Return the ids before and after each text."""
        if not (start or end):
            return [], []
        if self.end_id is None:
            raise InputError(
                "This encoder has no token for the end of a text, which models that write need: "
                "make it with end=True."
            )
        return [self.end_id] * start, [self.end_id] * end
