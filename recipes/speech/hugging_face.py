"""Recordings of datasets of the Hugging Face Hub."""

import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from keras_seq import InputError, data
from keras_seq.batching import RawExamples
from keras_seq.data.audio import read_audio
from keras_seq.data.huggingface import to_text
from keras_seq.train.recipe import Splits

from .config import Config

AUDIO_COLUMNS = ("audio", "speech", "file")
TEXT_COLUMNS = ("text", "sentence", "transcription", "transcript", "label")
"""Usual names of the columns; the first that exists is read unless the user names another."""


def load(config: Config, normalize: Callable[[str], str]) -> Splits:
    """Return recordings `(samples,)`, int16, by split, with their transcripts as targets.

    Args:
        config: Source, columns and sampling rate.
        normalize: Function that normalizes a transcript.

    Raises:
        InputError: If the dataset has no column of audio or text, or a recording is damaged.
    """
    dataset = data.open_hf(config.data)
    is_default = config.text_column == "text"
    columns = {
        "audio": dataset.choose_column(
            AUDIO_COLUMNS if config.file_column == "file" else [config.file_column], "--file-column"
        ),
        "text": dataset.choose_column(
            TEXT_COLUMNS if is_default else [config.text_column], "--text-column"
        ),
    }
    rows: dict[str, list[tuple[np.ndarray, str]]] = {}
    seconds: defaultdict[str, float] = defaultdict(float)
    left_out: Counter[str] = Counter()
    for number, (split, (audio, text)) in enumerate(dataset.iterate(columns), 1):
        if seconds[split] > 3600 * config.max_hours:
            left_out["beyond --max-hours"] += 1
            continue
        if audio is None:
            left_out["the audio is missing"] += 1
            continue
        samples = _read(dataset, audio, config, f"{config.data}, row {number}")
        transcript = normalize(to_text(text, dataset, columns["text"]))
        rows.setdefault(split, []).append((samples, transcript))
        seconds[split] += len(samples) / config.sample_rate
    complete = dataset.finish(rows, columns, left_out, lambda pair: pair[0].tobytes())
    return {split: RawExamples(*map(list, zip(*pairs))) for split, pairs in complete.items()}


def _read(dataset: data.HubDataset, audio: Any, config: Config, where: str) -> np.ndarray:
    """Return the samples of a recording: a dictionary with the bytes of its file, or with its path.

    Raises:
        InputError: If the column has other values, or the file is damaged or not of the dataset.
    """
    if not isinstance(audio, dict) or not (audio.get("bytes") or audio.get("path")):
        raise InputError(
            f"{where}: the column of the recordings has no audio; name the column by --file-column."
        )
    if not audio.get("bytes"):
        return read_audio(dataset.check_file(audio["path"], where), config.sample_rate)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / Path(audio.get("path") or "audio").name
        file.write_bytes(audio["bytes"])
        try:
            return read_audio(file, config.sample_rate)
        except InputError as error:
            raise type(error)(f"{where}: {error}") from None
