"""DNA with labels: splice junctions, sets of TFDS, a FASTA file a class, or a table of your own."""

from pathlib import Path

import tensorflow_datasets as tfds

from keras_seq import InputError, data
from keras_seq.batching import RawExamples
from keras_seq.data.opening import list_folder
from keras_seq.train.recipe import Splits

from .bases import checked, reverse_complement
from .config import Config
from .fasta import is_fasta, read_fasta, stem
from .splice import junctions

SEQUENCES = "seq", "sequence"
"""Features of sets of TFDS."""


def load(config: Config) -> Splits:
    """Return sequences and their labels by split; some training sequence has each label."""
    rows = _rows(config)
    if config.fold is not None:
        rows = _fold([row for found in rows.values() for row in found], config.fold)
    if config.strands == "both":
        rows = _both_strands(rows)
    splits = {}
    for split, found in rows.items():
        sequences, labels = zip(*found)
        splits[split] = RawExamples(list(sequences), {"labels": list(labels)})
    data.check_labels({split: found.targets["labels"] for split, found in splits.items()})
    return splits


def _fold(rows, fold):
    """A tenth of all to test, the other nine to train; equal sequences are of one tenth."""
    parts = {"train": [], "test": []}
    for row in rows:
        parts["test" if data.hash_fold(row[0]) == fold else "train"].append(row)
    return {split: found for split, found in parts.items() if found}


def _both_strands(rows):
    """The same with the other strand of each training sequence, unless that is held out."""
    held_out = {row[0] for split, found in rows.items() if split != "train" for row in found}
    others = [(reverse_complement(sequence), label) for sequence, label in rows.get("train", ())]
    others = [row for row in others if row[0] not in held_out]
    return rows | {"train": [*rows["train"], *others]} if others else rows


def _rows(config):
    """By split, `(sequence, label)`."""
    if config.data.startswith("tfds:"):
        name = config.data.removeprefix("tfds:")
        _check_fold(config, False)
        return {
            split: [
                (checked(text, f"{name}, sequence {number} of the {split} split"), label)
                for number, (text, label) in enumerate(rows, 1)
            ]
            for split, rows in data.load_labelled_tfds(name, SEQUENCES).items()
        }
    features = tfds.features.FeaturesDict(
        {"sequence": tfds.features.Text(), "label": tfds.features.Text()}
    )
    if config.data == "builtin":
        builder = data.cached_dataset("dna", "1.0.0", features, _builtin)
    else:
        files = _files(Path(config.data))
        _check_fold(config, all(split is None for split, _ in files))
        columns = {"sequence": config.sequence_column, "label": config.label_column}
        settings = columns, config.encoding
        source = data.fingerprint([(file, split) for split, file in files]) + repr(settings)
        paths = [file for _, file in files]
        builder = data.cached_dataset(
            "dna", "1.0.0", features, lambda: _of_user(files, *settings), source, paths
        )
    return {
        split: [
            (sequence.decode("ascii"), label.decode("utf-8"))
            for sequence, label in zip(found["sequence"], found["label"])
        ]
        for split, found in data.to_arrays(builder).items()
    }


def _check_fold(config, whole):
    if config.fold is not None and not whole:
        raise InputError(f"--fold parts data anew, but {config.data} brings a split of its own.")


def _builtin():
    for sequence, label in junctions():
        yield sequence, {"sequence": sequence, "label": label}, None


def _files(path):
    """The files of a path, each with its split or None.

    Raises:
        InputError: There is nothing, or FASTA files do not tell classes by their names.
    """
    found = []
    if path.is_dir():
        folders = [(None, path), *((split, path / split) for split in data.SPLITS)]
        found = [
            (split, file)
            for split, folder in folders
            if folder.is_dir()
            for file in list_folder(folder)
            if is_fasta(file)
        ]
    elif path.is_file() and is_fasta(path):
        found = [(None, path)]
    if not found:
        return data.list_files_by_split(path)
    classes = {stem(file) for _, file in found}
    if len(classes) < 2 or classes & set(data.SPLITS):
        raise InputError(
            "The name of a FASTA file is the class of its sequences: give a folder with one for "
            f"each of at least two classes, or such folders called {', '.join(data.SPLITS)}; "
            f"{path} has {', '.join(sorted(classes))}."
        )
    return found


def _of_user(files, columns, encoding):
    for split, file in files:
        for sequence, label in _read(file, columns, encoding):
            row = {"sequence": sequence, "label": label}
            yield sequence, row, data.resolve_split(files, split, sequence)


def _read(file, columns, encoding):
    if is_fasta(file):
        for _, sequence in read_fasta(file, encoding):
            yield sequence, stem(file)
    else:
        hint = "Say which with --sequence-column and --label-column."
        for number, text, label in data.read_table(file, columns, encoding, hint):
            yield checked(text, f"{file}, line {number}"), label
