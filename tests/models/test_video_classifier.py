"""Clips in, labels out."""

import functools

import keras
import numpy as np
import pytest
from helpers import BACKEND

from keras_seq import export
from keras_seq._internal.errors import InputError
from keras_seq.models import VideoClassifier

LABELS = ["falls", "rises"]


def bar(step, begin, count):
    """A bright bar that goes down or up, frames of 8 x 8."""
    frames = np.zeros((count, 8, 8), "uint8")
    for time in range(count):
        frames[time, (begin + step * time) % 8] = 255
    return frames


CLIPS = [bar(step, begin, 3 + begin % 4) for begin in range(8) for step in (1, -1)]
TRUE = LABELS * 8


@functools.cache
def learnt():
    keras.utils.set_random_seed(0)
    model = VideoClassifier((8, 8), LABELS, channels=8, features=32, units=16, dropout=0.0)
    model.compile(keras.optimizers.Adam(0.01), loss=model.loss_of_labels)
    examples = model.encode(CLIPS, TRUE)
    model.fit(examples.inputs, examples.targets, epochs=100, batch_size=16, verbose=0)
    return model


def test_learns_what_only_time_tells():
    found = learnt().classify(CLIPS)
    assert [one.label for one in found] == TRUE
    assert all(one.probability == max(one.probabilities.values()) > 0.8 for one in found)
    backwards = learnt().classify([clip[::-1] for clip in CLIPS])
    assert np.mean([a.label != b.label for a, b in zip(found, backwards)]) > 0.8


def test_padding_changes_nothing_and_time_goes_on():
    model = learnt()
    together = model.classify(CLIPS)
    alone = [one for clip in CLIPS[:4] for one in model.classify([clip])]
    for a, b in zip(together, alone):
        assert a.label == b.label and a.probability == pytest.approx(b.probability, abs=1e-5)
    clip = CLIPS[6]
    by_frame = model.over_time(clip)
    assert len(by_frame) == len(clip)
    for end, one in enumerate(by_frame, 1):
        sure = model.classify([clip[:end]])[0].probability
        assert one.probability == pytest.approx(sure, abs=1e-5)


def test_saved(tmp_path):
    learnt().save(tmp_path / "it.keras")
    loaded = keras.saving.load_model(tmp_path / "it.keras")
    for a, b in zip(loaded.classify(CLIPS), learnt().classify(CLIPS)):
        assert a.probability == pytest.approx(b.probability, abs=1e-6)
    assert loaded.labels == LABELS and loaded.frame == (8, 8)


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        ([CLIPS[0], np.zeros((0, 8, 8), "uint8")], "Clip 2 has no frames"),
        ([np.zeros((3, 8, 9), "uint8")], r"Clip 1 has the shape \(3, 8, 9\).*\(frames, 8, 8\)"),
        ([CLIPS[0] / 255], "Clip 1 is of float64; it must be uint8, 0 to 255"),
    ],
)
def test_bad_clips(clips, message):
    with pytest.raises(InputError, match=message):
        learnt().classify(clips)


def test_bad_arguments():
    with pytest.raises(InputError, match="There is no label \\(clip 1\\) 'fall'"):
        learnt().encode(CLIPS[:1], ["fall"])
    with pytest.raises(InputError, match="at least two labels, got 1"):
        VideoClassifier((8, 8), ["falls"])
    with pytest.raises(InputError, match="did you mean 'MobileNetV2'"):
        VideoClassifier((32, 32, 3), LABELS, encoder="MobilNetV2")
    with pytest.raises(InputError, match="small encoder has no weights"):
        learnt().start_from_imagenet()


@pytest.mark.usefixtures("either_way")
def test_an_application_of_keras(tmp_path):
    random = np.random.default_rng(0)
    clips = [random.integers(0, 256, (n, 32, 32), "uint8") for n in (2, 3)]
    options = {"encoder": "MobileNetV2", "units": 4, "features": 4}
    model = VideoClassifier((32, 32), LABELS, **options, frozen=True)
    model.compile("adam", loss=model.loss_of_labels)
    before = [w.copy() for w in model.get_layer("frame_by_frame").layer.get_weights()]
    examples = model.encode(clips, LABELS)
    model.fit(examples.inputs, examples.targets, verbose=0)
    after = model.get_layer("frame_by_frame").layer.get_weights()
    changed = [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert sum(changed) == 2  # the dense layer behind it
    model.save(tmp_path / "it.keras")
    loaded = keras.saving.load_model(tmp_path / "it.keras")
    found, again = (of.classify(clips)[1].probability for of in (model, loaded))
    assert found == pytest.approx(again, abs=1e-5)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="exports from TensorFlow")
@pytest.mark.parametrize("format", ["savedmodel", "onnx", "litert"])
def test_exported(tmp_path, format):
    model = learnt()
    report = export.FORMATS[format](model, tmp_path / "it", CLIPS)
    assert report["endpoints"] == ["classify"] and report["largest difference"] < 1e-5
    wanted = [[one.probabilities[label] for label in LABELS] for one in model.classify(CLIPS[:4])]
    clip, sure = CLIPS[3][None], wanted[3]
    if format == "savedmodel":
        import tensorflow as tf

        loaded = tf.saved_model.load(tmp_path / "it")
        found = loaded.classify(tf.constant(clip))
        assert found["labels"].numpy().tolist() == [b"rises"]
    elif format == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(tmp_path / "it/classify.onnx")
        found = dict(zip(["probabilities"], session.run(None, {"frames": clip})))
        assert (tmp_path / "it/tables.json").exists()
    else:
        from ai_edge_litert import interpreter

        runner = interpreter.Interpreter(str(tmp_path / "it/classify.tflite"))
        found = runner.get_signature_runner()(frames=clip)
    np.testing.assert_allclose(found["probabilities"], [sure], atol=1e-5)
