"""Speech made by eSpeak NG, of which `espeakng-loader` brings the library and its voices.

The sound that eSpeak makes depends on all earlier calls in its process. So `synthesize` runs this
module as a program, in a new process: the same list always gives the same sound.
"""

import contextlib
import ctypes
import json
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_seq._internal.errors import InputError

RATE, PITCH, RANGE, GAP = 1, 3, 4, 7
"""Numbers of eSpeak's parameters."""

SYNCHRONOUS, UTF8 = 2, 1


class Utterance(NamedTuple):
    """What is to be said, and how."""

    text: str
    voice: str
    """A language, and perhaps a variant: "en-us+f3"."""
    words_per_minute: int = 175
    pitch: int = 50
    """0 to 100."""
    range: int = 50
    """Of the pitch, 0 to 100."""
    gap: int = 0
    """Between words, in units of 10 ms."""
    variant: str = ""
    """Of the voice, if it is none of eSpeak's: the lines that set it apart ("pitch 80 120"), as
    `docs/voices.md` of eSpeak NG describes them."""


def list_variants():
    """The names of eSpeak's variants of a voice."""
    folder = Path(_loader().get_data_path()) / "voices" / "!v"
    return sorted(file.name for file in folder.iterdir())


def synthesize(utterances):
    """Speech, one after the other.

    Args:
        utterances: `Utterance`s.

    Yields:
        Samples a second, and the samples, int16.

    Raises:
        InputError: There is no such voice, or espeakng-loader is not installed.
    """
    _loader()
    with tempfile.TemporaryFile("w+") as order, tempfile.TemporaryFile() as complaint:
        json.dump(list(utterances), order)
        order.seek(0)
        command = [sys.executable, "-m", "keras_seq.data.datasets.espeak"]
        with subprocess.Popen(
            command, stdin=order, stdout=subprocess.PIPE, stderr=complaint
        ) as process:
            while head := process.stdout.read(8):
                rate, count = struct.unpack("<II", head)
                yield rate, np.frombuffer(process.stdout.read(2 * count), "<i2")
        if process.returncode:
            complaint.seek(0)
            said = complaint.read().decode("utf-8", "replace").strip().split("\n")[-1]
            raise InputError(f"eSpeak NG did not speak: {said}")


def _loader() -> Any:
    try:
        import espeakng_loader
    except ImportError:
        raise InputError(
            "Speech is made by espeakng-loader: pip install 'keras-seq[data]'."
        ) from None
    return espeakng_loader


@contextlib.contextmanager
def _open_to_variants(folder):
    """A folder of eSpeak's data to which variants can be written."""
    with tempfile.TemporaryDirectory() as name:
        copy, variants = Path(name), "voices/!v"
        (copy / variants).mkdir(parents=True)
        for part in ("", "voices", variants):
            for file in (folder / part).iterdir():
                if not (copy / part / file.name).exists():
                    (copy / part / file.name).symlink_to(file)
        yield copy


def _speak(utterances, folder, file):
    """Writes the speech of utterances as `synthesize` reads it.

    Args:
        folder: eSpeak's data, see `_open_to_variants`.
    """
    loader = _loader()
    library = ctypes.CDLL(loader.get_library_path())
    library.espeak_Synth.argtypes = [
        ctypes.c_char_p,
        ctypes.c_size_t,
        *[ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint],
        *[ctypes.c_void_p] * 2,
    ]
    rate = library.espeak_Initialize(SYNCHRONOUS, 0, str(folder).encode(), 0)
    library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # of the breath of some voices
    parts = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    def heard(samples, count, events):
        if samples and count:
            parts.append(ctypes.string_at(samples, 2 * count))
        return 0

    library.espeak_SetSynthCallback(heard)
    for one in utterances:
        voice = one.voice
        if one.variant:
            # Read when it is chosen. One name for all: eSpeak knows 350 voices and no more.
            text = f"language variant\nname own\n{one.variant}\n"
            (folder / "voices/!v/own").write_text(text, "utf-8")
            voice = f"{one.voice}+own"
        if library.espeak_SetVoiceByName(voice.encode()):
            sys.exit(f"there is no voice {voice!r}.")
        settings = {RATE: one.words_per_minute, PITCH: one.pitch, RANGE: one.range, GAP: one.gap}
        for number, value in settings.items():
            library.espeak_SetParameter(number, value, 0)
        parts.clear()
        said = one.text.encode("utf-8")
        library.espeak_Synth(said, len(said) + 1, 0, 0, 0, UTF8, None, None)
        samples = b"".join(parts)
        file.write(struct.pack("<II", rate, len(samples) // 2))
        file.write(samples)


if __name__ == "__main__":
    with _open_to_variants(Path(_loader().get_data_path())) as data:
        _speak([Utterance(*row) for row in json.load(sys.stdin)], data, sys.stdout.buffer)
