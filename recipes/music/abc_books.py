"""Tune books in ABC notation, as they are on the web: many tunes in one file, with text between."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .abc_reader import AbcReader, Line, accidentals_carry
from .melodies import Melody

_BEGIN = re.compile(r"X:\s*\d*")
_DIRECTIVE = re.compile(r"%|I:")


class AbcTune(NamedTuple):
    """One tune of a book."""

    lines: list[Line]
    """Lines with their numbers, from the field X on."""
    carries: str = "pitch"
    """Notes for which accidentals hold until the end of the bar, see `abc_voice.AbcVoice`."""

    def key(self) -> str:
        """Return the text after the first key, with each run of white space as one blank."""
        texts = [line for _, line in self.lines]
        start = next((n for n, text in enumerate(texts) if text.startswith("K:")), -1)
        return " ".join(" ".join(texts[start + 1 :]).split())

    def read(self, where: object) -> Melody:
        """Return the melody.

        Args:
            where: File, for error messages.

        Raises:
            InputError: If the tune is damaged, or has no key or notes.
            LimitError: If the tune is too long.
        """
        reader = AbcReader(where, self.carries)
        reader.read(self.lines)
        return reader.melody()


class AbcBook:
    """Tunes of a book.

    A tune begins with a field X and ends before an empty line. Other lines are text between tunes.
    Directives before the first tune hold for all of them. A book without a field X is one tune.

    >>> book = AbcBook(enumerate(["X:1", "K:G", "G|", "", "Some words", "X:2", "K:C", "C|"], 1))
    >>> [tune.read("a.abc").tokens[1:] for tune in book], book.num_other_lines
    ([['K:G_major', '0:1/2', '|'], ['K:C_major', '0:1/2', '|']], 1)

    Args:
        lines: Lines of the file with their numbers.
    """

    def __init__(self, lines: Iterable[Line]) -> None:
        self.num_other_lines = 0
        """Number of lines between tunes that were left out, once the tunes have been read."""
        self._lines = list(lines)

    def __iter__(self) -> Iterator[AbcTune]:
        """Return an iterator over the tunes."""
        if not any(_BEGIN.match(line) for _, line in self._lines):
            yield AbcTune(self._lines)
            return
        self.num_other_lines = 0
        carries, tune, is_in_tune, is_first = "pitch", list[Line](), False, True
        for number, line in self._lines:
            if _BEGIN.match(line):
                if tune:
                    yield AbcTune(tune, carries)
                tune, is_in_tune, is_first = [(number, line)], True, False
            elif is_in_tune and line.strip():
                tune.append((number, line))
            elif is_first and _DIRECTIVE.match(line):
                carries = accidentals_carry(line) or carries
            else:
                is_in_tune = False
                self.num_other_lines += bool(line.strip()) and not _DIRECTIVE.match(line)
        yield AbcTune(tune, carries)
