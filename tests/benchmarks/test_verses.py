"""Pairs of verses from two translations."""

import types

from benchmarks import verses


class Bible:
    """Translation with the interface of pysword."""

    def __init__(self, texts):
        self.texts = texts

    def get_structure(self):
        lengths = {}
        for book, chapter, _ in self.texts:
            chapters = lengths.setdefault(book, {})
            chapters[chapter] = chapters.get(chapter, 0) + 1
        books = [
            types.SimpleNamespace(name=name, chapter_lengths=list(chapters.values()))
            for name, chapters in lengths.items()
        ]
        return types.SimpleNamespace(get_books=lambda: {"all": books})

    def get(self, books, chapters, verses, clean):
        assert not clean
        return self.texts.get((books[0], chapters[0], verses[0]), "")


def test_pairs_are_those_that_both_have_without_long_ones():
    spanish = Bible(
        {
            ("Job", 1, 1): "Uno",
            ("Job", 1, 2): "Dos",
            ("Job", 2, 1): "Tres",
            ("Job", 2, 2): "c " * 81,
        }
    )
    english = Bible(
        {
            ("Job", 1, 1): "One<note>Or: 1</note>  and\nall",
            ("Job", 2, 1): "<q>Th</q>ree",
            ("Job", 2, 2): "Four",
            ("Tobit", 1, 1): "Five",
        }
    )
    assert list(verses.pairs(english, spanish)) == [("One and all", "Uno"), ("Three", "Tres")]


def test_notes_and_headings_become_spaces():
    assert verses.clean("<title type='x'>Of David</title>Sing<note>a\nb</note>to") == "Sing to"
