"""Raw text of tokenized sentences, with the offsets of their tokens.

Files with one token per line do not say which tokens had white space between them. There are three
assumptions about their text, of which `detect_joining` chooses one for a corpus:

- "blanks": Tokens are joined by blanks, as in corpora that were split at white space.
- "written": As "blanks", but without a blank before a comma, after an opening bracket, before n't
  and so on, and with quotation marks and brackets for the tokens `` and -LRB- of the Penn Treebank.
  This is English typography. It is assumed if punctuation marks are tokens of their own.
- "unspaced": Tokens are joined without blanks, except between two words in a script with blanks.
  It is assumed for Chinese, Japanese, Thai and the like, and if all tokens are single characters.

The detokenizer of sacremoses follows similar rules, but does not return the offsets of tokens.
"""

from __future__ import annotations

import collections
import itertools
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from keras_seq._internal.errors import unknown_name
from keras_seq.text.words import are_characters

JOININGS = {
    "blanks": "tokens joined by blanks",
    "written": "tokens joined as written text",
    "unspaced": "tokens joined without blanks",
}
"""Assumptions about the text between tokens, and their descriptions."""
MAX_ATTACHED_SHARE = 0.1
"""Largest share of marks such as "," at the end of a word in a corpus whose marks are tokens."""

ESCAPES = {
    "``": '"',
    "''": '"',
    "-LRB-": "(",
    "-RRB-": ")",
    "-LSB-": "[",
    "-RSB-": "]",
    "-LCB-": "{",
    "-RCB-": "}",
}
"""Tokens that stand for other text in the Penn Treebank, and that text."""

_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"
)
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese characters."""
_NOT_SPACE = re.compile(r"\S+")
_MARK = re.compile(r"[,;:!?]")
_ATTACHED_MARK = re.compile(r".*[^\W_][,;:!?]", re.DOTALL)
_CLOSING = re.compile(r"(?:[,.;:!?%\u2026)\]}\u201d\u00bb\u3001\u3002]|''|-R[RSC]B-)+")
_OPENING = re.compile(r"(?:[(\[{$\u00a3\u20ac\u201c\u00ab\u00bf\u00a1]|``|-L[RSC]B-)+")
_CLITIC = re.compile(r"['\u2019](?:s|m|d|ll|re|ve|t)|n['\u2019]t", re.IGNORECASE)
_ELISION = re.compile(r"[^\W\d_]+['\u2019]")
_QUOTES = {'"', "'"}


class RawText(NamedTuple):
    """Text of a tokenized sentence."""

    text: str
    offsets: list[tuple[int, int] | None]
    """Start and end of each token in the text. None for a token that is not in the text."""


def detect_joining(sentences: Iterable[Sequence[str]]) -> str:
    """Return the assumption about the text between the tokens of a corpus.

    >>> detect_joining([["Ada", "lived", "."], ["Well", ",", "no"]])
    'written'
    >>> detect_joining([["Ada", "lived."], ["Well,", "no"]])
    'blanks'

    Args:
        sentences: Lists of tokens.

    Returns:
        A key of `JOININGS`.
    """
    num_words = num_unspaced = num_marks = num_attached = 0
    counts = collections.Counter(itertools.chain.from_iterable(sentences))
    for token, count in counts.items():
        is_unspaced = bool(_UNSPACED.search(token))
        num_unspaced += count * is_unspaced
        num_words += count * (is_unspaced or any(map(str.isalpha, token)))
        num_marks += count * (bool(_MARK.fullmatch(token)) or token == ".")
        num_attached += count * bool(_ATTACHED_MARK.fullmatch(token))
    if are_characters(counts) or 2 * num_unspaced > num_words:
        return "unspaced"
    is_tokenized = num_attached <= MAX_ATTACHED_SHARE * (num_marks + num_attached)
    return "written" if num_marks and is_tokenized else "blanks"


def join(tokens: Sequence[str], joining: str) -> RawText:
    """Return the text of tokens under an assumption.

    >>> join(["Ada", "did", "n't", "(", "yet", ")", "."], "written").text
    "Ada didn't (yet)."
    >>> join(["st,", "palo"], "blanks")
    RawText(text='st, palo', offsets=[(0, 3), (4, 8)])

    Args:
        tokens: Tokens.
        joining: A key of `JOININGS`.

    Raises:
        InputError: If there is no such assumption.
    """
    if joining not in JOININGS:
        raise unknown_name("joining", joining, JOININGS)
    has_blank = {"blanks": _always, "written": _written_blanks, "unspaced": _rare_blanks}[joining]
    parts: list[str] = []
    offsets: list[tuple[int, int] | None] = []
    length = 0
    escapes = ESCAPES if joining == "written" else {}
    for token, blank in zip(tokens, has_blank(tokens), strict=True):
        spelled = escapes.get(token, token)
        start = length + blank
        parts.append(" " * blank + spelled)
        length = start + len(spelled)
        offsets.append((start, length))
    return RawText("".join(parts), offsets)


def align(tokens: Sequence[str], text: str) -> RawText:
    """Return a text with the offsets of its tokens.

    Tokens that are not in the text, such as the two tokens of French "du", have no offsets.

    >>> align(["vient", "de", "le", "nord"], "vient du nord").offsets
    [(0, 5), None, None, (9, 13)]

    Args:
        tokens: Tokens.
        text: Text that the tokens are from.
    """
    offsets: list[tuple[int, int] | None] = []
    position = num_lost = 0
    for token in tokens:
        start = _skip_space(text, position)
        if not text.startswith(token, start):
            start = _find(token, text, position, num_lost) if num_lost else -1
        if start < 0:
            num_lost += 1
            offsets.append(None)
        else:
            num_lost, position = 0, start + len(token)
            offsets.append((start, position))
    return RawText(text, offsets)


def _find(token: str, text: str, position: int, num_lost: int) -> int:
    """Return where a token begins after tokens that are not in the text, or -1.

    Args:
        token: Token.
        text: Text.
        position: End of the last token that is in the text.
        num_lost: Number of tokens since. Each may be a word of the text in another spelling.
    """
    for part in itertools.islice(_NOT_SPACE.finditer(text, position), num_lost + 1):
        start, end = part.start(), part.start() + len(token)
        is_whole = end == len(text) or not text[end - 1 : end + 1].isalnum()
        if text.startswith(token, start) and is_whole:
            return start
    return -1


def _skip_space(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position


def _always(tokens: Sequence[str]) -> list[bool]:
    return [number > 0 for number in range(len(tokens))]


def _rare_blanks(tokens: Sequence[str]) -> list[bool]:
    """Return whether a blank comes before each token in a script without blanks."""
    if are_characters(tokens):
        return [False] * len(tokens)
    return [False] * bool(tokens) + [
        _needs_blank(before[-1:]) and _needs_blank(token[:1])
        for before, token in itertools.pairwise(tokens)
    ]


def _needs_blank(character: str) -> bool:
    return character.isalnum() and not _UNSPACED.match(character)


def _written_blanks(tokens: Sequence[str]) -> list[bool]:
    """Return whether a blank comes before each token in written text."""
    blanks = []
    joins_next = True
    quotes: set[str] = set()
    for number, token in enumerate(tokens):
        following = tokens[number + 1] if number + 1 < len(tokens) else ""
        is_apostrophe = token == "'" and bool(number and _CLITIC.fullmatch(token + following))
        joins = bool(_CLOSING.fullmatch(token) or _CLITIC.fullmatch(token)) or is_apostrophe
        joins_after = bool(_OPENING.fullmatch(token) or _ELISION.fullmatch(token)) or is_apostrophe
        if token in _QUOTES and not is_apostrophe:
            # Straight quotes open and close in turn.
            joins, joins_after = token in quotes, token not in quotes
            quotes ^= {token}
        blanks.append(not (joins or joins_next))
        joins_next = joins_after
    return blanks
