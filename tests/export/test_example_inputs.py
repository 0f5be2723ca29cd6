"""Random example inputs for exports."""

import keras
import numpy as np
import pytest
from helpers import slow_but
from keras import ops

from keras_seq import export, layers
from keras_seq._internal.errors import InputError
from keras_seq.export.example_inputs import draw_inputs

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exports from TensorFlow"
)


def words_and_mask():
    """Return a model with inputs of ids, a mask and floats."""
    words = keras.Input((None,), dtype="int32", name="words")
    mask = keras.Input((None,), dtype="bool", name="mask")
    x = keras.Input((None, 2), name="x")
    features = ops.concatenate([keras.layers.Embedding(5, 3)(words), x], axis=-1)
    return keras.Model([words, mask, x], layers.GRU(2)(features, mask=mask))


@pytest.mark.parametrize("format", slow_but(["savedmodel"], export.FORMATS))
def test_a_model_is_exported_without_examples(tmp_path, format):
    report = export.FORMATS[format](words_and_mask(), tmp_path / "it")
    assert report["endpoints"] == ["predict"] and report["max_abs_error"] < 1e-5


@pytest.mark.parametrize("format", slow_but(["onnx"], export.FORMATS))
def test_a_sequential_model_is_exported_without_examples(tmp_path, format):
    model = keras.Sequential([keras.Input((None, 2)), layers.LSTM(3), keras.layers.Dense(1)])
    report = export.FORMATS[format](model, tmp_path / "it")
    assert report["endpoints"] == ["predict"] and report["max_abs_error"] < 1e-5


def test_drawn_inputs_have_the_types_of_the_model():
    words, mask, x = draw_inputs(words_and_mask())
    assert words.dtype == "int32" and set(words.flat) == {0, 1, 2, 3, 4}
    assert mask.dtype == "bool" and mask.shape == words.shape and not mask.all()
    assert mask[0].all() and mask[:, 0].all()
    assert x.dtype == "float32" and x.shape == (*words.shape, 2) and x.std() > 0.5


def test_ids_that_mask_zeros_end_with_padding():
    ids = keras.Input((None,), dtype="int32", name="ids")
    model = keras.Model(ids, layers.LSTM(2)(keras.layers.Embedding(4, 2, mask_zero=True)(ids)))
    drawn = draw_inputs(model)
    assert set(drawn.flat) == {0, 1, 2, 3} and drawn[0].all()
    assert (np.diff((drawn > 0).astype(int), axis=1) <= 0).all()


class Flipped(keras.layers.Layer):
    """Embedding of reversed sequences without their first id."""

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.embedding = keras.layers.Embedding(size, 2)

    def call(self, ids):
        return self.embedding(ops.pad(ops.flip(ids, axis=1)[:, :-1], [[0, 0], [1, 0]]))


def test_ids_are_traced_through_layers_and_operations():
    ids = keras.Input((None,), dtype="int32", name="ids")
    floats = keras.Input((4,), name="floats")
    more = keras.Input((3, 6), dtype="int64", name="more")
    inner = keras.Input((4,), name="inner")
    nested = keras.Model(inner, keras.layers.Embedding(3, 2)(inner))
    model = keras.Model(
        {"ids": ids, "floats": floats, "more": more},
        [
            Flipped(9)(ids),
            keras.layers.Embedding(7, 2)(ids),  # the smaller of the two
            nested(floats),
            keras.layers.TimeDistributed(keras.layers.Embedding(4, 2))(more),
        ],
    )
    drawn = draw_inputs(model)
    assert set(drawn["ids"].flat) == set(range(7))
    assert set(drawn["floats"].flat) == {0.0, 1.0, 2.0} and drawn["floats"].dtype == "float32"
    assert set(drawn["more"].flat) == set(range(4)) and drawn["more"].dtype == "int64"


def test_a_reversed_embedding_reads_no_ids():
    x, ids = keras.Input((None, 2), name="x"), keras.Input((None,), dtype="int32", name="ids")
    embedding = keras.layers.ReversibleEmbedding(3, 2)
    model = keras.Model([x, ids], [embedding(x, reverse=True), embedding(ids)])
    x, ids = draw_inputs(model)
    assert len(set(x.flat)) > 50 and set(ids.flat) == {0, 1, 2}


def test_a_fixed_batch_size_is_kept():
    inputs = keras.Input((None, 2), batch_size=5)
    assert draw_inputs(keras.Model(inputs, layers.LSTM(2)(inputs))).shape[0] == 5


def counts():
    inputs = keras.Input((), dtype="int32", name="count")
    return keras.Model(inputs, ops.cast(inputs, "float32") * 2, name="mine")


def strings():
    inputs = keras.Input((), dtype="string", name="texts")
    return keras.Model(inputs, keras.layers.StringLookup(vocabulary=["a"])(inputs), name="mine")


def doubled_ids():
    """Return a model whose Embedding reads ids after arithmetic."""
    ids = keras.Input((None,), dtype="int32", name="ids")
    return keras.Model(ids, keras.layers.Embedding(9, 2)(ids * 2), name="mine")


def logarithms():
    inputs = keras.Input((4,), name="x")
    return keras.Model(inputs, ops.log(inputs), name="mine")


def shapes():
    inputs = keras.Input((None, 2), name="x")
    return keras.Model(inputs, keras.layers.Conv1D(2, 99)(inputs), name="mine")


class Subclassed(keras.Model):
    def call(self, x):
        return x


INVALID = {
    "integers that no Embedding reads": (counts, "no Embedding reads its input 'count' of int32"),
    "strings": (strings, "no Embedding reads its input 'texts' of string"),
    "ids after arithmetic": (doubled_ids, "no Embedding reads its input 'ids' of int32"),
    "NaN": (logarithms, "mine returns NaN for random inputs: pass a batch"),
    "a failure": (
        shapes,
        r"mine fails for random inputs of the shapes \[\(3, 16, 2\)\]: pass a batch",
    ),
    "a subclass": (Subclassed, r"not functional, .*\. Register an adapter for Subclassed"),
    "an unbuilt one": (keras.Sequential, "cannot be exported before it is built: call it once"),
}


@pytest.mark.parametrize("case", INVALID)
def test_unsupported_inputs_raise_an_error(tmp_path, case):
    make, message = INVALID[case]
    with pytest.raises(InputError, match=message):
        export.onnx(make(), tmp_path / "it")
    assert not list(tmp_path.iterdir())


def test_the_number_of_inputs_is_checked(tmp_path):
    message = r"takes 3 inputs \(words, mask, x\), but the examples have 1"
    with pytest.raises(InputError, match=message):
        export.onnx(words_and_mask(), tmp_path / "it", np.zeros((1, 4)))
