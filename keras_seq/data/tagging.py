"""Tagged sentences of the user's own in all formats, and what was detected in the files."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from keras_seq._internal.errors import InputError, excerpt
from keras_seq.data import conll, tagged_csv, tagged_json
from keras_seq.data.conll import TaggedTokens
from keras_seq.data.conll_columns import detect_layout
from keras_seq.data.files import read_lines
from keras_seq.data.summaries import ReadSummary
from keras_seq.data.tagged_json import TaggedText, align_spans
from keras_seq.text.tag_scheme_detection import (
    TagPair,
    count_spans,
    guess_scheme_of_pairs,
    is_without_labels,
    tag_pairs,
)
from keras_seq.text.tag_schemes import ALIASES, OUTSIDE, Span, tags_to_spans
from keras_seq.text.tokenizers import TOKENIZERS, has_chinese_or_japanese

MAX_LISTED_LABELS = 10
"""Number of labels that a summary lists."""
DEFAULT_LABEL = "ENTITY"
"""Label of spans whose tags are B, I and the like, without a label."""
JSON_SUFFIXES = (".jsonl", ".json", ".ndjson")


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


@dataclasses.dataclass(frozen=True)
class TaggingSummary:
    """Summary of a tagged file.

    >>> print(TaggingSummary("a.conll", "CoNLL", {"token": "0", "tag": "-1"}, "IOB2", "", 2, 9, {}))
    a.conll: CoNLL, token = '0', tag = '-1'; 2 rows; scheme IOB2; 9 tokens; 0 spans
    """

    path: str
    format: str
    columns: Mapping[str, str]
    """Dictionary from "sentence", "token", "tag", "text" and "spans" to their column or key."""
    scheme: str
    """Tag scheme, or an empty string if the file has spans of texts."""
    tokenizer: str
    """Tokenizer of texts, or an empty string if the file has tokens."""
    num_sentences: int
    num_tokens: int | None
    """Number of tokens, or None if the file has spans of texts."""
    labels: Mapping[str, int]
    """Dictionary from labels to the number of their spans."""
    left_out: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Dictionary from a kind of lines to the number of them that are not tokens."""
    notes: tuple[str, ...] = ()
    """Further remarks for the user."""

    def to_read_summary(self) -> ReadSummary:
        """Return the summary in the form of all readers; its rows are sentences."""
        facts = [f"scheme {self.scheme}"] * bool(self.scheme)
        facts += [f"tokenizer {self.tokenizer}"] * bool(self.tokenizer)
        if self.num_tokens is not None:
            facts.append(f"{self.num_tokens:,} token{'s' * (self.num_tokens != 1)}")
        num_spans = sum(self.labels.values())
        facts.append(f"{num_spans:,} span{'s' * (num_spans != 1)}")
        if self.labels:
            facts.append(f"labels: {_list_counts(self.labels)}")
        return ReadSummary(
            self.path,
            self.format,
            self.num_sentences,
            columns=self.columns,
            left_out=self.left_out,
            notes=tuple(" ".join(fact.split()) for fact in (*facts, *self.notes)),
        )

    def __str__(self) -> str:
        """Return one line for the user."""
        return str(self.to_read_summary())

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object."""
        return dataclasses.asdict(self)


class TaggedSentence(NamedTuple):
    """Tokens of a sentence, with labeled spans that count tokens."""

    tokens: list[str]
    spans: list[Span]
    text: str = ""
    """Original text, or an empty string if the file does not have it."""


class TaggedFile:
    """File of tagged sentences. Each iteration reads it again, one sentence at a time.

    Made by `open_tagged`.
    """

    def __init__(self, path: str | os.PathLike[str], options: TaggingOptions) -> None:
        self.path, self.options = Path(path), options
        self.left_out: Counter[str] = Counter()
        self.columns: dict[str, str] = {}
        self.format, self._read = self._detect_format()
        self.first_tag, self.first_line = "", 0
        self.pairs: Counter[TagPair] = Counter()
        """Number of each pair of neighboring tags."""
        self.labels: Counter[str] = Counter()
        self.num_sentences = self.num_tokens = 0
        self.num_texts = 0
        self.has_chinese_or_japanese = False
        self._scan()
        self.scheme, self.tokenizer, self.default_label = "", "", ""

    def _detect_format(self) -> tuple[str, Callable[[], Iterator[TaggedTokens | TaggedText]]]:
        """Return the name of the format, and a function that reads the file."""
        path, options, encoding = self.path, self.options, self.options.encoding
        token, tag = (_name(c) for c in (options.token_column, options.tag_column))
        first = next((line for _, line in read_lines(path, encoding) if line.strip()), "")
        suffixes = [suffix.lower() for suffix in path.suffixes]
        if {*suffixes[-2:]} & {*JSON_SUFFIXES} or first.lstrip().startswith("{"):
            return "JSON lines", lambda: tagged_json.iterate_json(
                path, encoding, token, tag, options.tag_names, self.columns
            )
        table = tagged_csv.detect_columns(path, token, tag, encoding)
        if table:
            self.columns = table
            return "table", lambda: tagged_csv.iterate_csv(path, table, encoding)
        if ".csv" in suffixes:
            raise InputError(
                f"{path}, line 1: a table of tokens needs columns such as 'Sentence #', 'Word' and "
                "'Tag'; name others with --token-column and --tag-column."
            )
        layout = detect_layout(path, options.token_column, options.tag_column, encoding)
        self.columns = {"token": str(layout.token), "tag": str(layout.tag)}
        return layout.format, lambda: conll.iterate_conll(path, layout, encoding, self.left_out)

    def _scan(self) -> None:
        """Read the file once and count."""
        for row in self._read():
            self.num_sentences += 1
            if isinstance(row, TaggedTokens):
                if not self.num_tokens:
                    self.first_tag, self.first_line = row.tags[0], row.line
                self.num_tokens += len(row.tokens)
                self.pairs.update(tag_pairs(row.tags))
            else:
                self.num_texts += 1
                self.labels.update(label for label, *_ in row.spans)
                self.has_chinese_or_japanese |= has_chinese_or_japanese(row.text)
        if not self.num_sentences:
            raise InputError(f"{self.path} contains no sentences.")

    def __iter__(self) -> Iterator[TaggedSentence]:
        """Read the tokens, the spans and, if known, the original text of each sentence.

        Raises:
            InputError: If tags are not valid in the scheme, or a span of a text does not begin and
                end with a token.
        """
        self.left_out.clear()
        for row in self._read():
            if isinstance(row, TaggedText):
                tokenizer = TOKENIZERS[self.tokenizer]
                where = f"{self.path}, line {row.line}"
                yield TaggedSentence(*align_spans(row, tokenizer, where), row.text)
                continue
            tags = [_with_label(tag, self.default_label) for tag in row.tags]
            try:
                spans = tags_to_spans(tags, self.scheme)
            except InputError as error:
                raise InputError(
                    f"{self.path}, sentence at line {row.line}: {error}{self._advice(tags)}"
                ) from None
            yield TaggedSentence(row.tokens, spans, row.text)

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

    @property
    def summary(self) -> TaggingSummary:
        """Format, columns, scheme and counts."""
        pairs = _label_pairs(self.pairs, self.default_label)
        labels = self.labels + (count_spans(pairs, self.scheme) if pairs else Counter())
        notes: tuple[str, ...] = ()
        if self.default_label and pairs:
            notes = (f"tags without labels get the label {self.default_label}",)
        return TaggingSummary(
            str(self.path),
            self.format,
            self.columns,
            self.scheme if pairs else "",
            self.tokenizer if self.num_texts else "",
            self.num_sentences,
            None if self.num_texts else self.num_tokens,
            dict(labels),
            dict(+self.left_out),
            notes,
        )


def open_tagged(
    paths: Iterable[str | os.PathLike[str]], options: TaggingOptions | None = None
) -> list[TaggedFile]:
    """Open files of tagged sentences with a common tag scheme and tokenizer.

    The formats are CoNLL columns (see `read_conll`), tables with a sentence column (see
    `keras_seq.data.tagged_csv`), and JSON lines (see `keras_seq.data.tagged_json`). All files are
    read once, to detect the tag scheme as `guess_scheme_of_pairs` describes.

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
    pairs: Counter[TagPair] = Counter()
    for file in files:
        pairs.update(file.pairs)
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


def _label_pairs(pairs: Mapping[TagPair, int], default_label: str) -> dict[TagPair, int]:
    """Return the number of each pair of tags, whose tags get a label if they have none."""
    return {
        (_with_label(before, default_label), _with_label(tag, default_label)): number
        for (before, tag), number in pairs.items()
    }


def _list_counts(counts: Mapping[str, int]) -> str:
    most_common = Counter(counts).most_common()
    items = [f"{name} {count:,}" for name, count in most_common[:MAX_LISTED_LABELS]]
    num_others = len(most_common) - len(items)
    return ", ".join(items) + (f" and {num_others} others" if num_others else "")


def _name(column: int | str | None) -> str | None:
    """Return the name of a column, or None if the column is detected or given by its index."""
    is_name = isinstance(column, str) and column != "auto" and not column.lstrip("-").isdecimal()
    return str(column) if is_name else None
