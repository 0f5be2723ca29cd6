"""Tagged sentences of the user's own in all formats, and what was detected in the files."""

from __future__ import annotations

import copy
import dataclasses
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from keras_seq._internal.errors import InputError, excerpt
from keras_seq._internal.spool import Spool
from keras_seq.data import conll, summaries, tagged_csv, tagged_json
from keras_seq.data.conll import TaggedTokens
from keras_seq.data.conll_columns import detect_layout
from keras_seq.data.encodings import detect_format
from keras_seq.data.files import read_first_line
from keras_seq.data.json_lines import ARRAY, read_objects
from keras_seq.data.row_errors import BadRows
from keras_seq.data.summaries import ReadSummary
from keras_seq.data.tables import JSON_SUFFIXES
from keras_seq.data.tagged_json import TaggedText, align_spans
from keras_seq.text.tag_scheme_detection import (
    TagPair,
    guess_scheme_of_pairs,
    is_without_labels,
    tag_pairs,
)
from keras_seq.text.tag_schemes import ALIASES, OUTSIDE, Span, tags_to_spans
from keras_seq.text.tokenizers import TOKENIZERS, has_chinese_or_japanese

DEFAULT_LABEL = "ENTITY"
"""Label of spans whose tags are B, I and the like, without a label."""


@dataclasses.dataclass(frozen=True)
class TaggingOptions:
    """Choices of the user about tagged files. The others are detected.

    >>> TaggingOptions(tag_column="UPOS").scheme
    'auto'
    """

    token_column: int | str | None = None
    """Index or name of the column, or name of the list, with the tokens."""
    tag_column: int | str | None = None
    """Index or name of the column, or name of the list, with the tags."""
    tag_names: tuple[str, ...] = ()
    """Names of numeric tags."""
    scheme: str = "auto"
    """Tag scheme: "auto", or a scheme or alias of `keras_seq.text.tag_schemes`."""
    tokenizer: str = "auto"
    """Tokenizer of texts with spans: "auto", or a key of `keras_seq.text.tokenizers.TOKENIZERS`."""
    encoding: str = "utf-8"


class TaggedSentence(NamedTuple):
    """Tokens of a sentence, with labeled spans that count tokens."""

    tokens: list[str]
    spans: list[Span]
    text: str = ""
    """Original text, or an empty string if the file does not have it."""


class TaggedFile:
    """File of tagged sentences, one at a time. Made by `open_tagged`, which has read the file."""

    def __init__(self, path: str | os.PathLike[str], options: TaggingOptions) -> None:
        self.path, self.options = Path(path), options
        self.summary = ReadSummary(str(path), "", 0)
        """Summary of what was read, complete after the last sentence."""
        self.columns: dict[str, str] = {}
        self.left_out: Counter[str] = Counter()
        self._bad_rows = BadRows()
        self.unit, self.format, rows = self._detect_format()
        self.first_tag, self.first_line = "", 0
        self.pairs: set[TagPair] = set()
        """Pairs of neighboring tags."""
        self.has_texts = self.has_chinese_or_japanese = False
        self._rows: Spool[TaggedTokens | TaggedText] = Spool()
        for row in rows:
            self._add(row)
        self.scheme, self.tokenizer, self.default_label = "", "", ""

    def _detect_format(self) -> tuple[str, str, Iterator[TaggedTokens | TaggedText]]:
        """Return the unit of the rows, the name of the format, and the rows."""
        path, options, encoding = self.path, self.options, self.options.encoding
        token, tag = (_column_name(column) for column in (options.token_column, options.tag_column))
        first = read_first_line(path, encoding)
        suffixes = [suffix.lower() for suffix in path.suffixes]
        is_json = {*suffixes[-2:]} & {*JSON_SUFFIXES} or first.lstrip().startswith("{")
        if is_json or ARRAY.match(first):
            unit, objects = read_objects(path, encoding, self._bad_rows)
            reader = tagged_json.ObjectReader(
                path, unit, token, tag, options.tag_names, self._bad_rows
            )
            self.columns, self.left_out = reader.keys, reader.left_out
            return unit, "JSON lines" if unit == "line" else "JSON array", reader.read(objects)
        table = tagged_csv.detect_columns(path, token, tag, encoding)
        if table:
            self.columns = table
            return "line", "table", tagged_csv.iterate_csv(path, table, encoding, self._bad_rows)
        if ".csv" in suffixes:
            raise InputError(
                f"{path}, line 1: a table of tokens needs columns such as 'Sentence #', 'Word' and "
                "'Tag'; name others with --token-column and --tag-column."
            )
        layout = detect_layout(path, options.token_column, options.tag_column, encoding)
        self.columns = {"token": str(layout.token), "tag": str(layout.tag)}
        rows = conll.iterate_conll(path, layout, encoding, self.left_out, self._bad_rows)
        return "line", layout.format, rows

    def _add(self, row: TaggedTokens | TaggedText) -> None:
        """Store a row, and count its tags."""
        self._rows.append(row)
        if isinstance(row, TaggedTokens):
            if not self.pairs:
                self.first_tag, self.first_line = row.tags[0], row.line
            self.pairs.update(tag_pairs(row.tags))
        else:
            self.has_texts = True
            self.has_chinese_or_japanese |= has_chinese_or_japanese(row.text)

    def __iter__(self) -> Iterator[TaggedSentence]:
        """Yield the tokens, the spans and, if known, the original text of each sentence.

        Add a summary after the last.

        Raises:
            InputError: If tags are not valid in the scheme, or a span of a text does not begin and
                end with a token.
        """
        bad_rows = copy.deepcopy(self._bad_rows)
        labels: Counter[str] = Counter()
        num_tokens = 0
        for row in self._rows:
            with bad_rows:
                sentence = self._to_sentence(row)
                num_tokens += len(sentence.tokens)
                labels.update(span.label for span in sentence.spans)
                yield sentence
        summary = ReadSummary(
            str(self.path),
            self.format,
            bad_rows.num_good,
            str(detect_format(self.path, self.options.encoding)),
            columns=self.columns,
            left_out=dict(+self.left_out),
            scheme=self.scheme if self.pairs else "",
            tokenizer=self.tokenizer if self.has_texts else "",
            num_tokens=num_tokens,
            labels=dict(labels),
        )
        if self.default_label and self.pairs:
            note = f"tags without labels get the label {self.default_label}"
            summary = summary.replace(notes=(note,))
        self.summary = bad_rows.finish(summary)
        if not bad_rows.num_good:
            raise InputError(f"{self.path} contains no sentences.")
        summaries.add(self.summary)

    def _to_sentence(self, row: TaggedTokens | TaggedText) -> TaggedSentence:
        if isinstance(row, TaggedText):
            where = f"{self.path}, {self.unit} {row.line}"
            return TaggedSentence(*align_spans(row, TOKENIZERS[self.tokenizer], where), row.text)
        tags = [_with_label(tag, self.default_label) for tag in row.tags]
        try:
            spans = tags_to_spans(tags, self.scheme)
        except InputError as error:
            raise InputError(
                f"{self.path}, sentence at {self.unit} {row.line}: {error}{self._advice(tags)}"
            ) from None
        return TaggedSentence(row.tokens, spans, row.text)

    def _advice(self, tags: Sequence[str]) -> str:
        """Return advice if the tags of a sentence are valid in the detected scheme only."""
        detected = guess_scheme_of_pairs(_label_pairs(self.pairs, self.default_label))
        if self.options.scheme == "auto" or detected == self.scheme:
            return ""
        try:
            tags_to_spans(tags, detected)
        except InputError:
            return ""
        return f" The tags look like {detected}; use --tag-scheme {detected} or auto."

    @property
    def assumes_last_column(self) -> bool:
        """True if the tags are taken from the last column without a name or an option."""
        is_last = self.format == "CoNLL" and self.columns["tag"] == "-1"
        return is_last and self.options.tag_column in (None, "auto") and bool(self.pairs)


def open_tagged(
    paths: Iterable[str | os.PathLike[str]], options: TaggingOptions | None = None
) -> list[TaggedFile]:
    """Open files of tagged sentences with a common tag scheme and tokenizer.

    The formats are CoNLL columns (see `read_conll`), tables with a sentence column (see
    `keras_seq.data.tagged_csv`), and JSON lines or arrays (see `keras_seq.data.tagged_json`). All
    files are read, to detect the tag scheme as `guess_scheme_of_pairs` describes. Temporary files
    hold their sentences until these are read.

    Args:
        paths: Files, such as those of each split.
        options: Choices of the user.

    Raises:
        InputError: If a file is in none of the formats, or there is no such tag scheme. Also if no
            tag is O or has the letter of a scheme, and neither the file nor an option says that the
            last column has tags, since any text could be meant.
    """
    options = options or TaggingOptions()
    files = [TaggedFile(path, options) for path in paths]
    pairs = {pair for file in files for pair in file.pairs}
    scheme = ALIASES.get(options.scheme, options.scheme)
    user_scheme = None if scheme == "auto" else scheme
    default_label = ""
    if is_without_labels({tag for _, tag in pairs}, user_scheme):
        default_label = DEFAULT_LABEL
    tokenizer = options.tokenizer
    if tokenizer == "auto":
        is_chinese = any(file.has_chinese_or_japanese for file in files)
        tokenizer = "char_nospace" if is_chinese else "word"
    detected = guess_scheme_of_pairs(_label_pairs(pairs, default_label))
    for file in files:
        if not user_scheme and detected == "classes" and file.assumes_last_column:
            raise InputError(
                f"{file.path}, line {file.first_line}: {excerpt(file.first_tag)!r} in the last "
                "column is not a tag such as O or B-PER; give the column with --tag-column, or "
                "--tag-scheme classes if each token has a class."
            )
        file.scheme = user_scheme or detected
        file.tokenizer, file.default_label = tokenizer, default_label
    return files


def _with_label(tag: str, default_label: str) -> str:
    """Return a tag, with a label if it is a letter without one."""
    return f"{tag}-{default_label}" if default_label and tag != OUTSIDE else tag


def _label_pairs(pairs: Iterable[TagPair], default_label: str) -> set[TagPair]:
    """Return pairs of tags, which get a label if they have none."""
    return {
        (_with_label(before, default_label), _with_label(tag, default_label))
        for before, tag in pairs
    }


def _column_name(column: int | str | None) -> str | None:
    """Return the name of a column, or None if the column is detected or given by its index."""
    is_name = isinstance(column, str) and column != "auto" and not column.lstrip("-").isdecimal()
    return str(column) if is_name else None
