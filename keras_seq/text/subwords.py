"""Wordpieces: a vocabulary of a few thousand pieces that all words are made of.

SentencePiece learns the pieces (Kudo & Richardson 2018). A word is cut into them by greedy longest
match, as in WordPiece (Wu et al. 2016): the longest piece that the word begins with, then the
longest that the rest begins with, and so on. A character that begins no piece is a token of its
own. That needs no library, so that saved and exported models can do it too.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from keras_seq._internal.errors import InputError
from keras_seq.text.lookup import StringLookup
from keras_seq.text.tokenizers import (
    TOKENIZERS,
    Token,
    Tokenizer,
    check_tokenizer,
    join_tf,
    row_ids_tf,
)

if TYPE_CHECKING:
    import tensorflow as tf

_METASPACE_WORDS = TOKENIZERS["word_metaspace"]


def train_subwords(texts: Collection[str], size: int, seed: int = 0) -> list[str]:
    """Return the pieces that occur most often in texts, found by byte-pair encoding.

    A piece that begins a word has `tokenizers.METASPACE` before it.

    Args:
        texts: Texts.
        size: Number of pieces at most, single characters included.
        seed: Random seed of SentencePiece, which samples long corpora.

    Raises:
        InputError: If the texts have more different characters than there may be pieces.
    """
    import sentencepiece

    words = [[token.text for token in _METASPACE_WORDS(text)] for text in texts]
    characters = set(itertools.chain.from_iterable(itertools.chain.from_iterable(words)))
    if len(characters) + 4 > size:
        raise InputError(
            f"{size} pieces are too few for {len(characters)} different characters, each of which "
            "needs one."
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
    """Return a tokenizer into some pieces.

    >>> [token.text for token in wordpiece_tokenizer(["▁un", "able", "▁"])("unable to")]
    ['▁un', 'able', '▁', 't', 'o']

    Args:
        pieces: Pieces, as `train_subwords` finds them; at least one.
    """
    known = frozenset(pieces)
    longest = max(map(len, known))

    def split(text: str) -> list[Token]:
        tokens = []
        for word, start, end in _METASPACE_WORDS.split(text):
            shift = end - len(word)
            place = 0
            while place < len(word):
                sizes = range(min(longest, len(word) - place), 1, -1)
                size = next((n for n in sizes if word[place : place + n] in known), 1)
                first = max(start, shift + place)
                tokens.append(Token(word[place : place + size], first, shift + place + size))
                place += size
        return tokens

    def split_tf(codes: tf.RaggedTensor) -> tf.RaggedTensor:
        import tensorflow as tf

        words = _METASPACE_WORDS.split_tf(codes)
        letters = tf.strings.unicode_decode(words.flat_values, "UTF-8")
        ends = tf.gather(letters.row_limits(), row_ids_tf(letters))
        sizes = _longest_known_tf(letters.flat_values, ends, longest, StringLookup(sorted(known)))
        starts = _reached_tf(letters.row_starts(), sizes)
        texts = tf.gather(letters.row_splits, words.row_splits)
        characters = tf.RaggedTensor.from_row_splits(letters.flat_values, texts, validate=False)
        return join_tf(characters, tf.ones_like(starts), starts)

    return Tokenizer("wordpiece", split, split_tf, metaspace=True)


def _longest_known_tf(
    codes: tf.Tensor, ends: tf.Tensor, longest: int, lookup: StringLookup
) -> tf.Tensor:
    """Return the length of the longest known string that begins at each character, at least 1.

    Args:
        codes: Code points of all words, one after the other, `(n,)`.
        ends: Place after the last character of the word of each, `(n,)`.
        longest: Length of the longest known string.
        lookup: Lookup of the known strings.
    """
    import tensorflow as tf

    places = tf.range(tf.size(codes, tf.int64))
    characters = tf.strings.unicode_encode(codes[:, None], "UTF-8")
    sizes, beginning = tf.ones_like(places), characters
    for size in range(2, longest + 1):
        last = tf.minimum(places + size, ends) - 1
        beginning += tf.gather(characters, last)
        known = (lookup(beginning) >= 0) & (places + size <= ends)
        sizes = tf.where(known, tf.constant(size, tf.int64), sizes)
    return sizes


def _reached_tf(starts: tf.Tensor, sizes: tf.Tensor) -> tf.Tensor:
    """Return which characters begin a piece: those that steps from the starts of words reach.

    Args:
        starts: Places where words begin, `(words,)`.
        sizes: Length of the piece that begins at each character, `(n,)`.
    """
    import tensorflow as tf

    count = tf.size(sizes, tf.int64)
    # One place more, for the end of the last word.
    jumps = tf.concat([tf.range(count) + sizes, [count]], 0)
    reached = tf.scatter_nd(starts[:, None], tf.ones_like(starts), [count + 1])

    def double(reached: tf.Tensor, jumps: tf.Tensor, covered: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Take jumps from all that is reached, and make every jump as long as two."""
        more = tf.math.unsorted_segment_max(reached, jumps, count + 1)
        return tf.maximum(reached, more), tf.gather(jumps, jumps), 2 * covered

    reached, _, _ = tf.while_loop(
        lambda _, __, covered: covered <= count, double, [reached, jumps, tf.constant(1, tf.int64)]
    )
    return reached[:-1] > 0


def get_tokenizer(name: str, pieces: Iterable[str] = ()) -> Tokenizer:
    """Return a tokenizer by its name.

    Args:
        name: A key of `tokenizers.TOKENIZERS`, or "wordpiece".
        pieces: Pieces for "wordpiece".

    Raises:
        InputError: If no tokenizer has that name.
    """
    name = check_tokenizer(name)
    return wordpiece_tokenizer(pieces) if name == "wordpiece" else TOKENIZERS[name]
