"""Comparison of exports with the model."""

import keras
import numpy as np
import pytest

from keras_seq._internal.errors import InputError
from keras_seq.export import Endpoint
from keras_seq.export.verification import verify

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exports from TensorFlow"
)


def endpoint(y):
    return {"it": Endpoint(lambda x: {"y": np.asarray(y)}, [], [[np.zeros(1)]])}


def test_the_report_has_the_largest_difference():
    y = np.float32([[1, -np.inf]])
    report = verify(endpoint(y), {"it": lambda x: {"y": y + np.float32(2e-5)}})
    assert report["endpoints"] == ["it"] and 1e-5 < report["max_abs_error"] < 3e-5
    assert report["latency_ms"]["it"] >= 0


@pytest.mark.parametrize(
    ("ours", "theirs", "message"),
    [
        (np.float32([1, 2]), np.float32([1, 2.1]), r"it: y differs by 0.1 from the model"),
        (np.float32([1, 2]), np.float32([1, np.nan]), r"it: y differs by nan from the model"),
        (np.int32([1, 2]), np.int32([1, 3]), r"it: y differs in 1 of 2 values from the model"),
        (
            np.float32([1, 2]),
            np.float32([1]),
            r"it: y has the shape \(1,\) in the export, \(2,\) in the model",
        ),
    ],
)
def test_a_large_difference_raises_an_error(ours, theirs, message):
    with pytest.raises(InputError, match=message):
        verify(endpoint(ours), {"it": lambda x: {"y": theirs}})
