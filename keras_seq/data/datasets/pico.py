"""Speech synthesis by SVOX Pico, whose library and voices are in wheels of `py-nanotts`.

There are wheels for Linux on x86-64 and arm64, and for Windows. They are not installed.
"""

import importlib
import platform
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from keras_seq._internal.types import Array
from keras_seq.data.datasets import synthesizer
from keras_seq.data.sdist import read_from_wheel

VERSION = "0.1.1"
WHEELS = {
    ("Linux", "x86_64"): "669dad8790893731ee17d24fa5f291852cefee7a016ec8783f69dc6ab4ccb52f",
    ("Linux", "aarch64"): "9973542baa32c0d7500f78c219dd8ccd737f228a4ebc223e3b84dfa4a1b02f17",
    ("Windows", "AMD64"): "22354e28d5fefa6082283f2acc10f4fde5cb391fa1c68773b4f4bed1f4cd56e7",
}
"""SHA-256 of the wheels, by system and processor."""
VOICES = ("en-US", "en-GB")
"""Voices of two women."""
RATE, VOLUME = 16_000, 0.5
"""Sampling rate in Hz, and volume at which no samples are clipped."""


class Utterance(NamedTuple):
    """Text to synthesize, with voice and prosody."""

    text: str
    voice: str
    """Name in `VOICES`."""
    speed: float = 1.0
    """Speed relative to that of the voice, 0.2 to 5."""
    pitch_factor: float = 1.0
    """Pitch relative to that of the voice, 0.5 to 2."""


def is_available() -> bool:
    """Return whether there is a wheel for this machine."""
    return (platform.system(), platform.machine()) in WHEELS and platform.libc_ver()[0] != "musl"


def synthesize(utterances: Iterable[Utterance]) -> Iterator[tuple[int, Array]]:
    """Synthesize speech.

    The samples of the first utterance of a voice differ by a few units between runs.

    Args:
        utterances: Utterances.

    Yields:
        Sampling rate in Hz and samples, int16 `(samples,)`, of each utterance.

    Raises:
        InputError: If the wheel cannot be downloaded, or its library cannot be loaded.
    """
    sha256 = WHEELS[platform.system(), platform.machine()]
    files = read_from_wheel("py-nanotts", VERSION, sha256, _is_needed)
    yield from synthesizer.run(__name__, "Pico", utterances, files)


def _is_needed(path: str) -> bool:
    """Return whether a file of the wheel is the library or the data of an English voice."""
    return path.endswith((".so", ".pyd")) or Path(path).name.startswith(VOICES)


if __name__ == "__main__":
    folder, rows = synthesizer.read_request()
    sys.path.insert(0, str(Path(folder, "py_nanotts")))
    library = importlib.import_module("_nanotts")
    for row in rows:
        utterance = Utterance(*row)
        speech = library.speak(
            utterance.text,
            voice=utterance.voice,
            speed=utterance.speed,
            pitch=utterance.pitch_factor,
            volume=VOLUME,
            lingware_path=str(Path(folder, "py_nanotts", "lang")),
        )
        synthesizer.write_utterance(sys.stdout.buffer, RATE, speech)
