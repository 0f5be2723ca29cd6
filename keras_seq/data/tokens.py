"""How a text becomes tokens."""

import re

_WORD = re.compile(r"[^\W_]+|[^\w\s]|_")
_WITHOUT_SPACES = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


def characters(text):
    """Every character but white space, and where it is: `[(token, start, end)]`."""
    return [(c, i, i + 1) for i, c in enumerate(text) if not c.isspace()]


def words(text):
    """Runs of letters and digits, and every other character: `[(token, start, end)]`."""
    return [(match.group(), match.start(), match.end()) for match in _WORD.finditer(text)]


SPLITTERS = {"characters": characters, "words": words}
"""The ways to split a text."""


def written_without_spaces(text):
    """Whether there is Chinese or Japanese in a text."""
    return bool(_WITHOUT_SPACES.search(text))
