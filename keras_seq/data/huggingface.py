"""Public datasets of the Hugging Face Hub, read with the package `datasets`."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from keras_seq._internal import hf_compat
from keras_seq._internal.errors import InputError, excerpt
from keras_seq.data import network, summaries
from keras_seq.data.delimited import describe_names
from keras_seq.data.files import SPLITS
from keras_seq.data.split import carve_splits

PREFIX = "hf:"
"""Prefix of the names of datasets in `--data`."""
BATCH_ROWS = 1_000
"""Number of rows to read at a time."""
SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}
"""Names of splits of datasets. A suffix may follow, as in "train.clean"."""

Row = TypeVar("Row")


@dataclasses.dataclass(frozen=True)
class HubDataset:
    """Dataset of the Hugging Face Hub, or of a local folder in a format of `datasets`.

    Made by `open_hf`.

    >>> HubDataset("hf:imdb", {"text": "Value"}, {}).choose_column(["sentence", "text"])
    'text'

    Args:
        name: Name for messages, with its prefix.
        features: Features by column, as `datasets` describes them.
        splits: Objects `datasets.Dataset` by the names of their splits.
        folders: Folders with the files that examples may name: the caches, or a local folder.
    """

    name: str
    features: Mapping[str, Any]
    splits: Mapping[str, Any]
    folders: Sequence[Path] = ()

    def choose_column(self, candidates: Sequence[str], option: str = "") -> str:
        """Return the first of some names that a column has.

        Args:
            candidates: Names of columns.
            option: Option with which the user names the column, for the message.

        Raises:
            InputError: If there is no such column.
        """
        column = next((name for name in candidates if name in self.features), None)
        if column is not None:
            return column
        advice = f"; name the column by {option}" if option else ""
        raise InputError(
            f"{self.name} has the columns {describe_names(self.features)}, but not "
            f"{' or '.join(candidates)}{advice}."
        )

    def check_file(self, path: str, where: str) -> Path:
        """Return the path of a file that an example names, if it is in one of the folders.

        Args:
            path: Path.
            where: Place of the example, for the message.

        Raises:
            InputError: If the file is elsewhere.
        """
        file = Path(path).resolve()
        if not any(file.is_relative_to(folder.resolve()) for folder in self.folders):
            raise InputError(
                f"{where} names the file {excerpt(path, 300)}, which is not part of the dataset."
            )
        return file

    def read(
        self,
        columns: Mapping[str, str],
        parse: Callable[..., Row | str],
        key: Callable[[Row], str | bytes],
    ) -> dict[str, list[Row]]:
        """Read columns of all examples.

        Args:
            columns: Dictionary from a name for messages to the name of a column.
            parse: Function that makes an example of the values of the columns, or returns the
                reason for which the example is left out. Values are as `iterate` yields them.
            key: Function that returns the key of an example for `keras_seq.data.hash_split`.

        Returns:
            Examples by split, as `finish` returns them.

        Raises:
            InputError: If there are no training examples.
        """
        rows: dict[str, list[Row]] = {}
        left_out: Counter[str] = Counter()
        for split, values in self.iterate(columns):
            example = parse(*values)
            if isinstance(example, str):
                left_out[example] += 1
            else:
                rows.setdefault(split, []).append(example)
        return self.finish(rows, columns, left_out, key)

    def iterate(self, columns: Mapping[str, str]) -> Iterator[tuple[str, list[Any]]]:
        """Yield the split of each example and the values of some columns.

        Numbers of labels are replaced by their names, and hidden labels, which are -1, by None.

        Args:
            columns: Dictionary from a name for messages to the name of a column.
        """
        names = list(dict.fromkeys(columns.values()))
        convert = [_make_label_converter(self.features[name]) for name in names]
        for split_name, dataset in self.splits.items():
            split = _our_split(split_name, len(self.splits))
            if split is None:
                continue
            for batch in dataset.select_columns(names).iter(BATCH_ROWS):
                for values in zip(*(batch[name] for name in names)):
                    row = {n: f(value) for n, f, value in zip(names, convert, values)}
                    yield split, [row[name] for name in columns.values()]

    def finish(
        self,
        rows: Mapping[str, list[Row]],
        columns: Mapping[str, str],
        left_out: Mapping[str, int],
        key: Callable[[Row], str | bytes],
    ) -> dict[str, list[Row]]:
        """Take missing splits from the training split by a hash, and add a summary.

        The summary goes to `keras_seq.data.collect_summaries`.

        Args:
            rows: Examples by split.
            columns: Dictionary from a name for messages to the name of a column.
            left_out: Dictionary from a reason to the number of examples left out for it.
            key: Function that returns the key of an example for `keras_seq.data.hash_split`.

        Returns:
            Examples by split. A split without examples is absent.

        Raises:
            InputError: If there are no training examples.
        """
        if not rows.get("train"):
            reasons = "".join(f"; left out {n:,}: {reason}" for reason, n in left_out.items())
            raise InputError(f"{self.name} has no training examples{reasons}.")
        complete = carve_splits(rows, key)
        notes = [", ".join(f"{split} {len(examples):,}" for split, examples in complete.items())]
        if carved := [split for split in complete if not rows.get(split)]:
            notes.append(f"{' and '.join(carved)} taken from train by a hash of the input")
        num_splits = len(self.splits)
        if ignored := [name for name in self.splits if _our_split(name, num_splits) is None]:
            notes.append(f"not read: split {', '.join(ignored)}")
        num_rows = sum(map(len, rows.values()))
        summaries.add(
            summaries.ReadSummary(
                self.name,
                "Hugging Face dataset",
                num_rows,
                columns=columns,
                left_out=dict(left_out),
                notes=tuple(notes),
            )
        )
        return complete


def open_hf(source: str) -> HubDataset:
    """Open a dataset of the Hugging Face Hub, downloading it if it is not in the cache.

    No code of the dataset runs.

    Args:
        source: `hf:NAME`, `hf:OWNER/NAME`, either with `/CONFIG`, or `hf:` and the path of a folder
            that `datasets.load_dataset` or `datasets.load_from_disk` reads.

    Raises:
        InputError: If `datasets` is not installed, there is no such dataset, or the network is
            unavailable and the dataset is not in the cache.
    """
    try:
        import datasets
        from huggingface_hub import constants
    except ImportError:
        raise InputError(
            f"{source} needs the package datasets: run pip install 'keras-seq[hf]'."
        ) from None
    loaded = _load(source)
    splits = {"train": loaded} if isinstance(loaded, datasets.Dataset) else dict(loaded)
    features = next(iter(splits.values())).features
    for column, feature in features.items():
        if isinstance(feature, datasets.Audio):  # The file, which `read_audio` decodes.
            splits = {
                name: split.cast_column(column, datasets.Audio(decode=False))
                for name, split in splits.items()
            }
    path = _local_folder(source)
    caches = datasets.config.HF_DATASETS_CACHE, constants.HF_HUB_CACHE
    folders = [path] if path else [Path(folder) for folder in caches]
    return HubDataset(source, features, splits, folders)


def to_text(value: Any, dataset: HubDataset, column: str) -> str:
    """Return a value as text without surrounding white space, or "" for a missing value.

    Args:
        value: Value of a column.
        dataset: Dataset, for the message.
        column: Name of the column, for the message.

    Raises:
        InputError: If the value is neither a text nor a number.
    """
    if value is None:
        return ""
    if not isinstance(value, (str, int, float)):
        raise InputError(
            f"{dataset.name}: the column {column!r} has the type {dataset.features[column]}; a "
            "text or a number is needed."
        )
    return str(value).strip()


def _our_split(name: str, num_splits: int) -> str | None:
    """Return our name of a split, or None if the split is none of ours."""
    if num_splits == 1:
        return "train"
    stem = re.split(r"[._-]", name.lower())[0]
    return next((split for split in SPLITS if stem in SPLIT_NAMES[split]), None)


def _make_label_converter(feature: Any) -> Callable[[Any], Any]:
    """Return a function that replaces numbers of labels by their names."""
    names = getattr(feature, "names", None)
    if names is not None:
        return lambda value: None if value is None or value < 0 else names[value]
    inner = getattr(feature, "feature", None)
    if getattr(inner, "names", None) is not None:
        convert = _make_label_converter(inner)
        return lambda values: None if values is None else [convert(value) for value in values]
    return lambda value: value


def _local_folder(source: str) -> Path | None:
    """Return the folder that a source names, or None for a dataset of the Hub."""
    name = source.removeprefix(PREFIX)
    path = Path(name).expanduser()
    return path if name and path.is_dir() else None


def _load(source: str) -> Any:
    """Return what `datasets` loads: a `Dataset`, or a dictionary of them by split."""
    import datasets

    path = _local_folder(source)
    if path is not None:
        is_saved = any((path / file).is_file() for file in ("dataset_dict.json", "state.json"))
        with _translate_errors(source):
            return datasets.load_from_disk(path) if is_saved else datasets.load_dataset(str(path))
    parts = source.removeprefix(PREFIX).split("/")
    if not all(re.fullmatch(r"\w[\w.-]*", part) for part in parts) or len(parts) > 3:
        raise InputError(f"{source!r} is neither hf:NAME, hf:OWNER/NAME[/CONFIG] nor a folder.")
    # NAME/CONFIG looks like OWNER/NAME.
    candidates: list[tuple[str, str | None]] = [("/".join(parts[:2]), None)]
    if len(parts) == 2:
        candidates.append((parts[0], parts[1]))
    elif len(parts) == 3:
        candidates = [("/".join(parts[:2]), parts[2])]
    if datasets.config.HF_HUB_OFFLINE or not network.is_reachable(datasets.config.HF_ENDPOINT):
        return _load_cached(source, candidates)
    with _translate_errors(source):
        for number, (repository, config) in enumerate(candidates, 1):
            try:
                return datasets.load_dataset(repository, config)
            except datasets.exceptions.DatasetNotFoundError:
                if number == len(candidates):
                    raise
    raise AssertionError  # the loop returns or raises


def _load_cached(source: str, candidates: Sequence[tuple[str, str | None]]) -> Any:
    """Load a dataset from the cache."""
    import datasets

    cache = str(datasets.config.HF_DATASETS_CACHE)
    with hf_compat.offline():
        for repository, config in candidates:
            try:
                return datasets.load_dataset(repository, config)
            except (OSError, ValueError) as error:
                is_missing = isinstance(error, (ConnectionError, FileNotFoundError))
                if not hf_compat.is_not_cached(error) and not (
                    is_missing and cache not in str(error)
                ):
                    raise InputError(
                        f"{source} is damaged in the cache {cache}: {_sentence(error)} Remove it "
                        "there and load it again on a machine with network access."
                    ) from error
    raise InputError(
        f"{source} is not in the cache {cache}, and the network is unavailable or HF_HUB_OFFLINE "
        "is set: load the dataset on a machine with network access and copy the cache."
    )


@contextlib.contextmanager
def _translate_errors(source: str) -> Iterator[None]:
    """Translate the errors of `datasets` about names, files and the network."""
    import datasets

    errors = datasets.exceptions.DatasetsError, hf_compat.http_error(), OSError, ValueError
    try:
        yield
    except datasets.exceptions.DatasetNotFoundError:
        raise InputError(
            f"The Hugging Face Hub has no public dataset {source.removeprefix(PREFIX)!r}."
        ) from None
    except errors as error:
        raise InputError(f"{source} cannot be read: {_sentence(error)}") from error
    except RuntimeError as error:
        if "scripts are no longer supported" not in str(error):
            raise
        raise InputError(
            f"{source} consists of Python code, which is not run: choose a copy of the dataset in "
            "Parquet, such as hf:OWNER/NAME."
        ) from None


def _sentence(error: Exception) -> str:
    text = " ".join(str(error).partition("\nExample of usage")[0].split())
    return excerpt(text or type(error).__name__, 300).rstrip(".") + "."
