"""Registry of adapters, and custom adapters."""

import doctest
import json
import re
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_seq import export
from keras_seq._internal.errors import InputError
from keras_seq.export.signatures import adapter_for, base
from keras_seq.export.signatures.keras_model import KerasModelAdapter
from keras_seq.layers import RNNStack
from keras_seq.models import CTCRecognizer

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exports from TensorFlow"
)

PAGE = Path(__file__).parents[2] / "docs/export.md"


@pytest.fixture
def registry(monkeypatch):
    """Restore the registry after a test."""
    monkeypatch.setattr(base, "_ADAPTERS", dict(base._ADAPTERS))


def make(model_class):
    inputs = keras.Input((2,), name="x")
    return model_class(inputs, keras.layers.Dense(1)(inputs))


def test_the_adapter_of_the_nearest_base_class_is_used(registry):
    class Mine(keras.Model):
        pass

    class Special(Mine):
        pass

    class MineAdapter(export.Adapter):
        pass

    assert type(adapter_for(make(Special))) is KerasModelAdapter
    export.register(Mine, MineAdapter)
    assert type(adapter_for(make(Special))) is MineAdapter
    assert type(adapter_for(make(keras.Model))) is KerasModelAdapter


def test_an_object_that_is_not_a_model_raises_an_error():
    with pytest.raises(InputError, match=r"A dict cannot be exported: .*register\(\)"):
        adapter_for({})


@pytest.mark.parametrize("format", export.FORMATS)
def test_an_adapter_without_examples_needs_them(tmp_path, registry, format):
    class Mine(keras.Model):
        pass

    export.register(Mine, export.Adapter)
    with pytest.raises(InputError, match=r"cannot be exported without examples: pass some"):
        export.FORMATS[format](make(Mine), tmp_path / "it")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_adapter_of_the_documentation(tmp_path, monkeypatch, registry):
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text("utf-8").split("## A model of your own")[1]
    page: dict = {}
    exec(re.search("```python\n(.*?)```", text, re.DOTALL)[1], page)
    assert json.loads(Path("rating/metadata.json").read_text())["scores"][0] == "1 star"
    import onnxruntime

    words = np.int32([[5, 7, 9, 0]])
    (scores,) = onnxruntime.InferenceSession("rating/rate.onnx").run(None, {"words": words})
    np.testing.assert_allclose(scores, page["model"](words), atol=1e-5)
    # The default of `text_signatures`: the same endpoint.
    assert export.savedmodel(page["model"], tmp_path / "saved")["endpoints"] == ["rate"]


def test_the_metadata_of_a_recognizer_has_the_lexicon():
    recognizer = CTCRecognizer("ab", stack=RNNStack("GRU", 2), lexicon=["ab", "ba"])
    assert adapter_for(recognizer).metadata()["lexicon"] == ["ab", "ba"]


def test_modules_do_not_shadow_functions_of_the_same_name():
    import keras_seq.export.litert
    import keras_seq.export.onnx.keras_layers
    import keras_seq.export.savedmodel  # noqa: F401

    assert callable(export.onnx) and callable(export.litert) and callable(export.savedmodel)
    assert {name: getattr(export, name) for name in export.FORMATS} == export.FORMATS


def test_the_examples_of_the_docstrings(registry):
    failed, count = doctest.testmod(base)
    assert count > 10 and not failed
