"""Checks of text."""

from keras_seq._internal.errors import InputError


def check_text(text: str, where: str) -> None:
    """Refuse text that no encoding can hold.

    Args:
        text: Text.
        where: File and line, or what the text is, for the message.

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
        error: Error of `str.encode`.
        where: As in `check_text`.
    """
    code = ord(error.object[error.start])
    return InputError(
        f"{where}: character {error.start + 1} is half a surrogate pair (U+{code:04X}), which is "
        "not text."
    )
