"""VideoClassifier: training, frame encoders, saving and export."""

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


def bar(step, start, num_frames):
    """Return a clip of a bright bar that moves down or up, in frames of 8 x 8."""
    frames = np.zeros((num_frames, 8, 8), "uint8")
    for time in range(num_frames):
        frames[time, (start + step * time) % 8] = 255
    return frames


CLIPS = [bar(step, start, 3 + start % 4) for start in range(8) for step in (1, -1)]
TARGETS = LABELS * 8


def stack_to_last(*args, **options):
    """Return a stack that returns its last output."""
    return RNNStack(*args, return_sequences=False, **options)


def small():
    keras.utils.set_random_seed(0)
    return VideoClassifier(LABELS, (8, 8), SmallFrameEncoder(8, 32), stack_to_last("GRU", 16))


@functools.cache
def trained():
    model = small()
    model.compile(keras.optimizers.Adam(0.01))
    model.fit(CLIPS, TARGETS, epochs=100, batch_size=16, verbose=0)
    return model


@pytest.mark.slow
def test_training_on_motion():
    actual = trained().classify(CLIPS)
    assert [prediction.label for prediction in actual] == TARGETS
    assert all(p.probability == max(p.probabilities.values()) > 0.8 for p in actual)
    backwards = trained().classify([clip[::-1] for clip in CLIPS])
    assert np.mean([a.label != b.label for a, b in zip(actual, backwards)]) > 0.6


@pytest.mark.slow
def test_batch_size_does_not_matter_and_predictions_per_frame():
    model = trained()
    together = model.classify(CLIPS)
    alone = [p for clip in CLIPS[:4] for p in model.classify([clip])]
    for a, b in zip(together, alone):
        assert a.label == b.label and a.probability == pytest.approx(b.probability, abs=1e-5)
    clip = CLIPS[6]
    by_frame = model.predict_per_frame(clip)
    assert len(by_frame) == len(clip)
    for end, prediction in enumerate(by_frame, 1):
        [expected] = model.classify([clip[:end]])
        assert prediction.probability == pytest.approx(expected.probability, abs=1e-5)


@pytest.mark.slow
def test_saved_and_loaded(tmp_path):
    trained().save(tmp_path / "it.keras")
    loaded = keras.saving.load_model(tmp_path / "it.keras")
    for a, b in zip(loaded.classify(CLIPS), trained().classify(CLIPS)):
        assert a.probability == pytest.approx(b.probability, abs=1e-6)
    assert loaded.labels == LABELS and loaded.frame_shape == (8, 8)
    # Loss and metric are loaded too, and `evaluate` accepts raw clips.
    loss, accuracy = loaded.evaluate(CLIPS, TARGETS, verbose=0)
    assert loss < 0.2 and accuracy == 1.0


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
def test_clips_of_one_shape_may_be_one_array():
    clips = np.stack([clip[:3] for clip in CLIPS])
    expected = trained().evaluate(list(clips), TARGETS, verbose=0)
    assert trained().evaluate(clips, TARGETS, verbose=0) == pytest.approx(expected, rel=1e-6)


@pytest.mark.usefixtures("eagerly")
def test_custom_encoder_and_stack(tmp_path):
    keras.utils.set_random_seed(0)
    frame = keras.Input((8, 8, 3))
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(frame))
    encoder = FlattenTime(keras.Model(frame, mean))
    cell = keras.layers.SimpleRNN
    model = VideoClassifier([*LABELS, "stands"], (8, 8, 3), encoder, stack_to_last(cell, 4, 2))
    clips = np.random.default_rng(0).integers(0, 256, (2, 5, 8, 8, 3), "uint8")
    [prediction, _] = model.classify(clips)
    means = clips[:1].mean(axis=(2, 3)).astype("float32") / 255
    logits = model.output_layer(model.stack(means))
    expected = keras.ops.convert_to_numpy(keras.ops.softmax(logits))[0]
    np.testing.assert_allclose(list(prediction.probabilities.values()), expected, atol=1e-5)
    model.save(tmp_path / "it.keras")
    [loaded, _] = keras.saving.load_model(tmp_path / "it.keras").classify(clips)
    assert loaded.probability == pytest.approx(prediction.probability, abs=1e-6)


def test_frame_difference_encodes_motion():
    keras.utils.set_random_seed(0)
    still = np.repeat(np.random.default_rng(0).uniform(0, 255, (1, 1, 8, 8, 1)), 3, axis=1)
    moving = np.concatenate([still[:, :2], still[:, 2:, ::-1]], axis=1)
    for frame_difference in (False, True):
        encoder = SmallFrameEncoder(4, 8, frame_difference)
        actual = [keras.ops.convert_to_numpy(encoder(clip)) for clip in (still, moving)]
        # All frames of a still clip have the code of the first.
        np.testing.assert_allclose(actual[0][:, 1:], actual[0][:, :-1], atol=1e-5)
        np.testing.assert_allclose(actual[0][:, :2], actual[1][:, :2], atol=1e-5)
        back = np.concatenate([moving[:, :1], moving[:, 2:], moving[:, :1]], axis=1)
        last = keras.ops.convert_to_numpy(encoder(back))[:, -1]
        # Only with frame_difference does the code of a frame depend on the frame before.
        assert (np.abs(last - actual[0][:, -1]).max() > 1e-2) == frame_difference


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
        small().classify(clips)


def test_bad_arguments():
    with pytest.raises(InputError, match="There is no label \\(clip 1\\) 'fall'"):
        small().encode(CLIPS[:1], ["fall"])
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
def test_an_application_of_keras(tmp_path):
    keras.utils.set_random_seed(0)  # some seeds leave all units at zero, where no gradient flows
    random = np.random.default_rng(0)
    clips = [random.integers(0, 256, (n, 32, 32), "uint8") for n in (2, 3)]
    encoder = ApplicationFrameEncoder("MobileNetV2", features=16, freeze=True)
    model = VideoClassifier(LABELS, (32, 32), encoder, stack_to_last("GRU", 4))
    model.compile("adam")
    before = [w.copy() for w in model.encoder.get_weights()]
    model.fit(clips, LABELS, verbose=0)
    after = model.encoder.get_weights()
    changed = [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert sum(changed) == 2  # kernel and bias of the dense layer
    model.save(tmp_path / "it.keras")
    loaded = keras.saving.load_model(tmp_path / "it.keras")
    expected, actual = (m.classify(clips)[1].probability for m in (model, loaded))
    assert actual == pytest.approx(expected, abs=1e-5)


@pytest.mark.usefixtures("eagerly")
def test_imagenet_weights_are_loaded_once_and_saved(monkeypatch, tmp_path):
    tiny = {"Tiny": (tiny_application, lambda x: x)}
    monkeypatch.setattr(frame_encoders, "_applications", lambda: tiny)
    encoder = ApplicationFrameEncoder("Tiny", 4, weights="imagenet")
    model = VideoClassifier(LABELS, (8, 8), encoder, stack_to_last("GRU", 4))
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
def test_examples_of_frame_encoders():
    failed, count = doctest.testmod(frame_encoders)
    assert count and not failed


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="exports from TensorFlow")
@pytest.mark.parametrize("format", ["savedmodel", "onnx", "litert"])
def test_exported(tmp_path, format):
    model = trained()
    report = export.FORMATS[format](model, tmp_path / "it", CLIPS)
    assert report["endpoints"] == ["classify"] and report["max_abs_error"] < 1e-5
    clip, [prediction] = CLIPS[3][None], model.classify(CLIPS[3:4])
    expected = [prediction.probabilities[label] for label in LABELS]
    if format == "savedmodel":
        import tensorflow as tf

        loaded = tf.saved_model.load(tmp_path / "it")
        actual = loaded.classify(tf.constant(clip))
        assert actual["labels"].numpy().tolist() == [b"rises"]
    elif format == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(tmp_path / "it/classify.onnx")
        actual = dict(zip(["probabilities"], session.run(None, {"frames": clip})))
        assert (tmp_path / "it/metadata.json").exists()
    else:
        from ai_edge_litert import interpreter

        runner = interpreter.Interpreter(str(tmp_path / "it/classify.tflite"))
        actual = runner.get_signature_runner()(frames=clip)
    np.testing.assert_allclose(actual["probabilities"], [expected], atol=1e-5)
