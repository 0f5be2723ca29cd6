"""Checks of Unicode text, and its parts between blanks."""

import re

from keras_seq._internal.errors import InputError

BLANKS = " \t\r\n"
"""White space that separates the parts of a text file.

Other white space, such as a no-break or an ideographic space, may be part of a word.
"""

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def split_at_blanks(text: str, maxsplit: int = 0) -> list[str]:
    r"""Return the parts of a text between `BLANKS`, without empty ones.

    >>> split_at_blanks(" 10\xa0000  a b ", maxsplit=1)
    ['10\xa0000', 'a b']

    Args:
        text: Text.
        maxsplit: Maximum number of cuts. Default: no maximum.
    """
    text = text.strip(BLANKS)
    return re.split(f"[{BLANKS}]+", text, maxsplit=maxsplit) if text else []


def show_controls(text: str) -> str:
    r"""Return a text for a terminal, with escapes in place of control characters.

    Line ends and tabs remain. Other control characters could move the cursor, change colours, or
    reverse the order of letters.

    >>> show_controls("\x1b[31mred")
    '\\x1b[31mred'

    Args:
        text: Text, perhaps from a file.
    """
    return _CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def check_text(text: str, where: str) -> None:
    """Raise an error for text that cannot be encoded.

    Args:
        text: Text to check.
        where: Source of the text for the message, such as file and line.

    Raises:
        InputError: If the text contains half a surrogate pair.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise surrogate_error(error, where) from None


def surrogate_error(error: UnicodeEncodeError, where: str) -> InputError:
    """Return the error for text that contains half a surrogate pair.

    Args:
        error: Error that `str.encode` raised.
        where: As in `check_text`.
    """
    code = ord(error.object[error.start])
    return InputError(
        f"{where}: character {error.start + 1} is half a surrogate pair (U+{code:04X}), which "
        "cannot be encoded."
    )
