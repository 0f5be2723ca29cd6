"""Pairs of verses as data for the recipe translation: `python -m benchmarks.verses PAIRS.tsv`.

The World English Bible and the Reina-Valera of 1909 are in the public domain. Debian has them as
packages. `pip install pysword` reads them:

    apt-get download sword-text-web sword-text-sparv
    for package in *.deb; do dpkg -x "$package" .; done
    python -m benchmarks.verses verses.tsv --modules usr/share/sword
    keras-seq train translation --data verses.tsv --run verses

The file has 31,072 pairs, English and Spanish, of at most 80 words each.
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from keras_seq._internal.files import atomic_write

ENGLISH, SPANISH = "engWEB2015eb", "spaRV1909eb"
"""Names of the modules."""
MAX_WORDS = 80

_NOTE = re.compile(r"<(note|title)\b.*?</\1>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")


class Place(NamedTuple):
    """Place of a verse."""

    book: str
    chapter: int
    verse: int


def main() -> None:
    """Write the pairs as a table with a header."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pairs", type=Path, help="File to write.")
    parser.add_argument("--modules", default="usr/share/sword", help="Folder of the modules.")
    arguments = parser.parse_args()
    from pysword.modules import SwordModules

    modules = SwordModules(arguments.modules)
    modules.parse_modules()
    english, spanish = (modules.get_bible_from_module(name) for name in (ENGLISH, SPANISH))
    with atomic_write(arguments.pairs) as path, path.open("w", encoding="utf-8") as file:
        print("source\ttarget", file=file)
        for pair in pairs(english, spanish):
            print(*pair, sep="\t", file=file)


def pairs(source: Any, target: Any) -> Iterator[tuple[str, str]]:
    """Yield the verses that both translations have, without long ones.

    Args:
        source: Translation, of pysword.
        target: Translation, of pysword. Its books are read.
    """
    for place in places(target):
        texts = read(source, place), read(target, place)
        if all(1 <= len(text.split()) <= MAX_WORDS for text in texts):
            yield texts


def places(bible: Any) -> Iterator[Place]:
    """Yield the places of all verses of a translation."""
    for books in bible.get_structure().get_books().values():
        for book in books:
            for chapter, length in enumerate(book.chapter_lengths, 1):
                yield from (Place(book.name, chapter, verse) for verse in range(1, length + 1))


def read(bible: Any, place: Place) -> str:
    """Return a verse without markup, empty if the translation lacks it."""
    return clean(bible.get([place.book], [place.chapter], [place.verse], clean=False))


def clean(verse: str) -> str:
    """Return a verse without notes, headings and other markup.

    >>> clean('<title>A Psalm</title>In the <w lemma="a">beginning</w><note>Or: first</note>.')
    'In the beginning .'
    """
    return " ".join(_TAG.sub("", _NOTE.sub(" ", verse)).split())


if __name__ == "__main__":
    main()
