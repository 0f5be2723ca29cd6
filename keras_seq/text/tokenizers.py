"""How a text becomes tokens: in Python, and alike in TensorFlow graphs."""

import re
from typing import Any, NamedTuple

from keras_seq.data.files import check_text

MARK = "▁"
"""What marked tokens have in the place of a blank."""

_WORD = re.compile(r"[^\W_]+|[^\w\s]|_")
_SPACED = re.compile(r"\S+")
_WITHOUT_SPACES = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


class Splitter(NamedTuple):
    """A way to split a text, and to put the tokens together again."""

    in_python: Any
    """From a text to `[(token, start, end)]`."""
    in_graph: Any
    """From strings `(batch,)` to a ragged tensor of tokens."""
    between: str
    """What stands between two tokens when they are put together."""
    marked: bool = False
    """Whether tokens begin with `MARK` where a blank, or nothing, is before them."""

    def __call__(self, text):
        # TensorFlow could not take such a text either.
        check_text(text, "the text")
        return self.in_python(text)

    def joined(self, tokens):
        """The text of tokens."""
        text = self.between.join(tokens)
        return text.replace(MARK, " ").strip() if self.marked else text

    def continued(self, text, tokens):
        """A text and what follows on it."""
        if not text:
            return self.joined(tokens)
        more = self.between.join(tokens)
        if self.marked:
            return text + more.replace(MARK, " ")
        return text + (self.between if tokens else "") + more

    def joined_in_graph(self, tokens):
        """The same of a ragged tensor of tokens."""
        import tensorflow as tf

        texts = tf.strings.reduce_join(tokens, axis=-1, separator=self.between)
        if not self.marked:
            return texts
        return tf.strings.strip(tf.strings.regex_replace(texts, MARK, " "))

    def continued_in_graph(self, texts, tokens):
        """Strings `(batch,)` and what follows on them."""
        import tensorflow as tf

        more = tf.strings.reduce_join(tokens, axis=-1, separator=self.between)
        more = tf.where(more == "", more, self.between + more)
        if self.marked:
            more = tf.strings.regex_replace(more, MARK, " ")
        return tf.where(texts == "", self.joined_in_graph(tokens), texts + more)


def _characters(text):
    return [(c, i, i + 1) for i, c in enumerate(text) if not c.isspace()]


def _characters_in_graph(texts):
    import tensorflow as tf

    return tf.strings.unicode_split(tf.strings.regex_replace(texts, r"[\s\pZ]+", ""), "UTF-8")


def _words(text):
    return [(match.group(), match.start(), match.end()) for match in _WORD.finditer(text)]


def _words_in_graph(texts):
    import tensorflow as tf

    apart = tf.strings.regex_replace(texts, r"([^\pL\pN])", r" \1 ")
    return tf.strings.split(tf.strings.regex_replace(apart, r"[\s\pZ]+", " "))


def _text(text):
    return [(c, i, i + 1) for i, c in enumerate(text)]


def _text_in_graph(texts):
    import tensorflow as tf

    return tf.strings.unicode_split(texts, "UTF-8")


def _spaced(text):
    return [(match.group(), match.start(), match.end()) for match in _SPACED.finditer(text)]


def _spaced_in_graph(texts):
    import tensorflow as tf

    return tf.strings.split(tf.strings.regex_replace(texts, r"[\s\pZ]+", " "))


def _marked(text):
    """Words and other characters, with a mark before those that a blank, or nothing, precedes."""
    text = text.replace(MARK, " ")
    return [
        (MARK * (m.start() == 0 or text[m.start() - 1].isspace()) + m.group(), m.start(), m.end())
        for m in _WORD.finditer(text)
    ]


def _marked_in_graph(texts):
    import tensorflow as tf

    texts = tf.strings.regex_replace(texts, rf"[\s\pZ{MARK}]+", " ")
    texts = tf.strings.regex_replace(" " + tf.strings.strip(texts), " ", MARK)
    apart = tf.strings.regex_replace(texts, rf"({MARK}?(?:[\pL\pN]+|[^\pL\pN{MARK}]))", r"\1 ")
    return tf.strings.split(tf.strings.regex_replace(apart, f"^{MARK}$", ""))


SPLITTERS = {
    "characters": Splitter(_characters, _characters_in_graph, ""),
    "text": Splitter(_text, _text_in_graph, ""),
    "words": Splitter(_words, _words_in_graph, " "),
    "marked": Splitter(_marked, _marked_in_graph, "", marked=True),
    "spaced": Splitter(_spaced, _spaced_in_graph, " "),
}
"""Every character but white space; every character; runs of letters and digits, and every other
character; the same with marks so that blanks are not lost; what stands between white space."""


def written_without_spaces(text):
    """Whether there is Chinese or Japanese in a text."""
    return bool(_WITHOUT_SPACES.search(text))
