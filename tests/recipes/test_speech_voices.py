"""Recipe `speech`: synthesizers other than eSpeak, and telephone lines."""

import collections
import sys

import numpy as np
import pytest
from keras_seq_recipes.speech import data, model, synthesis
from keras_seq_recipes.speech.config import Config

from keras_seq import InputError
from keras_seq.batching import RawExamples
from keras_seq.data import collect_summaries
from keras_seq.data.datasets import espeak, hibari, pico
from keras_seq.layers import TelephoneChannel

RATE = 8_000


def speak(utterances):
    """Yield tones of 0.1 s."""
    for _ in utterances:
        yield RATE, (9_000 * np.sin(np.arange(RATE // 10))).astype("int16")


@pytest.fixture(params=[True, False])
def is_available(request, monkeypatch):
    monkeypatch.setattr(pico, "is_available", lambda: request.param)
    monkeypatch.setattr(pico, "synthesize", speak)
    return request.param


def test_words_of_the_new_voice(is_available):
    rows = list(synthesis.synthesize_utterances(RATE, {"new_voice": 120}))
    if not is_available:
        assert rows == []
        return
    splits, texts, voices, recordings = zip(*rows, strict=True)
    assert {*splits} == {"new_voice"} and {*voices} == {"pico en-US", "pico en-GB"}
    words = {*synthesis.DIGITS, *synthesis.COMMANDS}
    assert collections.Counter(texts[::2]) == dict.fromkeys(words, 2)
    assert {len(text.split()) for text in texts[1::2]} == {2, 3, 4, 5}
    assert {*" ".join(texts[1::2]).split()} == words
    for samples in recordings:
        assert samples.dtype == np.int16 and 0.2 * RATE <= len(samples) < 1.1 * RATE
        assert 0.09 * 2**15 < np.abs(samples).max() < 0.91 * 2**15


def test_a_missing_synthesizer_is_reported(is_available, monkeypatch):
    monkeypatch.setattr(data, "synthesize_utterances", lambda rate: [])
    with collect_summaries() as summaries:
        assert list(data._builtin_examples(Config())) == []
    assert len(summaries) == (not is_available)
    if not is_available:
        assert "Pico does not run on this system" in str(summaries[0])


def test_every_sixth_training_utterance_is_by_hibari(monkeypatch):
    spoken = []

    def speak_hibari(utterances):
        spoken.extend(utterances)
        return speak(utterances)

    monkeypatch.setattr(espeak, "synthesize", speak)
    monkeypatch.setattr(hibari, "synthesize", speak_hibari)
    rows = list(synthesis.synthesize_utterances(RATE, {"train": 360, "validation": 5}))
    texts = [text for _, text, voice, _ in rows if voice == "hibari"]
    assert len(rows) == 365 and len(texts) == 60
    assert {split for split, _, voice, _ in rows if voice == "hibari"} == {"train"}
    words = {*synthesis.DIGITS, *synthesis.COMMANDS}
    assert collections.Counter(texts[::2]) == dict.fromkeys(words, 1)
    assert {len(text.split()) for text in texts[1::2]} == {2, 3, 4, 5}
    assert [u.text.replace(",", "").rstrip(".") for u in spoken] == texts
    low, high = (np.quantile([u.pitch_factor for u in spoken], q) for q in (0.1, 0.9))
    assert 0.5 < low < 0.8 and 1.1 < high < 1.8


def test_a_telephone_line_removes_high_frequencies():
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000)
    powers = []
    for telephone_prob in (0, 1):
        rng = np.random.default_rng(1)
        samples = synthesis._record(noise, [], 16_000, rng, False, telephone_prob)
        power = np.abs(np.fft.rfft(samples / 2**15)) ** 2
        powers.append(power[len(power) // 2 :].sum() / power.sum())
    assert powers[0] > 0.4 and powers[1] < 0.01


@pytest.mark.parametrize("prob", [0.0, 0.3])
def test_telephone_lines_in_training(prob):
    examples = RawExamples([np.ones(8_000, "int16")], ["no"])
    config = Config(sample_rate=8_000, telephone_prob=prob, units=4, num_layers=1)
    channel = model.build(config, examples).front_end.channel
    if not prob:
        assert channel is None
        return
    assert isinstance(channel, TelephoneChannel)
    assert (channel.prob, channel.max_freq) == (0.3, 4_000)


def test_hibari_without_its_runtime(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match="requires onnxruntime: pip install"):
        next(hibari.synthesize([hibari.Utterance("no")]))


# With a download.


def pitch(rate, samples):
    """Return the pitch in Hz, at the maximum of the autocorrelation."""
    spectrum = np.fft.rfft(samples, 2 * len(samples))
    autocorrelation = np.fft.irfft(np.abs(spectrum) ** 2)
    lags = np.arange(rate // 350, rate // 110)
    return rate / lags[autocorrelation[lags].argmax()]


@pytest.mark.slow
@pytest.mark.skipif(not pico.is_available(), reason="SVOX Pico has no wheel for this system")
def test_speed_and_pitch_of_pico():
    factors = [(1.0, 1.0), (1 / 1.5, 1.0), (1.0, 1.4)]
    said = [pico.Utterance("nine", "en-GB", *row) for row in factors]
    plain, slower, higher = pico.synthesize(said)
    assert plain[0] == 16_000 and np.abs(plain[1]).max() < 2**15 - 1
    assert len(slower[1]) > 1.2 * len(plain[1])
    assert pitch(*higher) == pytest.approx(1.4 * pitch(*plain), rel=0.2)
    for (_, samples), (_, again) in zip(
        (plain, slower, higher), pico.synthesize(said), strict=True
    ):
        # The first utterance of a voice differs by up to 5 in some runs.
        np.testing.assert_allclose(samples, again, rtol=0, atol=20)


@pytest.mark.slow
def test_voices_of_hibari():
    factors = [{}, {"speed": 0.7}, {"pitch_factor": 0.7}, {"formant_factor": 0.8}]
    said = [hibari.Utterance("nine", **row) for row in factors]
    speech = list(hibari.synthesize(said))
    plain, slower, lower, longer_tract = speech
    assert plain[0] == 24_000 and longer_tract[0] == 19_200
    assert np.abs(plain[1]).max() == pytest.approx(0.9 * 2**15, rel=0.01)
    assert len(slower[1]) > 1.2 * len(plain[1])
    assert pitch(*lower) == pytest.approx(0.7 * pitch(*plain), rel=0.1)
    # The sampling rate lowers the formants. Speed and pitch remain.
    seconds = [len(samples) / rate for rate, samples in (plain, longer_tract)]
    assert seconds[0] == pytest.approx(seconds[1], rel=0.1)
    assert pitch(*longer_tract) == pytest.approx(pitch(*plain), rel=0.2)
    for (_, samples), (_, again) in zip(speech, hibari.synthesize(said), strict=True):
        np.testing.assert_array_equal(samples, again)
