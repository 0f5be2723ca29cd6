"""Models in folders: their versions, loaded beside each other and exchanged."""

import logging
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_seq._internal.errors import InputError
from keras_seq.serving.tensors import Interface, Spec

logger = logging.getLogger("keras_seq.serving")

NEVER_RUNS = (
    "No OpKernel was registered",
    "Cannot assign a device",
    "callback pyfunc",  # code of the Python process that exported it
)
"""Texts in errors about a program, although their class is that of errors about its inputs."""


class Signature:
    """A named function of a SavedModel, from arrays to arrays.

    Args:
        loaded: What `tf.saved_model.load` gave; kept as long as the function may be called.
        function: One of its signatures.
    """

    def __init__(self, loaded, function):
        self._loaded, self._function = loaded, function
        self.inputs = specs_of(function.structured_input_signature[1])
        self.outputs = specs_of(function.structured_outputs)
        texts = any(spec.dtype == "string" for spec in self.inputs.values())
        self.padded = [
            name for name, spec in self.outputs.items() if texts and None in (spec.shape or ())[1:]
        ]
        """Outputs that the longest text of a batch makes longer."""
        self.by_row = bool(self.inputs) and all(
            spec.shape and spec.shape[0] is None
            for spec in (*self.inputs.values(), *self.outputs.values())
        )
        """Whether each row of the inputs has a row of the outputs that depends on no other."""
        if self.by_row and self.padded:
            padded = [self.outputs[name] for name in self.padded]
            # Where padding begins, only empty strings tell.
            self.by_row = any(spec.dtype == "string" for spec in padded) and all(
                None not in spec.shape[2:] for spec in padded
            )

    def __call__(self, arrays):
        """The outputs by name.

        Raises:
            InputError: The model refuses what it got.
        """
        import tensorflow as tf

        tensors = {n: tf.constant(a, self.inputs[n].dtype) for n, a in arrays.items()}
        try:
            outputs = self._function(**tensors)
        except (tf.errors.InvalidArgumentError, tf.errors.OutOfRangeError) as error:
            if any(text in error.message for text in NEVER_RUNS):
                raise
            raise InputError(f"The model refuses the inputs: {reason(error)}") from error
        found = {name: value.numpy() for name, value in outputs.items()}
        return {n: np.array(v, object) if type(v) is bytes else v for n, v in found.items()}

    def warm_up(self) -> None:
        """Run once on a minimal input, since TensorFlow makes its plans at the first run.

        The input has one row, one time step, zeros and empty strings. A model may refuse it, and a
        file that such a string names may not exist: that says nothing about other inputs.

        Raises:
            tf.errors.OpError: If no input could be answered, as the operation that fails does not
                exist here, or lacks what the model should have brought.
        """
        import tensorflow as tf

        minimal = {}
        for name, spec in self.inputs.items():
            shape = [size or 1 for size in ((None,) if spec.shape is None else spec.shape)]
            minimal[name] = (
                np.full(shape, b"", object)
                if spec.dtype == "string"
                else np.zeros(shape, spec.dtype)
            )
        try:
            self(minimal)
        except InputError as error:
            logger.info("The minimal input cannot tell whether the model runs: %s", error)
        except tf.errors.NotFoundError as error:
            if "registered" in error.message:
                raise


def specs_of(tensors):
    """A `Spec` for each `tf.TensorSpec` by its name, which SavedModels keep in no order."""
    specs = {}
    for name in sorted(tensors):
        dtype, shape = tensors[name].dtype, tensors[name].shape
        specs[name] = Spec(dtype.name, None if shape.rank is None else tuple(shape.as_list()))
    return specs


def reason(error):
    """The sentence in an error of TensorFlow, which stands between where it happened."""
    frame = ("Graph execution error", "Detected at", "<stack traces", "\t", " ")
    lines = [line for line in error.message.splitlines() if line and not line.startswith(frame)]
    return (lines or [type(error).__name__])[0]


class Version(NamedTuple):
    """One version that is loaded."""

    number: int
    trace: tuple
    """State of its files."""
    signatures: dict
    """`Batcher` by the name of a signature."""
    interfaces: dict[str, Interface]
    """`Interface` by the name of a signature."""


class Failure(NamedTuple):
    """One version that could not be loaded."""

    trace: tuple
    """State of its files."""
    why: str
    """Reason, for clients: no path of this machine is in it."""


class Model:
    """A model, and which of its versions answer.

    Args:
        name: Name for clients.
        folder: A SavedModel, which is version 1, or a folder of them whose names are numbers.
        max_versions: Number of versions that answer, the latest ones.
        answering: Function that makes a `Batcher` of a signature and its name.
    """

    def __init__(self, name, folder, max_versions, answering):
        self.name, self.folder = name, Path(folder)
        self.max_versions, self.answering = max_versions, answering
        self.ready = {}
        """Number to `Version`, which lives until its last request is answered."""
        self.failed = {}
        """Number to `Failure`."""
        self.looked = False
        self._no_versions = "its folder has no SavedModel"

    def refresh(self):
        """Look for versions, load those that are new, and leave those that are superseded.

        One that cannot be loaded changes nothing but `failed`, and is tried again when its files
        change. Without any version that can be loaded, those that are loaded stay.
        """
        try:
            found = versions(self.folder)
            self._no_versions = "its folder has no SavedModel"
        except OSError as error:
            why = "its folder cannot be read"
            if self._no_versions != why:  # once, not every few seconds
                logger.warning("%s: %s", self.name, error)
            self._no_versions, self.looked = why, True
            return
        ready, failed = {}, {}
        for number in sorted(found, reverse=True):
            if len(ready) == self.max_versions:
                break
            folder = found[number]
            trace = trace_of(folder)
            version, failure = self.ready.get(number), self.failed.get(number)
            if trace not in (version and version.trace, failure and failure.trace):
                try:
                    version, failure = self._load(number, folder, trace), None
                    logger.info("%s: version %d answers requests", self.name, number)
                except Exception as error:  # whatever is wrong with one, others go on
                    logger.warning("%s: version %d: %s: %s", self.name, number, folder, error)
                    # Texts of TensorFlow and of the system name folders of this machine.
                    why = (
                        str(error)
                        if isinstance(error, InputError)
                        else f"{type(error).__name__}, described in the server's log"
                    )
                    failure = Failure(trace, f"version {number} cannot be loaded: {why}")
            if version:
                ready[number] = version
            if failure and failure.trace == trace:
                failed[number] = failure
        ready = ready or self.ready
        for number in sorted(self.ready.keys() - ready.keys()):
            logger.info("%s: version %d answers no more requests", self.name, number)
        self.ready, self.failed, self.looked = ready, failed, True

    def _load(self, number, folder, trace):
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
                raise InputError(f"its signature {name!r} can answer nothing") from error
        answering = {n: self.answering(self.name, n, s) for n, s in signatures.items()}
        interfaces = {n: Interface(s.inputs, s.outputs) for n, s in signatures.items()}
        return Version(number, trace, answering, interfaces)

    @property
    def problem(self):
        """Reason why no version answers, for clients."""
        if not self.looked:
            return f"{self.name} is being loaded."
        why = self.failed[max(self.failed)].why if self.failed else self._no_versions
        return f"{self.name} is not available: {why}."


def versions(folder: Path) -> dict[int, Path]:
    """Return the path of each version by its number.

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


def trace_of(folder: Path) -> tuple:
    """Return what tells whether a file in the folder has changed."""
    trace: list[tuple] = []
    for path in (folder, *sorted(folder.rglob("*"))):
        try:
            stat = path.stat()
            trace.append((str(path), stat.st_mode, stat.st_size, stat.st_mtime_ns))
        except OSError as error:  # a link to nothing, or a file that has just been removed
            trace.append((str(path), error.errno))
    return tuple(trace)


def check_files(folder: Path) -> None:
    """Check that a folder holds a SavedModel of ordinary files.

    Raises:
        InputError: If it does not.
    """
    if not folder.is_dir():
        raise InputError("it is not a folder, or a link to nothing")
    if not any((folder / name).exists() for name in ("saved_model.pb", "saved_model.pbtxt")):
        raise InputError("it has no saved_model.pb")
    for path in folder.rglob("*"):
        if not (path.is_file() or path.is_dir()):
            name = path.relative_to(folder)
            raise InputError(f"its {name} is not a file, or a link to nothing")
