"""Keeps messages off the screen that say nothing to users, those of the backend's start first."""

import contextlib
import os
import re
import sys
import tempfile

# TensorFlow 2.21 logs these before it reads TF_CPP_MIN_LOG_LEVEL (tensorflow/tensorflow 100442);
# that there is no GPU, or that oneDNN leaves an operation to Eigen, is no error.
NOISE = re.compile(
    rb"[IW]\d{4} \d\d:\d\d:\d\d|WARNING: All log messages before absl"
    rb"|E\d{4} .* (call to cuInit|oneDNN supports DT_INT64)"
    rb"|INFO: Created TensorFlow Lite XNNPACK delegate"
)


def import_backend(setup=None):
    """Imports Keras with its backend; only errors of the import reach the screen.

    Args:
        setup: Called before TensorFlow computes anything.

    Returns:
        What `setup` returns.
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


def import_tensorflow():
    """Imports TensorFlow without Keras; only errors of the import reach the screen."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with filtered_stderr():
        _start_tensorflow()


def _start_tensorflow():
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # which does not listen to absl's
    tf.config.list_physical_devices()
    # What oneDNN says of 64-bit integers it says once, when the first are transposed.
    tf.transpose(tf.zeros((2, 2), tf.int64))


@contextlib.contextmanager
def filtered_stderr():
    """Holds back the error stream, below Python too, and afterwards shows all of it but noise."""
    sys.stderr.flush()
    stream = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stream, 2)
            os.close(stream)
            held.seek(0)
            for line in held:
                if not NOISE.match(line):
                    os.write(2, line)
