"""TensorFlow Datasets (TFDS), prepared once and then read from a cache."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from keras_seq._internal import folder_locks
from keras_seq._internal.errors import InputError
from keras_seq._internal.spool import Spool
from keras_seq._internal.tfds_compat import bounded_shuffling, download_timeout, without_cloud
from keras_seq._internal.types import Array
from keras_seq.data import cache, network, records, row_errors, summaries
from keras_seq.data.split import hash_split

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

Example: TypeAlias = Any
"""Example as `tfds.features.FeaturesDict` encodes it: a dictionary from feature names to values."""

Item = TypeVar("Item")

BUILTIN = "builtin"
"""Source of the examples that come with the package."""


def cached_dataset(
    name: str,
    version: str,
    features: tfds.features.FeaturesDict,
    examples: Callable[[], Iterable[tuple[str | bytes, Example, str | None]]],
    source: str = BUILTIN,
    files: Iterable[str | os.PathLike[str]] = (),
) -> tfds.core.DatasetBuilder:
    """Return a TFDS dataset of the given examples, prepared on the first call and then cached.

    The examples are read once, and held in temporary files in the folder of the dataset, so that
    memory does not grow with their number. See benchmarks/results/big_files.json.

    If the cached files are damaged, the dataset is prepared again.

    Args:
        name: Name of the dataset, in snake_case.
        version: Version, such as "1.0.0". Increase it when `examples` or `features` change.
        features: Features of the dataset.
        examples: Function without arguments that returns the examples, called if the dataset is not
            yet prepared. Each element is (key, example, split). If the split is None, it is
            `keras_seq.data.hash_split(key)`.
        source: "builtin", or a string that identifies a set of user files.
        files: User files that `examples` reads. The cached dataset is removed after one of them
            has changed or been removed.

    Returns:
        Prepared `tfds.core.DatasetBuilder`. Bad rows of user files are treated as
        `keras_seq.data.row_errors` says. The summaries of what `examples` read from user files
        are added to those of `keras_seq.data.collect_summaries`, also from a cached dataset.
    """
    import tensorflow_datasets as tfds

    class Prepared(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
        VERSION = tfds.core.Version(version)
        BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=_config_name(source))]

        def _info(self) -> tfds.core.DatasetInfo:
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _split_generators(
            self, dl_manager: tfds.download.DownloadManager
        ) -> Mapping[str, Iterable[tuple[int, Example]]]:
            # TFDS prepares the dataset in a temporary folder, which it then renames.
            locks.enter_context(folder_locks.hold(Path(self.data_dir)))
            items = _show_progress(examples(), f"Preparing {name}")
            by_split = _split_examples(items, self.data_dir)
            return {split: enumerate(rows) for split, rows in by_split.items()}

        def _generate_examples(
            self, numbered: Iterable[tuple[int, Example]]
        ) -> Iterator[tuple[int, Example]]:
            yield from numbered

    Prepared.name = name
    cache.remove_stale()
    folder = cache.dataset_folder() / name / _config_name(source) / version
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as locks:
        _lock_folder(locks, folder.parent, name)
        if folder.exists() and (damage := records.find_damage(folder)):
            print(f"{damage}: preparing the dataset {name} again.", file=sys.stderr)
            shutil.rmtree(folder)
        builder = Prepared(data_dir=cache.dataset_folder())
        if not builder.is_prepared():
            # TFDS would announce a download. `_show_progress` shows the progress instead.
            tfds.disable_progress_bar()
            with (
                contextlib.redirect_stdout(io.StringIO()),
                bounded_shuffling(),
                summaries.collect_summaries(forward=False) as read,
            ):
                try:
                    builder.download_and_prepare()
                except OSError:
                    # Without file locks, another process may have prepared the dataset meanwhile.
                    builder = Prepared(data_dir=cache.dataset_folder())
                    if not builder.is_prepared():
                        raise
            tfds.enable_progress_bar()
            records.write_record(folder, map(Path, files), read)
    for summary in records.read_summaries(folder):
        summaries.add(summary)
    records.mark_used(folder)
    return builder


def _split_examples(
    items: Iterable[tuple[str | bytes, Example, str | None]], folder: str | os.PathLike[str]
) -> dict[str, Spool[Example]]:
    """Return the examples of each split in temporary files.

    TFDS writes one split after the other, but the examples are read once.
    """
    by_split: dict[str, Spool[Example]] = {}
    for key, example, key_split in items:
        split = key_split or hash_split(key)
        if split not in by_split:
            by_split[split] = Spool(folder)
        by_split[split].append(example)
    return by_split


def _lock_folder(locks: contextlib.ExitStack, folder: Path, name: str) -> None:
    """Lock a folder until a stack is closed, after waiting for another process if necessary."""
    if not locks.enter_context(folder_locks.hold(folder, wait=False)):
        print(f"Another process is preparing the dataset {name}: waiting.", file=sys.stderr)
        locks.enter_context(folder_locks.hold(folder))


def load_tfds(name: str) -> tfds.core.DatasetBuilder:
    """Load a public dataset of TFDS, downloading and preparing it if necessary.

    Args:
        name: NAME or NAME/CONFIG as listed by TFDS.

    Returns:
        Prepared `tfds.core.DatasetBuilder`. A summary of its splits is added to those of
        `keras_seq.data.collect_summaries`.

    Raises:
        InputError: If TFDS has no such dataset, if the dataset is not prepared and the network is
            unavailable or stops answering, or if its files are damaged.
    """
    import requests
    import tensorflow_datasets as tfds
    from google.protobuf.json_format import ParseError

    data_dir = cache.dataset_folder()
    try:
        with without_cloud():
            builder = tfds.builder(name, try_gcs=False, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError as error:
        raise InputError(f"TFDS has no dataset {name!r}.") from error
    except ParseError:
        raise _damage_error(name, data_dir / name, "dataset_info.json is not JSON") from None
    folder = Path(builder.data_dir)
    # Other programs also prepare public datasets, without locks.
    folder_locks.remove_unlocked(
        folder.parent, cache.INCOMPLETE_FOLDER, min_age=folder_locks.STALE_AGE_SECONDS
    )
    if not builder.is_prepared() and not _is_online():
        raise InputError(
            f"The dataset {name} is not prepared in {builder.data_dir}, and the network is "
            f"unavailable: run `tfds build {name}` on a machine with network access and copy the "
            "folder."
        )
    try:
        with download_timeout(network.TIMEOUT_SECONDS):
            builder.download_and_prepare()
    except requests.RequestException as error:
        raise InputError(f"The download of the dataset {name} failed: {error}.") from error
    if not (folder / records.RECORD_NAME).exists():
        with contextlib.suppress(OSError):  # The folder may be read-only.
            records.write_record(folder)
    elif damage := records.find_damage(folder):
        raise _damage_error(name, folder, damage)
    records.mark_used(folder)
    sizes = {split: info.num_examples for split, info in builder.info.splits.items()}
    notes = (", ".join(f"{split} {number:,}" for split, number in sizes.items()),)
    summaries.add(
        summaries.ReadSummary(f"tfds:{name}", "TFDS dataset", sum(sizes.values()), notes=notes)
    )
    return builder


def to_arrays(builder: tfds.core.DatasetBuilder) -> dict[str, dict[str, Array]]:
    """Load all examples of a dataset into memory.

    Args:
        builder: Prepared builder whose features have fixed shapes.

    Returns:
        Arrays `(examples, ...)` by split name and feature name, as nested dictionaries.
    """
    import tensorflow_datasets as tfds

    return {
        split: _read_scalars(builder, split)
        or tfds.as_numpy(builder.as_dataset(split=split, batch_size=-1))
        for split in builder.info.splits
    }


def _read_scalars(builder: tfds.core.DatasetBuilder, split: str) -> dict[str, Array] | None:
    """Return the arrays of a split of texts and numbers in one file; None for other splits.

    TFDS parses each example by itself, which takes seconds for a hundred thousand of them.
    """
    import tensorflow as tf
    import tensorflow_datasets as tfds

    features, info = builder.info.features, builder.info.splits[split]
    dtypes = {name: feature.np_dtype for name, feature in features.items()}
    kinds = tfds.features.Text, tfds.features.Scalar
    is_scalar = all(type(feature) in kinds for feature in features.values())
    is_known = all(dtype in (object, np.float32, np.int64) for dtype in dtypes.values())
    is_single_file = len(info.filepaths) == 1 and ".tfrecord-" in info.filepaths[0].name
    if not (is_scalar and is_known and is_single_file and info.num_examples):
        return None
    records = tf.data.TFRecordDataset(str(info.filepaths[0])).batch(info.num_examples)
    spec = {
        name: tf.io.FixedLenFeature((), tf.string if dtype is object else dtype)
        for name, dtype in dtypes.items()
    }
    columns = tf.io.parse_example(records.get_single_element(), spec)
    return {name: column.numpy() for name, column in columns.items()}


def _show_progress(items: Iterable[Item], description: str) -> Iterator[Item]:
    """Yield items, and show a progress bar if standard error is a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        yield from progress.track(items, description=description)


def _config_name(source: str) -> str:
    if source == BUILTIN:
        return source
    # Without the bad rows, it is another dataset.
    return "user_" + hashlib.sha256((source + row_errors.cache_key()).encode()).hexdigest()[:16]


def _is_online() -> bool:
    """Return whether the host of most public datasets is reachable."""
    return network.is_reachable("https://storage.googleapis.com")


def _damage_error(name: str, folder: Path, damage: str) -> InputError:
    return InputError(
        f"The public dataset {name} is damaged: {damage}. Remove {folder} to download it again."
    )
