"""Names of runs, which are names of folders on every system."""

import re

from keras_seq._internal.errors import InputError, excerpt

MAX_BYTES = 200
"""Maximum length of a name. File systems allow 255 bytes, and temporary files add some."""
WINDOWS_CHARACTERS = frozenset('<>:"|?*')
WINDOWS_NAMES = re.compile(r"CON|PRN|AUX|NUL|(COM|LPT)\d", re.IGNORECASE)


def check_run_name(name: str) -> None:
    """Check the name of a run.

    >>> from keras_seq.train.run_names import check_run_name
    >>> check_run_name("-fast")
    Traceback (most recent call last):
        ...
    keras_seq._internal.errors.InputError: --run '-fast' begins with a hyphen; choose another name.

    Args:
        name: Name that the user gave.

    Raises:
        InputError: If it is not the name of a single folder on every system.
    """
    shown = excerpt(repr(name))
    if name in ("", ".", "..") or "/" in name or "\\" in name:
        raise InputError(
            f"--run must be a name without path separators, got {shown}. Use --runs for the "
            "folder of all runs."
        )
    if reason := _find_fault(name):
        raise InputError(f"--run {shown} {reason}; choose another name.")


def _find_fault(name: str) -> str | None:
    """Return the reason, as a clause, why a name is not valid on every system, or None."""
    invalid = sorted(WINDOWS_CHARACTERS & set(name))
    faults = {
        "contains control characters": not name.isprintable(),
        f"is too long, with more than {MAX_BYTES} bytes": len(name.encode("utf-8", "surrogatepass"))
        > MAX_BYTES,
        f"contains {' '.join(invalid)}, which Windows does not allow": invalid,
        "begins with a hyphen": name.startswith("-"),
        "begins or ends with a blank": name != name.strip(" "),
        "ends with a period": name.endswith("."),
        "is a reserved name on Windows": WINDOWS_NAMES.fullmatch(name.split(".", maxsplit=1)[0]),
    }
    return next((reason for reason, holds in faults.items() if holds), None)
