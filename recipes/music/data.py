"""Tunes with their style: the tune books or the chorales in music21, or folders of your own."""

import itertools
import re
import sys
from fractions import Fraction
from pathlib import Path

import tensorflow_datasets as tfds

from keras_seq import InputError, data
from keras_seq._internal.errors import excerpt
from keras_seq.batching import RawExamples
from keras_seq.data.limits import LimitError
from keras_seq.data.opening import read_document
from keras_seq.train.recipe import Splits

from . import chorales, scores, tunes
from .config import Config

BOOKS = {"oneills1850": "O'Neill", "airdsAirs": "Aird", "ryansMammoth": "Ryan"}
"""Folders in the corpus of music21, and what they are called here."""


def load(config: Config) -> Splits:
    """Return tunes as lists of events by split; the target is the name of the style of each."""
    source, paths = "builtin", []
    if config.data == "chorales":
        name, version, read = "chorales", "1.0.0", chorales.read
    elif config.data == "builtin":
        name, version, read = "music", "1.1.0", lambda: _read(_books())
    elif config.data.startswith("tfds:"):
        raise InputError(
            "No set of TFDS has tunes with a style; --data takes chorales or a folder of your own."
        )
    else:
        _, files = data.list_files_by_class(config.data, tunes.SUFFIXES)
        source, paths = data.fingerprint(files), [file for file, *_ in files]
        name, version, read = "music", "1.1.0", lambda: _read(_of_files(files))
    features = tfds.features.FeaturesDict(
        {column: tfds.features.Text() for column in ("tokens", "style")}
    )
    builder = data.cached_dataset(name, version, features, read, source, paths)
    return {
        split: RawExamples(
            [tokens.decode("utf-8").split() for tokens in columns["tokens"]],
            [style.decode("utf-8") for style in columns["style"]],
        )
        for split, columns in data.to_arrays(builder).items()
    }


def _books():
    """Where each tune is, its ABC text, its style, and the split it belongs to or None."""
    import music21

    corpus = Path(music21.__file__).parent / "corpus"
    for folder, style in BOOKS.items():
        for file in sorted((corpus / folder).glob("*.abc")):
            yield from tunes_of(file, style, None)


def _of_files(files):
    for file, style, split in files:
        if file.suffix.lower() == ".abc":
            yield from tunes_of(file, style, split)
        else:
            yield str(file), file, style, split


def tunes_of(file, style, split):
    """Yield the tunes of a file of ABC: where each is, its text, the style and the split."""
    text = read_document(file).decode("utf-8", "replace")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    found = tunes.split_abc(text)
    first = next(found, text)
    for number, tune in enumerate(itertools.chain([first], found), 1):
        yield f"{file}, tune {number}", tune, style, split


def _read(found):
    """Yield the examples of files for `keras_seq.data.cached_dataset`, without damaged tunes.

    Raises:
        InputError: None could be read.
        LimitError: A tune is too long; with another limit it would be another dataset.
    """
    count = broken = 0
    for where, content, style, split in found:
        count += 1
        try:
            if isinstance(content, Path):
                tokens = tunes.tokens_of(scores.parse_file(content), where=where)
                key = content.read_bytes()
            else:
                key, tokens = tunes.body(content), tunes.tokens_of_abc(content, where)
        except LimitError:
            raise
        except InputError as error:
            broken += 1
            print(f"Left out: {error}", file=sys.stderr)
            continue
        yield key, {"tokens": " ".join(tokens), "style": style}, split
    if broken == count:
        raise InputError(f"None of the {count} tunes could be read.")
    if broken:
        print(f"Left out {broken} of {count} tunes, which could not be read.", file=sys.stderr)


EXAMPLES = ("M:6/8 K:G GAB c2d", "K:G V:1 B2 V:2 G2 V:3 D2 V:4 G,2")
"""Prompts of a tune and of a chorale."""
FIELDS = {
    "M": ("4/4", r"C\|?|[1-9]\d?/(1|2|4|8|16|32)"),
    "L": ("1/8", r"1/(1|2|4|8|16|32)"),
    "K": ("C", r"[A-G][#b]?(m|((maj|min|ion|dor|phr|lyd|mix|aeo|loc)[a-z]*))?"),
}
"""Fields of a prompt: default, and pattern of the values that are taken."""
NOTATION = r"(\^{1,2}|_{1,2}|=)?[A-Ga-g](,{1,3}|'{1,3})?|z|[-<>|:()\[\]{}~./\d\s]"


LONGEST_PROMPT = 500
"""Characters of the longest prompt."""
LONGEST_BAR = 8
"""Whole notes that fit between two bar lines of a prompt; music21 takes minutes for longer ones."""


def prompt_of(text, voices=1):
    """The tokens of notes in ABC notation, such as `M:6/8 K:G GAB c2d`.

    Args:
        text: The notes; with four voices all of them, each after a `V:` with its number.
        voices: 1 or 4.

    Raises:
        InputError: It cannot be read.
    """
    example = f"write it as {EXAMPLES[voices > 1]}."
    if len(text) > LONGEST_PROMPT:
        raise InputError(
            f"The prompt has {len(text):,} characters: at most {LONGEST_PROMPT} are read."
        )
    shown = repr(excerpt(text))
    given = dict(re.findall(r"\b([MKL]):(\S+)", text))
    for field, (_, form) in FIELDS.items():
        if field in given and not re.fullmatch(form, given[field], re.IGNORECASE):
            raise InputError(
                f"The prompt has {field}:{excerpt(given[field])}, which is not ABC; {example}"
            )
    metre = Fraction(1 if given.get("M", "C")[0] in "Cc" else given["M"])
    first, *others = re.split(r"\[?V:\w+\]?", re.sub(r"\b[MKL]:\S+", "", text))
    lines = others if not first.strip() and others else [first, *others]
    if len(lines) != voices:
        raise InputError(f"The prompt has {len(lines)} voices, not {voices}; {example}")
    head = "".join(f"{field}:{given.get(field, usual)}\n" for field, (usual, _) in FIELDS.items())
    read = []
    for line in lines:
        if unknown := re.sub(NOTATION, "", line):
            raise InputError(f"The prompt has {unknown[0]!r}, which is no note; {example}")
        if not re.search("[A-Ga-gz]", line):
            raise InputError(f"The prompt {shown} has no notes; {example}")
        for bar in line.split("|"):
            longest, whole = (length * Fraction(given.get("L", "1/8")) for length in _longest(bar))
            if longest > metre or whole > LONGEST_BAR:
                raise InputError(
                    f"The prompt has {excerpt(bar.strip())!r} between two bar lines: a note may "
                    f"last a bar, and all at most {LONGEST_BAR} whole notes."
                )
        closed = re.search(r"[|:]\]?\s*$", line)
        try:
            # Among bar lines, since where there are few music21 makes bars of its own.
            notes = f"| {line.strip()}{'' if closed else '|'} z|"
            tokens = tunes.tokens_of_abc(f"X:1\n{head}{notes}\n", "the prompt")
        except LimitError:
            raise
        except InputError as error:
            raise InputError(f"The prompt {shown} is not ABC notation: {error}") from None
        read.append(tokens[: -2 if closed else -3])
    try:
        return read[0] if voices == 1 else tunes.merged(read)
    except ValueError as error:
        raise InputError(f"The prompt {shown} is wrong: {error}.") from None


def _longest(bar):
    """Return bounds on the lengths of the longest note and of all notes in a bar, in units."""
    notes = [Fraction(int(n or 1)) for n in re.findall(r"[A-Ga-gz][,']*(\d*)", bar)]
    chords = [int(n) for n in re.findall(r"\]\s*(\d+)", bar)]
    # A tuplet (p:q:r puts p notes into the time of q; without q, at most two into that of three.
    tuplets = [Fraction(int(q), int(p)) for p, q in re.findall(r"\((\d+):(\d+)", bar) if int(p)]
    dotted = 2 if re.search("[<>]", bar) else 1
    most = max([1, *chords]) * max([Fraction(3, 2) if "(" in bar else 1, *tuplets]) * dotted
    return max(notes, default=0) * most, sum(notes) * most
