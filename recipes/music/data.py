"""Tunes with their style: the tune books in music21, or folders of your own."""

import re
import sys
from pathlib import Path

import tensorflow_datasets as tfds

from keras_seq import data
from keras_seq.batches import Examples
from keras_seq.errors import InputError

from . import tunes

BOOKS = {"oneills1850": "O'Neill", "airdsAirs": "Aird", "ryansMammoth": "Ryan"}
"""Folders in the corpus of music21, and what they are called here."""


def load(config):
    """By split, tunes as lists of tokens; the target is the name of the style of each."""
    if config.data == "builtin":
        source, files = "builtin", None
    else:
        if config.data.startswith("tfds:"):
            raise InputError(
                "No set of TFDS has tunes with a style; --data takes a folder of your own."
            )
        _, files = data.files_by_class(config.data, tunes.SUFFIXES)
        source = data.fingerprint(files)
    features = tfds.features.FeaturesDict(
        {name: tfds.features.Text() for name in ("tokens", "style")}
    )
    builder = data.prepare(
        "music",
        "1.1.0",
        features,
        lambda: _read(_books() if files is None else _of_files(files)),
        source,
    )
    return {
        split: Examples(
            [tokens.decode("utf-8").split() for tokens in columns["tokens"]],
            [style.decode("utf-8") for style in columns["style"]],
        )
        for split, columns in data.arrays(builder).items()
    }


def _books():
    """Where each tune is, its ABC text, its style, and the split it belongs to or None."""
    import music21

    corpus = Path(music21.__file__).parent / "corpus"
    for folder, style in BOOKS.items():
        for file in sorted((corpus / folder).glob("*.abc")):
            yield from _tunes(file, style, None)


def _of_files(files):
    for file, style, split in files:
        if file.suffix == ".abc":
            yield from _tunes(file, style, split)
        else:
            yield str(file), file, style, split


def _tunes(file, style, split):
    text = file.read_text(encoding="utf-8", errors="replace")
    found = tunes.split_abc(text) or [text]
    for number, tune in enumerate(found, 1):
        yield f"{file}, tune {number}", tune, style, split


def _read(found):
    """What `keras_seq.data.prepare` takes; what cannot be read is named and left out."""
    from music21 import converter

    broken = 0
    for where, content, style, split in found:
        try:
            if isinstance(content, Path):
                key, tokens = content.read_bytes(), tunes.tokens_of(converter.parse(content))
            else:
                key, tokens = tunes.body(content), tunes.tokens_of_abc(content)
        # Parsers meet broken files with whatever comes up.
        except Exception as error:
            broken += 1
            reason = re.sub(r"\s+", " ", str(error))[:100] or type(error).__name__
            print(f"Left out {where}: {reason}.", file=sys.stderr)
            continue
        yield key, {"tokens": " ".join(tokens), "style": style}, split
    if broken:
        print(f"Left out {broken} tunes that could not be read.", file=sys.stderr)


def melody(text):
    """The tokens of notes in ABC notation, such as `M:6/8 K:G GAB c2d`.

    Raises:
        InputError: It cannot be read.
    """
    fields = dict(re.findall(r"\b([MKL]):(\S+)", text))
    notes = re.sub(r"\b[MKL]:\S+\s*", "", text).strip()
    abc = f"X:1\nM:{fields.get('M', '4/4')}\nL:{fields.get('L', '1/8')}\nK:{fields.get('K', 'C')}\n"
    if not notes:
        raise InputError(f"The prompt {text!r} has no notes; write it as M:6/8 K:G GAB c2d.")
    try:
        tokens = tunes.tokens_of_abc(abc + notes + "\n")
    except Exception as error:
        raise InputError(f"The prompt {text!r} is not ABC notation: {error}.") from None
    # The last bar is still open.
    return tokens[:-1] if not re.search(r"[|:\]]\s*$", notes) else tokens
