r"""Summaries of what readers detected in the user's files and how much they read.

Readers call `add`. Their callers collect the summaries:

    with data.collect_summaries() as summaries:
        rows = list(data.read_table("reviews.csv", {"text": "text", "label": "label"}))
    print(*summaries, sep="\n")
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

DELIMITER_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
"""Names of the delimiters that are detected."""
MAX_LISTED_LABELS = 10
"""Number of labels that the line for the user lists."""


@dataclasses.dataclass(frozen=True)
class ReadSummary:
    """Summary of one file or folder that was read.

    >>> columns = {"text": "review", "label": "stars"}
    >>> print(ReadSummary("a.csv", "delimited text", 2, "utf-8", ";", True, columns))
    a.csv: delimited text, UTF-8, delimiter semicolon, header, text = 'review', label = 'stars'; \
2 rows
    """

    path: str
    """File or folder. Two aligned files are separated by a comma."""
    format: str
    """Format, such as "JSON lines"."""
    num_rows: int
    """Number of rows, lines or files that were read."""
    encoding: str = ""
    """Encoding of text, as `keras_seq.data.encodings.TextFormat` describes it."""
    delimiter: str = ""
    """Delimiter of the columns, if there is one."""
    has_header: bool | None = None
    """True if the first row is a header; None if the format has no headers."""
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Dictionary from what was read, such as "text", to its column."""
    left_out: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Dictionary from a reason to the number of rows that were left out for it."""
    notes: tuple[str, ...] = ()
    """Further remarks for the user."""
    scheme: str = ""
    """Scheme of the tags, if tokens have tags."""
    tokenizer: str = ""
    """Tokenizer of the texts, if spans of texts became spans of tokens."""
    num_tokens: int | None = None
    """Number of tokens, if the rows are tagged sentences."""
    labels: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Dictionary from labels to the number of their spans or rows."""
    unit: str = "row"
    """Noun for what `num_rows` counts."""

    def __str__(self) -> str:
        """Return one line for the user."""
        facts = [self.format]
        if self.encoding:
            facts.append(self.encoding.upper() if self.encoding.islower() else self.encoding)
        if self.delimiter:
            facts.append(f"delimiter {DELIMITER_NAMES.get(self.delimiter, repr(self.delimiter))}")
        if self.has_header is not None:
            facts.append("header" if self.has_header else "no header")
        facts += [f"{name} = {column!r}" for name, column in self.columns.items()]
        parts = [", ".join(facts), format_count(self.num_rows, self.unit)]
        parts += [f"left out {count:,}: {reason}" for reason, count in self.left_out.items()]
        parts += [f"scheme {self.scheme}"] * bool(self.scheme)
        parts += [f"tokenizer {self.tokenizer}"] * bool(self.tokenizer)
        if self.num_tokens is not None:
            num_spans = sum(self.labels.values())
            parts += [format_count(self.num_tokens, "token"), format_count(num_spans, "span")]
        if self.labels:
            parts.append(f"labels: {_list_counts(self.labels)}")
        return f"{self.path}: " + "; ".join(" ".join(p.split()) for p in (*parts, *self.notes))

    def replace(self, **fields: Any) -> ReadSummary:
        """Return a copy with new values of some fields."""
        return dataclasses.replace(self, **fields)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object."""
        # `asdict` would fail for a Counter.
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {k: dict(v) if isinstance(v, Mapping) else v for k, v in fields.items()}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> ReadSummary:
        """Return the summary that `to_json` returned the fields of."""
        return cls(**{**fields, "notes": tuple(fields["notes"])})


def format_count(number: int, noun: str) -> str:
    """Return a number with its noun, such as "1 row" or "1,996 rows"."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _list_counts(counts: Mapping[str, int]) -> str:
    most_common = Counter(counts).most_common()
    items = [f"{name} {count:,}" for name, count in most_common[:MAX_LISTED_LABELS]]
    num_others = len(most_common) - len(items)
    return ", ".join(items) + (f" and {num_others} others" if num_others else "")


_collected: contextvars.ContextVar[list[ReadSummary] | None] = contextvars.ContextVar(
    "keras_seq_read_summaries", default=None
)


@contextlib.contextmanager
def collect_summaries(forward: bool = True) -> Iterator[list[ReadSummary]]:
    """Collect the summaries of everything that is read within a `with` block.

    Args:
        forward: Whether an enclosing `with collect_summaries()` gets the summaries too.

    Yields:
        A list to which each reader appends a summary once it has read its last row.
    """
    summaries: list[ReadSummary] = []
    outer = _collected.get()
    token = _collected.set(summaries)
    try:
        yield summaries
    finally:
        _collected.reset(token)
        if forward and outer is not None:
            outer.extend(summaries)


def add(summary: ReadSummary) -> None:
    """Append a summary to the list of `collect_summaries`, if the caller collects them."""
    summaries = _collected.get()
    if summaries is not None:
        summaries.append(summary)
