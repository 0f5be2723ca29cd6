"""Checks of Unicode text."""

from keras_seq._internal.errors import InputError


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
