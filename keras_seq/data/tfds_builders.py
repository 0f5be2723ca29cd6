"""Prepares examples once and caches them, by TensorFlow Datasets."""

import contextlib
import hashlib
import io
import shutil
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from keras_seq._internal import folder_locks
from keras_seq._internal.errors import InputError
from keras_seq._internal.tfds_compat import without_cloud
from keras_seq.data import cache, network, records
from keras_seq.data.split import hash_split


def cached_dataset(name, version, features, examples, source="builtin", files=()):
    """Return a data set of our own making, prepared and cached where TFDS keeps its data sets.

    A cached copy whose files are damaged is made again.

    Args:
        name: Name of the data set, in snake_case.
        version: "1.0.0"; to be raised when `examples` or `features` change.
        features: A `tfds.features.FeaturesDict`.
        examples: Called without arguments if the set is not yet prepared; yields triples: the key
            of the content split (bytes or a string), the example, and the split it belongs to or
            None, which leaves the choice to `keras_seq.data.hash_split`.
        source: "builtin", or whatever tells one set of user files from another.
        files: Paths of the user's files that `examples` reads. The copy in the cache is removed
            once one of them has changed or gone.

    Returns:
        A prepared `tfds.core.DatasetBuilder`.
    """
    import tensorflow_datasets as tfds

    class Prepared(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version(version)
        BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=_config_name(source))]

        def _info(self):
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _split_generators(self, dl_manager):
            # Until it is renamed, the data set lies in a temporary folder.
            held.enter_context(folder_locks.hold(Path(self.data_dir)))
            by_split = {}
            for key, example, split in _show_progress(examples(), f"Preparing {name}"):
                by_split.setdefault(split or hash_split(key), []).append(example)
            return {split: list(enumerate(found)) for split, found in by_split.items()}

        def _generate_examples(self, numbered):
            yield from numbered

    Prepared.name = name
    cache.remove_stale()
    folder = cache.dataset_folder() / name / _config_name(source) / version
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        _enter_alone(held, folder.parent, name)
        if folder.exists() and (damage := records.find_damage(folder)):
            print(f"{damage}: the data set {name} is prepared again.", file=sys.stderr)
            shutil.rmtree(folder)
        builder = Prepared(data_dir=cache.dataset_folder())
        if not builder.is_prepared():
            # TFDS would announce a download; the progress worth showing is that of the examples.
            tfds.disable_progress_bar()
            with contextlib.redirect_stdout(io.StringIO()):
                try:
                    builder.download_and_prepare()
                except OSError:
                    builder = Prepared(data_dir=cache.dataset_folder())
                    if not builder.is_prepared():  # by another process, where there are no locks
                        raise
            tfds.enable_progress_bar()
            records.write_record(folder, files)
    records.mark_used(folder)
    return builder


def _enter_alone(held: contextlib.ExitStack, folder: Path, name: str) -> None:
    """Hold a folder as long as a stack, and say so if another process must end first."""
    if not held.enter_context(folder_locks.hold(folder, wait=False)):
        print(f"Another process is preparing the data set {name}: waiting.", file=sys.stderr)
        held.enter_context(folder_locks.hold(folder))


def load_tfds(name):
    """Return a public data set of TFDS, prepared now if it is not yet and the network allows.

    Args:
        name: NAME or NAME/CONFIG as TFDS lists it.

    Returns:
        A prepared `tfds.core.DatasetBuilder`.

    Raises:
        InputError: If there is no such set, if it is not prepared and there is no network, or if
            its files are damaged.
    """
    import tensorflow_datasets as tfds
    from google.protobuf.json_format import ParseError

    data_dir = cache.dataset_folder()
    try:
        with without_cloud():
            builder = tfds.builder(name, try_gcs=False, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError as error:
        raise InputError(f"TFDS has no data set {name!r}.") from error
    except ParseError:
        raise _damaged(name, data_dir / name, "dataset_info.json is not JSON") from None
    folder = Path(builder.data_dir)
    # Other programs prepare public sets too, without our locks.
    folder_locks.remove_unlocked(
        folder.parent, cache.INCOMPLETE_FOLDER, min_age=folder_locks.STALE_AGE_SECONDS
    )
    if not builder.is_prepared() and not _online():
        raise InputError(
            f"The data set {name} is not prepared in {builder.data_dir} and there is no network "
            f"to fetch it: run `tfds build {name}` where there is one and copy the folder here."
        )
    builder.download_and_prepare()
    if not (folder / records.RECORD_NAME).exists():
        with contextlib.suppress(OSError):  # a read-only folder of others
            records.write_record(folder)
    elif damage := records.find_damage(folder):
        raise _damaged(name, folder, damage)
    records.mark_used(folder)
    return builder


def to_arrays(builder):
    """All examples in memory.

    Args:
        builder: A prepared builder whose features have fixed shapes.

    Returns:
        Split name to a dict of feature name to array, (examples, ...).
    """
    import tensorflow_datasets as tfds

    return {
        split: tfds.as_numpy(builder.as_dataset(split=split, batch_size=-1))
        for split in builder.info.splits
    }


def _show_progress(examples, description):
    """The examples, counted for whoever looks on."""
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
        yield from progress.track(examples, description=description)


def _config_name(source):
    if source == "builtin":
        return source
    return "user_" + hashlib.sha256(source.encode()).hexdigest()[:16]


def _online():
    """Return whether the host that most public data sets come from answers."""
    return network.is_reachable("https://storage.googleapis.com")


def _damaged(name: str, folder: Path, damage: str) -> InputError:
    return InputError(
        f"The public data set {name} is damaged: {damage}. Remove {folder}, and it is fetched "
        "again."
    )
