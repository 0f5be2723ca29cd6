"""Recordings and what is said in them: synthesised, of TFDS, or your own with a table."""

from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from keras_seq import InputError, data
from keras_seq.batching import RawExamples
from keras_seq.data.audio import AUDIO_SUFFIXES, as_int16, read_audio, resample
from keras_seq.data.opening import check_regular_file, list_folder
from keras_seq.train.recipe import Splits

from .config import Config
from .synthesis import DIGITS, utterances

TABLES = (".csv", ".tsv", ".jsonl")
SOUNDS, TEXTS = ("audio", "speech"), ("text", "label")
"""Features of sets of TFDS."""

SILENCE, UNKNOWN = "_silence_", "_unknown_"
"""Labels of speech_commands: what is not spoken, and what has no transcript."""


def load(config: Config) -> Splits:
    """Return recordings as int16 arrays of samples, and what is said in them, by split."""
    if config.data.startswith("tfds:"):
        return _public(config)
    features = tfds.features.FeaturesDict(
        {
            "samples": tfds.features.Tensor(shape=(None,), dtype=np.int16, encoding="bytes"),
            "text": tfds.features.Text(),
            "voice": tfds.features.Text(doc="Empty where it is not known."),
        }
    )
    if config.data == "builtin":
        source = "builtin" if config.sample_rate == 16_000 else f"builtin {config.sample_rate}"
        builder = data.cached_dataset(
            "speech", "1.2.0", features, lambda: _synthesised(config), source
        )
    else:
        tables = _tables(config.data)
        files = [file for _, table in tables for file in _sounds(table.parent)]
        columns = config.file_column, config.text_column, config.encoding
        settings = *columns, config.sample_rate, config.alphabet, config.lowercase
        paths = [*dict(tables).values(), *files]
        source = data.fingerprint([(file,) for file in paths]) + repr(settings)
        builder = data.cached_dataset(
            "speech", "1.0.0", features, lambda: _of_user(tables, config), source, paths
        )
    splits = {}
    for split in builder.info.splits:
        rows = tfds.as_numpy(builder.as_dataset(split=split))
        pairs = [(row["samples"], row["text"].decode("utf-8")) for row in rows]
        splits[split] = RawExamples(*map(list, zip(*pairs)))
    return splits


def text_as_written(text, config):
    """A text with one blank between words, in small letters if so set."""
    text = " ".join(text.split())
    return text.lower() if config.lowercase else text


def _synthesised(config):
    for split, text, voice, samples in utterances(config.sample_rate):
        yield text, {"samples": samples, "text": text, "voice": voice}, split


def _tables(path):
    """The tables of a path with their split: one file, or a folder with one, or with train.*."""
    path = Path(path)
    if not path.is_dir():
        return data.list_files_by_split(path)
    found = [file for file in list_folder(path) if file.suffix in TABLES]
    if len(found) == 1 and found[0].stem != "train":
        return [(None, found[0])]
    if not found:
        raise InputError(
            f"{path} has no table of what is said in which file: needed is one {', '.join(TABLES)} "
            "with the columns file and text, or train.csv, test.csv and perhaps validation.csv."
        )
    return [
        (split, file) for split, file in data.list_files_by_split(path) if file.suffix in TABLES
    ]


def _sounds(folder):
    return [file for file in list_folder(folder, "**/*") if file.suffix.lower() in AUDIO_SUFFIXES]


def _of_user(tables, config):
    """The recordings of tables.

    Raises:
        InputError: A table names a file that is not there, a file is in no table, or a letter is
            not in the alphabet.
    """
    columns = {"file": config.file_column, "text": config.text_column}
    hint = "Say which with --file-column and --text-column."
    rows = []
    for split, table in tables:
        for line, file, text in data.read_table(table, columns, config.encoding, hint, ["text"]):
            where, text = f"{table}, line {line}", text_as_written(text, config)
            sound = table.parent / file
            try:
                check_regular_file(sound)
            except InputError as error:
                raise type(error)(f"{where}: {error}") from None
            for position, letter in enumerate(text, 1):
                if config.alphabet is not None and letter not in config.alphabet:
                    raise InputError(
                        f"{where}: {letter!r} at position {position} of the text is not in the "
                        f"alphabet {config.alphabet!r}."
                    )
            rows.append((split, sound, text))
    named = {sound.resolve() for _, sound, _ in rows}
    for folder in dict.fromkeys(table.parent for _, table in tables):
        for sound in _sounds(folder):
            if sound.resolve() not in named:
                raise InputError(
                    f"{sound} is in no table: add what is said in it, or take it out of the folder."
                )
    for split, sound, text in rows:
        samples = read_audio(sound, config.sample_rate)
        key = samples.tobytes()
        yield (
            key,
            {"samples": samples, "text": text, "voice": ""},
            data.resolve_split(tables, split, key),
        )


def _public(config: Config) -> Splits:
    """Any set of TFDS with sound and a text or a label, such as librispeech or speech_commands."""
    name = config.data.removeprefix("tfds:")
    builder = data.load_tfds(name)
    features = builder.info.features
    sound, text = (next((n for n in names if n in features), None) for names in (SOUNDS, TEXTS))
    if sound is None or text is None:
        raise InputError(
            f"The data set {name} has the features {', '.join(features)}; needed are sound (audio "
            "or speech) and a text or a label."
        )
    rate = features[sound].sample_rate or config.sample_rate
    splits: dict = {}
    for part in builder.info.splits:
        split = next((s for s in data.SPLITS if part.startswith((s, s[:3]))), None)
        if split is None:
            continue
        pairs = splits.setdefault(split, [])
        seconds = sum(len(samples) for samples, _ in pairs) / config.sample_rate
        for row in tfds.as_numpy(builder.as_dataset(split=part)):
            if seconds > 3600 * config.max_hours:
                break
            said = _said(row[text], features[text])
            if said is not None:
                samples = resample(row[sound].astype("float32") / 2**15, rate, config.sample_rate)
                pairs.append((as_int16(samples), text_as_written(said, config)))
                seconds += len(samples) / config.sample_rate
    return {
        name: RawExamples(*map(list, zip(*pairs)))
        for name, pairs in _all_three(splits).items()
        if pairs
    }


def _said(value, feature):
    """What a row of a set of TFDS says, or None if that is not known."""
    if not hasattr(feature, "names"):
        return value.decode("utf-8")
    name = feature.names[value]
    if name == UNKNOWN:
        return None
    if name.isdecimal():
        return " ".join(DIGITS[int(digit)] for digit in name)
    return "" if name == SILENCE else name


def _all_three(splits):
    """Takes from the training split, by content, the splits that are not there."""
    missing = {"test", "validation"} - set(splits)
    found: dict = {name: [] if name == "train" else pairs for name, pairs in splits.items()}
    for samples, text in splits.get("train", []):
        here = data.hash_split(samples.tobytes())
        found.setdefault(here if here in missing else "train", []).append((samples, text))
    return found
