"""Import of the backend without its messages that are irrelevant to users."""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")

# TensorFlow 2.21 logs these before it reads TF_CPP_MIN_LOG_LEVEL (tensorflow/tensorflow 100442). A
# missing GPU is not an error, nor that oneDNN leaves an operation to Eigen.
NOISE = re.compile(
    rb"[IW]\d{4} \d\d:\d\d:\d\d|WARNING: All log messages before absl"
    rb"|E\d{4} .* (call to cuInit|oneDNN supports DT_INT64)"
    rb"|To enable the following instructions: .* rebuild TensorFlow"
    rb"|INFO: Created TensorFlow Lite XNNPACK delegate"
)


def import_backend(setup: Callable[[], T] | None = None) -> T | None:
    """Import Keras with its backend; only errors of the import are printed.

    Args:
        setup: Function to call before TensorFlow computes anything.

    Returns:
        Result of `setup`.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with filtered_stderr():
        import keras
        from absl import logging

        logging.set_verbosity(logging.ERROR)
        result = setup() if setup is not None else None
        if keras.backend.backend() == "tensorflow":
            _start_tensorflow()
    return result


def import_tensorflow() -> None:
    """Import TensorFlow without Keras; only errors of the import are printed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with filtered_stderr():
        _start_tensorflow()


def _start_tensorflow() -> None:
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # its level is independent of absl's
    tf.config.list_physical_devices()
    # oneDNN prints a message about 64-bit integers once, when the first are transposed.
    tf.transpose(tf.zeros((2, 2), tf.int64))


@contextlib.contextmanager
def filtered_stderr() -> Iterator[None]:
    """Buffer the error stream, also of C code; print it without noise at the end of the block."""
    sys.stderr.flush()
    stream = os.dup(2)
    with tempfile.TemporaryFile() as buffer:
        os.dup2(buffer.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stream, 2)
            os.close(stream)
            buffer.seek(0)
            for line in buffer:
                if not NOISE.match(line):
                    os.write(2, line)
