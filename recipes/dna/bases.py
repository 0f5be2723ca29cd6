"""The letters of DNA, and what they stand for (IUPAC, Cornish-Bowden 1985)."""

from keras_seq import InputError

BASES = "ACGT"
LETTERS = {base: base for base in BASES} | {
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
"""Each letter with the bases that it may be; U is what RNA has for T."""
COMPLEMENTS = str.maketrans("ACGTRYSWKMBDHVN", "TGCAYRSWMKVHDBN")


def checked(text, where):
    """Letters of DNA as they are compared: capitals, T for U, no white space.

    Args:
        text: Small or capital letters.
        where: What the message of the error begins with.

    Raises:
        InputError: A letter is none of `LETTERS`; the message gives its position, from 1.
    """
    for number, letter in enumerate(text, 1):
        if letter.upper() not in LETTERS and not letter.isspace():
            raise InputError(
                f"{where}, position {number}: {letter!r} is no letter of DNA; there are "
                f"{' '.join(LETTERS)}."
            )
    return "".join(text.split()).upper().replace("U", "T")


def reverse_complement(sequence):
    """The other strand, read in its own direction.

    Args:
        sequence: As `checked` returns it.
    """
    return sequence.translate(COMPLEMENTS)[::-1]


def vectors():
    """Of each letter, in small, how likely each of `BASES` is; a token that is none may be any."""
    found = {
        letter.lower(): [(base in of) / len(of) for base in BASES] for letter, of in LETTERS.items()
    }
    return found | {"<UNK>": found["n"]}
