"""CTCRecognizer: against enumeration of all alignments, transcription, streaming and export."""

import importlib
import itertools
import json

import keras
import numpy as np
import pytest
from helpers import BACKEND, ELSEWHERE, run_script
from keras import ops

from keras_seq import export
from keras_seq._internal.errors import InputError
from keras_seq.batching import count_batches
from keras_seq.layers import (
    BackgroundNoise,
    BandConvolution,
    FrontEnd,
    LogMelSpectrogram,
    RNNStack,
    SpecAugment,
    VocalTractLengthPerturbation,
)
from keras_seq.layers.audio.blank_after_end import BlankAfterEnd
from keras_seq.losses import CTC
from keras_seq.models import CTCRecognizer, SequenceGenerator
from keras_seq.text.encoder import TextEncoder
from keras_seq.tracing import trace
from keras_seq.tracing.page import _pack, render_page

RATE = 4_000
RANDOM = np.random.default_rng(0)


def small(alphabet="ab", *, frames=(100, 40), bands=12, filters=0, lexicon=None, **options):
    """Return a small model; options are those of `FrontEnd` or `RNNStack`."""
    keras.utils.set_random_seed(0)
    front_options = ("frame_stack", "frame_stride", "mean_normalize", "average_offsets")
    front_options = {name: options.pop(name) for name in front_options if name in options}
    if options.pop("noise", False):
        front_options["noise"] = BackgroundNoise()
    if warp := options.pop("warp", 0):
        front_options["warping"] = VocalTractLengthPerturbation(warp, max_freq=RATE / 2)
    if masks := options.pop("masks", 0):
        front_options["masking"] = SpecAugment(masks)
    window, hop = frames
    front_end = FrontEnd(
        LogMelSpectrogram(RATE, frame_length=window, frame_step=hop, num_mel_bins=bands),
        **front_options,
    )
    features = [BandConvolution(front_end.frame_stack, filters)] if filters else []
    stack = RNNStack(**{"cell": "LSTM", "units": 8, "bidirectional": True, **options})
    return CTCRecognizer(alphabet, front_end, features, stack, lexicon)


FULL = {
    **{"mean_normalize": True, "filters": 2, "warp": 0.1, "masks": 1, "normalization": True},
    **{"average_offsets": True, "frame_stack": 3, "frame_stride": 2},
}
"""Options that a streaming model cannot have, and others."""


def noises(*lengths):
    return [RANDOM.uniform(-0.5, 0.5, n).astype("float16").astype("float32") for n in lengths]


# Enumeration of all alignments in float64.


def collapse(path):
    """Return the labels of a path: no repetitions, then no blanks."""
    return tuple(n for n, _ in itertools.groupby(path) if n)


def paths(logits):
    """Yield every path with its probability, from logits `(timesteps, labels + 1)`."""
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    for path in itertools.product(range(logits.shape[1]), repeat=len(logits)):
        yield path, np.prod(p[np.arange(len(path)), list(path)])


def loss_and_gradient(logits, text):
    """Return -log p(text) and its gradient: the softmax minus the expected counts of the text."""
    total, expected = 0.0, np.zeros(logits.shape)
    for path, probability in paths(logits):
        if collapse(path) == tuple(text):
            total += probability
            expected[np.arange(len(path)), list(path)] += probability
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return -np.log(total), p / p.sum(axis=1, keepdims=True) - expected / total


@pytest.mark.parametrize("text", [[], [1], [1, 2], [2, 2], [1, 2, 1], [1, 1, 2]])
def test_loss_and_gradient_equal_those_of_enumeration(text):
    logits = np.random.default_rng(len(text)).normal(0, 1.5, (5, 3))
    expected, gradient = loss_and_gradient(logits, text)
    # One step of SGD moves the weights by the gradient.
    table = keras.layers.Embedding(1, 15)
    model = keras.Sequential([keras.Input((), dtype="int32"), table, keras.layers.Reshape((5, 3))])
    table.set_weights([logits.reshape(1, 15)])
    model.compile(keras.optimizers.SGD(1.0), loss=small().default_loss())
    targets = np.array([text + [0] * (4 - len(text))], "int32")
    actual = model.train_on_batch(np.zeros(1, "int32"), targets)
    assert float(np.ravel(actual)[0]) == pytest.approx(expected, abs=1e-5)
    step = logits.reshape(1, 15) - ops.convert_to_numpy(table.embeddings)
    np.testing.assert_allclose(step.reshape(5, 3), gradient, atol=1e-5)


def test_beam_search_finds_the_most_likely_text():
    recognizer, num_different = small(), 0
    for seed in range(12):
        logits = np.random.default_rng(seed).normal(0, 0.7, (5, 3))
        sums = {}
        for path, probability in paths(logits):
            sums[collapse(path)] = sums.get(collapse(path), 0) + probability
        best = "".join(".ab"[n] for n in max(sums, key=sums.get))
        alignment = "".join(".ab"[n] for n in collapse(logits.argmax(axis=1)))
        log_probs = [ops.convert_to_numpy(ops.log_softmax(logits.astype("float32")))]
        assert recognizer.decode(log_probs, beam_width=100) == [best]
        assert recognizer.decode(log_probs) == [alignment]
        assert recognizer.path_to_text(logits.argmax(axis=1)) == alignment
        num_different += best != alignment
    assert num_different  # the best path alone would not pass this test


def test_the_blank_is_certain_after_the_end():
    """Padding then changes neither the loss nor the text of a recording."""
    logits = np.random.default_rng(1).normal(size=(2, 7, 3)).astype("float32")
    mask = np.arange(7) < np.array([[4], [7]])
    ended = ops.convert_to_numpy(BlankAfterEnd()(logits, mask))
    loss = CTC(reduction=None)
    together = ops.convert_to_numpy(loss(np.array([[1, 2], [2, 0]]), ended))
    expected = [loss_and_gradient(logits[0, :4], [1, 2])[0], loss_and_gradient(logits[1], [2])[0]]
    np.testing.assert_allclose(together, expected, atol=1e-4)


# Training and transcription.

TONES = {"a": 400, "b": 1200, " ": None}


def melody(text):
    """Return a recording with a tone of 0.12 s per letter, or silence for a space, and pauses."""
    times = np.arange(480) / RATE
    parts = [np.zeros(200)]
    for letter in text:
        tone = TONES[letter]
        parts += [0.3 * np.sin(2 * np.pi * tone * times) if tone else 0 * times, np.zeros(200)]
    sound = np.concatenate(parts)
    return (sound + RANDOM.normal(0, 0.01, len(sound))).astype("float32")


TEXTS = ["a", "b", "ab", "ba", "aab", "bb", "", "abba"]


@pytest.fixture(scope="module")
def trained():
    recognizer = small(units=16, bidirectional=False, noise=True, masks=1)
    recordings = [melody(text) for text in TEXTS * 4]
    recognizer.adapt(recordings)
    recognizer.compile(keras.optimizers.Adam(0.02))
    recognizer.fit(recordings, TEXTS * 4, epochs=40, batch_size=16, verbose=0)
    return recognizer


@pytest.mark.slow
def test_training_and_transcription(trained):
    recordings = [melody(text) for text in TEXTS]
    assert trained.transcribe(recordings) == TEXTS
    assert trained.transcribe([]) == []
    assert trained.transcribe(recordings, beam_width=10) == TEXTS
    # Silence of any length has an empty text.
    assert trained.transcribe([np.zeros(2000), np.zeros(1)]) == ["", ""]
    # Integers and floats are equivalent.
    assert trained.transcribe([(recordings[-1] * 2**15).astype("int16")]) == ["abba"]


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
def test_time_steps_of_characters(trained):
    [log_probs] = trained.log_probs([melody("ab")])
    (a, first), (b, second) = trained.collapse(log_probs.argmax(axis=1))
    assert a + b == "ab"
    # The tones begin after 0.05 s and 0.22 s.
    assert 0.0 < first * trained.seconds_per_step < second * trained.seconds_per_step < 0.45


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
def test_saved_and_loaded(trained, tmp_path):
    recordings = noises(2000, 900)
    trained.save(tmp_path / "it.keras")
    loaded = keras.saving.load_model(tmp_path / "it.keras")
    for ours, theirs in zip(loaded.log_probs(recordings), trained.log_probs(recordings)):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert loaded.alphabet == "ab" and loaded.sample_rate == RATE


def test_samples_are_not_counted_as_time_steps():
    """A batch for training is divided by its time steps, of which there are far fewer."""
    dataset = small().encode([np.zeros(20_000)] * 32, [""] * 32, padded=False)
    assert count_batches(dataset, 32) == 1


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("options", [{"bidirectional": False}, FULL])
def test_batch_size_does_not_matter(options):
    recognizer, recordings = small(**options), noises(3000, 1700, 5, 900)
    together = recognizer.log_probs(recordings)
    for recording, actual in zip(recordings, together):
        assert len(actual) == recognizer.num_steps(len(recording))
        np.testing.assert_allclose(actual, recognizer.log_probs([recording])[0], atol=1e-5)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cell": "GRU", "num_layers": 2, "frame_stack": 3, "frame_stride": 2, "residual": True},
        {"cell": "PeepholeLSTM", "frame_stride": 3, "average_offsets": True, "normalization": True},
        {"cell": "SimpleRNN", "frame_stack": 1, "frames": (40, 40), "filters": 3},
    ],
    ids=lambda options: options.get("cell", "LSTM"),
)
def test_a_stream_equals_the_whole_recording(options):
    recognizer = small(bidirectional=False, **options)
    recording = RANDOM.integers(-20_000, 20_000, 1345, "int16")  # finer than float16
    [whole] = recognizer.log_probs([recording])
    text = recognizer.decode([whole])[0]
    stream = recognizer.stream()
    # In one chunk; with an empty chunk and one of a single sample; in chunks shorter than a step.
    for cuts in ([], [600, 600, 601], range(0, 1345, 61)):
        results = [stream.feed(chunk) for chunk in np.split(recording, np.array(cuts, int))]
        results.append(stream.finish())  # the stream is reset for the next recording
        actual = np.concatenate([result.log_probs for result in results])
        np.testing.assert_allclose(actual, whole, atol=1e-5)
        assert "".join(result.text for result in results) == text
    assert stream.finish().text == ""


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
def test_a_stream_returns_text_before_the_end(trained):
    stream, sound = trained.stream(), melody("abba")
    texts = [stream.feed(sound[start : start + 160]).text for start in range(0, len(sound), 160)]
    assert "".join(texts) + stream.finish().text == "abba"
    assert "a" in "".join(texts[: len(texts) // 2])


@pytest.mark.slow
def test_a_language_model_decides_between_similar_sounds():
    recognizer = small()
    encoder = TextEncoder("ab", "char", end=True)
    model = SequenceGenerator(encoder, stack=RNNStack("LSTM", 4, return_state=True))
    model.compile(keras.optimizers.Adam(0.1))
    model.fit(["ab"] * 8, epochs=30, verbose=0)
    # An "a", then "a" or "b", of which "a" is slightly more likely.
    p = np.array([[0.02, 0.96, 0.02], [0.96, 0.02, 0.02], [0.04, 0.5, 0.46]])
    assert recognizer.decode([np.log(p)]) == ["aa"]
    assert recognizer.decode([np.log(p)], language_model=model, lm_weight=0.0) == ["aa"]
    assert recognizer.decode([np.log(p)], 8, language_model=model, lm_weight=0.5) == ["ab"]
    words = SequenceGenerator(TextEncoder("ab", end=True))
    with pytest.raises(InputError, match="cannot score characters"):
        recognizer.decode([np.log(p)], language_model=words)


@pytest.mark.usefixtures("eagerly")
def test_predictions_are_averaged_over_frame_offsets():
    options = {"frame_stack": 3, "mean_normalize": True, "normalization": True}
    averaging, single = small(average_offsets=True, **options), small(**options)
    averaging.adapt(noises(3000))
    single.set_weights(averaging.get_weights())
    [recording] = noises(120 * 20 + 100)  # 20 strides, so that the last step of each offset is full
    by_offset = [single.log_probs([recording[40 * offset :]])[0][:19] for offset in range(3)]
    [actual] = averaging.log_probs([recording])
    assert len(actual) == 21
    # The means over the recording include other frames, so that results differ slightly.
    expected = np.log(np.mean(np.exp(by_offset), axis=0))
    np.testing.assert_allclose(actual[:19], expected, atol=0.02)
    assert np.abs(by_offset[0] - expected).max() > 0.05


@pytest.mark.usefixtures("eagerly")
def test_training_draws_one_frame_offset_per_batch():
    recognizer = small(average_offsets=True, frame_stack=3)
    front, inputs = recognizer.front_end, recognizer.encode(noises(3040)).inputs
    every, mask = front(**inputs)
    every = ops.convert_to_numpy(every)
    assert every.shape[0] == mask.shape[0] == 3
    drawn = set()
    for _ in range(30):
        actual, mask = front(**inputs, training=True)
        assert actual.shape[0] == mask.shape[0] == 1
        [offset] = [n for n, x in enumerate(every) if np.array_equal(x[None], actual)]
        drawn.add(offset)
    assert drawn == {0, 1, 2}


@pytest.mark.usefixtures("eagerly")
def test_a_page_shows_the_first_frame_offset():
    recognizer = small(average_offsets=True, frame_stack=3)
    inputs, steps = recognizer.trace_inputs(noises(3040)[0])
    actual = trace(recognizer, inputs)
    page = render_page(actual, steps)
    first, second, third = actual[f"{recognizer.stack.name}/bidirectional_0/forward"].states["h"]
    assert _pack(first)["data"] in page
    assert not any(_pack(other)["data"] in page for other in (second, third))


@pytest.mark.usefixtures("eagerly")
def test_loudness_does_not_matter_with_mean_normalization():
    [recording] = noises(3040)  # no frame reaches into the padding, which stays silent
    louder = 2 * recording
    for mean_normalize in (True, False):
        recognizer = small(mean_normalize=mean_normalize)
        a, b = recognizer.log_probs([recording, louder])
        assert (np.abs(a - b).max() < 1e-3) == mean_normalize


def test_a_band_convolution_is_invariant_to_shifts():
    layer = BandConvolution(2, filters=3, pool_size=1)
    layer.build((None, None, 26))
    layer.set_weights([np.abs(weight) for weight in layer.get_weights()])
    low = np.zeros((1, 1, 2, 13), "float32")
    low[..., :3] = [[1.0, 2.0, 3.0], [0.5, 0.0, 1.0]]
    high = np.roll(low, 4, axis=-1)
    low, high = (
        ops.convert_to_numpy(layer(x.reshape(1, 1, 26))).reshape(6, 3) for x in (low, high)
    )
    np.testing.assert_allclose(low[0], high[4])
    assert (low[0] > 0).all()


def test_a_band_convolution_pools_neighbors_of_single_time_steps():
    layer, pooled = BandConvolution(2, 3, pool_size=1), BandConvolution(2, 3, pool_size=2)
    steps = RANDOM.normal(size=(2, 5, 26)).astype("float32")
    every = ops.convert_to_numpy(layer(steps)).reshape(2, 5, 6, 3)
    pooled.build(steps.shape)
    pooled.set_weights(layer.get_weights())
    actual = ops.convert_to_numpy(pooled(steps))
    expected = every.reshape(2, 5, 3, 2, 3).max(axis=3).reshape(2, 5, 9)
    np.testing.assert_allclose(actual, expected, atol=1e-6)
    alone = ops.convert_to_numpy(pooled(steps[:1, 3:4]))
    np.testing.assert_allclose(alone, actual[:1, 3:4], atol=1e-6)


@pytest.mark.usefixtures("eagerly")
def test_noise_is_added_in_training_after_adapt():
    recognizer, recordings = small(noise=True), noises(3040, 2000)
    inputs = recognizer.encode(recordings).inputs
    front = recognizer.front_end

    def read(training):
        actual, _ = front(inputs["samples"], inputs["lengths"], training=training)
        return ops.convert_to_numpy(actual)

    np.testing.assert_array_equal(read(True), read(False))
    recognizer.adapt(recordings)
    quiet, first, second = read(False), read(True), read(True)
    assert min(np.abs(first - quiet).max(), np.abs(second - first).max()) > 0.1
    np.testing.assert_array_equal(read(False), quiet)


@pytest.mark.usefixtures("eagerly")
def test_a_lexicon_restricts_texts_to_its_words(tmp_path):
    recognizer = small("ab ", lexicon=["ab", "bba"])
    p = np.full((5, 4), 0.01)
    # The path spells "ab b", which is not in the lexicon.
    for step, number in enumerate((1, 0, 2, 3, 2)):
        p[step, number] = 0.9
    p[4, 0] += 0.05
    actual = np.log(p / p.sum(axis=1, keepdims=True))
    assert recognizer.decode([actual], use_lexicon=False) == ["ab b"]
    assert recognizer.decode([actual]) == ["ab"]
    recognizer.save(tmp_path / "it.keras")
    loaded = keras.saving.load_model(tmp_path / "it.keras")
    assert loaded.decode([actual]) == ["ab"]
    assert loaded.get_config()["lexicon"] == ["ab", "bba"]


# Export.

LOAD = """
import sys
import numpy as np
import tensorflow as tf
loaded = tf.saved_model.load(sys.argv[1])
with np.load(sys.argv[2]) as file:
    outputs = loaded.recognize(file["samples"], file["lengths"])
print([text.decode() for text in outputs["texts"].numpy()])
"""


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="exports from TensorFlow")
@ELSEWHERE
def test_savedmodel_transcribes_without_this_package(trained, tmp_path, elsewhere):
    recordings = [melody(text) for text in ("abba", "b", "")]
    report = export.savedmodel(trained, tmp_path / "it", recordings)
    assert report["endpoints"] == ["recognize"] and report["max_abs_error"] < 1e-4
    inputs = trained.encode(recordings).inputs
    arrays = {"samples": inputs["samples"].astype("float32"), "lengths": inputs["lengths"]}
    np.savez(tmp_path / "sound.npz", **arrays)
    out = run_script(LOAD, tmp_path / "it", tmp_path / "sound.npz", elsewhere=elsewhere)
    assert out.strip() == "['abba', 'b', '']"


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="exports from TensorFlow")
def test_exports_restrict_texts_to_the_lexicon(trained, tmp_path):
    """A SavedModel and an ONNX file return what `transcribe` does."""
    words = ["ab", "bb", "aab"]
    recognizer = CTCRecognizer.from_config({**trained.get_config(), "lexicon": words})
    recognizer.set_weights(trained.get_weights())
    recordings = [melody(text) for text in TEXTS]
    expected = recognizer.transcribe(recordings)
    assert {*words} <= {*expected} <= {*words, ""}
    inputs = recognizer.encode(recordings).inputs
    samples, lengths = inputs["samples"].astype("float32"), inputs["lengths"]

    export.savedmodel(recognizer, tmp_path / "saved", recordings)
    loaded = importlib.import_module("tensorflow").saved_model.load(tmp_path / "saved")
    texts = loaded.recognize(samples, lengths)["texts"].numpy()
    assert [text.decode() for text in texts] == expected

    export.onnx(recognizer, tmp_path / "onnx", recordings)
    onnxruntime = importlib.import_module("onnxruntime")
    session = onnxruntime.InferenceSession(tmp_path / "onnx/recognize.onnx")
    [labels] = session.run(["labels"], {"samples": samples, "lengths": lengths})
    characters = json.loads((tmp_path / "onnx/metadata.json").read_text("utf-8"))["characters"]
    assert ["".join(characters[label] for label in row) for row in labels] == expected


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="exports from TensorFlow")
@pytest.mark.parametrize(
    ("options", "name"),
    [
        (FULL, "onnx"),
        ({"bidirectional": False, "lexicon": ["ab", "b"]}, "litert"),
        ({"bidirectional": False}, "onnx"),
        (FULL, "litert"),
    ],
)
def test_exported_to_other_formats(name, options, tmp_path):
    """Exported models include the spectrogram and accept any length."""
    pytest.importorskip({"onnx": "tf2onnx", "litert": "ai_edge_litert"}[name])
    recognizer = small(**options)
    report = export.FORMATS[name](recognizer, tmp_path / "it", noises(2000, 900, 3001))
    assert report["endpoints"] == ["recognize"] and report["max_abs_error"] < 1e-4
    assert '"characters"' in (tmp_path / "it/metadata.json").read_text()


MISTAKES = {
    "no alphabet": (lambda: small(""), "an alphabet of distinct characters, got ''"),
    "a repeated character": (lambda: small("aba"), "distinct characters, got 'aba'"),
    "a stride longer than the stack": (
        lambda: small(frame_stack=2, frame_stride=3),
        "must be from 1 to frame_stack, 2, got 3",
    ),
    "other frequencies": (
        lambda: FrontEnd(warping=VocalTractLengthPerturbation(max_freq=4_000.0)),
        "warping covers 20.0 to 4000.0 Hz, but log_mel 20.0 to 8000.0 Hz",
    ),
    "the last output only": (
        lambda: small(return_sequences=False),
        "must return the outputs of all time steps and no states",
    ),
    "an incomplete frame": (
        lambda: BandConvolution(3, 2).build((None, None, 32)),
        "32 features are not a multiple of num_frames, 3",
    ),
    "an unknown character": (
        lambda: small().encode(noises(900, 900), ["a", "aé"]),
        "Text 2: character 2, 'é', is not in the alphabet 'ab'",
    ),
    "a long text": (
        lambda: small().encode(noises(9, 480), ["a", "aab"]),
        r"Text 2, 'aab', needs 4 time steps, but its recording of 0.12 s has 3",
    ),
    "two channels": (lambda: small().transcribe([np.zeros((9, 2))]), r"got \(9, 2\); mix"),
    "bytes": (lambda: small().transcribe([np.zeros(9, "uint8")]), "or 16-bit integers"),
    "a bidirectional stream": (lambda: small().stream(), "with bidirectional=False"),
    "short recordings": (lambda: small().adapt(noises(3)), "at least 100 samples"),
    "mean normalization in one direction": (
        lambda: small(bidirectional=False, mean_normalize=True),
        "mean_normalize=True needs an RNNStack with bidirectional=True",
    ),
    "too few bands": (lambda: small(bands=9, filters=1), "need at least 10 bins per frame, got 9"),
    "an unknown character in the lexicon": (
        lambda: small("ab", lexicon=["ab", "aé"]),
        "The word 'aé' of the lexicon contains 'é', which is not in the alphabet 'ab'",
    ),
    "a space in a word of the lexicon": (
        lambda: small("ab ", lexicon=["a b"]),
        "The word 'a b' of the lexicon contains a space",
    ),
    "no beam": (lambda: small().transcribe(noises(900), beam_width=0), "beam_width must be an"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named(mistake):
    call, message = MISTAKES[mistake]
    with pytest.raises(InputError, match=message):
        call()
