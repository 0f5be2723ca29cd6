"""What cannot be exported is refused in a sentence; what can is tested with each model."""

import keras
import pytest

from keras_seq import export
from keras_seq.errors import InputError


def test_models_of_others_are_refused(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)], name="dense")
    with pytest.raises(InputError, match=r"dense has no endpoints\(\): it is no model"):
        export.savedmodel(model, str(tmp_path / "saved"))
    assert not list(tmp_path.iterdir())


def test_other_backends_are_refused(tmp_path, monkeypatch):
    class Model:
        def endpoints(self):
            raise AssertionError("asked for its endpoints")

    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(InputError, match="from the TensorFlow backend, not from jax"):
        export.savedmodel(Model(), str(tmp_path / "saved"))
