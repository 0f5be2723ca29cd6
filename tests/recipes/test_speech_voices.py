"""Recipe `speech`: the synthesizer that is in no split but `new_voice`."""

import collections

import numpy as np
import pytest
from keras_seq_recipes.speech import data, synthesis
from keras_seq_recipes.speech.config import Config

from keras_seq.data import collect_summaries
from keras_seq.data.datasets import pico

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
        np.testing.assert_array_equal(samples, again)
