"""Models in folders: their versions, loaded beside each other and exchanged."""

import contextlib
import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_seq.errors import InputError
from keras_seq.serving.tensors import Spec

logger = logging.getLogger("keras_seq.serving")


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
            raise InputError(f"The model refuses the inputs: {reason(error)}") from error
        found = {name: value.numpy() for name, value in outputs.items()}
        return {n: np.array(v, object) if type(v) is bytes else v for n, v in found.items()}

    def warm_up(self):
        """Runs once on next to nothing, since TensorFlow makes its plans at the first run."""
        if any(spec.shape is None for spec in self.inputs.values()):
            return
        nothing = {
            name: np.full([size or 1 for size in spec.shape], b"", object)
            if spec.dtype == "string"
            else np.zeros([size or 1 for size in spec.shape], spec.dtype)
            for name, spec in self.inputs.items()
        }
        # Whether it has an answer to that says nothing about others.
        with contextlib.suppress(Exception):
            self(nothing)


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
    """What its files looked like."""
    signatures: dict
    """Name to what answers it."""


class Failure(NamedTuple):
    """One version that could not be loaded."""

    trace: tuple
    """What its files looked like."""
    why: str


class Model:
    """A model, and which of its versions answer.

    Args:
        name: What clients call it.
        folder: A SavedModel, which is version 1, or a folder of them whose names are numbers.
        keep: How many versions answer, the latest ones.
        answering: Makes of a signature and its name what answers it.
    """

    def __init__(self, name, folder, keep, answering):
        self.name, self.folder, self.keep, self.answering = name, Path(folder), keep, answering
        self.ready = {}
        """Number to `Version`, which lives until its last request is answered."""
        self.failed = {}
        """Number to `Failure`."""
        self.looked = False

    def refresh(self):
        """Looks for versions, loads those that are new, and leaves those that are superseded.

        One that cannot be loaded changes nothing but `failed`, and is tried again when its files
        change. Without any version that can be loaded, those that are loaded stay.
        """
        try:
            found = versions(self.folder)
        except OSError as error:  # files that vanish while they are looked at
            logger.warning("%s: %s", self.name, error)
            return
        ready, failed = {}, {}
        for number in sorted(found, reverse=True):
            if len(ready) == self.keep:
                break
            folder, trace = found[number]
            version, failure = self.ready.get(number), self.failed.get(number)
            if trace not in (version and version.trace, failure and failure.trace):
                try:
                    version, failure = self._load(number, folder, trace), None
                    logger.info("%s: version %d answers requests", self.name, number)
                except Exception as error:  # whatever is wrong with one, others go on
                    lines = str(error).strip().splitlines() or [type(error).__name__]
                    failure = Failure(trace, f"{folder} cannot be loaded: {lines[0]}")
                    logger.warning("%s: version %d: %s", self.name, number, failure.why)
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

        loaded = tf.saved_model.load(str(folder))
        functions = getattr(loaded, "signatures", None)
        if not functions:
            raise InputError("it has no signatures.")
        signatures = {name: Signature(loaded, function) for name, function in functions.items()}
        for signature in signatures.values():
            signature.warm_up()
        answering = {n: self.answering(self.name, n, s) for n, s in signatures.items()}
        return Version(number, trace, answering)

    @property
    def problem(self):
        """Why there is no version to answer."""
        if not self.looked:
            return f"{self.name} is being loaded."
        if self.failed:
            return self.failed[max(self.failed)].why
        return f"There is no SavedModel in {self.folder}."


def versions(folder):
    """Number to the folder of a version, and what its files look like."""
    if (folder / "saved_model.pb").exists():
        found = {1: folder}
    else:
        children = folder.iterdir() if folder.is_dir() else ()
        found = {
            int(child.name): child
            for child in children
            if child.name.isascii() and child.name.isdecimal() and child.is_dir()
        }
    return {number: (path, trace_of(path)) for number, path in found.items()}


def trace_of(folder):
    """What tells whether a file in the folder has changed."""
    stats = ((str(path), path.stat()) for path in sorted(folder.rglob("*")))
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
