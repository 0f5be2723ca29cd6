"""Labeled DNA: splice junctions, TFDS datasets, or your own FASTA and FASTQ files or tables."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from keras_seq import InputError, data
from keras_seq.batching import RawExamples
from keras_seq.train.recipe import Splits

from .bases import normalize_sequence, reverse_complement
from .config import Config
from .files import list_files, read_files
from .splice import read_splice_junctions

SEQUENCE_FEATURES = "sequence", "seq"
"""Names of the sequence feature in public datasets."""

Rows = list[tuple[str, str]]
"""Pairs of a sequence and its label."""


def load(config: Config) -> Splits:
    """Return the sequences of each split, with targets `{"labels": [...]}`.

    Raises:
        InputError: If a label of the validation or test split has no training sequence.
    """
    by_split = _read_rows(config)
    if config.fold is not None:
        by_split = split_by_fold([row for rows in by_split.values() for row in rows], config.fold)
    if config.strands == "both":
        by_split = _add_reverse_complements(by_split)
    splits = {}
    for split, rows in by_split.items():
        sequences, labels = zip(*rows)
        splits[split] = RawExamples(list(sequences), {"labels": list(labels)})
    data.check_labels({split: examples.targets["labels"] for split, examples in splits.items()})
    return splits


def split_by_fold(rows: Rows, fold: int) -> dict[str, Rows]:
    """Return one fold of ten as the test split and the others as the training split.

    Equal sequences are in the same fold.

    Args:
        rows: Sequences with their labels.
        fold: Fold of the test split, 0 to 9.
    """
    splits: dict[str, Rows] = {"train": [], "test": []}
    for row in rows:
        splits["test" if data.hash_fold(row[0]) == fold else "train"].append(row)
    return {split: rows for split, rows in splits.items() if rows}


def _add_reverse_complements(by_split: dict[str, Rows]) -> dict[str, Rows]:
    """Add the reverse complement of each training sequence, unless a held-out split has it."""
    held_out = {row[0] for split, rows in by_split.items() if split != "train" for row in rows}
    train = by_split.get("train", [])
    added = [(reverse_complement(sequence), label) for sequence, label in train]
    added = [row for row in added if row[0] not in held_out]
    return by_split | {"train": [*train, *added]} if added else by_split


def _read_rows(config: Config) -> dict[str, Rows]:
    """Return the rows of each split."""
    if config.data.startswith(("tfds:", "hf:")):
        _check_fold(config, has_own_splits=True)
        if config.data.startswith("hf:"):
            columns = {"sequence": config.sequence_column, "label": config.label_column}
            by_split = data.load_labeled_hf(config.data, columns, SEQUENCE_FEATURES)
        else:
            name = config.data.removeprefix("tfds:")
            by_split = data.load_labeled_tfds(name, SEQUENCE_FEATURES)
        return {
            split: [
                (normalize_sequence(text, f"{config.data}, sequence {number} of {split}"), label)
                for number, (text, label) in enumerate(rows, 1)
            ]
            for split, rows in by_split.items()
        }
    features = tfds.features.FeaturesDict(
        {"sequence": tfds.features.Text(), "label": tfds.features.Text()}
    )
    if config.data == "builtin":
        builder = data.cached_dataset("dna", "1.0.0", features, _builtin_examples)
    else:
        files = list_files(Path(config.data))
        splits = [(file.split, file.path) for file in files]
        _check_fold(config, has_own_splits=any(split is not None for split, _ in splits))
        settings = (
            *({"sequence": config.sequence_column, "label": config.label_column}, config.encoding),
            *(config.delimiter, config.header_label),
        )
        source = data.fingerprint([(file.path, file.split, file.label) for file in files])
        paths = [file.path for file in files]

        def examples() -> Iterator[tuple[str, dict[str, Any], str | None]]:
            for sequence, label, split in read_files(files, config):
                row = {"sequence": sequence, "label": label}
                yield sequence, row, data.resolve_split(splits, split, sequence)

        builder = data.cached_dataset(
            "dna", "1.0.0", features, examples, source + repr(settings), paths
        )
    return {
        split: [
            (sequence.decode("ascii"), label.decode("utf-8"))
            for sequence, label in zip(arrays["sequence"], arrays["label"])
        ]
        for split, arrays in data.to_arrays(builder).items()
    }


def _check_fold(config: Config, has_own_splits: bool) -> None:
    if config.fold is not None and has_own_splits:
        raise InputError(
            f"--fold splits the data itself, but {config.data} has its own splits; leave out "
            "--fold."
        )


def _builtin_examples() -> Iterator[tuple[str, dict[str, str], None]]:
    for sequence, label in read_splice_junctions():
        yield sequence, {"sequence": sequence, "label": label}, None
