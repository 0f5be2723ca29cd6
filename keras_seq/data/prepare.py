"""Prepares examples once and caches them, by TensorFlow Datasets."""

import contextlib
import hashlib
import io
import os
import socket
import threading

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from keras_seq.data.split import split_of
from keras_seq.errors import InputError


def prepare(name, version, features, examples, source="builtin"):
    """A data set of our own making, prepared and cached where TFDS keeps its data sets.

    Args:
        name: Name of the data set, in snake_case.
        version: "1.0.0"; to be raised when `examples` or `features` change.
        features: A `tfds.features.FeaturesDict`.
        examples: Called without arguments if the set is not yet prepared; yields triples: the key
            of the content split (bytes or a string), the example, and the split it belongs to or
            None, which leaves the choice to `keras_seq.data.split_of`.
        source: "builtin", or whatever tells one set of user files from another.

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
            by_split = {}
            for key, example, split in _shown(examples(), f"Preparing {name}"):
                by_split.setdefault(split or split_of(key), []).append(example)
            return {split: list(enumerate(found)) for split, found in by_split.items()}

        def _generate_examples(self, numbered):
            yield from numbered

    Prepared.name = name
    builder = Prepared()
    if not builder.is_prepared():
        # TFDS would announce a download; the progress worth showing is that of the examples.
        tfds.disable_progress_bar()
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                builder.download_and_prepare()
            except OSError:
                builder = Prepared()
                if not builder.is_prepared():  # by another process, meanwhile
                    raise
        tfds.enable_progress_bar()
    return builder


def public(name):
    """A public data set of TFDS, prepared now if it is not yet and the network allows.

    Args:
        name: NAME or NAME/CONFIG as TFDS lists it.

    Returns:
        A prepared `tfds.core.DatasetBuilder`.

    Raises:
        InputError: There is no such set, or it is not prepared and there is no network.
    """
    import tensorflow_datasets as tfds

    # Without a network, asking the cloud for a prepared copy hangs for minutes.
    tfds.core.utils.gcs_utils.gcs_dataset_info_files = lambda *_: None
    try:
        builder = tfds.builder(name, try_gcs=False)
    except tfds.core.registered.DatasetNotFoundError as error:
        raise InputError(f"TFDS has no data set {name!r}.") from error
    if not builder.is_prepared() and not _online():
        raise InputError(
            f"The data set {name} is not prepared in {builder.data_dir} and there is no network "
            f"to fetch it: run `tfds build {name}` where there is one and copy the folder here."
        )
    builder.download_and_prepare()
    return builder


def arrays(builder):
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


def _shown(examples, description):
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


def _online(seconds=5.0):
    """Whether names on the network resolve; a proxy resolves them itself."""
    if any(os.environ.get(key) for key in ("HTTPS_PROXY", "https_proxy")):
        return True
    answers = []

    def ask():
        with contextlib.suppress(OSError):
            answers.append(socket.getaddrinfo("storage.googleapis.com", 443))

    # A thread, since a resolver without a network may take a minute to give up.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(answers)
