"""The CTC recognizer: against all alignments written out; whole and in pieces; exported."""

import itertools

import keras
import numpy as np
import pytest
from helpers import BACKEND, ELSEWHERE, run_script
from keras import ops

from keras_seq import export
from keras_seq._internal.errors import InputError
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
from keras_seq.tracing.page import _packed, render_page

RATE = 4_000
RANDOM = np.random.default_rng(0)


def small(alphabet="ab", *, frames=(100, 40), bands=12, filters=0, lexicon=None, **options):
    """Return a small model; options are of its stack, if `RNNStack` knows them, or front end."""
    keras.utils.set_random_seed(0)
    of_front = ("frame_stack", "frame_stride", "mean_normalize", "average_offsets")
    of_front = {name: options.pop(name) for name in of_front if name in options}
    if options.pop("noise", False):
        of_front["noise"] = BackgroundNoise()
    if warp := options.pop("warp", 0):
        of_front["warping"] = VocalTractLengthPerturbation(warp, max_freq=RATE / 2)
    if masks := options.pop("masks", 0):
        of_front["masking"] = SpecAugment(masks)
    window, hop = frames
    front_end = FrontEnd(
        LogMelSpectrogram(RATE, frame_length=window, frame_step=hop, num_mel_bins=bands), **of_front
    )
    features = [BandConvolution(front_end.frame_stack, filters)] if filters else []
    stack = RNNStack(**{"cell": "LSTM", "units": 8, "bidirectional": True, **options})
    return CTCRecognizer(alphabet, front_end, features, stack, lexicon)


FULL = {
    **{"mean_normalize": True, "filters": 2, "warp": 0.1, "masks": 1, "normalization": True},
    **{"average_offsets": True, "frame_stack": 3, "frame_stride": 2},
}
"""What the streaming models of most tests lack."""


def noises(*lengths):
    return [RANDOM.uniform(-0.5, 0.5, n).astype("float16").astype("float32") for n in lengths]


# All alignments, written out in float64.


def collapsed(path):
    """The text of a path: of equals in a row one, and no blank."""
    return tuple(n for n, _ in itertools.groupby(path) if n)


def paths(logits):
    """Every path with its probability, logits (steps, letters + 1)."""
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    for path in itertools.product(range(logits.shape[1]), repeat=len(logits)):
        yield path, np.prod(p[np.arange(len(path)), list(path)])


def loss_and_gradient(logits, text):
    """-log p(text), and its derivative by the logits: the softmax less what the text expects."""
    total, expected = 0.0, np.zeros(logits.shape)
    for path, probability in paths(logits):
        if collapsed(path) == tuple(text):
            total += probability
            expected[np.arange(len(path)), list(path)] += probability
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return -np.log(total), p / p.sum(axis=1, keepdims=True) - expected / total


@pytest.mark.parametrize("text", [[], [1], [1, 2], [2, 2], [1, 2, 1], [1, 1, 2]])
def test_loss_and_gradient_are_those_of_all_alignments(text):
    logits = np.random.default_rng(len(text)).normal(0, 1.5, (5, 3))
    wanted, gradient = loss_and_gradient(logits, text)
    # One step of plain descent moves the only weights there are by the gradient.
    table = keras.layers.Embedding(1, 15)
    model = keras.Sequential([keras.Input((), dtype="int32"), table, keras.layers.Reshape((5, 3))])
    table.set_weights([logits.reshape(1, 15)])
    model.compile(keras.optimizers.SGD(1.0), loss=small().default_loss())
    targets = np.array([text + [0] * (4 - len(text))], "int32")
    found = model.train_on_batch(np.zeros(1, "int32"), targets)
    assert float(np.ravel(found)[0]) == pytest.approx(wanted, abs=1e-5)
    moved = logits.reshape(1, 15) - ops.convert_to_numpy(table.embeddings)
    np.testing.assert_allclose(moved.reshape(5, 3), gradient, atol=1e-5)


def test_decoding_finds_the_likeliest_of_all_texts():
    recognizer, differs = small(), 0
    for seed in range(12):
        logits = np.random.default_rng(seed).normal(0, 0.7, (5, 3))
        sums = {}
        for path, probability in paths(logits):
            sums[collapsed(path)] = sums.get(collapsed(path), 0) + probability
        best = "".join(".ab"[n] for n in max(sums, key=sums.get))
        alignment = "".join(".ab"[n] for n in collapsed(logits.argmax(axis=1)))
        log_probs = [ops.convert_to_numpy(ops.log_softmax(logits.astype("float32")))]
        assert recognizer.decode(log_probs, beam_width=100) == [best]
        assert recognizer.decode(log_probs) == [alignment]
        assert recognizer.path_to_text(logits.argmax(axis=1)) == alignment
        differs += best != alignment
    assert differs  # else this would tell nothing of the sums


def test_after_the_end_only_the_blank():
    """So the loss of a padded recording is its own, and so is what is decoded."""
    logits = np.random.default_rng(1).normal(size=(2, 7, 3)).astype("float32")
    mask = np.arange(7) < np.array([[4], [7]])
    ended = ops.convert_to_numpy(BlankAfterEnd()(logits, mask))
    loss = CTC(reduction=None)
    together = ops.convert_to_numpy(loss(np.array([[1, 2], [2, 0]]), ended))
    wanted = [loss_and_gradient(logits[0, :4], [1, 2])[0], loss_and_gradient(logits[1], [2])[0]]
    np.testing.assert_allclose(together, wanted, atol=1e-4)


# From samples to texts.

TONES = {"a": 400, "b": 1200, " ": None}


def melody(text):
    """Each letter a tone of 0.12 s, a blank a silence, and a pause after each."""
    times = np.arange(480) / RATE
    parts = [np.zeros(200)]
    for letter in text:
        tone = TONES[letter]
        parts += [0.3 * np.sin(2 * np.pi * tone * times) if tone else 0 * times, np.zeros(200)]
    sound = np.concatenate(parts)
    return (sound + RANDOM.normal(0, 0.01, len(sound))).astype("float32")


TEXTS = ["a", "b", "ab", "ba", "aab", "bb", "", "abba"]


@pytest.fixture(scope="module")
def learnt():
    recognizer = small(units=16, bidirectional=False, noise=True, masks=1)
    recordings = [melody(text) for text in TEXTS * 4]
    recognizer.adapt(recordings)
    recognizer.compile(keras.optimizers.Adam(0.02))
    recognizer.fit(recordings, TEXTS * 4, epochs=40, batch_size=16, verbose=0)
    return recognizer


def test_learns_and_transcribes(learnt):
    recordings = [melody(text) for text in TEXTS]
    assert learnt.transcribe(recordings) == TEXTS
    assert learnt.transcribe([]) == []
    assert learnt.transcribe(recordings, beam_width=10) == TEXTS
    # Silence is no mistake, be it as short as can be.
    assert learnt.transcribe([np.zeros(2000), np.zeros(1)]) == ["", ""]
    # Whole numbers are as good as floats.
    assert learnt.transcribe([(recordings[-1] * 2**15).astype("int16")]) == ["abba"]


@pytest.mark.usefixtures("eagerly")
def test_letters_stand_where_they_are_heard(learnt):
    [log_probs] = learnt.log_probs([melody("ab")])
    (a, first), (b, second) = learnt.collapse(log_probs.argmax(axis=1))
    assert a + b == "ab"
    # The tones begin after 0.05 s and 0.22 s.
    assert 0.0 < first * learnt.seconds_per_step < second * learnt.seconds_per_step < 0.45


@pytest.mark.usefixtures("eagerly")
def test_saved_and_loaded(learnt, tmp_path):
    recordings = noises(2000, 900)
    learnt.save(tmp_path / "it.keras")
    loaded = keras.saving.load_model(tmp_path / "it.keras")
    for ours, theirs in zip(loaded.log_probs(recordings), learnt.log_probs(recordings)):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert loaded.alphabet == "ab" and loaded.sample_rate == RATE


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("options", [{"bidirectional": False}, FULL])
def test_alone_or_in_a_batch_is_the_same(options):
    recognizer, recordings = small(**options), noises(3000, 1700, 5, 900)
    together = recognizer.log_probs(recordings)
    for recording, found in zip(recordings, together):
        assert len(found) == recognizer.num_steps(len(recording))
        np.testing.assert_allclose(found, recognizer.log_probs([recording])[0], atol=1e-5)


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
def test_a_stream_gives_what_the_whole_gives(options):
    recognizer = small(bidirectional=False, **options)
    recording = RANDOM.integers(-20_000, 20_000, 1345, "int16")  # finer than float16
    [whole] = recognizer.log_probs([recording])
    text = recognizer.decode([whole])[0]
    stream = recognizer.stream()
    # Whole; with a piece of nothing, and one of a single sample; less than a step at a time.
    for cuts in ([], [600, 600, 601], range(0, 1345, 61)):
        heard = [stream.feed(piece) for piece in np.split(recording, np.array(cuts, int))]
        heard.append(stream.finish())  # after which the same stream hears another recording
        found = np.concatenate([piece.log_probs for piece in heard])
        np.testing.assert_allclose(found, whole, atol=1e-5)
        assert "".join(piece.text for piece in heard) == text
    assert stream.finish().text == ""


@pytest.mark.usefixtures("eagerly")
def test_a_stream_speaks_before_the_end(learnt):
    stream, sound = learnt.stream(), melody("abba")
    texts = [stream.feed(sound[begin : begin + 160]).text for begin in range(0, len(sound), 160)]
    assert "".join(texts) + stream.finish().text == "abba"
    assert "a" in "".join(texts[: len(texts) // 2])


def test_a_language_model_decides_between_what_sounds_alike():
    recognizer = small()
    encoder = TextEncoder("ab", "char", end=True)
    model = SequenceGenerator(encoder, stack=RNNStack("LSTM", 4, return_state=True))
    model.compile(keras.optimizers.Adam(0.1))
    model.fit(["ab"] * 8, epochs=30, verbose=0)
    # An "a", then "a" or "b", the former a little likelier.
    p = np.array([[0.02, 0.96, 0.02], [0.96, 0.02, 0.02], [0.04, 0.5, 0.46]])
    assert recognizer.decode([np.log(p)]) == ["aa"]
    assert recognizer.decode([np.log(p)], language_model=model, lm_weight=0.0) == ["aa"]
    assert recognizer.decode([np.log(p)], 8, language_model=model, lm_weight=0.5) == ["ab"]
    words = SequenceGenerator(TextEncoder("ab", end=True))
    with pytest.raises(InputError, match="cannot score characters"):
        recognizer.decode([np.log(p)], language_model=words)


@pytest.mark.usefixtures("eagerly")
def test_a_polyphase_model_hears_from_each_frame_of_a_stride_on():
    options = {"frame_stack": 3, "mean_normalize": True, "normalization": True}
    polyphase, single = small(average_offsets=True, **options), small(**options)
    polyphase.adapt(noises(3000))
    single.set_weights(polyphase.get_weights())
    [recording] = noises(120 * 20 + 100)  # 20 strides; the last step of each phase is whole
    hearings = [single.log_probs([recording[40 * frame :]])[0][:19] for frame in range(3)]
    [found] = polyphase.log_probs([recording])
    assert len(found) == 21
    # Means over the recording are of other frames in each: so they differ a little.
    wanted = np.log(np.mean(np.exp(hearings), axis=0))
    np.testing.assert_allclose(found[:19], wanted, atol=0.02)
    assert np.abs(hearings[0] - wanted).max() > 0.05


@pytest.mark.usefixtures("eagerly")
def test_a_polyphase_model_is_trained_on_one_phase_at_a_time():
    recognizer = small(average_offsets=True, frame_stack=3)
    front, inputs = recognizer.front_end, recognizer.encode(noises(3040)).inputs
    every, mask = front(**inputs)
    every = ops.convert_to_numpy(every)
    assert every.shape[0] == mask.shape[0] == 3
    drawn = set()
    for _ in range(30):
        found, mask = front(**inputs, training=True)
        assert found.shape[0] == mask.shape[0] == 1
        [phase] = [n for n, one in enumerate(every) if np.array_equal(one[None], found)]
        drawn.add(phase)
    assert drawn == {0, 1, 2}


@pytest.mark.usefixtures("eagerly")
def test_a_page_shows_the_first_of_several_hearings():
    recognizer = small(average_offsets=True, frame_stack=3)
    inputs, steps = recognizer.trace_inputs(noises(3040)[0])
    found = trace(recognizer, inputs)
    shown = render_page(found, steps)
    first, second, third = found[f"{recognizer.stack.name}/bidirectional_0/forward"].states["h"]
    assert _packed(first)["data"] in shown
    assert not any(_packed(other)["data"] in shown for other in (second, third))


@pytest.mark.usefixtures("eagerly")
def test_how_loud_it_is_does_not_matter_to_a_centred_model():
    [recording] = noises(3040)  # no frame is behind the end: what is silent is no louder
    louder = 2 * recording
    for centred in (True, False):
        recognizer = small(mean_normalize=centred)
        one, other = recognizer.log_probs([recording, louder])
        assert (np.abs(one - other).max() < 1e-3) == centred


def test_a_convolution_hears_a_pattern_wherever_it_is():
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


def test_a_convolution_keeps_the_largest_of_neighbours_and_reads_no_other_step():
    layer, pooled = BandConvolution(2, 3, pool_size=1), BandConvolution(2, 3, pool_size=2)
    steps = RANDOM.normal(size=(2, 5, 26)).astype("float32")
    every = ops.convert_to_numpy(layer(steps)).reshape(2, 5, 6, 3)
    pooled.build(steps.shape)
    pooled.set_weights(layer.get_weights())
    found = ops.convert_to_numpy(pooled(steps))
    wanted = every.reshape(2, 5, 3, 2, 3).max(axis=3).reshape(2, 5, 9)
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    alone = ops.convert_to_numpy(pooled(steps[:1, 3:4]))
    np.testing.assert_allclose(alone, found[:1, 3:4], atol=1e-6)


@pytest.mark.usefixtures("eagerly")
def test_noise_is_beside_what_is_trained_on_once_some_was_heard():
    recognizer, recordings = small(noise=True), noises(3040, 2000)
    inputs = recognizer.encode(recordings).inputs
    front = recognizer.front_end

    def read(training):
        found, _ = front(inputs["samples"], inputs["lengths"], training=training)
        return ops.convert_to_numpy(found)

    np.testing.assert_array_equal(read(True), read(False))
    recognizer.adapt(recordings)
    quiet, one, other = read(False), read(True), read(True)
    assert min(np.abs(one - quiet).max(), np.abs(other - one).max()) > 0.1
    np.testing.assert_array_equal(read(False), quiet)


@pytest.mark.usefixtures("eagerly")
def test_a_lexicon_lets_only_its_words_be_written(tmp_path):
    recognizer = small("ab ", lexicon=["ab", "bba"])
    p = np.full((5, 4), 0.01)
    # "aab b", of which "ab bba" is the next of the lexicon that has time enough.
    for step, number in enumerate((1, 0, 2, 3, 2)):
        p[step, number] = 0.9
    p[4, 0] += 0.05
    found = np.log(p / p.sum(axis=1, keepdims=True))
    assert recognizer.decode([found], use_lexicon=False) == ["ab b"]
    assert recognizer.decode([found]) == ["ab"]
    recognizer.save(tmp_path / "it.keras")
    loaded = keras.saving.load_model(tmp_path / "it.keras")
    assert loaded.decode([found]) == ["ab"]
    assert loaded.get_config()["lexicon"] == ["ab", "bba"]


# Exported.

LOAD = """
import sys
import numpy as np
import tensorflow as tf
loaded = tf.saved_model.load(sys.argv[1])
with np.load(sys.argv[2]) as file:
    found = loaded.recognize(file["samples"], file["lengths"])
print([text.decode() for text in found["texts"].numpy()])
"""


@pytest.mark.skipif(BACKEND != "tensorflow", reason="exports from TensorFlow")
@ELSEWHERE
def test_exported_from_samples_to_texts_without_this_package(learnt, tmp_path, elsewhere):
    recordings = [melody(text) for text in ("abba", "b", "")]
    report = export.savedmodel(learnt, tmp_path / "it", recordings)
    assert report["endpoints"] == ["recognize"] and report["max_abs_error"] < 1e-4
    inputs = learnt.encode(recordings).inputs
    arrays = {"samples": inputs["samples"].astype("float32"), "lengths": inputs["lengths"]}
    np.savez(tmp_path / "sound.npz", **arrays)
    out = run_script(LOAD, tmp_path / "it", tmp_path / "sound.npz", elsewhere=elsewhere)
    assert out.strip() == "['abba', 'b', '']"


@pytest.mark.skipif(BACKEND != "tensorflow", reason="exports from TensorFlow")
@pytest.mark.parametrize(
    ("options", "name"),
    [
        (FULL, "onnx"),
        ({"bidirectional": False}, "litert"),
        pytest.param({"bidirectional": False}, "onnx", marks=pytest.mark.slow),
        pytest.param(FULL, "litert", marks=pytest.mark.slow),
    ],
)
def test_exported_from_samples_to_probabilities(name, options, tmp_path):
    """The spectrogram is part of it; any length."""
    pytest.importorskip({"onnx": "tf2onnx", "litert": "ai_edge_litert"}[name])
    recognizer = small(**options)
    report = export.FORMATS[name](recognizer, tmp_path / "it", noises(2000, 900, 3001))
    assert report["endpoints"] == ["recognize"] and report["max_abs_error"] < 1e-4
    assert '"characters"' in (tmp_path / "it/metadata.json").read_text()


MISTAKES = {
    "no alphabet": (lambda: small(""), "an alphabet of different characters, got ''"),
    "a letter twice": (lambda: small("aba"), "different characters, got 'aba'"),
    "too far a stride": (
        lambda: small(frame_stack=2, frame_stride=3),
        "no more than frame_stack, 2; got 3",
    ),
    "other edges": (
        lambda: FrontEnd(warping=VocalTractLengthPerturbation(max_freq=4_000.0)),
        "warping covers 20.0 to 4000.0 Hz, but log_mel 20.0 to 8000.0 Hz",
    ),
    "the last output only": (
        lambda: small(return_sequences=False),
        "must return the outputs of all time steps and no states",
    ),
    "half a frame": (
        lambda: BandConvolution(3, 2).build((None, None, 32)),
        "32 features are not 3 frames",
    ),
    "a strange letter": (
        lambda: small().encode(noises(900, 900), ["a", "aé"]),
        "Text 2 has 'é' at position 2, which is not in the alphabet 'ab'",
    ),
    "too long a text": (
        lambda: small().encode(noises(9, 480), ["a", "aab"]),
        r"Text 2, 'aab', needs 4 time steps, but its recording of 0.12 s has 3",
    ),
    "two channels": (lambda: small().transcribe([np.zeros((9, 2))]), r"shape \(9, 2\); mix"),
    "bytes": (lambda: small().transcribe([np.zeros(9, "uint8")]), "or 16-bit integers"),
    "a stream from both ends": (lambda: small().stream(), "with bidirectional=False"),
    "nothing to adapt to": (lambda: small().adapt(noises(3)), "as long as a frame"),
    "centred while it hears": (
        lambda: small(bidirectional=False, mean_normalize=True),
        "mean_normalize=True needs an RNNStack with bidirectional=True",
    ),
    "too few bands": (lambda: small(bands=9, filters=1), "need at least 10 bins per frame, got 9"),
    "a word that cannot be written": (
        lambda: small("ab", lexicon=["ab", "aé"]),
        "The word 'aé' of the lexicon has 'é', which is not in the alphabet 'ab'",
    ),
    "no beam": (lambda: small().transcribe(noises(900), beam_width=0), "beam_width must be at"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named(mistake):
    call, message = MISTAKES[mistake]
    with pytest.raises(InputError, match=message):
        call()
