"""What exports in all formats stand on."""

from concurrent.futures import ThreadPoolExecutor

import keras
import pytest
from keras import ops

from keras_seq.export.verification import plain_argmax

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exports from TensorFlow"
)


def test_other_threads_keep_the_argmax_of_keras():
    def best():
        return int(ops.argmax([-0.0, 0.0], axis=0))

    with plain_argmax(), ThreadPoolExecutor() as elsewhere:
        assert (best(), elsewhere.submit(best).result()) == (0, 1)
    assert best() == 1
