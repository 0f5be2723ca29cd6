"""Models whose prediction is traced once for all lengths."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_seq import scan
from keras_seq.models import SequenceGenerator
from keras_seq.models.any_length import AnyLengthModel, compile_for_any_length
from keras_seq.text import TextEncoder

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only TensorFlow traces graphs"
)


class Doubled(keras.layers.Layer):
    """Layer that notes the shapes with which it is called."""

    def __init__(self, shapes):
        super().__init__()
        self.shapes = lambda: shapes

    def call(self, inputs):
        self.shapes().append(tuple(inputs.shape))
        return 2 * inputs


def make_model(shape=(None,)):
    shapes = []
    values = keras.Input(shape, name="values")
    model = AnyLengthModel({"values": values}, Doubled(shapes)(values))
    shapes.clear()
    return model, shapes


def predict(model, *shape):
    return model.predict_on_batch({"values": np.ones(shape, "float32")})


def test_there_is_a_graph_for_one_example_and_one_for_several():
    model, shapes = make_model()
    for rows, length in [(1, 3), (1, 5), (4, 5), (2, 7), (1, 9), (3, 1)]:
        outputs = predict(model, rows, length)
        np.testing.assert_array_equal(outputs, np.full((rows, length), 2.0))
        assert isinstance(outputs, np.ndarray)
    assert shapes == [(1, None), (None, None)]


def test_known_lengths_stay_known():
    model, shapes = make_model((28,))
    predict(model, 2, 28)
    assert shapes == [(None, 28)]


def test_arrays_are_cast_to_the_dtype_of_the_input():
    model, _ = make_model()
    assert model.predict_on_batch({"values": np.ones((1, 2))}).dtype == "float32"


def test_a_change_of_the_model_makes_another_graph():
    model, shapes = make_model()
    predict(model, 1, 3)
    model.compile("sgd", "mse")
    predict(model, 1, 3)
    assert shapes == [(1, None)] * 2


@pytest.mark.filterwarnings("ignore:The structure of `inputs`")
@pytest.mark.parametrize("inputs", [np.ones((1, 3), "float32"), [np.ones((1, 3), "float32")]])
def test_other_structures_are_left_to_keras(inputs):
    model, _ = make_model()
    np.testing.assert_array_equal(model.predict_on_batch(inputs), np.full((1, 3), 2.0))


def test_a_model_that_runs_eagerly_is_not_traced():
    model, shapes = make_model()
    model.compile(run_eagerly=True)
    predict(model, 1, 3)
    assert shapes == [(1, 3)]


def test_arguments_of_a_function_may_have_other_numbers_of_rows():
    ids = keras.KerasTensor((None, None), "int32")
    number = keras.KerasTensor((), "float32")
    shapes = []

    def add(a, b, c):
        shapes.append((tuple(a.shape), tuple(b.shape)))
        return ops.sum(ops.cast(a, "float32")) + ops.sum(ops.cast(b, "float32")) + c

    function = compile_for_any_length(add, ids, ids, number)
    ones = [ops.ones((rows, 3), "int32") for rows in (1, 2)]
    assert float(function(ones[0], ones[1], ops.ones(()))) == 10
    assert float(function(ones[0], ones[0], ops.ones(()))) == 7
    assert shapes == [((None, None),) * 2, ((1, None),) * 2]


@pytest.mark.parametrize("options", [{}, {"temperature": 0.0}, {"beam_width": 2}])
def test_prompts_of_all_lengths_share_a_graph(options, monkeypatch):
    generator = SequenceGenerator(TextEncoder("ab", "char", end=True))
    steps = []
    step = generator.step
    monkeypatch.setattr(generator, "step", lambda *args: [steps.append(1), step(*args)][1])
    # The beam search scores its results by a call of the model.
    monkeypatch.setattr(generator, "log_probs", lambda texts, _: [np.zeros(9) for _ in texts])
    with scan.general_only():
        generator.generate(["a"], max_length=2, seed=0, **options)
        num_steps = len(steps)
        for prompt in ("ab", "abbaa"):
            generator.generate([prompt], max_length=2, seed=0, **options)
    assert num_steps > 0
    assert len(steps) == num_steps
