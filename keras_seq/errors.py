"""Errors that speak to the user in one sentence."""

import difflib
import errno


class InputError(ValueError):
    """Something the user gave is wrong; the message says what, where, and what would be right."""

    # Keras would add all arguments of each layer that the error passes on its way up.
    _keras_call_info_injected = True


def disk_is_full(error):
    """Whether that is what an OSError says."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def unknown(kind, name, known):
    """An InputError for a name that is not among the known ones, with the nearest one suggested.

    Args:
        kind: what the name stands for, for example "recipe".
        name: what the user wrote.
        known: the names that exist.
    """
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known))}."
    return InputError(f"There is no {kind} {name!r}: {hint}")
