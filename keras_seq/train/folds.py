"""Folds of a cross-validation: the examples that train, validate and test in each fold."""

from __future__ import annotations

import dataclasses
import hashlib
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any

import numpy as np

from keras_seq._internal.errors import InputError, excerpt
from keras_seq._internal.ranges import Range
from keras_seq.batching import RawExamples

FoldCount = Annotated[int, Range(3, is_integer=True)]
"""Number of folds. Fewer than 3 leave no fold to train on."""


@dataclasses.dataclass(frozen=True)
class Fold:
    """Fold of a cross-validation.

    It is the test split. The next fold is the validation split, which chooses the epoch. All other
    folds are the training split.

    >>> from keras_seq.batching import RawExamples
    >>> data = {"train": RawExamples(["a", "b", "c", "d"]), "test": RawExamples(["e"])}
    >>> splits = Fold(1, 4).select(data, FoldColumns.of)
    >>> {split: part.inputs for split, part in splits.items()}
    {'train': ['c', 'd'], 'validation': ['b'], 'test': ['a']}

    Args:
        number: Number of the fold, from 1.
        count: Number of folds.
    """

    number: int
    count: int

    def select(
        self,
        splits: Mapping[str, RawExamples],
        describe: Callable[[RawExamples], FoldColumns],
    ) -> dict[str, RawExamples]:
        """Return the splits of this fold, made of the training and validation splits of the data.

        Args:
            splits: Examples by split.
            describe: Function that returns the columns of all examples.

        Raises:
            InputError: If there are too few examples.
        """
        examples = join([splits[name] for name in ("train", "validation") if name in splits])
        columns = describe(examples)
        folds = assign_folds(columns, self.count)
        names = {self.number - 1: "test", self.number % self.count: "validation"}
        parts: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
        for index, (key, is_testable) in enumerate(zip(columns.keys, columns.is_testable)):
            split = names.get(folds.get(key, -1), "train")
            if is_testable or split == "train":
                parts[split].append(index)
        return {split: take(examples, indices) for split, indices in parts.items()}


@dataclasses.dataclass(frozen=True)
class FoldColumns:
    """Columns of examples that determine their folds.

    >>> first, second = FoldColumns.of(RawExamples(["A text", "a  text"])).keys
    >>> first == second
    True

    Args:
        keys: Key of each example. Examples with equal keys are in the same fold.
        labels: Label of each example, for folds with equal shares of each label. None if the
            examples do not have one label each.
        is_testable: Whether an example may be in a test or validation split. Others are in the
            training split, unless their key is in one of these splits; then they are left out.
    """

    keys: Sequence[str]
    labels: Sequence[str] | None
    is_testable: Sequence[bool]

    @classmethod
    def of(
        cls, examples: RawExamples, labels: Sequence[Sequence[str]] | None = None
    ) -> FoldColumns:
        """Return the columns of examples whose keys are their inputs.

        Args:
            examples: All examples.
            labels: Labels of each example. They count if each example has one.
        """
        keys = [make_key(value) for value in examples.inputs]
        single = None
        if labels is not None and all(len(row) == 1 for row in labels):
            single = [label for [label] in labels]
        return cls(keys, single, [True] * len(keys))

    def replace(self, **fields: Any) -> FoldColumns:
        """Return a copy with new values of some fields."""
        return dataclasses.replace(self, **fields)


def make_key(value: Any) -> str:
    """Return a hash of an input. Texts that differ in case or white space have the same.

    Args:
        value: Text, sequence of symbols, or array.
    """
    if isinstance(value, str):
        content = " ".join(value.casefold().split()).encode("utf-8", "surrogatepass")
    elif isinstance(value, (list, tuple)):
        content = "\0".join(map(str, value)).encode("utf-8", "surrogatepass")
    else:
        array = np.ascontiguousarray(value)
        content = f"{array.dtype.str} {array.shape} ".encode() + array.tobytes()
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def assign_folds(columns: FoldColumns, count: int) -> dict[str, int]:
    """Return the fold, from 0, of each key that has testable examples.

    The keys of each label are dealt to the folds in the order of a hash. So the folds have the same
    number of keys, in total and with each label, up to one.

    Args:
        columns: Columns of all examples.
        count: Number of folds.

    Raises:
        InputError: If there are fewer different inputs than folds, in total or with a label.
    """
    labels = columns.labels if columns.labels is not None else [""] * len(columns.keys)
    label_of_key: dict[str, str] = {}
    keys_of_label = defaultdict(set)
    for key, label, is_testable in zip(columns.keys, labels, columns.is_testable, strict=True):
        if is_testable:
            # An input that is repeated with another label keeps its first.
            keys_of_label[label_of_key.setdefault(key, label)].add(key)
    _check_number("", label_of_key, count)
    for label in sorted(set(labels) if columns.labels is not None else ()):
        _check_number(f" with the label {excerpt(label)!r}", keys_of_label[label], count)
    order = sorted(label_of_key, key=lambda key: (label_of_key[key], zlib.crc32(key.encode()), key))
    return {key: position % count for position, key in enumerate(order)}


def _check_number(kind: str, keys: Iterable[str], count: int) -> None:
    number = len(set(keys))
    if number < count:
        raise InputError(
            f"The training and validation splits have {number} different "
            f"{'input' if number == 1 else 'inputs'}{kind}, fewer than --folds {count}; add "
            "examples, or use fewer folds (at least 3)."
        )


def join(parts: Sequence[RawExamples]) -> RawExamples:
    """Return several sets of examples as one.

    Args:
        parts: At least one set. All have the same kind of inputs and targets.
    """
    targets = parts[0].targets
    joined = (
        {name: _concatenate([part.targets[name] for part in parts]) for name in targets}
        if isinstance(targets, Mapping)
        else _concatenate([part.targets for part in parts])
    )
    return RawExamples(_concatenate([part.inputs for part in parts]), joined)


def _concatenate(columns: Sequence[Any]) -> Any:
    if columns[0] is None or len(columns) == 1:
        return columns[0]
    if isinstance(columns[0], np.ndarray):
        return np.concatenate(columns)
    return [value for column in columns for value in column]


def take(examples: RawExamples, indices: Sequence[int]) -> RawExamples:
    """Return some examples.

    Args:
        examples: Examples.
        indices: Indices of the examples to return.
    """

    def pick(column: Any) -> Any:
        if column is None:
            return None
        if isinstance(column, np.ndarray):
            return column[np.asarray(indices, "int64")]
        return [column[index] for index in indices]

    targets = examples.targets
    if isinstance(targets, Mapping):
        return RawExamples(pick(examples.inputs), {name: pick(c) for name, c in targets.items()})
    return RawExamples(pick(examples.inputs), pick(targets))
