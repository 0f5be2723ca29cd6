"""Subwords, learned by SentencePiece and tokenized by greedy longest match as in WordPiece.

SentencePiece learns the pieces (Kudo & Richardson 2018). The tokenizer takes the longest piece that
begins a word, then the longest piece that begins the rest, and so on (Wu et al. 2016). A character
that begins no piece is a token. Unlike the segmentation of SentencePiece, this needs no library, so
exported models can contain it.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from keras_seq._internal.errors import InputError
from keras_seq.text.lookup import ConstantLookup
from keras_seq.text.split_rule import SplitRule
from keras_seq.text.splitting import Token, join_tf, row_ids_tf
from keras_seq.text.tokenizers import LEARNED, TOKENIZERS, Tokenizer, check_tokenizer

if TYPE_CHECKING:
    import tensorflow as tf

_METASPACE_WORDS = TOKENIZERS["word_metaspace"]


def train_subwords(texts: Collection[str], size: int, seed: int = 0) -> list[str]:
    """Learn subwords from texts by byte-pair encoding.

    A piece at the beginning of a word begins with `tokenizers.METASPACE`.

    Args:
        texts: Training texts.
        size: Maximum number of pieces, including single characters.
        seed: Random seed of SentencePiece, which samples large corpora.

    Returns:
        Pieces in merge order, then single characters.

    Raises:
        InputError: If `size` is too small for the number of distinct characters.
    """
    import sentencepiece

    words = [[token.text for token in _METASPACE_WORDS(text)] for text in texts]
    characters = set(itertools.chain.from_iterable(itertools.chain.from_iterable(words)))
    if len(characters) + 4 > size:
        raise InputError(
            f"{size} pieces are too few for {len(characters)} distinct characters: set max_size to "
            f"at least {len(characters) + 4}."
        )
    model = io.BytesIO()
    sentencepiece.set_random_generator_seed(seed)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        vocab_size=size,
        hard_vocab_limit=False,
        model_type="bpe",
        character_coverage=1.0,
        normalization_rule_name="identity",
        minloglevel=2,
    )
    trained = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    pieces = [
        trained.id_to_piece(n)
        for n in range(trained.get_piece_size())
        if not (trained.is_control(n) or trained.is_unknown(n))
    ]
    return list(dict.fromkeys([*pieces, *sorted(characters)]))


def wordpiece_tokenizer(pieces: Iterable[str]) -> Tokenizer:
    """Return a tokenizer that splits words into known pieces by greedy longest match.

    >>> [token.text for token in wordpiece_tokenizer(["▁un", "able", "▁"])("unable to")]
    ['▁un', 'able', '▁', 't', 'o']

    Args:
        pieces: Pieces, as `train_subwords` returns them; at least one.
    """
    known = frozenset(pieces)
    max_length = max(map(len, known))

    def split(text: str) -> list[Token]:
        tokens = []
        for word, start, end in _METASPACE_WORDS.split(text):
            # A metaspace at the beginning of the word has no counterpart in the text.
            shift = end - len(word)
            i = 0
            while i < len(word):
                lengths = range(min(max_length, len(word) - i), 1, -1)
                length = next((n for n in lengths if word[i : i + n] in known), 1)
                first = max(start, shift + i)
                tokens.append(Token(word[i : i + length], first, shift + i + length))
                i += length
        return tokens

    def split_tf(codes: tf.RaggedTensor) -> tf.RaggedTensor:
        import tensorflow as tf

        words = _METASPACE_WORDS.split_tf(codes)
        chars = tf.strings.unicode_decode(words.flat_values, "UTF-8")
        ends = tf.gather(chars.row_limits(), row_ids_tf(chars))
        lookup = ConstantLookup(sorted(known))
        lengths = _longest_match_tf(chars.flat_values, ends, max_length, lookup)
        starts = _piece_starts_tf(chars.row_starts(), lengths)
        text_splits = tf.gather(chars.row_splits, words.row_splits)
        texts = tf.RaggedTensor.from_row_splits(chars.flat_values, text_splits, validate=False)
        return join_tf(texts, tf.ones_like(starts), starts)

    return Tokenizer("wordpiece", split, split_tf, metaspace=True)


def _longest_match_tf(
    codes: tf.Tensor, ends: tf.Tensor, max_length: int, lookup: ConstantLookup
) -> tf.Tensor:
    """Return the length of the longest piece from each character on, at least 1.

    Args:
        codes: Code points of all words, concatenated, `(n,)`.
        ends: Index after the last character of the character's word, `(n,)`.
        max_length: Length of the longest piece.
        lookup: Lookup of the pieces.

    Returns:
        int64 `(n,)`.
    """
    import tensorflow as tf

    starts = tf.range(tf.size(codes, tf.int64))
    characters = tf.strings.unicode_encode(codes[:, None], "UTF-8")
    lengths, candidates = tf.ones_like(starts), characters
    for length in range(2, max_length + 1):
        last = tf.minimum(starts + length, ends) - 1
        candidates += tf.gather(characters, last)
        is_match = (lookup(candidates) >= 0) & (starts + length <= ends)
        lengths = tf.where(is_match, tf.constant(length, tf.int64), lengths)
    return lengths


def _piece_starts_tf(word_starts: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Return which characters begin a piece.

    The first character of a word begins a piece, and so does the character after a piece. Pointer
    doubling finds them in a logarithmic number of steps.

    Args:
        word_starts: Indices of the characters that begin a word, `(words,)`.
        lengths: Length of the piece that may begin at each character, `(n,)`.

    Returns:
        bool `(n,)`.
    """
    import tensorflow as tf

    count = tf.size(lengths, tf.int64)
    # The additional index is the end of the last word.
    jumps = tf.concat([tf.range(count) + lengths, [count]], 0)
    reached = tf.scatter_nd(word_starts[:, None], tf.ones_like(word_starts), [count + 1])

    def double(reached: tf.Tensor, jumps: tf.Tensor, covered: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Jump from all reached characters, and double the number of pieces per jump."""
        targets = tf.math.unsorted_segment_max(reached, jumps, count + 1)
        return tf.maximum(reached, targets), tf.gather(jumps, jumps), 2 * covered

    reached, _, _ = tf.while_loop(
        lambda _, __, covered: covered <= count, double, [reached, jumps, tf.constant(1, tf.int64)]
    )
    return reached[:-1] > 0


def get_tokenizer(
    name: str, pieces: Iterable[str] = (), split_rule: SplitRule | None = None
) -> Tokenizer:
    """Return a tokenizer by its name.

    Args:
        name: A key of `tokenizers.TOKENIZERS`, "wordpiece", or "learned".
        pieces: Pieces for "wordpiece".
        split_rule: Rule for "learned".

    Raises:
        InputError: If no tokenizer has that name, "learned" has no rule, or another one has.
    """
    name = check_tokenizer(name)
    if (name == LEARNED) != (split_rule is not None):
        raise InputError(
            f"The tokenizer {name!r} "
            + (
                "needs a split_rule, as choose_tokenizer returns it."
                if name == LEARNED
                else "takes no split_rule; only 'learned' does."
            )
        )
    if split_rule is not None:
        return split_rule.tokenizer
    return wordpiece_tokenizer(pieces) if name == "wordpiece" else TOKENIZERS[name]
