"""Small valid files of audio and of lists of transcripts, for `benchmarks.fuzzing_seeds`."""

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np

RATE = 8_000
STM = (
    ";; comment\nsound 1 ada 0.0 0.2 <o,f0,female> good day\nsound A ada 0.2 0.45 bye\n"
    "sound 1 inter 0.45 0.5 ignore_time_segment_in_scoring\n"
)
MANIFEST = (
    '{"audio_filepath": "sound.wav", "text": "good day", "offset": 0.0, "duration": 0.2}\n'
    '{"audio_filepath": "sound.wav", "text": "bye", "offset": 0.2, "duration": 0.25}\n'
)
KALDI = {
    "wav.scp": "a sound.wav\nb sound.wav\n",
    "segments": "a1 a 0.0 0.2\na2 a 0.2 0.4\nb1 b 0 -1\n",
    "text": "a1 good day\na2 bye\nb1 good\n",
}
KALDI_MARK = ".kaldi_"
"""Part of the name of a file of a Kaldi folder, before its name there."""
METADATA_SUFFIX = ".ljspeech"


def sounds() -> dict[str, bytes]:
    """Return audio files by suffix."""
    import soundfile

    samples = 0.5 * np.sin(np.arange(4_000) / 7)
    contents = {}
    for suffix in ("wav", "flac", "ogg", "mp3", "aiff", "au", "rf64"):
        file = io.BytesIO()
        soundfile.write(file, np.stack([samples, samples], axis=1), RATE, format=suffix)
        contents[f".{suffix}"] = file.getvalue()
    for encoding in ("ALAW", "DOUBLE", "IMA_ADPCM", "MS_ADPCM", "PCM_U8"):
        file = io.BytesIO()
        soundfile.write(file, samples, RATE, encoding, format="WAV")
        contents[f".{encoding.lower()}.wav"] = file.getvalue()
    contents[".m4a"] = _compress(samples, "ipod", "aac")
    contents[".webm"] = _compress(samples, "webm", "libopus")
    return contents


def _compress(samples: Any, container: str, codec: str) -> bytes:
    """Return a file that FFmpeg reads and libsndfile does not."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None].astype("float32"), "fltp", "mono")
        frame.sample_rate = 48_000
        resampler = av.AudioResampler(
            stream.format.name, "mono", 48_000, frame_size=stream.frame_size or 960
        )
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(part))
        output.mux(stream.encode())
    return file.getvalue()


def lists() -> dict[str, bytes]:
    """Return lists and tables of transcripts by suffix."""
    texts = {
        ".stm": STM,
        ".jsonl": MANIFEST,
        METADATA_SUFFIX: 'sound|5 "x|five "x\nsound|a|a\n',
        ".trans.txt": "sound GOOD DAY\nsound BYE\n",
        **{KALDI_MARK + name: text for name, text in KALDI.items()},
    }
    return {suffix: text.encode("utf-8") for suffix, text in texts.items()}


def read_corpus(path: Path) -> Any:
    """Read a list of transcripts, in a folder with the recording that it names.

    Args:
        path: File as `lists` returns them.
    """
    import soundfile

    from keras_seq import data

    folder = path.with_name(f"{path.stem}_corpus")
    folder.mkdir()
    soundfile.write(folder / "sound.wav", np.zeros(RATE // 2), RATE)
    name, target = path.name, folder / path.name
    if KALDI_MARK in name:
        for other, text in KALDI.items():
            (folder / other).write_text(text, encoding="utf-8")
        name, target = name.partition(KALDI_MARK)[2], folder
    elif path.suffix == METADATA_SUFFIX:
        name, target = "metadata.csv", folder
    try:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(path)
        return [*data.open_speech_corpus(target, data.CorpusOptions()).read(RATE)]
    finally:
        shutil.rmtree(folder)
