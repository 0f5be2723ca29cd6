"""Prompts: the beginning of a tune, typed in ABC notation."""

import re
from fractions import Fraction

from keras_seq import InputError
from keras_seq.data.limits import LimitError

from . import tunes
from .abc_reader import AbcReader

EXAMPLES = ("M:6/8 K:G GAB c2d", "K:G V:1 B2 V:2 G2 V:3 D2 V:4 G,2")
"""Prompts of a tune and of a chorale."""
FIELDS = {
    "M": ("4/4", r"C\|?|[1-9]\d?/(1|2|4|8|16|32)"),
    "L": ("1/8", r"1/(1|2|4|8|16|32)"),
    "K": ("C", r"[A-G][#b]?(m|((maj|min|ion|dor|phr|lyd|mix|aeo|loc)[a-z]*))?"),
}
"""Fields of a prompt, with default and pattern of their values."""
NOTATION = r"(\^{1,2}|_{1,2}|=)?[A-Ga-g](,{1,3}|'{1,3})?|z|[-<>|:()\[\]{}~./\d\s]"
"""Pattern of the notation that a prompt may have."""
MAX_PROMPT_LENGTH = 500
"""Maximum number of characters of a prompt."""
MAX_BAR_LENGTH = 8
"""Maximum length between two bar lines, in whole notes."""
MAX_SHOWN = 60
"""Maximum number of characters of the prompt that an error message shows."""


def parse_prompt(text: str, num_voices: int = 1) -> list[str]:
    """Return the tokens of a prompt such as `M:6/8 K:G GAB c2d`.

    Args:
        text: Prompt. With four voices, each follows a `V:` with its number.
        num_voices: 1 or 4.

    Raises:
        InputError: If the prompt is not valid.
    """
    example = f"write it as {EXAMPLES[num_voices > 1]}."
    if len(text) > MAX_PROMPT_LENGTH:
        raise InputError(
            f"The prompt has {len(text):,} characters; the maximum is {MAX_PROMPT_LENGTH}."
        )
    fields = dict(re.findall(r"\b([MKL]):(\S+)", text))
    for field, (_, pattern) in FIELDS.items():
        if field in fields and not re.fullmatch(pattern, fields[field], re.IGNORECASE):
            raise InputError(
                f"The prompt has {field}:{fields[field][:MAX_SHOWN]}, which is not ABC; {example}"
            )
    bar_length = Fraction(1 if fields.get("M", "C")[0] in "Cc" else fields["M"])
    unit = Fraction(fields.get("L", "1/8"))
    first, *others = re.split(r"\[?V:\w+\]?", re.sub(r"\b[MKL]:\S+", "", text))
    lines = others if not first.strip() and others else [first, *others]
    if len(lines) != num_voices:
        raise InputError(f"The prompt has {len(lines)} voices, not {num_voices}; {example}")
    for line in lines:
        _check_line(line, text, example, bar_length, unit)
    head = "".join(
        f"{field}:{fields.get(field, default)}\n" for field, (default, _) in FIELDS.items()
    )
    voices = [_parse_line(line, text, head) for line in lines]
    try:
        return voices[0] if num_voices == 1 else tunes.merge_voices(voices)
    except ValueError as error:
        raise InputError(f"The prompt {text[:MAX_SHOWN]!r} is wrong: {error}.") from None


def _check_line(line: str, text: str, example: str, bar_length: Fraction, unit: Fraction) -> None:
    """Raise an error if a voice has other notation than notes, no notes, or too long bars."""
    if unknown := re.sub(NOTATION, "", line):
        raise InputError(f"The prompt has {unknown[0]!r}, which is not a note; {example}")
    if not re.search("[A-Ga-gz]", line):
        raise InputError(f"The prompt {text[:MAX_SHOWN]!r} has no notes; {example}")
    for bar in line.split("|"):
        max_note, total = (units * unit for units in _max_lengths(bar))
        if max_note > bar_length or total > MAX_BAR_LENGTH:
            raise InputError(
                f"The prompt has {bar.strip()[:MAX_SHOWN]!r} between two bar lines: a note may "
                f"last one bar, and all notes together {MAX_BAR_LENGTH} whole notes."
            )


def _parse_line(line: str, text: str, head: str) -> list[str]:
    """Return the tokens of one voice."""
    reader = AbcReader("the prompt")
    try:
        reader.read(enumerate([*head.split("\n"), *line.split("\n")], 1))
        return reader.melody(is_complete=False).tokens
    except LimitError:
        raise
    except InputError as error:
        raise InputError(f"The prompt {text[:MAX_SHOWN]!r} is not ABC notation: {error}") from None


def _max_lengths(bar: str) -> tuple[Fraction, Fraction]:
    """Return bounds on the lengths of the longest note and of all notes in a bar, in units."""
    notes = [Fraction(int(n or 1)) for n in re.findall(r"[A-Ga-gz][,']*(\d*)", bar)]
    chords = [int(n) for n in re.findall(r"\]\s*(\d+)", bar)]
    # A tuplet (p:q:r puts p notes into the time of q; without q, at most two into that of three.
    tuplets = [Fraction(int(q), int(p)) for p, q in re.findall(r"\((\d+):(\d+)", bar) if int(p)]
    dotted = 2 if re.search("[<>]", bar) else 1
    factor = max([1, *chords]) * max([Fraction(3, 2) if "(" in bar else 1, *tuplets]) * dotted
    return max(notes, default=Fraction(0)) * factor, sum(notes, Fraction(0)) * factor
