"""The IUPAC code of DNA (Cornish-Bowden 1985)."""

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


def normalize_sequence(text: str, where: str) -> str:
    """Return a sequence in upper case, with T for U and without white space.

    Args:
        text: Letters of `IUPAC_CODE` in upper or lower case.
        where: File or source of the text, at the start of an error message.

    Raises:
        InputError: If a letter is not in `IUPAC_CODE`; the message gives its position, from 1.
    """
    for position, letter in enumerate(text, 1):
        if letter.upper() not in IUPAC_CODE and not letter.isspace():
            raise InputError(
                f"{where}, position {position}: {letter!r} is not an IUPAC letter of DNA; use "
                f"{' '.join(IUPAC_CODE)}."
            )
    return "".join(text.split()).upper().replace("U", "T")


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
