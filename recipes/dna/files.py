"""The user's own files of labeled sequences: FASTA, FASTQ and tables."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from keras_seq import InputError, data
from keras_seq.data import summaries
from keras_seq.data.delimited import detect_delimiter, parse_delimiter, read_table_rows
from keras_seq.data.files import STEMS
from keras_seq.data.opening import is_file, list_folder
from keras_seq.data.tables import JSON_SUFFIXES, Table

from .bases import LetterCounts, normalize_sequence
from .config import Config
from .headers import ClassField, detect_field
from .sequences import SequenceFile, is_sequence_file, stem

HINT = "Name the columns by --sequence-column and --label-column."
MIN_LETTERS = 8
"""Length from which a cell of letters of DNA is a sequence, and not the name of a column."""


class DataFile(NamedTuple):
    """File of sequences.

    >>> DataFile(Path("train/EI/1.fa"), split="train", label="EI").label
    'EI'
    """

    path: Path
    split: str | None
    label: str | None
    """Class of all sequences, or None if each has its own."""


def list_files(path: Path) -> list[DataFile]:
    """Return the files of a dataset.

    Args:
        path: File; folder of FASTA or FASTQ files that are named by class, or in folders that are;
            folder with folders train, test and perhaps validation of such files; folder with files
            train.*, test.* and perhaps validation.*.

    Raises:
        InputError: If there are no files, or if only some of their names are classes.
    """
    if is_file(path) and is_sequence_file(path):
        return [DataFile(path, None, None)]
    roots = [(None, path), *((split, path / split) for split in data.SPLITS)]
    files = [file for split, root in roots if root.is_dir() for file in _list_root(root, split)]
    if not files:
        return [DataFile(file, split, None) for split, file in data.list_files_by_split(path)]
    labels = {file.label for file in files}
    split_names = {name: split for split, names in STEMS.items() for name in names}
    if labels <= {*split_names}:
        return [DataFile(file, split_names[str(label)], None) for file, _, label in files]
    if len(labels) == 1:
        return [file._replace(label=None) for file in files]
    if wrong := labels & {*split_names}:
        names = ", ".join(sorted(f"{label}" for label in labels))
        raise InputError(
            "The name of a FASTA file or of its folder is the class of its sequences, but "
            f"{path} has {names}. Put the files of each split into folders "
            f"{', '.join(data.SPLITS)}, or move {', '.join(sorted(f'{name}' for name in wrong))}."
        )
    return files


def _list_root(root: Path, split: str | None) -> Iterator[DataFile]:
    """Yield the files of a folder, and of its sub-folders that are named by class."""
    for entry in list_folder(root):
        if not entry.is_dir():
            if is_sequence_file(entry):
                yield DataFile(entry, split, stem(entry))
        elif split is not None or entry.name not in data.SPLITS:
            for file in list_folder(entry, "**/*"):
                if is_sequence_file(file):
                    yield DataFile(file, split, entry.name)


def read_files(files: Sequence[DataFile], config: Config) -> Iterator[tuple[str, str, str | None]]:
    """Yield sequence, label and split of each example.

    Args:
        files: Files as `list_files` returns them.
        config: Config of the run.

    Raises:
        InputError: If a file is damaged, or a sequence has no class; the message gives the line.
    """
    field, bad_files = None, data.BadRows()
    unlabeled = [file.path for file in files if file.label is None and is_sequence_file(file.path)]
    if unlabeled:
        field = _class_field(unlabeled, config)
    for path, split, label in files:
        with bad_files:
            if is_sequence_file(path):
                records = SequenceFile(path, config.encoding, None if label else field)
                for record in records:
                    yield record.sequence, label or str(record.label), split
                summaries.add(records.summary)
            else:
                for sequence, row_label in _read_table(path, config):
                    yield sequence, row_label, split
    if bad_files.num_bad:
        summaries.add(bad_files.finish(data.ReadSummary(config.data, "files", bad_files.num_good)))


def _class_field(paths: Sequence[Path], config: Config) -> ClassField:
    """Return the part of the headers of files that is the class."""
    if config.header_label is not None:
        return ClassField(config.header_label)
    files = (SequenceFile(path, config.encoding) for path in paths)
    headers = (header for file in files for header in file.headers())
    return detect_field(headers, ", ".join(map(str, paths)))


def _read_table(path: Path, config: Config) -> Iterator[tuple[str, str]]:
    """Yield the sequences of a table with their labels."""
    columns = {"sequence": config.sequence_column, "label": config.label_column}
    columns = _number_columns(path, columns, config)
    counts = LetterCounts()

    def parse(where: str, text: str, label: str) -> tuple[str, str]:
        sequence = normalize_sequence(text, where)
        if not sequence:
            raise InputError(f"{where}: the sequence has no base, only gaps or stops.")
        counts.add(text)
        return sequence, label

    table = Table(path, columns, config.encoding, HINT, delimiter=config.delimiter, parse=parse)
    for _, sequence, label in table:
        yield sequence, label
    summaries.add(table.summary.replace(notes=(*table.summary.notes, *counts.notes())))


def _number_columns(path: Path, columns: dict[str, str], config: Config) -> dict[str, str]:
    """Return the numbers of the columns of a table without a header, or the columns as they are.

    The first row is not a header if one of its cells is a sequence. Then the table must have one
    other column, the label.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if {*suffixes} & {*JSON_SUFFIXES, ".parquet"} or all(map(str.isdecimal, columns.values())):
        return columns
    delimiter = parse_delimiter(config.delimiter) or detect_delimiter(
        path, config.encoding, columns.values(), "," if ".csv" in suffixes else "\t"
    )
    _, cells = next(read_table_rows(path, config.encoding, delimiter), (0, []))
    sequences = [number for number, cell in enumerate(cells, 1) if _is_sequence(cell)]
    if not sequences or {*columns.values()} & {cell.strip() for cell in cells}:
        return columns
    if len(sequences) != 1 or len(cells) != 2:
        raise InputError(
            f"{path} has no header and {len(cells)} columns; give the numbers of the columns, from "
            "1, by --sequence-column and --label-column."
        )
    return {"sequence": str(*sequences), "label": str(3 - sequences[0])}


def _is_sequence(cell: str) -> bool:
    """Return whether a cell of the first row of a table is a sequence, not a name."""
    try:
        return len(normalize_sequence(cell, "")) >= MIN_LETTERS
    except InputError:
        return False
