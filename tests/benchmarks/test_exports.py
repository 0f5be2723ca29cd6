import numpy as np

from benchmarks.exports import padded_inputs
from keras_seq.batching import EncodedDataset, RaggedArray


def test_the_input_of_predict_is_a_padded_array():
    rows = RaggedArray([np.array([1, 2, 3]), np.array([4])], "int32")
    inputs = padded_inputs(EncodedDataset({"samples": rows}, lengths=[3, 1]))
    assert inputs["samples"].tolist() == [[1, 2, 3]]


def test_examples_without_lengths_are_taken_whole():
    assert padded_inputs(EncodedDataset(np.array([[5, 6], [7, 8]]))).tolist() == [[5, 6]]
