"""Models in folders: loading and replacement of their versions."""

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Array
from keras_seq.serving.batching import Batcher
from keras_seq.serving.tensors import SignatureSpec, TensorSpec

logger = logging.getLogger("keras_seq.serving")

PROGRAM_ERRORS = (
    "No OpKernel was registered",
    "Cannot assign a device",
    "callback pyfunc",  # code of the Python process that exported the model
)
"""Substrings of errors in a graph that TensorFlow reports as errors in its inputs."""

Fingerprint = tuple[Any, ...]
"""Fingerprint of the files of a version, which changes with any of them."""


class Signature:
    """Signature of a SavedModel, as a function from arrays to arrays.

    Args:
        loaded: Result of `tf.saved_model.load`, which must live as long as the function.
        function: One of its signatures.

    Attributes:
        spec: Types and shapes of the inputs and outputs.
        padded_outputs: Names of outputs whose length depends on the longest text of the batch.
        is_rowwise: Whether each output row depends only on the same input row.
    """

    def __init__(self, loaded: Any, function: Any) -> None:
        self._loaded, self._function = loaded, function
        inputs = tensor_specs(function.structured_input_signature[1])
        outputs = tensor_specs(function.structured_outputs)
        self.spec = SignatureSpec(inputs, outputs)
        has_texts = any(spec.dtype == "string" for spec in inputs.values())
        self.padded_outputs = [
            name for name, spec in outputs.items() if has_texts and None in (spec.shape or ())[1:]
        ]
        self.is_rowwise = bool(inputs) and all(
            spec.shape and spec.shape[0] is None for spec in (*inputs.values(), *outputs.values())
        )
        if self.is_rowwise and self.padded_outputs:
            padded = [outputs[name] for name in self.padded_outputs]
            # Only empty strings show where padding begins.
            self.is_rowwise = any(spec.dtype == "string" for spec in padded) and all(
                None not in (spec.shape or ())[2:] for spec in padded
            )

    def __call__(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs by name.

        Args:
            arrays: Inputs by name.

        Raises:
            InputError: If an operation of the model rejects the inputs.
        """
        import tensorflow as tf

        tensors = {n: tf.constant(a, self.spec.inputs[n].dtype) for n, a in arrays.items()}
        try:
            outputs = self._function(**tensors)
        except (tf.errors.InvalidArgumentError, tf.errors.OutOfRangeError) as error:
            if any(text in error.message for text in PROGRAM_ERRORS):
                raise
            raise InputError(f"The model rejects the inputs: {error_summary(error)}") from error
        values = {name: tensor.numpy() for name, tensor in outputs.items()}
        return {n: np.array(v, object) if type(v) is bytes else v for n, v in values.items()}

    def warm_up(self) -> None:
        """Run once on a minimal input, since the first run of a graph is slow.

        The input is one row and one time step of zeros or empty strings. A model may reject it and
        still accept other inputs, so this is not an error.

        Raises:
            tf.errors.OpError: If no input can succeed, for example because an operation is not
                registered.
        """
        import tensorflow as tf

        arrays = {}
        for name, spec in self.spec.inputs.items():
            shape = [size or 1 for size in ((None,) if spec.shape is None else spec.shape)]
            arrays[name] = (
                np.full(shape, b"", object)
                if spec.dtype == "string"
                else np.zeros(shape, spec.dtype)
            )
        try:
            self(arrays)
        except InputError as error:
            logger.info("The warm-up input is invalid for the model: %s", error)
        except tf.errors.NotFoundError as error:
            if "registered" in error.message:
                raise


def tensor_specs(tensors: Mapping[str, Any]) -> dict[str, TensorSpec]:
    """Return a spec for each `tf.TensorSpec`, sorted by name, since SavedModels keep no order."""
    specs = {}
    for name in sorted(tensors):
        dtype, shape = tensors[name].dtype, tensors[name].shape
        specs[name] = TensorSpec(dtype.name, None if shape.rank is None else tuple(shape.as_list()))
    return specs


def error_summary(error: Any) -> str:
    """Return the first line of a TensorFlow error message that is not about its origin."""
    frame = ("Graph execution error", "Detected at", "<stack traces", "\t", " ")
    lines = [line for line in error.message.splitlines() if line and not line.startswith(frame)]
    return (lines or [type(error).__name__])[0]


class Version(NamedTuple):
    """Loaded version of a model."""

    number: int
    fingerprint: Fingerprint
    batchers: dict[str, Batcher]
    """Batchers of the signatures by name."""
    specs: dict[str, SignatureSpec]
    """Specs of the signatures by name."""


class Failure(NamedTuple):
    """Version that could not be loaded."""

    fingerprint: Fingerprint
    reason: str
    """Reason for clients, without paths on this machine."""


class Model:
    """Model in a folder, with its loaded and failed versions.

    Args:
        name: Name for clients.
        folder: A SavedModel, which is version 1, or a folder of SavedModels named by their version
            numbers.
        max_versions: Number of versions served, the latest ones.
        make_batcher: Function of the model's name, a signature's name and the signature.

    Attributes:
        ready: Loaded versions by number.
        failed: Failures by version number.
        was_scanned: Whether the folder has been scanned at least once.
    """

    def __init__(
        self,
        name: str,
        folder: str | os.PathLike[str],
        max_versions: int,
        make_batcher: Callable[[str, str, Signature], Batcher],
    ) -> None:
        self.name, self.folder = name, Path(folder)
        self.max_versions, self.make_batcher = max_versions, make_batcher
        self.ready: dict[int, Version] = {}
        self.failed: dict[int, Failure] = {}
        self.was_scanned = False
        self._no_version_reason = "its folder has no SavedModel"

    def refresh(self) -> None:
        """Scan the folder, load new versions, and drop superseded ones.

        A version that cannot be loaded is added to `failed`, and retried when its files change. If
        no version can be loaded, the ready versions are kept.
        """
        try:
            paths = find_versions(self.folder)
            self._no_version_reason = "its folder has no SavedModel"
        except OSError as error:
            reason = "its folder cannot be read"
            if self._no_version_reason != reason:  # log once, not at every scan
                logger.warning("%s: %s", self.name, error)
            self._no_version_reason, self.was_scanned = reason, True
            return
        ready: dict[int, Version] = {}
        failed: dict[int, Failure] = {}
        for number in sorted(paths, reverse=True):
            if len(ready) == self.max_versions:
                break
            version, failure = self._load_if_changed(number, paths[number])
            if version:
                ready[number] = version
            if failure:
                failed[number] = failure
        ready = ready or self.ready
        for number in sorted(self.ready.keys() - ready.keys()):
            logger.info("%s: version %d is no longer served", self.name, number)
        self.ready, self.failed, self.was_scanned = ready, failed, True

    def _load_if_changed(self, number: int, folder: Path) -> tuple[Version | None, Failure | None]:
        """Return the version, as loaded last, and the failure to load it now, if any."""
        fingerprint = compute_fingerprint(folder)
        version, failure = self.ready.get(number), self.failed.get(number)
        if version and version.fingerprint == fingerprint:
            failure = failure if failure and failure.fingerprint == fingerprint else None
            return version, failure
        if failure and failure.fingerprint == fingerprint:
            return version, failure
        try:
            version = self._load(number, folder, fingerprint)
            logger.info(
                "%s: version %d is served at /v1/models/%s:predict", self.name, number, self.name
            )
            return version, None
        except Exception as error:  # a broken version must not affect others
            logger.warning("%s: version %d: %s: %s", self.name, number, folder, error)
            # Messages of TensorFlow and of the system contain paths on this machine.
            reason = (
                str(error)
                if isinstance(error, InputError)
                else f"{type(error).__name__}, see the server log"
            )
            return version, Failure(fingerprint, f"version {number} cannot be loaded: {reason}")

    def _load(self, number: int, folder: Path, fingerprint: Fingerprint) -> Version:
        import tensorflow as tf

        check_files(folder)
        loaded = tf.saved_model.load(str(folder))
        functions = getattr(loaded, "signatures", None)
        if not functions:
            raise InputError("it has no signatures")
        signatures = {name: Signature(loaded, function) for name, function in functions.items()}
        for name, signature in signatures.items():
            try:
                signature.warm_up()
            except Exception as error:
                logger.warning("%s: version %d: %s: %s", self.name, number, name, error)
                raise InputError(f"its signature {name!r} cannot run") from error
        batchers = {name: self.make_batcher(self.name, name, s) for name, s in signatures.items()}
        specs = {name: signature.spec for name, signature in signatures.items()}
        return Version(number, fingerprint, batchers, specs)

    @property
    def unavailable_reason(self) -> str:
        """Reason for clients why no version is served."""
        if not self.was_scanned:
            return f"{self.name} is being loaded."
        reason = self._no_version_reason
        if self.failed:
            reason = self.failed[max(self.failed)].reason
        return f"{self.name} is not available: {reason}."


def find_versions(folder: Path) -> dict[int, Path]:
    """Return the path of each version by its number.

    Args:
        folder: Folder of a model.

    Raises:
        OSError: If the folder cannot be read.
    """
    if os.path.lexists(folder / "saved_model.pb"):
        return {1: folder}
    return {
        int(child.name): child
        for child in folder.iterdir()
        if child.name.isascii() and child.name.isdecimal() and len(child.name) < 20
    }


def compute_fingerprint(folder: Path) -> Fingerprint:
    """Return the paths, modes, sizes and times of all files in a folder."""
    fingerprint: list[tuple[Any, ...]] = []
    paths: Iterable[Path] = (folder, *sorted(folder.rglob("*")))
    for path in paths:
        try:
            stat = path.stat()
            fingerprint.append((str(path), stat.st_mode, stat.st_size, stat.st_mtime_ns))
        except OSError as error:  # a broken link, or a file that was just removed
            fingerprint.append((str(path), error.errno))
    return tuple(fingerprint)


def check_files(folder: Path) -> None:
    """Check that a folder is a SavedModel of regular files.

    Args:
        folder: Folder of a version.

    Raises:
        InputError: If it is not a SavedModel, or has other files such as broken links.
    """
    if not folder.is_dir():
        raise InputError("it is not a folder, or a broken link")
    if not any((folder / name).exists() for name in ("saved_model.pb", "saved_model.pbtxt")):
        raise InputError("it has no saved_model.pb")
    for path in folder.rglob("*"):
        if not (path.is_file() or path.is_dir()):
            name = path.relative_to(folder)
            raise InputError(f"its {name} is not a regular file, or a broken link")
