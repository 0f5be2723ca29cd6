"""What a model answers, and how what is exported is held against it."""

import contextlib
import importlib
import statistics
import threading
import time
from pathlib import Path

import keras
import numpy as np
from keras.src import backend  # Keras exports no name for it

from keras_seq._internal.errors import InputError
from keras_seq._internal.files import atomic_write, write_json
from keras_seq.export.precision import in_float32
from keras_seq.export.signatures import adapter_for
from keras_seq.export.signatures.keras_model import require_stateless
from keras_seq.scan.compiled import portable as nothing_compiled

TOLERANCE = 1e-4
"""The largest difference between a number of the model and of what is exported."""

_patching = threading.Lock()


def check_backend(what):
    """Refuses backends that what is exported cannot come from.

    Raises:
        InputError: The backend is not TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise InputError(
            f"{what} is exported from the TensorFlow backend, not from "
            f"{keras.backend.backend()}: save the model, and load it with KERAS_BACKEND=tensorflow."
        )


def check_free(path):
    """Refuses a path where there is something.

    Raises:
        InputError: So it is.
    """
    if Path(path).exists():
        raise InputError(f"{path} exists already: remove it, or export to another place.")


def imported(name):
    """A module that is needed for exports alone.

    Raises:
        InputError: It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(
            f"This export needs {name} ({error}): pip install 'keras-seq[export]'."
        ) from error


def with_constants(model, function):
    """The function of a model for a graph without variables: it finds constants in their place."""
    import tensorflow as tf

    arrays = [keras.ops.convert_to_numpy(variable) for variable in model.variables]

    def constant(*arguments):
        with keras.StatelessScope(zip(model.variables, map(tf.constant, arrays))):
            return function(*arguments)

    return constant


@contextlib.contextmanager
def plain_argmax():
    """Within this context zero and minus zero are equal to `ops.argmax`, in this thread.

    Keras tells them apart by their bits, which neither ONNX nor LiteRT can look at.
    """
    import tensorflow as tf

    with _patching:
        keras_argmax, tracing = backend.numpy.argmax, threading.get_ident()

        def argmax(x, axis=None, keepdims=False):
            if threading.get_ident() != tracing:
                return keras_argmax(x, axis, keepdims)
            found = tf.argmax(x, axis, output_type=tf.int32)
            return tf.expand_dims(found, axis) if keepdims else found

        backend.numpy.argmax = argmax
        try:
            yield
        finally:
            backend.numpy.argmax = keras_argmax


def written(model, path, examples, write, fitted=lambda endpoint: endpoint):
    """Exports a model from numbers to numbers: writes each endpoint, holds it against the model.

    Args:
        model, path, examples: As `keras_seq.export.onnx` takes them.
        write: Takes the model, an endpoint, and a path without suffix; writes it there, and returns
            its runner, see `compared`.
        fitted: An endpoint as the runtime can have it.

    Returns:
        As `compared`. If layers compute in 16 bits, which they do in 32 here, with "precision".

    Raises:
        InputError: As `keras_seq.export.onnx`.
    """
    check_free(path)
    adapter = adapter_for(model)
    require_stateless(model)
    examples = adapter.example_inputs() if examples is None else examples
    with in_float32(model) as policies:
        endpoints = adapter.tensor_signatures(examples)
        endpoints = {name: fitted(endpoint) for name, endpoint in endpoints.items()}
        with atomic_write(path) as folder:
            folder.mkdir()
            runners = {n: write(model, endpoint, folder / n) for n, endpoint in endpoints.items()}
            if metadata := adapter.metadata():
                write_json(folder / "tables.json", metadata)
            report = compared(endpoints, runners)
    if policies:
        report["precision"] = f"float32 in place of {', '.join(policies)}"
    return report


def compared(endpoints, runners):
    """Holds what is exported against the model.

    Args:
        endpoints: Name to `Endpoint`.
        runners: Name to the exported function: takes arrays, returns a dict of arrays.

    Returns:
        Report: the names of the endpoints, the largest difference seen between two numbers, and
        for each endpoint the milliseconds that its first example takes, the median of 30.

    Raises:
        InputError: A difference is larger than `TOLERANCE`, or two whole numbers differ.
    """
    largest, milliseconds = 0.0, {}
    for name, endpoint in endpoints.items():
        for arguments in endpoint.examples:
            with nothing_compiled():
                here = endpoint.function(*map(keras.ops.convert_to_tensor, arguments))
            there = runners[name](*arguments)
            for key, value in here.items():
                largest = max(largest, _difference(np.asarray(value), there[key], f"{name}: {key}"))
        milliseconds[name] = latency(runners[name], endpoint.examples[0])
    return {
        "endpoints": sorted(endpoints),
        "largest difference": largest,
        "milliseconds": milliseconds,
    }


def _difference(ours, theirs, what):
    """The largest difference of two arrays, refused if it is too large."""
    theirs = np.asarray(theirs)
    if ours.shape != theirs.shape:
        raise InputError(f"{what} has the shape {theirs.shape} exported, {ours.shape} here.")
    if not np.issubdtype(ours.dtype, np.floating):
        difference = float((ours != theirs).sum())
    else:
        most = np.finfo(ours.dtype).max  # LiteRT has it in the place of infinity
        gaps = np.abs(np.clip(ours, -most, most) - np.clip(theirs, -most, most))
        difference = float(gaps.max(initial=0.0))
    if not difference <= TOLERANCE:
        raise InputError(f"{what} differs by {difference:.3g} when exported; nothing was written.")
    return difference


def latency(function, arguments, times=30):
    """Milliseconds that one call takes, the median of some after the first."""
    function(*arguments)
    seconds = []
    for _ in range(times):
        begin = time.perf_counter()
        function(*arguments)
        seconds.append(time.perf_counter() - begin)
    return round(1000 * statistics.median(seconds), 3)
