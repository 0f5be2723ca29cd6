"""Report on the examples of a dataset: counts, labels, lengths and warnings."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_seq._internal.errors import excerpt
from keras_seq.batching import RawExamples
from keras_seq.data.files import SPLITS
from keras_seq.data.summaries import ReadSummary
from keras_seq.data.text_checks import check_texts

MIN_LABEL_COUNT = 5
"""Number of training examples below which a label is rare."""
MAX_LENGTH_RATIO = 10
"""Ratio to the 95th percentile above which an input is very long."""
MAX_EXAMPLES = 3
"""Maximum number of examples that a report shows."""
MAX_LISTED_LABELS = 5
"""Maximum number of labels that a warning lists."""


@dataclasses.dataclass(frozen=True)
class ExampleColumns:
    """Examples of one split in the form that a report needs.

    >>> ExampleColumns.of(RawExamples(["fine", "awful"], {"labels": ["good", "bad"]})).labels
    [['good'], ['bad']]

    Args:
        inputs: Texts, lists of tokens, or arrays.
        lengths: Length of each input, in `unit`.
        unit: Unit of the lengths, in the plural.
        labels: Labels of each example, or None if the examples have no labels.
        targets: Text that a model should output for each input, or None.
        texts: Texts whose characters are checked.
        max_length: Length of the longest input that is used as a whole, or None.
    """

    inputs: Sequence[Any]
    lengths: Sequence[float]
    unit: str
    labels: Sequence[Sequence[str]] | None = None
    targets: Sequence[str] | None = None
    texts: Sequence[str] = ()
    max_length: float | None = None

    @classmethod
    def of(cls, examples: RawExamples) -> ExampleColumns:
        """Return the columns of examples by the types of their inputs and targets.

        Targets are labels if they are in a dict under the key "labels".

        Args:
            examples: Examples of one split.
        """
        inputs, targets = examples.inputs, examples.targets
        first = inputs[0] if len(inputs) else ""
        texts: list[str] = []
        unit = "steps"
        if isinstance(first, str):
            unit, texts = "characters", list(inputs)
        elif isinstance(first, (list, tuple)):
            unit, texts = "tokens", [" ".join(map(str, tokens)) for tokens in inputs]
        labels, target_texts = None, None
        if isinstance(targets, Mapping):
            labels = [[str(label)] for label in targets["labels"]] if "labels" in targets else None
        elif isinstance(targets, (list, tuple)) and targets and isinstance(targets[0], str):
            target_texts = list(targets)
        elif isinstance(targets, (list, tuple)) and targets and isinstance(targets[0], list):
            target_texts = [" | ".join(map(str, choices)) for choices in targets]
        return cls(
            inputs,
            [len(sequence) for sequence in inputs],
            unit,
            labels,
            target_texts,
            [*texts, *(target_texts or ())],
        )

    def replace(self, **fields: Any) -> ExampleColumns:
        """Return a copy with new values of some fields."""
        return dataclasses.replace(self, **fields)


@dataclasses.dataclass(frozen=True)
class LengthSummary:
    """Summary of the lengths of inputs.

    >>> print(LengthSummary.of([1, 2, 3, 4], "tokens"))
    median 2, 95 % up to 4, longest 4 tokens
    """

    unit: str
    median: float
    percentile_95: float
    longest: float

    @classmethod
    def of(cls, lengths: Sequence[float], unit: str) -> LengthSummary:
        """Return the summary of lengths, of which there is at least one.

        Args:
            lengths: Lengths.
            unit: Unit of the lengths, in the plural.
        """
        # Each number is the length of an example.
        quantiles = np.quantile(lengths, [0.5, 0.95, 1.0], method="inverted_cdf")
        return cls(unit, *(round(float(value), 2) for value in quantiles))

    def __str__(self) -> str:
        median, high, longest = (
            f"{v:,.0f}" if v == int(v) else f"{v:,.2f}"
            for v in (self.median, self.percentile_95, self.longest)
        )
        return f"median {median}, 95 % up to {high}, longest {longest} {self.unit}"


@dataclasses.dataclass(frozen=True)
class DataReport:
    """Report on a dataset.

    >>> columns = ExampleColumns.of(RawExamples(["fine", "awful"], {"labels": ["good", "bad"]}))
    >>> make_report({"train": columns}).num_examples
    {'train': 2}
    """

    read: Sequence[ReadSummary]
    """Summaries of the files that were read."""
    num_examples: Mapping[str, int]
    """Number of examples of each split."""
    lengths: LengthSummary | None
    """Lengths of the inputs of all splits, or None if there are no examples."""
    labels: Mapping[str, Mapping[str, int]]
    """Number of each label by split, the most frequent labels first."""
    examples: Sequence[tuple[str, str]]
    """First examples: inputs with their labels or targets, shortened."""
    warnings: Sequence[str]
    """Warnings for the user."""
    notes: Sequence[str] = ()
    """Further lines, which a recipe adds."""

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object."""
        fields = dataclasses.asdict(dataclasses.replace(self, read=()))
        return fields | {"read": [summary.to_json() for summary in self.read]}


def make_report(
    splits: Mapping[str, ExampleColumns], read: Sequence[ReadSummary] = ()
) -> DataReport:
    """Return the report on a dataset.

    Args:
        splits: Columns of each split.
        read: Summaries of the files that were read.
    """
    names = [*(s for s in SPLITS if s in splits), *(s for s in splits if s not in SPLITS)]
    splits = {name: splits[name] for name in names}
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for split, columns in splits.items():
        for labels in columns.labels or ():
            for label in labels:
                counts[label][split] += 1
    ordered = sorted(counts, key=lambda label: (-counts[label].total(), label))
    filled = [columns for columns in splits.values() if len(columns.inputs)]
    lengths = [length for columns in filled for length in columns.lengths]
    summary = LengthSummary.of(lengths, filled[0].unit) if lengths else None
    num_examples = {split: len(columns.inputs) for split, columns in splits.items()}
    label_counts = {label: dict(counts[label]) for label in ordered}
    warnings = [
        *_check_splits(num_examples),
        *_check_labels(label_counts, num_examples),
        *_check_repeats(splits),
        *(_check_lengths(lengths, summary, filled[0].max_length) if summary else ()),
        *check_texts([text for columns in filled for text in columns.texts]),
    ]
    first = splits.get("train") or (filled[0] if filled else None)
    examples = [] if first is None else _show_examples(first)
    return DataReport(list(read), num_examples, summary, label_counts, examples, warnings)


def _show_examples(columns: ExampleColumns) -> list[tuple[str, str]]:
    rows = []
    for number, sequence in enumerate(columns.inputs[:MAX_EXAMPLES]):
        if columns.labels is not None:
            output = ", ".join(columns.labels[number])
        else:
            output = columns.targets[number] if columns.targets is not None else ""
        rows.append((excerpt(_to_text(sequence)), excerpt(output)))
    return rows


def _to_text(sequence: Any) -> str:
    if isinstance(sequence, str):
        return sequence
    if isinstance(sequence, (list, tuple)):
        return " ".join(map(str, sequence))
    array = np.asarray(sequence)
    return f"array {array.shape}, {array.dtype}, {array.min()} to {array.max()}"


def _check_splits(num_examples: Mapping[str, int]) -> list[str]:
    return [f"the {split} split is empty" for split in SPLITS if not num_examples.get(split)]


def _check_labels(
    labels: Mapping[str, Mapping[str, int]], num_examples: Mapping[str, int]
) -> list[str]:
    """Return warnings of single, rare and missing labels."""
    if not labels:
        return []
    warnings = []
    if len(labels) == 1:
        warnings.append(f"all examples have the label {excerpt(next(iter(labels)))!r}")
    for split, number in num_examples.items():
        missing = [label for label, counts in labels.items() if not counts.get(split)]
        if missing and number:
            rows = [_describe_counts(label, labels[label]) for label in missing]
            warnings.append(f"the {split} split has no example of {_name_labels(rows)}")
    counts = {label: by_split.get("train", 0) for label, by_split in labels.items()}
    rare = [label for label, count in counts.items() if 0 < count < MIN_LABEL_COUNT]
    if rare:
        rows = [f"{label} ({counts[label]})" for label in rare]
        warnings.append(f"fewer than {MIN_LABEL_COUNT} training examples have {_name_labels(rows)}")
    return warnings


def _describe_counts(label: str, counts: Mapping[str, int]) -> str:
    """Return a label with the number of its examples in each split that has some."""
    numbers = ", ".join(f"{split} {count:,}" for split, count in counts.items() if count)
    return f"{excerpt(label)} ({numbers})"


def _name_labels(labels: Sequence[str]) -> str:
    """Return the beginning of a list of labels, as a part of a sentence."""
    rest = len(labels) - MAX_LISTED_LABELS
    names = ", ".join(excerpt(label) for label in labels[:MAX_LISTED_LABELS])
    label = "label" if len(labels) == 1 else "labels"
    return f"the {label} {names}" + (f" and {rest:,} others" if rest > 0 else "")


def _hash_input(sequence: Any) -> int:
    """Return a hash of an input, apart from case and white space."""
    if isinstance(sequence, str):
        return hash(" ".join(sequence.casefold().split()))
    if isinstance(sequence, (list, tuple)):
        return hash(tuple(map(str, sequence)))
    return hash(np.asarray(sequence).tobytes())


def _check_repeats(splits: Mapping[str, ExampleColumns]) -> list[str]:
    """Return warnings of inputs that occur in several splits, or several times in one."""
    first_split: dict[int, str] = {}
    first_labels: dict[int, Sequence[str]] = {}
    shared: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    repeated: defaultdict[str, list[str]] = defaultdict(list)
    conflicts: Counter[str] = Counter()
    for split, columns in splits.items():
        for number, sequence in enumerate(columns.inputs):
            key = _hash_input(sequence)
            earlier_split = first_split.setdefault(key, split)
            labels = columns.labels[number] if columns.labels is not None else ()
            is_first = key not in first_labels
            if first_labels.setdefault(key, labels) != labels:
                conflicts[split] += 1
            if not is_first:
                rows = repeated[split] if earlier_split == split else shared[split, earlier_split]
                rows.append("" if rows else excerpt(_to_text(sequence)))
    warnings = []
    for (split, earlier_split), rows in shared.items():
        warnings.append(
            f"{len(rows):,} of {len(splits[split].inputs):,} inputs of the {split} split are also "
            f"in the {earlier_split} split, such as {rows[0]!r}"
        )
    for split, rows in repeated.items():
        warnings.append(
            f"{len(rows):,} of {len(splits[split].inputs):,} inputs of the {split} split repeat "
            f"another, such as {rows[0]!r}"
        )
    if conflicts:
        warnings.append(f"{conflicts.total():,} repeated inputs have other labels than the first")
    return warnings


def _check_lengths(
    lengths: Sequence[float], summary: LengthSummary, max_length: float | None
) -> list[str]:
    """Return warnings of very long inputs."""
    limit = MAX_LENGTH_RATIO * summary.percentile_95
    reason = f"{MAX_LENGTH_RATIO} times the 95th percentile"
    if max_length is not None and max_length < limit:
        limit, reason = max_length, "the limit of the recipe"
    num_long = sum(length > limit for length in lengths)
    if not num_long:
        return []
    return [
        f"{num_long:,} inputs are longer than {limit:,.0f} {summary.unit}, {reason}; the longest "
        f"has {summary.longest:,.0f}"
    ]
