"""Built-in tunes: tune books in the corpus of music21, as music21 reads them."""

import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from keras_seq import InputError
from keras_seq.data.opening import read_document

from . import scores

BOOKS = {"oneills1850": "O'Neill", "airdsAirs": "Aird", "ryansMammoth": "Ryan"}
"""Folders of tune books in the corpus of music21, with the names of their styles."""

_VERSION = re.compile(r"(?m)^(?:%|I: *)abc-(?:version +)?(\d+\.\d+)")


def read_books() -> Iterator[tuple[str, dict[str, str], None]]:
    """Yield examples for `keras_seq.data.cached_dataset`; damaged tunes are reported and left out.

    Recorded results depend on what music21 reads. `abc_books` reads 18% of these tunes otherwise:
    music21 loses notes, and dots after grace notes and ties.
    """
    import music21

    corpus = Path(music21.__file__).parent / "corpus"
    for folder, style in BOOKS.items():
        for file in sorted((corpus / folder).glob("*.abc")):
            for number, tune in enumerate(_split_tunes(file), 1):
                # music21 reads the version in the first line only.
                version = _VERSION.search(tune)
                text = f"%abc-{version[1] if version else '2.1'}\n{tune}"
                where = f"{file}, tune {number}"
                try:
                    tokens = scores.score_to_tokens(scores.parse_abc(text, where), where=where)
                except InputError as error:
                    print(f"Left out: {error}", file=sys.stderr)
                    continue
                _, _, after_key = tune.partition("\nK:")
                key = " ".join(after_key.partition("\n")[2].split())
                yield key, {"tokens": " ".join(tokens), "style": style}, None


def _split_tunes(file: Path) -> Iterator[str]:
    """Yield the tunes of a book, each with the directives of the book's head."""
    text = read_document(file).decode("utf-8", "replace")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    starts = [match.start() for match in re.finditer(r"(?m)^X:|\Z", text)]
    directives = "".join(re.findall(r"(?m)^(?:%|I:).*\n", text[: starts[0]]))
    for start, end in itertools.pairwise(starts):
        yield directives + text[start:end]
