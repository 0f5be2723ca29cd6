"""Recordings with transcripts: synthesized speech, TFDS datasets, or your own with a table."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from keras_seq import InputError, data
from keras_seq.batching import RawExamples
from keras_seq.data.audio import AUDIO_SUFFIXES, as_int16, read_audio, resample
from keras_seq.data.opening import check_regular_file, list_folder
from keras_seq.train.recipe import Splits

from .config import Config
from .synthesis import DIGITS, synthesize_utterances

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl")
AUDIO_FEATURES, TEXT_FEATURES = ("audio", "speech"), ("text", "label")
"""Names of the audio and of the text feature in TFDS datasets."""

SILENCE, UNKNOWN = "_silence_", "_unknown_"
"""Labels of speech_commands: for recordings without speech, and for words without a label."""

Tables = Sequence[tuple[str | None, Path]]
"""Tables, each with the split in its name, or None."""
Example = tuple[bytes | str, dict[str, Any], str | None]
"""Key, features and split of an example. If the split is None, the key determines it."""
Pairs = list[tuple[np.ndarray, str]]
"""Samples with their transcripts."""


def load(config: Config) -> Splits:
    """Return recordings `(samples,)`, int16, by split, with their transcripts as targets."""
    if config.data.startswith("tfds:"):
        return _load_tfds(config)
    features = tfds.features.FeaturesDict(
        {
            "samples": tfds.features.Tensor(shape=(None,), dtype=np.int16, encoding="bytes"),
            "text": tfds.features.Text(),
            "voice": tfds.features.Text(doc="Empty if unknown."),
        }
    )
    if config.data == "builtin":
        source = "builtin" if config.sample_rate == 16_000 else f"builtin {config.sample_rate}"
        builder = data.cached_dataset(
            "speech", "1.2.0", features, lambda: _builtin_examples(config), source
        )
    else:
        tables = _list_tables(config.data)
        files = [file for _, table in tables for file in _list_audio_files(table.parent)]
        columns = config.file_column, config.text_column, config.encoding, config.delimiter
        settings = *columns, config.sample_rate, config.alphabet, config.lowercase
        paths = [*dict(tables).values(), *files]
        source = data.fingerprint([(file,) for file in paths]) + repr(settings)
        builder = data.cached_dataset(
            "speech", "1.0.0", features, lambda: _user_examples(tables, config), source, paths
        )
    splits = {}
    for split in builder.info.splits:
        rows = tfds.as_numpy(builder.as_dataset(split=split))
        pairs = [(row["samples"], row["text"].decode("utf-8")) for row in rows]
        splits[split] = RawExamples(*map(list, zip(*pairs)))
    return splits


def normalize_text(text: str, config: Config) -> str:
    """Return a transcript with single spaces between words, lower-cased if `config.lowercase`."""
    text = " ".join(text.split())
    return text.lower() if config.lowercase else text


def _builtin_examples(config: Config) -> Iterator[Example]:
    for split, text, voice, samples in synthesize_utterances(config.sample_rate):
        yield text, {"samples": samples, "text": text, "voice": voice}, split


def _list_tables(source: str) -> Tables:
    """Return the tables of a path: one file, a folder with one table, or with `train.*`.

    Raises:
        InputError: If a folder has no table.
    """
    path = Path(source)
    if not path.is_dir():
        return data.list_files_by_split(path)
    tables = [file for file in list_folder(path) if file.suffix in TABLE_SUFFIXES]
    if len(tables) == 1 and tables[0].stem != "train":
        return [(None, tables[0])]
    if not tables:
        raise InputError(
            f"{path} has no table of transcripts. Add one ({', '.join(TABLE_SUFFIXES)}) with the "
            "columns file and text, or train.csv, test.csv and optionally validation.csv."
        )
    return [
        (split, file)
        for split, file in data.list_files_by_split(path)
        if file.suffix in TABLE_SUFFIXES
    ]


def _list_audio_files(folder: Path) -> list[Path]:
    return [file for file in list_folder(folder, "**/*") if file.suffix.lower() in AUDIO_SUFFIXES]


def _user_examples(tables: Tables, config: Config) -> Iterator[Example]:
    """Yield the recordings of tables.

    Raises:
        InputError: If a file of a table does not exist, an audio file is in no table, or a
            character is not in the alphabet.
    """
    columns = {"file": config.file_column, "text": config.text_column}
    hint = "Name the columns by --file-column and --text-column."
    rows = []
    for split, table in tables:
        table_rows = data.read_table(
            table, columns, config.encoding, hint, ["text"], config.delimiter
        )
        for line, file, text in table_rows:
            where, transcript = f"{table}, line {line}", normalize_text(text, config)
            audio_file = table.parent / file
            try:
                check_regular_file(audio_file)
            except InputError as error:
                raise type(error)(f"{where}: {error}") from None
            for position, letter in enumerate(transcript, 1):
                if config.alphabet is not None and letter not in config.alphabet:
                    raise InputError(
                        f"{where}: {letter!r} at position {position} of the text is not in the "
                        f"alphabet {config.alphabet!r}."
                    )
            rows.append((split, audio_file, transcript))
    listed = {audio_file.resolve() for _, audio_file, _ in rows}
    for folder in dict.fromkeys(table.parent for _, table in tables):
        for audio_file in _list_audio_files(folder):
            if audio_file.resolve() not in listed:
                raise InputError(
                    f"{audio_file} is in no table; add its transcript to a table, or move the file "
                    "out of the folder."
                )
    for split, audio_file, transcript in rows:
        samples = read_audio(audio_file, config.sample_rate)
        key = samples.tobytes()
        yield (
            key,
            {"samples": samples, "text": transcript, "voice": ""},
            data.resolve_split(tables, split, key),
        )


def _load_tfds(config: Config) -> Splits:
    """Return a TFDS dataset with audio and a text or label, such as librispeech.

    Raises:
        InputError: If the dataset lacks one of these features.
    """
    name = config.data.removeprefix("tfds:")
    builder = data.load_tfds(name)
    features = builder.info.features
    audio, text = (
        next((n for n in names if n in features), None) for names in (AUDIO_FEATURES, TEXT_FEATURES)
    )
    if audio is None or text is None:
        raise InputError(
            f"The dataset {name} has the features {', '.join(features)}; it needs audio or "
            "speech, and text or label."
        )
    rate = features[audio].sample_rate or config.sample_rate
    splits: dict[str, Pairs] = {}
    for tfds_split in builder.info.splits:
        split = next((s for s in data.SPLITS if tfds_split.startswith((s, s[:3]))), None)
        if split is None:
            continue
        pairs = splits.setdefault(split, [])
        seconds = sum(len(samples) for samples, _ in pairs) / config.sample_rate
        for row in tfds.as_numpy(builder.as_dataset(split=tfds_split)):
            if seconds > 3600 * config.max_hours:
                break
            transcript = _transcript(row[text], features[text])
            if transcript is not None:
                samples = resample(row[audio].astype("float32") / 2**15, rate, config.sample_rate)
                pairs.append((as_int16(samples), normalize_text(transcript, config)))
                seconds += len(samples) / config.sample_rate
    return {
        split: RawExamples(*map(list, zip(*pairs)))
        for split, pairs in add_missing_splits(splits).items()
        if pairs
    }


def _transcript(value: Any, feature: Any) -> str | None:
    """Return the transcript of a TFDS row, given its text or label; None if it is unknown."""
    if not hasattr(feature, "names"):
        return value.decode("utf-8")
    name = feature.names[value]
    if name == UNKNOWN:
        return None
    if name.isdecimal():
        return " ".join(DIGITS[int(digit)] for digit in name)
    return "" if name == SILENCE else name


def add_missing_splits(splits: dict[str, Pairs]) -> dict[str, Pairs]:
    """Return the splits with a missing validation or test split taken from the training split."""
    missing = {"test", "validation"} - set(splits)
    complete: dict[str, Pairs] = {
        split: [] if split == "train" else pairs for split, pairs in splits.items()
    }
    for samples, text in splits.get("train", []):
        split = data.hash_split(samples.tobytes())
        complete.setdefault(split if split in missing else "train", []).append((samples, text))
    return complete
