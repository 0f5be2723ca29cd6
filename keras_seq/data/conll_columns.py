"""Columns of files with one token per line: CoNLL, CoNLL-U, UNER and the like."""

from __future__ import annotations

import dataclasses
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from keras_seq._internal.errors import InputError, unknown_name
from keras_seq.data.delimited import check_header
from keras_seq.data.files import read_lines
from keras_seq.text.tag_scheme_detection import has_scheme_letter
from keras_seq.text.tag_schemes import OUTSIDE

CONLL_U_COLUMNS = ["ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC"]
"""Names of the columns of CoNLL-U without `# global.columns`."""
CONLL_U_SUFFIXES = (".conllu", ".conllup")
DOCUMENT_START = "-DOCSTART-"
"""First column of lines between documents, in CoNLL-2003."""
TOKEN_NUMBER, SKIPPED_NUMBER = r"[0-9]+", r"[0-9]+[-.][0-9]+"
"""Patterns of the numbers of tokens, and of ranges of tokens (3-4) and empty nodes (2.1)."""

MAX_SAMPLE_LINES = 20_000
"""Number of lines from which the columns are detected."""
MIN_NUMBERED_SHARE = 0.5
"""Share of the sentences whose first column counts up from 1, in files with token numbers."""

_GLOBAL_COLUMNS = re.compile(r"#\s*global\.columns\s*=(.*)")
_KEY_AND_VALUE = re.compile(r"#\s*\S+ = ")


@dataclasses.dataclass(frozen=True)
class Column:
    """Column of a file.

    >>> print(Column(9, "MISC", "NER"), Column(-1))
    MISC:NER -1
    """

    index: int
    """Index from 0. Negative indices count from the last column."""
    name: str = ""
    """Name, if the columns have names."""
    key: str = ""
    """Key of the value, in a column of KEY=VALUE pairs that are separated by "|"."""

    def __str__(self) -> str:
        name = self.name or str(self.index)
        return f"{name}:{self.key}" if self.key else name

    def value(self, cells: Sequence[str]) -> str:
        """Return the value in a row. A missing key has the value "O".

        Args:
            cells: Cells of the row.
        """
        cell = cells[self.index]
        if not self.key:
            return cell
        pairs = (item.partition("=") for item in cell.split("|"))
        return next((value for key, _, value in pairs if key == self.key), OUTSIDE)


@dataclasses.dataclass(frozen=True)
class ColumnLayout:
    """Columns of a file, and what tells its comments from its tokens."""

    format: str
    """Name of the format."""
    token: Column
    tag: Column
    has_ids: bool = False
    """True if the first column numbers the tokens of a sentence."""
    header_line: int = 0
    """Number of the line with the names of the columns, or 0."""
    num_columns: int = 0
    """Number of columns of most token lines, or 0 if it is not known."""
    is_regular: bool = False
    """True if all token lines have the same number of columns and the same separator."""
    has_tabs: bool = False
    """True if tabs separate the columns, false if spaces do."""
    tags: frozenset[str] = frozenset()
    """Tags of the lines that cannot be comments."""
    space_after: Column | None = None
    """Column of SpaceAfter=No, if the file has it."""

    @property
    def needs_equal_columns(self) -> bool:
        """True if the token or tag of a line depends on its number of columns."""
        return (self.token.index < 0) != (self.tag.index < 0)

    @property
    def min_columns(self) -> int:
        """Smallest number of columns that a token line needs."""
        indices = (self.token.index, self.tag.index)
        return max(2, *(i + 1 if i >= 0 else -i for i in indices))

    def is_comment(self, line: str, cells: Sequence[str]) -> bool:
        """Return whether a line before the first token of a sentence is a comment.

        A line that begins with "#" is a token if it looks like the token lines of the file. It has
        the same number of columns, and its tag occurs on other lines or has the prefix of a scheme.

        Args:
            line: Line.
            cells: Cells of the line.
        """
        if not line.startswith("#"):
            return False
        if self.has_ids or len(cells) < self.min_columns:
            return True
        has_tab = "\t" in line
        if self.is_regular:
            if len(cells) != self.num_columns or has_tab != self.has_tabs:
                return True
            if has_tab:
                return False
        if len(cells) > 2 and _KEY_AND_VALUE.match(line):
            return True
        tag = self.tag.value(cells)
        # In the Penn Treebank, "#" is the tag of the token "#".
        return not (tag in self.tags or tag in (OUTSIDE, "#") or has_scheme_letter(tag))


def split_columns(line: str) -> list[str]:
    """Return the cells of a line, without spaces around them.

    Columns are separated by tabs, or in lines without tabs by spaces (U+0020). Other white space,
    such as a no-break space, is part of a cell.

    Args:
        line: Line.
    """
    if "\t" in line:
        return [cell.strip(" ") for cell in line.split("\t")]
    return [cell for cell in line.split(" ") if cell]


def read_rows(path: str | os.PathLike[str], encoding: str) -> Iterator[tuple[int, str, list[str]]]:
    """Read the number, text and cells of each line. Blank lines have no cells.

    Args:
        path: File.
        encoding: Character encoding of the file.
    """
    for number, text in read_lines(path, encoding):
        # A carriage return within a line ends a line too.
        for line in text.split("\r"):
            is_blank = not line.strip(" \t")
            yield number, line, [] if is_blank else split_columns(line)


class _Sample(NamedTuple):
    """Beginning of a file: its token lines, and the names of its columns."""

    sentences: list[list[list[str]]]
    names: list[str]
    first_line: int
    has_tabs: bool | None

    @property
    def rows(self) -> list[list[str]]:
        return [row for sentence in self.sentences for row in sentence]


def detect_layout(
    path: str | os.PathLike[str],
    token_column: int | str | None = None,
    tag_column: int | str | None = None,
    encoding: str = "utf-8",
) -> ColumnLayout:
    """Detect the columns of a file.

    If the first column has the numbers of the tokens, a file with `# global.columns` or with ten
    columns is CoNLL-U. Its tags are the NER values of MISC, or else a named column of its own with
    tags for spans, or else UPOS. In other files with numbers, the tags are the last column with
    tags for spans. In files without numbers, the token is the first column and the tag the last.

    Args:
        path: File.
        token_column: Index, or name in a header line or in `# global.columns`. Default: detected.
        tag_column: As `token_column`. "MISC:NER" is the value of the key NER in the column MISC.
        encoding: Character encoding of the file.

    Raises:
        InputError: If there is no such column, or the tags cannot be told from other columns.
    """
    sample = _read_sample(path, encoding)
    names, rows = sample.names, sample.rows
    widths = Counter(map(len, rows))
    num_columns = widths.most_common(1)[0][0] if widths else 0
    has_ids = _has_ids(sample, num_columns) or bool(
        rows and {*Path(path).suffixes} & {*CONLL_U_SUFFIXES}
    )
    if has_ids and not names and num_columns == len(CONLL_U_COLUMNS):
        names = CONLL_U_COLUMNS
    token, tag = _parse_column(token_column), _parse_column(tag_column)
    header_line = 0
    if not names and rows and any(option in rows[0] for option in (token, tag)):
        names, header_line = rows[0], sample.first_line
        sample.sentences[0].pop(0)
    if token is None:
        token = "FORM" if "FORM" in names else int(has_ids)
    if tag is None:
        tag = _find_tag_column(sample.rows, names, has_ids, num_columns, path)
    layout = ColumnLayout(
        ("CoNLL-U" if names else "CoNLL with token numbers") if has_ids else "CoNLL",
        _resolve(token, names, path),
        _resolve(tag, names, path),
        has_ids,
        header_line,
        num_columns,
        len(widths) == 1 and sample.has_tabs is not None,
        bool(sample.has_tabs),
    )
    tags = {layout.tag.value(row) for row in sample.rows if len(row) >= layout.min_columns}
    return dataclasses.replace(
        layout, tags=frozenset(tags), space_after=_find_space_after(sample.rows, names, has_ids)
    )


def _read_sample(path: str | os.PathLike[str], encoding: str) -> _Sample:
    """Read the first token lines. Lines with "#" that may be comments are left out."""
    sentences: list[list[list[str]]] = []
    lines_with_hash: list[tuple[int, str, list[str]]] = []
    names: list[str] = []
    tabs = set()
    first_line, is_new = 0, True
    for count, (number, line, cells) in enumerate(read_rows(path, encoding)):
        if count >= MAX_SAMPLE_LINES:
            break
        if not cells or cells[0] == DOCUMENT_START:
            is_new = True
        elif is_new and line.startswith("#"):
            lines_with_hash.append((number, line, cells))
            if header := _GLOBAL_COLUMNS.match(line):
                names = header[1].split()
        else:
            first_line = first_line or number
            if is_new:
                sentences.append([])
            sentences[-1].append(cells)
            tabs.add("\t" in line)
            is_new = False
    if not sentences and lines_with_hash:
        sentences = [[cells] for _, _, cells in lines_with_hash]
        tabs = {"\t" in line for _, line, _ in lines_with_hash}
    return _Sample(sentences, names, first_line, tabs.pop() if len(tabs) == 1 else None)


def _has_ids(sample: _Sample, num_columns: int) -> bool:
    """Return whether the first column has the numbers of the tokens of each sentence."""
    if sample.names:
        return sample.names[0] == "ID"
    if num_columns < 3:
        return False
    numbered = [rows for rows in sample.sentences if _counts_up([row[0] for row in rows])]
    # A sentence can consist of the token 1.
    is_certain = any(len(rows) > 1 for rows in numbered) or num_columns == len(CONLL_U_COLUMNS)
    return is_certain and len(numbered) >= MIN_NUMBERED_SHARE * len(sample.sentences)


def _counts_up(ids: Sequence[str]) -> bool:
    numbers = [id_ for id_ in ids if not re.fullmatch(SKIPPED_NUMBER, id_)]
    return bool(numbers) and numbers == [str(i + 1) for i in range(len(numbers))]


def _parse_column(option: int | str | None) -> int | str | None:
    """Return the index or name of a column; None for a column to detect."""
    if option is None or option == "auto":
        return None
    return int(option) if re.fullmatch(r"-?[0-9]{1,9}", str(option)) else option


def _resolve(option: int | str, names: Sequence[str], path: object) -> Column:
    if isinstance(option, int):
        in_range = -len(names) <= option < len(names)
        return Column(option, names[option] if in_range else "")
    if option in names:
        check_header(names, [option], path)
        return Column(names.index(option), option)
    name, _, key = option.rpartition(":")
    if name in names and key:
        check_header(names, [name], path)
        return Column(names.index(name), name, key)
    if not names:
        raise InputError(
            f"{path}: there is no column {option!r}, since no line names the columns; give the "
            "index of the column, from 0."
        )
    error = unknown_name("column", option, names)
    hint = " A key in MISC is MISC:KEY, such as MISC:NER." if "MISC" in names else ""
    raise InputError(f"{path}: {error}{hint}")


def _find_space_after(
    rows: Sequence[Sequence[str]], names: Sequence[str], has_ids: bool
) -> Column | None:
    """Return the column of SpaceAfter=No, or None if no token has it."""
    if not has_ids or "MISC" not in names:
        return None
    column = Column(names.index("MISC"), "MISC", "SpaceAfter")
    has_it = any(len(row) > column.index and column.value(row) == "No" for row in rows)
    return column if has_it else None


def _find_tag_column(
    rows: Sequence[Sequence[str]],
    names: Sequence[str],
    has_ids: bool,
    num_columns: int,
    path: object,
) -> int | str:
    """Return the index or the name of the column with the tags."""
    if not has_ids:
        return -1
    if "MISC" in names:
        ner = Column(names.index("MISC"), "MISC", "NER")
        if any(len(row) > ner.index and "NER=" in row[ner.index] for row in rows):
            return str(ner)
    rows = [row for row in rows if not re.fullmatch(SKIPPED_NUMBER, row[0])]
    candidates = [i for i in range(2, num_columns) if names[i : i + 1] != ["HEAD"]]
    for i in reversed(candidates):
        is_own = not names or names[i] not in CONLL_U_COLUMNS
        cells = {row[i] for row in rows if len(row) > i}
        if is_own and all(cell == OUTSIDE or has_scheme_letter(cell) for cell in cells):
            return i
    if "UPOS" in names:
        return "UPOS"
    if len(candidates) == 1:
        return candidates[0]
    raise InputError(f"{path}: no column has tags for spans; choose one with --tag-column.")
