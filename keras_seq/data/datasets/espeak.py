"""Speech synthesis by eSpeak NG, whose library and voices `espeakng-loader` provides."""

from __future__ import annotations

import contextlib
import ctypes
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Array
from keras_seq.data.datasets import synthesizer

RATE, PITCH, RANGE, WORD_GAP = 1, 3, 4, 7
"""Members of the enumeration `espeak_PARAMETER`."""

SYNCHRONOUS, UTF8 = 2, 1
"""Member of the enumeration `espeak_AUDIO_OUTPUT`, and a flag of `espeak_Synth`."""

VARIANT_FOLDER = "voices/!v"


class Utterance(NamedTuple):
    """Text to synthesize, with voice and prosody."""

    text: str
    voice: str
    """Language, optionally with a variant, such as "en-us+f3"."""
    words_per_minute: int = 175
    pitch: int = 50
    """Base pitch, 0 to 100."""
    pitch_range: int = 50
    """Pitch range, 0 to 100; 0 is monotone."""
    word_gap: int = 0
    """Pause between words, in units of 10 ms."""
    variant: str = ""
    """Definition of a custom voice variant, such as "pitch 80 120", in the format of
    `docs/voices.md` of eSpeak NG. Default: the variant in `voice`, if any."""


def list_variants() -> list[str]:
    """Return the names of eSpeak's voice variants."""
    folder = Path(_import_loader().get_data_path()) / VARIANT_FOLDER
    return sorted(file.name for file in folder.iterdir())


def synthesize(utterances: Iterable[Utterance]) -> Iterator[tuple[int, Array]]:
    """Synthesize speech.

    Args:
        utterances: Utterances.

    Returns:
        Sampling rate in Hz and samples, int16 `(samples,)`, of each utterance.

    Raises:
        InputError: If a voice does not exist, or espeakng-loader is not installed.
    """
    _import_loader()
    return synthesizer.run(__name__, "eSpeak NG", utterances)


def _import_loader() -> Any:
    try:
        import espeakng_loader
    except ImportError:
        raise InputError(
            "Speech synthesis requires espeakng-loader: pip install 'keras-seq[data]'."
        ) from None
    return espeakng_loader


@contextlib.contextmanager
def _open_to_variants(folder: Path) -> Iterator[Path]:
    """Yield a writable copy of eSpeak's data folder, for voice variants."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        (copy / VARIANT_FOLDER).mkdir(parents=True)
        for part in ("", "voices", VARIANT_FOLDER):
            for file in (folder / part).iterdir():
                if not (copy / part / file.name).exists():
                    (copy / part / file.name).symlink_to(file)
        yield copy


def _write_speech(utterances: Iterable[Utterance], folder: Path, file: BinaryIO) -> None:
    """Write the speech of utterances.

    Args:
        utterances: Utterances.
        folder: eSpeak's data, see `_open_to_variants`.
        file: File to write to.
    """
    loader = _import_loader()
    library = ctypes.CDLL(loader.get_library_path())
    library.espeak_Synth.argtypes = [
        ctypes.c_char_p,
        ctypes.c_size_t,
        *[ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint],
        *[ctypes.c_void_p] * 2,
    ]
    rate = library.espeak_Initialize(SYNCHRONOUS, 0, str(folder).encode(), 0)
    library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # Some voices have random breath noise.
    blocks: list[bytes] = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    def on_samples(samples: Any, count: int, _events: Any) -> int:
        if samples and count:
            blocks.append(ctypes.string_at(samples, 2 * count))
        return 0

    library.espeak_SetSynthCallback(on_samples)
    for utterance in utterances:
        voice = utterance.voice
        if utterance.variant:
            # eSpeak lists at most 350 voices but reads a variant whenever it is selected, so all
            # variants use one name.
            definition = f"language variant\nname own\n{utterance.variant}\n"
            (folder / VARIANT_FOLDER / "own").write_text(definition, "utf-8")
            voice = f"{utterance.voice}+own"
        if library.espeak_SetVoiceByName(voice.encode()):
            sys.exit(f"there is no voice {voice!r}.")
        parameters = {
            RATE: utterance.words_per_minute,
            PITCH: utterance.pitch,
            RANGE: utterance.pitch_range,
            WORD_GAP: utterance.word_gap,
        }
        for parameter, value in parameters.items():
            library.espeak_SetParameter(parameter, value, 0)
        blocks.clear()
        text = utterance.text.encode("utf-8")
        library.espeak_Synth(text, len(text) + 1, 0, 0, 0, UTF8, None, None)
        synthesizer.write_utterance(file, rate, b"".join(blocks))


if __name__ == "__main__":
    with _open_to_variants(Path(_import_loader().get_data_path())) as data_folder:
        all_utterances = [Utterance(*row) for row in synthesizer.read_request()[1]]
        _write_speech(all_utterances, data_folder, sys.stdout.buffer)
