"""Tokens by the conventions of the Penn Treebank.

The rules are regular expressions that insert breaks, as in the script of the Penn Treebank
(MacIntyre 1995) and in NLTK. Python and TensorFlow (RE2) apply the same list, so the expressions
use only what both engines define equally: explicit character classes, and no look-ahead.

A text is one sentence: only a period at its end is a token. Differences from NLTK's
`NLTKWordTokenizer`:

- Tokens keep their spelling: quotation marks remain `"`, and are not converted to `` and ''.
- The period at the end stays with initials and abbreviations with several periods: S., U.S., p.m.
- The apostrophe ’ is treated as ': don’t gives "do" and "n’t", and O’Brien is one token.
- Several contractions are all split: "she", "'d", "'ve".
- The archaic d'ye is one token.
- 'tis gives "'t" and "is", and apostrophes stay with '90s, 'em, 'til and 'cause.
- … ¿ ¡ ‹ › are tokens, as other punctuation is.
- Combining marks and variation selectors stay with the character before them.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from keras_seq.text.code_points import EXTEND, SPACE, matches_tf
from keras_seq.text.splitting import Token, is_after_tf, join_tf

if TYPE_CHECKING:
    import tensorflow as tf

# All white space becomes two spaces, so that a match may consume one and leave one. A line feed is
# an inserted break. A tab protects the place between two characters, and is removed at the end.
_EDGE = "[ \n]"
_NOT_LETTER = " \n\t0-9!-/:-@\\[-`{-~‘’"
_LETTER = f"[^{_NOT_LETTER}]"
_NO_BREAK = "[^'’ \n\t]"
_CLOSING = "[ \n\\])}>\"'’»”›]*$"
_SYMBOLS = "[\"“”„«»‹›‘…;@#$%&*?!()\\[\\]{}<>¿¡\u2012-\u2015]|--+|`+|''|\\.\\.+"


def _any_case(word: str) -> str:
    """Return a pattern of a word in upper, lower or mixed case, with either apostrophe.

    The flag for this treats İ differently in Python and RE2.
    """
    other = {"'": "’", "i": "Iİ", "k": "K\u212a"}
    return "".join(f"[{character}{other.get(character, character.upper())}]" for character in word)


def _any_word(words: str) -> str:
    return f"(?:{'|'.join(map(_any_case, words.split()))})"


_BEFORE_END = _any_word("'ll 're 've")
_AT_END = _any_word("'s 'm 'd 'll")
_NOT = _any_case("n't")
_ELISION = _any_word("re ve ll m t s d n tis twas em til cause")
RULES: list[tuple[str, str]] = [
    (f"((?:{_SYMBOLS}){EXTEND}*)", "\n\\1\n"),
    # The period of initials stays, that of the word I does not.
    (f"((?:[ \n'’-](?:[^iIİ{_NOT_LETTER}])|\\.{_LETTER}){EXTEND}*\\.)({_CLOSING})", "\\1\t\\2"),
    (f"([^. \n\t])(\\.)({_CLOSING})", "\\1\n\\2\n\\3"),
    # Commas and colons are separate, except before a digit.
    (f"([,:]{EXTEND}*)", "\n\\1\n"),
    ("\n([,:])\n([0-9])", "\\1\\2"),
    # Apostrophes that begin a word are separate, unless they stand for omitted letters.
    (f"({_EDGE}['’])({_ELISION}[{_NOT_LETTER}])", "\\1\t\\2"),
    (f"({_EDGE}['’])({_LETTER})", "\\1\n\\2"),
    # Contractions and possessives, from the end of the word.
    (f"({_NO_BREAK})({_BEFORE_END})({_EDGE})", "\\1\n\\2\\3"),
    (f"({_NO_BREAK})({_NOT})({_EDGE})", "\\1\n\\2\\3"),
    (f"({_NO_BREAK})({_AT_END})({_EDGE})", "\\1\n\\2\\3"),
    (f"({_NO_BREAK})(['’])({_EDGE})", "\\1\n\\2\\3"),
    *(
        (f"({_EDGE}{_any_case(first)})({_any_case(second)}{_EDGE})", "\\1\n\\2")
        for first, second in [
            ("can", "not"),
            ("gim", "me"),
            ("gon", "na"),
            ("got", "ta"),
            ("lem", "me"),
            ("more", "'n"),
            ("wan", "na"),
        ]
    ),
    (f"({_EDGE}['’]\t[tT])({_any_word('is was')}{_EDGE})", "\\1\n\\2"),
    ("\t", ""),
]
"""Patterns and replacements, in the order of their application."""


@functools.cache
def _compiled_rules() -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(pattern), replacement) for pattern, replacement in RULES]


def split_penn_treebank(text: str) -> list[Token]:
    """Return the tokens of a sentence.

    >>> [token.text for token in split_penn_treebank("They can't, he said.")]
    ['They', 'ca', "n't", ',', 'he', 'said', '.']

    Args:
        text: One sentence.
    """
    broken = f"  {re.sub(SPACE, '  ', text)}  "
    for pattern, replacement in _compiled_rules():
        broken = pattern.sub(replacement, broken)
    tokens, end = [], 0
    for token in broken.split():
        # Breaks are inserted only, so each token is a part of the text.
        start = text.index(token, end)
        end = start + len(token)
        tokens.append(Token(token, start, end))
    return tokens


def split_penn_treebank_tf(codes: tf.RaggedTensor) -> tf.RaggedTensor:
    """Return the tokens of sentences, in a TensorFlow graph.

    Args:
        codes: Code points `(batch, (characters))`.

    Returns:
        Ragged strings `(batch, (tokens))`.
    """
    import tensorflow as tf

    space = matches_tf(SPACE, codes.flat_values)
    spaced = codes.with_flat_values(tf.where(space, ord(" "), codes.flat_values))
    texts = tf.strings.join([" ", tf.strings.unicode_encode(spaced, "UTF-8"), " "])
    for pattern, replacement in [(" ", "  "), *RULES]:
        texts = tf.strings.regex_replace(texts, pattern, replacement)
    broken = tf.strings.unicode_decode(texts, "UTF-8")
    space = matches_tf(SPACE, broken.flat_values)
    return join_tf(broken, ~space, ~space & is_after_tf(broken, space))
