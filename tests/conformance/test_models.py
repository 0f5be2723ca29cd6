"""Conformance tests of every exported model, on each backend.

What differs from model to model is in `model_cases.py`.
"""

import contextlib
import functools
import gc

import keras
import numpy as np
import pytest
from helpers import BACKEND, assert_close, eagerly, slow, slow_but, to_numpy
from model_cases import CASES

import keras_seq
from keras_seq import InputError, export, models
from keras_seq._internal import errors
from keras_seq.models.base import BaseModel

EPOCHS = 40
TENSORFLOW = BACKEND == "tensorflow"
EVERY = pytest.mark.parametrize("name", CASES)
TRAINED = pytest.mark.parametrize("name", slow_but(["SequenceTagger"], [*CASES]))


@pytest.fixture(params=["plain", slow("full")])
def kind(request):
    """A model with few options, run eagerly; and one with many options, compiled."""
    return request.param


@pytest.fixture(autouse=True, scope="module")
def no_models_left():
    """Leave no trained model in memory for the modules after this one."""
    yield
    train.cache_clear()
    untrained.cache_clear()
    keras.backend.clear_session()
    gc.unfreeze()
    gc.collect()


@pytest.fixture
def trained(request, kind):
    """Return the case, the trained model and its losses, without compilation."""
    case, model, losses = train(request.getfixturevalue("name"), kind == "full")
    with eagerly() if kind == "plain" else contextlib.nullcontext():
        yield case, model, losses


def make(name, full=False):
    """Return a compiled model and its raw targets."""
    case = CASES[name]
    keras.utils.set_random_seed(0)
    model = case.full() if full else case.plain()
    model.compile(keras.optimizers.Adam(case.learning_rate))
    return model, raw_targets(case, full)


def raw_targets(case, full):
    return case.full_targets if full and case.full_targets is not None else case.targets


@functools.cache
def train(name, full):
    case, (model, targets) = CASES[name], make(name, full)
    if case.adapt is not None:
        case.adapt(model)
    history = model.fit(
        case.examples,
        targets,
        batch_size=len(case.examples),
        epochs=EPOCHS // 2 if full else EPOCHS,
        verbose=0,
    )
    return case, model, history.history["loss"]


@functools.cache
def untrained(name):
    return make(name)[0]


def test_every_exported_model_has_a_case():
    exported = {name for name in models.__all__ if issubclass(getattr(models, name), keras.Model)}
    assert exported == set(CASES)
    assert all(issubclass(getattr(models, name), BaseModel) for name in exported)


@TRAINED
def test_learns_raw_examples(trained, name, kind):
    case, model, losses = trained
    assert np.isfinite(losses).all()
    if kind == "full":  # Dropout and noise keep it from memorizing.
        assert min(losses[-5:]) < 0.8 * losses[0]
        return
    assert losses[-1] < 0.3 * losses[0]
    assert case.predict(model, case.examples) == case.expected
    if case.search is not None:
        assert case.search(model, case.examples) == case.expected


@pytest.mark.skipif(BACKEND != "torch", reason="only torch records operations unasked")
@TRAINED
def test_prediction_records_no_gradients(trained, name, kind, monkeypatch):
    import torch

    case, model, _ = trained
    call, enabled = keras.layers.Layer.__call__, []

    def record(layer, *args, **kwargs):
        enabled.append(torch.is_grad_enabled())
        return call(layer, *args, **kwargs)

    monkeypatch.setattr(keras.layers.Layer, "__call__", record)
    case.predict(model, case.examples)
    case.scores(model, case.examples)
    assert enabled and not any(enabled)


@TRAINED
def test_saving_and_loading(trained, name, kind, tmp_path):
    case, model, _ = trained
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded) is type(model)
    with eagerly():
        compare_with_loaded(case, model, loaded, kind)


def compare_with_loaded(case, model, loaded, kind):
    assert case.predict(loaded, case.examples) == case.predict(model, case.examples)
    assert_close(case.scores(loaded, case.examples), case.scores(model, case.examples))
    # Loss and optimizer were saved too.
    assert int(loaded.optimizer.iterations) == int(model.optimizer.iterations) > 0
    targets = raw_targets(case, kind == "full")
    before = model.evaluate(case.examples, targets, verbose=0, return_dict=True)["loss"]
    after = loaded.evaluate(case.examples, targets, verbose=0, return_dict=True)["loss"]
    assert after == pytest.approx(before, 1e-4)
    if kind != "plain":
        history = loaded.fit(case.examples, targets, epochs=4, verbose=0)
        # With dropout the loss of one epoch may be far above the others.
        assert min(history.history["loss"]) < 1.5 * before + 0.1


@TRAINED
def test_predictions_do_not_depend_on_the_batch(trained, name, kind):
    case, model, _ = trained
    answers, scores = (run(model, case.examples) for run in (case.predict, case.scores))
    for number, example in enumerate(case.examples[:2]):
        assert case.predict(model, [example]) == answers[number : number + 1]
        [alone] = case.scores(model, [example])
        np.testing.assert_allclose(alone, scores[number], rtol=0, atol=1e-5)
    assert case.predict(model, []) == []


@TRAINED
def test_trace_shows_gates_and_states(trained, name, kind):
    case, model, _ = trained
    inputs, _ = model.trace_inputs(case.examples[0])
    trace = keras_seq.trace(model, inputs)
    assert len(trace) > 0
    for layer in trace.values():
        assert layer.outputs.ndim == 3 and np.isfinite(layer.outputs).all()
        assert layer.gates and layer.states
        for array in (*layer.gates.values(), *layer.states.values()):
            assert array.shape[:2] == layer.outputs.shape[:2]
    outputs = keras.tree.flatten(to_numpy(model(inputs, training=False)))
    for traced, output in zip(keras.tree.flatten(trace.outputs), outputs, strict=True):
        np.testing.assert_allclose(traced, output, rtol=0, atol=1e-5)


@pytest.mark.skipif(not TENSORFLOW, reason="exports from TensorFlow")
@TRAINED
def test_savedmodel_gives_the_same_predictions(name, tmp_path):
    import tensorflow as tf

    case, model, _ = train(name, False)
    report = export.savedmodel(model, tmp_path / "saved")
    assert report["max_abs_error"] < 1e-4
    loaded = tf.saved_model.load(tmp_path / "saved")
    with eagerly():
        assert case.exported(loaded, case.examples) == case.predict(model, case.examples)


@pytest.mark.skipif(TENSORFLOW, reason="exports from TensorFlow")
@EVERY
def test_export_needs_tensorflow(name, tmp_path, record_property):
    for format, write in export.FORMATS.items():
        with pytest.raises(InputError, match="requires the TensorFlow backend") as caught:
            write(untrained(name), tmp_path / "exported")
        record_property(format, str(caught.value))  # for docs/backends.py
    assert not list(tmp_path.iterdir())


MISTAKES = [(name, mistake) for name, case in CASES.items() for mistake in case.mistakes]


@pytest.mark.parametrize(("name", "mistake"), MISTAKES)
def test_errors_of_bad_inputs(name, mistake):
    call, pattern = CASES[name].mistakes[mistake]
    with pytest.raises(InputError, match=pattern) as caught:
        call(untrained(name))
    message = str(caught.value)
    assert errors.explain(caught.value) == message  # without line breaks
    assert message[-1] in ".?" and len(message) < 300
