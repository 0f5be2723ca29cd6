"""Methods of `TextEncoder` for TensorFlow graphs."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

from keras_seq._internal.errors import InputError
from keras_seq.text.lookup import ConstantLookup
from keras_seq.text.tokenizers import METASPACE, Tokenizer

if TYPE_CHECKING:
    import tensorflow as tf


class EncodedTexts(NamedTuple):
    """Ids of the tokens of texts."""

    ids: Any
    """int32 `(batch, timesteps)`, padded with `pad_id`."""
    lengths: Any
    """int32 `(batch,)`: number of ids of each text."""


class TextEncoderTFMixin:
    """Mixin of `TextEncoder` with its methods on tensors."""

    pad_id = 0
    unk_id = 1
    end_id: int | None
    vocabulary: list[str]
    tokens: list[str]
    lowercase: bool
    tokenizer: str
    text_tokenizer: Tokenizer
    """Tokenizer of texts."""

    def tokenize_tf(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Return the tokens of texts.

        Args:
            texts: Strings `(batch,)`.

        Returns:
            Ragged strings `(batch, (tokens))`.
        """
        return self.text_tokenizer.tokenize_tf(texts, self.lowercase)

    def spellings_tf(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Return the original spelling of each token, like `spellings`.

        Args:
            texts: Strings `(batch,)`.

        Returns:
            Ragged strings `(batch, (tokens))`.

        Raises:
            InputError: If the tokenizer is "wordpiece" and `lowercase` is True, since the offsets
                of the pieces are then unknown.
        """
        import tensorflow as tf

        if self.lowercase and self.tokenizer == "wordpiece":
            raise InputError(
                "In a TensorFlow graph, the original spelling of wordpieces is known only with "
                "lowercase=False."
            )
        # Case does not change the class of a character, so the tokens are the same.
        tokens = self.text_tokenizer.tokenize_tf(texts)
        if not self.text_tokenizer.metaspace:
            return tokens
        return tokens.with_flat_values(
            tf.strings.regex_replace(tokens.flat_values, f"^{METASPACE}", "")
        )

    def tokens_to_ids_tf(self, tokens: tf.RaggedTensor) -> tf.RaggedTensor:
        """Return the ids of tokens.

        Args:
            tokens: Ragged strings `(batch, (tokens))`.

        Returns:
            Ragged int32 tensor `(batch, (tokens))`.
        """
        import tensorflow as tf

        indices = self._lookup(tokens.flat_values)
        first_id = len(self.tokens) - len(self.vocabulary)
        return tokens.with_flat_values(tf.where(indices >= 0, indices + first_id, self.unk_id))

    def encode_tf(
        self,
        texts: tf.Tensor,
        *,
        start: bool = False,
        end: bool = False,
        unk_if_empty: bool = False,
    ) -> EncodedTexts:
        """Return the padded ids of texts, like `encode_batch`.

        Args:
            texts: Strings `(batch,)`.
            start: If True, insert the start id before each text.
            end: If True, append the end id to each text.
            unk_if_empty: If True, encode a text without tokens as one unknown token.

        Raises:
            InputError: If `start` or `end` is True and the encoder has no end token.
        """
        import tensorflow as tf

        prefix, suffix = self._start_and_end_ids(start, end)
        ids, count = self.tokens_to_ids_tf(self.tokenize_tf(texts)), tf.size(texts)
        parts = [tf.fill([count, 1], id_) for id_ in prefix]
        parts.append(ids)
        if unk_if_empty:
            num_unknown = tf.cast(ids.row_lengths() == 0, tf.int64)
            unknown = tf.fill([tf.reduce_sum(num_unknown)], self.unk_id)
            parts.append(tf.RaggedTensor.from_row_lengths(unknown, num_unknown))
        parts += [tf.fill([count, 1], id_) for id_ in suffix]
        rows = tf.concat(parts, axis=1) if len(parts) > 1 else ids
        return EncodedTexts(rows.to_tensor(self.pad_id), tf.cast(rows.row_lengths(), tf.int32))

    def ids_to_tokens_tf(self, ids: tf.Tensor) -> tf.RaggedTensor:
        """Return the tokens of ids, without padding and end tokens.

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
        """Return the texts of tokens.

        Args:
            tokens: Ragged strings `(batch, (tokens))`.

        Returns:
            Strings `(batch,)`.
        """
        return self.text_tokenizer.detokenize_tf(tokens)

    def decode_tf(self, ids: tf.Tensor) -> tf.Tensor:
        """Return the texts of ids, without padding and end tokens.

        Args:
            ids: Integers `(batch, timesteps)`.

        Returns:
            Strings `(batch,)`.
        """
        return self.detokenize_tf(self.ids_to_tokens_tf(ids))

    def append_tf(self, texts: tf.Tensor, tokens: tf.RaggedTensor) -> tf.Tensor:
        """Return texts continued by tokens.

        Args:
            texts: Strings `(batch,)`.
            tokens: Ragged strings `(batch, (tokens))`.

        Returns:
            Strings `(batch,)`.
        """
        return self.text_tokenizer.append_tf(texts, tokens)

    @functools.cached_property
    def _lookup(self) -> ConstantLookup:
        return ConstantLookup(self.vocabulary)

    def _start_and_end_ids(self, start: bool, end: bool) -> tuple[list[int], list[int]]:
        """Return the ids to insert before and after each text."""
        if not (start or end):
            return [], []
        if self.end_id is None:
            raise InputError(
                "This TextEncoder has no end token, which generative models need: create it with "
                "end=True."
            )
        return [self.end_id] * start, [self.end_id] * end
