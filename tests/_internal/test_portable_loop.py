import keras
import numpy as np
import pytest
from helpers import BACKEND, to_numpy
from keras import ops

from keras_seq._internal.portable import while_loop


@pytest.mark.skipif(BACKEND != "tensorflow", reason="graphs of TensorFlow have static shapes")
def test_a_loop_may_forget_the_number_of_rows():
    import tensorflow as tf

    def body(position, state):
        # TensorFlow does not know how many rows this gather returns.
        rows = ops.cast(tf.where(state["sum"][:, 0] >= 0)[:, 0], "int32")
        return position + 1, {"sum": ops.take(state["sum"], rows, axis=0) + 1}

    @tf.function(input_signature=[tf.TensorSpec([2, 3])], autograph=False)
    def run(x):
        start = ops.convert_to_tensor(0), {"sum": x}
        return while_loop(lambda position, _: position < 4, body, start)

    position, state = run(np.ones((2, 3), "float32"))
    assert int(position) == 4
    np.testing.assert_array_equal(to_numpy(state["sum"]), np.full((2, 3), 5))


def test_a_loop_on_every_backend():
    start = ops.convert_to_tensor(0, "int32"), [ops.zeros((2,)), (ops.ones((1, 2)),)]

    def body(position, state):
        total, (factor,) = state
        return position + 1, [total + factor[0], (2 * factor,)]

    _, (total, _) = while_loop(lambda position, _: position < 3, body, start)
    assert keras.ops.convert_to_numpy(total).tolist() == [7, 7]
