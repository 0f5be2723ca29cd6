"""The IUPAC code of DNA (Cornish-Bowden 1985)."""

import dataclasses
import re

from keras_seq import InputError

BASES = "ACGT"
IUPAC_CODE = {base: base for base in BASES} | {
    "U": "T",
    "R": "AG",
    "Y": "CT",
    "S": "CG",
    "W": "AT",
    "K": "GT",
    "M": "AC",
    "B": "CGT",
    "D": "AGT",
    "H": "ACT",
    "V": "ACG",
    "N": "ACGT",
}
"""Each letter with the bases that it stands for; U is the RNA letter for T."""
COMPLEMENTS = str.maketrans("ACGTRYSWKMBDHVN", "TGCAYRSWMKVHDBN")
GAPS, STOP = "-.", "*"
"""Letters that stand for no base: gaps of an alignment, and the end of a translated sequence."""
PROTEIN_LETTERS = frozenset("EFILPQZ")
"""Letters of amino acids that are not letters of DNA."""
_LETTERS = "".join(IUPAC_CODE) + "X"
_INVALID = re.compile(rf"[^{_LETTERS}{_LETTERS.lower()}{re.escape(GAPS + STOP)}\s]")
_NORMAL = {
    **{ord(letter.lower()): letter for letter in IUPAC_CODE},
    **dict.fromkeys(map(ord, "Uu"), "T"),
    **dict.fromkeys(map(ord, "Xx"), "N"),
    **dict.fromkeys(map(ord, GAPS + STOP)),
}
"""Table for `str.translate`."""


@dataclasses.dataclass
class LetterCounts:
    """Counts of the letters of sequences, for a summary.

    >>> counts = LetterCounts()
    >>> counts.add("AC-GX*")
    >>> counts.notes()
    ('left out 1 gap and 1 stop (*)', 'read 1 letter X as N')
    """

    letters: int = 0
    bases: int = 0
    """Number of letters A, C, G, T, U, N and X."""
    gaps: int = 0
    stops: int = 0
    unknown: int = 0
    """Number of letters X."""

    def add(self, text: str) -> None:
        """Count the letters of a text that `normalize_sequence` accepts.

        Args:
            text: Letters in upper or lower case.
        """
        text = "".join(text.split())
        upper = text.upper()
        self.letters += len(text)
        self.bases += sum(map(upper.count, "ACGTUNX"))
        self.gaps += sum(map(text.count, GAPS))
        self.stops += text.count(STOP)
        self.unknown += upper.count("X")

    def notes(self) -> tuple[str, ...]:
        """Return what was left out or read as another letter, and whether it looks like DNA."""
        counts = [
            f"{number:,} {name}{'s' * (number != 1)}{sign}"
            for number, name, sign in ((self.gaps, "gap", ""), (self.stops, "stop", " (*)"))
            if number
        ]
        notes = [f"left out {' and '.join(counts)}"] if counts else []
        if self.unknown:
            notes.append(f"read {self.unknown:,} letter{'s' * (self.unknown != 1)} X as N")
        if 2 * self.bases < self.letters:
            share = self.bases / self.letters
            notes.append(f"only {share:.0%} of the letters are A, C, G, T, U or N: is this DNA?")
        return tuple(notes)


def normalize_sequence(text: str, where: str) -> str:
    """Return a sequence in upper case, with T for U, N for X, and without white space.

    Gaps (`-`, `.`) and stops (`*`) are left out.

    Args:
        text: Letters of `IUPAC_CODE`, or X, in upper or lower case.
        where: File or source of the text, at the start of an error message.

    Raises:
        InputError: If a letter is not in `IUPAC_CODE`; the message gives its position, from 1.
    """
    if invalid := _INVALID.search(text):
        is_protein = len(PROTEIN_LETTERS.intersection(text.upper())) > 1
        advice = (
            "this looks like a protein, and only DNA or RNA is read"
            if is_protein
            else f"use {' '.join(IUPAC_CODE)}"
        )
        raise InputError(
            f"{where}, position {invalid.start() + 1}: {invalid[0]!r} is not an IUPAC letter of "
            f"DNA; {advice}."
        )
    return "".join(text.split()).translate(_NORMAL)


def reverse_complement(sequence: str) -> str:
    """Return the opposite strand, read in its own direction.

    Args:
        sequence: Sequence as `normalize_sequence` returns it.
    """
    return sequence.translate(COMPLEMENTS)[::-1]


def base_probabilities() -> dict[str, list[float]]:
    """Return the probability of each of `BASES` for each lower-case letter.

    An unknown token, `<UNK>`, has the probabilities of N.
    """
    probabilities = {
        letter.lower(): [(base in bases) / len(bases) for base in BASES]
        for letter, bases in IUPAC_CODE.items()
    }
    return probabilities | {"<UNK>": probabilities["n"]}
