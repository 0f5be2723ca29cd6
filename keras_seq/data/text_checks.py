"""Checks of texts for wrong encodings, control characters and mixed scripts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

from keras_seq._internal.errors import excerpt

MAX_LETTERLESS_SHARE = 0.1
"""Share of texts without letters above which there is a warning."""
MAX_CONTEXT = 20
"""Maximum number of characters to show before a suspicious one."""
IPA_GREEK = "βθχ"
"""Greek letters of the International Phonetic Alphabet, which stand between Latin letters."""
WHITE_SPACE = "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85"
"""Control characters that are white space."""

Finder = Callable[[str], int | None]
"""Function from a text to the position of its first suspicious character, or None."""

_CONTINUATION = "[\x80-\xbfŒœŠšŸŽžƒˆ˜–—‘’‚“”„†‡•…‰‹›€™]"
"""Pattern of a byte from 0x80 to 0xBF that was read as Latin-1 or Windows-1252."""
_MOJIBAKE = re.compile(
    f"[ÂÃ]{_CONTINUATION}|â€{_CONTINUATION}|(?:[ÐÑ]{_CONTINUATION}){{2}}|ï»¿|ï¿½"
)
"""Pattern of frequent characters whose bytes in UTF-8 were read as Latin-1 or Windows-1252."""
_WORD = re.compile(r"[^\W\d_]+")
_SIMILAR_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK")
"""Scripts with letters that look the same, as names of letters begin with them."""


def check_texts(texts: Sequence[str]) -> list[str]:
    r"""Return a warning for each kind of suspicious characters in texts.

    >>> check_texts(["caf\xc3\xa9", "tea"])
    ["1 of 2 texts has bytes of UTF-8 read in another encoding, such as 'cafÃ©'"]

    Args:
        texts: Texts.
    """
    alphabet = set[str]().union(*texts)
    checks: dict[str, Finder] = {}
    if controls := sorted(filter(is_control, alphabet)):
        names = ", ".join(f"U+{ord(character):04X}" for character in controls[:5])
        pattern = re.compile("[" + re.escape("".join(controls)) + "]")
        checks[f"control or private characters ({names})"] = _make_finder(pattern)
    if "\ufffd" in alphabet:
        checks["U+FFFD in place of bytes that could not be decoded"] = _make_finder(
            re.compile("\ufffd")
        )
    if alphabet & {*"ÂÃâÐÑï"}:
        checks["bytes of UTF-8 read in another encoding"] = _make_finder(_MOJIBAKE)
    if len({*filter(None, map(_similar_script, alphabet))}) > 1:
        checks["words that mix Latin with Cyrillic or Greek letters"] = find_mixed_word
    warnings = [_describe(texts, reason, find) for reason, find in checks.items()]
    num_letterless = sum(_find_letterless(text) is not None for text in texts)
    if num_letterless > MAX_LETTERLESS_SHARE * len(texts):
        warnings.append(_describe(texts, "no letters", _find_letterless))
    return [warning for warning in warnings if warning]


def is_control(character: str) -> bool:
    """Return whether a character is a control character, for private use, or a lost BOM.

    Args:
        character: Character.
    """
    is_odd = unicodedata.category(character) in ("Cc", "Co") or character == "\ufeff"
    return is_odd and character not in WHITE_SPACE


def find_mixed_word(text: str) -> int | None:
    """Return the start of the first word with Latin and Cyrillic or Greek letters, or None.

    Words of two letters, such as a quantity after Δ, do not count.

    Args:
        text: Text.
    """
    for match in _WORD.finditer(text):
        word = match[0]
        if len(word) > 2 and len({*filter(None, map(_similar_script, word))}) > 1:
            return match.start()
    return None


def _similar_script(character: str) -> str | None:
    """Return the script of a letter if it is one of those that look alike."""
    if character.isascii():
        return "LATIN" if character.isalpha() else None
    if character in IPA_GREEK:
        return None
    script = unicodedata.name(character, "").partition(" ")[0]
    return script if script in _SIMILAR_SCRIPTS and character.isalpha() else None


def _make_finder(pattern: re.Pattern[str]) -> Finder:
    """Return a function from a text to the start of the first match."""

    def find(text: str) -> int | None:
        match = pattern.search(text)
        return match and match.start()

    return find


def _find_letterless(text: str) -> int | None:
    """Return 0 for a text without letters, such as a number. Return None for any other text."""
    return None if not text or any(map(str.isalpha, text)) else 0


def _describe(texts: Sequence[str], reason: str, find: Finder) -> str:
    """Return a warning with the number of texts that have a match, and an excerpt of the first."""
    matches = [(text, start) for text in texts if (start := find(text)) is not None]
    if not matches:
        return ""
    text, start = matches[0]
    beginning = max(0, start - MAX_CONTEXT)
    context = excerpt(text[beginning:])
    verb = "has" if len(matches) == 1 else "have"
    return f"{len(matches):,} of {len(texts):,} texts {verb} {reason}, such as {context!r}"
