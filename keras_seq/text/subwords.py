"""Pieces of words: a vocabulary that a few thousand entries suffice for.

Which pieces there are is learnt by SentencePiece (Kudo & Richardson 2018). How a word falls into
them needs no library, so that a saved or exported model can do it too: the longest piece that the
word begins with, then the longest that the rest begins with, and so on. A character that begins no
piece is a piece of its own.
"""

import io
import itertools

from keras_seq._internal.errors import InputError, unknown
from keras_seq.text.tokenizers import SPLITTERS, Splitter

MARKED = SPLITTERS["marked"]


def learn_pieces(texts, count, seed=0):
    """The pieces of the words of texts, with `tokenizers.MARK` before the first of a word.

    Args:
        texts: Strings.
        count: How many pieces at most, single characters included.
        seed: Of SentencePiece, which samples long corpora.

    Raises:
        InputError: There are more characters in the texts than there are to be pieces.
    """
    import sentencepiece

    words = [[token for token, _, _ in MARKED(text)] for text in texts]
    letters = set(itertools.chain.from_iterable(itertools.chain.from_iterable(words)))
    if len(letters) + 4 > count:
        raise InputError(
            f"{count} pieces are too few for {len(letters)} different characters, each of which "
            "needs one."
        )
    model = io.BytesIO()
    sentencepiece.set_random_generator_seed(seed)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        vocab_size=count,
        hard_vocab_limit=False,
        model_type="bpe",
        character_coverage=1.0,
        normalization_rule_name="identity",
        minloglevel=2,
    )
    learnt = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    pieces = [
        learnt.id_to_piece(n)
        for n in range(learnt.get_piece_size())
        if not (learnt.is_control(n) or learnt.is_unknown(n))
    ]
    return list(dict.fromkeys([*pieces, *sorted(letters)]))


def splitter(name, vocabulary):
    """The way to split a text that has that name.

    Args:
        name: Of `tokenizers.SPLITTERS`, or "pieces", which are those in the vocabulary.
        vocabulary: `keras_seq.text.vocabulary.Vocabulary`.

    Raises:
        InputError: There is none.
    """
    if name == "pieces":
        return into_pieces(vocabulary)
    if name not in SPLITTERS:
        raise unknown("way to split a text", name, [*SPLITTERS, "pieces"])
    return SPLITTERS[name]


def into_pieces(vocabulary):
    """A `keras_seq.text.tokenizers.Splitter` into the pieces of a vocabulary.

    Args:
        vocabulary: `keras_seq.text.vocabulary.Vocabulary`.
    """
    longest = max(map(len, vocabulary.tokens))

    def in_python(text):
        found = []
        for word, start, end in MARKED(text):
            shift = end - len(word)
            place = 0
            while place < len(word):
                sizes = range(min(longest, len(word) - place), 1, -1)
                size = next((n for n in sizes if word[place : place + n] in vocabulary), 1)
                begin = max(start, shift + place)
                found.append((word[place : place + size], begin, shift + place + size))
                place += size
        return found

    def in_graph(texts):
        import tensorflow as tf

        words, table = MARKED.in_graph(texts), vocabulary.table()
        sizes = tf.range(1, longest + 1)

        def beginning(rest, found):
            """Moves the longest piece that each rest begins with to the end of what is found."""
            each = tf.broadcast_to(sizes, [tf.size(rest), longest])
            repeated = tf.repeat(rest[:, None], longest, axis=1)
            parts = tf.strings.substr(repeated, tf.zeros_like(each), each, "UTF8_CHAR")
            size = tf.reduce_max(tf.where(table.lookup(parts) != 1, each, 1), axis=1)
            size = tf.minimum(size, tf.strings.length(rest, "UTF8_CHAR"))
            zeros = tf.zeros_like(size)
            piece = tf.strings.substr(rest, zeros, size, "UTF8_CHAR")
            rest = tf.strings.substr(rest, size, zeros + 2**30, "UTF8_CHAR")
            return rest, found + " " + piece

        _, found = tf.while_loop(
            lambda rest, _: tf.reduce_any(rest != ""),
            beginning,
            [words.flat_values, tf.zeros_like(words.flat_values)],
        )
        pieces = words.with_flat_values(found)
        return tf.strings.split(tf.strings.reduce_join(pieces, axis=1))

    return Splitter(in_python, in_graph, "", marked=True)
