"""Clips in, labels out."""

import doctest
import functools

import keras
import numpy as np
import pytest
from helpers import BACKEND
from tiny_models import tiny_application

from keras_seq import export
from keras_seq._internal.errors import InputError
from keras_seq.layers import (
    ApplicationFrameEncoder,
    FlattenTime,
    RNNStack,
    SmallFrameEncoder,
    frame_encoders,
)
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


def last_of(*args, **options):
    """Return a stack that returns its last output."""
    return RNNStack(*args, return_sequences=False, **options)


@functools.cache
def learnt():
    keras.utils.set_random_seed(0)
    model = VideoClassifier(LABELS, (8, 8), SmallFrameEncoder(8, 32), last_of("GRU", 16))
    model.compile(keras.optimizers.Adam(0.01))
    model.fit(CLIPS, TRUE, epochs=100, batch_size=16, verbose=0)
    return model


@pytest.mark.slow
def test_learns_what_only_time_tells():
    found = learnt().classify(CLIPS)
    assert [one.label for one in found] == TRUE
    assert all(one.probability == max(one.probabilities.values()) > 0.8 for one in found)
    backwards = learnt().classify([clip[::-1] for clip in CLIPS])
    assert np.mean([a.label != b.label for a, b in zip(found, backwards)]) > 0.6


def test_padding_changes_nothing_and_time_goes_on():
    model = learnt()
    together = model.classify(CLIPS)
    alone = [one for clip in CLIPS[:4] for one in model.classify([clip])]
    for a, b in zip(together, alone):
        assert a.label == b.label and a.probability == pytest.approx(b.probability, abs=1e-5)
    clip = CLIPS[6]
    by_frame = model.predict_per_frame(clip)
    assert len(by_frame) == len(clip)
    for end, one in enumerate(by_frame, 1):
        sure = model.classify([clip[:end]])[0].probability
        assert one.probability == pytest.approx(sure, abs=1e-5)


def test_saved(tmp_path):
    learnt().save(tmp_path / "it.keras")
    loaded = keras.saving.load_model(tmp_path / "it.keras")
    for a, b in zip(loaded.classify(CLIPS), learnt().classify(CLIPS)):
        assert a.probability == pytest.approx(b.probability, abs=1e-6)
    assert loaded.labels == LABELS and loaded.frame_shape == (8, 8)
    # Its loss and its metric came along, and it takes clips as they are.
    loss, accuracy = loaded.evaluate(CLIPS, TRUE, verbose=0)
    assert loss < 0.2 and accuracy == 1.0


@pytest.mark.usefixtures("eagerly")
def test_clips_of_one_shape_may_be_one_array():
    clips = np.stack([clip[:3] for clip in CLIPS])
    expected = learnt().evaluate(list(clips), TRUE, verbose=0)
    assert learnt().evaluate(clips, TRUE, verbose=0) == pytest.approx(expected, rel=1e-6)


@pytest.mark.usefixtures("eagerly")
def test_the_parts_of_a_model_can_be_replaced(tmp_path):
    keras.utils.set_random_seed(0)
    frame = keras.Input((8, 8, 3))
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(frame))
    encoder = FlattenTime(keras.Model(frame, mean))
    cell = keras.layers.SimpleRNN
    model = VideoClassifier([*LABELS, "stands"], (8, 8, 3), encoder, last_of(cell, 4, 2))
    colours = np.random.default_rng(0).integers(0, 256, (2, 5, 8, 8, 3), "uint8")
    [one, _] = model.classify(colours)
    means = colours[:1].mean(axis=(2, 3)).astype("float32") / 255
    logits = model.output_layer(model.stack(means))
    expected = keras.ops.convert_to_numpy(keras.ops.softmax(logits))[0]
    np.testing.assert_allclose(list(one.probabilities.values()), expected, atol=1e-5)
    model.save(tmp_path / "it.keras")
    [again, _] = keras.saving.load_model(tmp_path / "it.keras").classify(colours)
    assert again.probability == pytest.approx(one.probability, abs=1e-6)


def test_motion_stands_out_in_the_difference_of_frames():
    keras.utils.set_random_seed(0)
    still = np.repeat(np.random.default_rng(0).uniform(0, 255, (1, 1, 8, 8, 1)), 3, axis=1)
    moving = np.concatenate([still[:, :2], still[:, 2:, ::-1]], axis=1)
    for frame_difference in (False, True):
        encoder = SmallFrameEncoder(4, 8, frame_difference)
        found = [keras.ops.convert_to_numpy(encoder(clip)) for clip in (still, moving)]
        # A frame of a clip that does not move is encoded as its first frame is.
        np.testing.assert_allclose(found[0][:, 1:], found[0][:, :-1], atol=1e-5)
        np.testing.assert_allclose(found[0][:, :2], found[1][:, :2], atol=1e-5)
        back = np.concatenate([moving[:, :1], moving[:, 2:], moving[:, :1]], axis=1)
        last = keras.ops.convert_to_numpy(encoder(back))[:, -1]
        # After a motion, the same frame is encoded in another way only by the difference.
        assert (np.abs(last - found[0][:, -1]).max() > 1e-2) == frame_difference


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        ([CLIPS[0], np.zeros((0, 8, 8), "uint8")], "Clip 2 has no frames"),
        ([np.zeros((3, 8, 9), "uint8")], r"Clip 1 must .*\(frames, 8, 8\), got \(3, 8, 9\)"),
        ([CLIPS[0] / 255], "Clip 1 must be uint8, 0 to 255, got float64"),
    ],
)
def test_bad_clips(clips, message):
    with pytest.raises(InputError, match=message):
        learnt().classify(clips)


def test_bad_arguments():
    with pytest.raises(InputError, match="There is no label \\(clip 1\\) 'fall'"):
        learnt().encode(CLIPS[:1], ["fall"])
    with pytest.raises(InputError, match="at least two labels, got 1"):
        VideoClassifier(["falls"], (8, 8))
    with pytest.raises(InputError, match=r"must be \(height, width\) or .*, got \(8, 8, 4\)"):
        VideoClassifier(LABELS, (8, 8, 4))
    with pytest.raises(InputError, match="must return the last output only"):
        VideoClassifier(LABELS, (8, 8), stack=RNNStack("GRU", 4))
    with pytest.raises(InputError, match=r"\(batch, timesteps, features\), got the shape"):
        VideoClassifier(LABELS, (8, 8), FlattenTime(keras.layers.Dense(3)))
    with pytest.raises(InputError, match="did you mean 'MobileNetV2'"):
        ApplicationFrameEncoder("MobilNetV2")
    with pytest.raises(InputError, match="no set of weights 'noisy'"):
        ApplicationFrameEncoder("MobileNetV2", weights="noisy")


@pytest.mark.slow
@pytest.mark.usefixtures("either_way")
def test_an_application_of_keras(tmp_path):
    keras.utils.set_random_seed(0)  # some draws leave all units at zero, where nothing is learned
    random = np.random.default_rng(0)
    clips = [random.integers(0, 256, (n, 32, 32), "uint8") for n in (2, 3)]
    encoder = ApplicationFrameEncoder("MobileNetV2", features=16, freeze=True)
    model = VideoClassifier(LABELS, (32, 32), encoder, last_of("GRU", 4))
    model.compile("adam")
    before = [w.copy() for w in model.encoder.get_weights()]
    model.fit(clips, LABELS, verbose=0)
    after = model.encoder.get_weights()
    changed = [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert sum(changed) == 2  # the dense layer behind it
    model.save(tmp_path / "it.keras")
    loaded = keras.saving.load_model(tmp_path / "it.keras")
    found, again = (of.classify(clips)[1].probability for of in (model, loaded))
    assert found == pytest.approx(again, abs=1e-5)


@pytest.mark.usefixtures("eagerly")
def test_weights_of_imagenet_are_loaded_once_and_saved(monkeypatch, tmp_path):
    tiny = {"Tiny": (tiny_application, lambda x: x)}
    monkeypatch.setattr(frame_encoders, "_applications", lambda: tiny)
    encoder = ApplicationFrameEncoder("Tiny", 4, weights="imagenet")
    model = VideoClassifier(LABELS, (8, 8), encoder, last_of("GRU", 4))
    assert any((weight == 3).all() for weight in encoder.get_weights())
    model.save(tmp_path / "it.keras")

    def offline(include_top, weights, **options):
        return tiny_application(include_top, weights and "offline", **options)

    tiny["Tiny"] = offline, lambda x: x
    loaded = keras.saving.load_model(tmp_path / "it.keras")
    assert any((weight == 3).all() for weight in loaded.encoder.get_weights())
    with pytest.raises(InputError, match="weights of Tiny cannot be downloaded: URL fetch"):
        ApplicationFrameEncoder("Tiny", weights="imagenet").build((None, None, 8, 8, 3))


@pytest.mark.usefixtures("eagerly")
def test_the_examples_of_frame_encoders_run():
    failed, count = doctest.testmod(frame_encoders)
    assert count and not failed


@pytest.mark.skipif(BACKEND != "tensorflow", reason="exports from TensorFlow")
@pytest.mark.parametrize("format", ["savedmodel", "onnx", "litert"])
def test_exported(tmp_path, format):
    model = learnt()
    report = export.FORMATS[format](model, tmp_path / "it", CLIPS)
    assert report["endpoints"] == ["classify"] and report["max_abs_error"] < 1e-5
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
        assert (tmp_path / "it/metadata.json").exists()
    else:
        from ai_edge_litert import interpreter

        runner = interpreter.Interpreter(str(tmp_path / "it/classify.tflite"))
        found = runner.get_signature_runner()(frames=clip)
    np.testing.assert_allclose(found["probabilities"], [sure], atol=1e-5)
