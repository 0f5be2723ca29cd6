"""Recordings with transcripts: synthesized speech, TFDS datasets, or your own."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from keras_seq import InputError, data
from keras_seq.batching import RawExamples
from keras_seq.data import summaries
from keras_seq.data.audio import as_int16, resample
from keras_seq.data.datasets import pico
from keras_seq.train.recipe import Splits

from . import hugging_face
from .alignment import check_alignments
from .config import Config
from .synthesis import COUNTS, DIGITS, synthesize_utterances

SETTINGS = (
    *("encoding", "delimiter", "file_column", "text_column", "audio_folder", "sample_rate"),
    *("alphabet", "lowercase", "remove_punctuation", "unicode_form"),
)
"""Fields of the Config on which the examples of the user's recordings depend."""
AUDIO_FEATURES, TEXT_FEATURES = ("audio", "speech"), ("text", "label")
"""Names of the audio and of the text feature in TFDS datasets."""

SILENCE, UNKNOWN = "_silence_", "_unknown_"
"""Labels of speech_commands: for recordings without speech, and for words without a label."""

Example = tuple[bytes | str, dict[str, Any], str | None]
"""Key, features and split of an example. If the split is None, the key determines it."""
Pairs = list[tuple[np.ndarray, str]]
"""Samples with their transcripts."""

_APOSTROPHE = re.compile(r"(?<=\w)[\u2019\u02bc\uff07](?=\w)")
"""Pattern of typographic apostrophes within words."""


def load(config: Config) -> Splits:
    """Return recordings `(samples,)`, int16, by split, with their transcripts as targets."""
    if config.data.startswith("tfds:"):
        return check_alignments(config, _load_tfds(config))
    if config.data.startswith("hf:"):
        splits = hugging_face.load(config, lambda text: normalize_text(text, config))
        return check_alignments(config, splits)
    features = {
        "samples": tfds.features.Tensor(shape=(None,), dtype=np.int16, encoding="bytes"),
        "text": tfds.features.Text(),
    }
    if config.data == "builtin":
        features["voice"] = tfds.features.Text(doc="Empty if unknown.")
        source = "builtin" if config.sample_rate == 16_000 else f"builtin {config.sample_rate}"
        builder = data.cached_dataset(
            "speech",
            "1.3.0",
            tfds.features.FeaturesDict(features),
            lambda: _builtin_examples(config),
            source,
        )
    else:
        features["place"] = tfds.features.Text(doc="File and line of the transcript.")
        corpus = _open_corpus(config)
        settings = [getattr(config, name) for name in SETTINGS]
        source = data.fingerprint([(file,) for file in corpus.files]) + repr(settings)
        builder = data.cached_dataset(
            "speech",
            "1.1.0",
            tfds.features.FeaturesDict(features),
            lambda: _user_examples(corpus, config),
            source,
            corpus.files,
        )
    splits, places = {}, []
    for split in builder.info.splits:
        rows = tfds.as_numpy(builder.as_dataset(split=split))
        pairs = []
        for row in rows:
            pairs.append((row["samples"], row["text"].decode("utf-8")))
            if split == "train" and "place" in row:
                places.append(row["place"].decode("utf-8"))
        splits[split] = RawExamples(*map(list, zip(*pairs)))
    if config.data == "builtin":
        return splits
    if config.alphabet is None:
        _check_characters(splits, config.data)
    return check_alignments(config, splits, places)


def _check_characters(splits: Splits, source: str) -> None:
    """Add a summary of the characters that only transcripts of validation and test have.

    The alphabet is that of the training transcripts, so that a model cannot write them.
    """
    known = set("".join(splits["train"].targets)) if "train" in splits else set()
    unknown: Counter[str] = Counter()
    num_texts = 0
    for split, examples in splits.items():
        for text in () if split == "train" else examples.targets:
            letters = [letter for letter in text if letter not in known]
            unknown.update(letters)
            num_texts += bool(letters)
    if unknown:
        counts = ", ".join(f"{letter!r} {count:,}" for letter, count in unknown.most_common(9))
        note = f"characters without training, with their counts: {counts}"
        if len(unknown) > 9:
            note += f" and {len(unknown) - 9:,} others"
        name = "transcripts for validation and test with characters of no training transcript"
        summaries.add(data.ReadSummary(source, name, num_texts, notes=(note,)))


def normalize_text(text: str, config: Config) -> str:
    """Return a transcript with single spaces between words, normalized as the Config states.

    Args:
        text: Transcript in a file or dataset.
        config: Config of the run.
    """
    if config.unicode_form is not None:
        text = unicodedata.normalize(config.unicode_form, text)
    if config.remove_punctuation:
        text = remove_punctuation(text)
    text = " ".join(text.split())
    return text.lower() if config.lowercase else text


def remove_punctuation(text: str) -> str:
    """Return a text with blanks in place of punctuation.

    Apostrophes within words remain, and points and commas within numbers.

    >>> remove_punctuation("Well-known: it’s 3.5, isn't it?").split()
    ['Well', 'known', "it's", '3.5', "isn't", 'it']

    Args:
        text: Text.
    """
    text = _APOSTROPHE.sub("'", text)
    return "".join(
        " " if unicodedata.category(letter)[0] == "P" and not _is_within(text, position) else letter
        for position, letter in enumerate(text)
    )


def _is_within(text: str, position: int) -> bool:
    """Return whether a character is an apostrophe in a word, or a separator in a number."""
    before, after = text[position - 1 : position], text[position + 1 : position + 2]
    if text[position] == "'":
        return before.isalpha() and after.isalpha()
    return text[position] in ".," and before.isdigit() and after.isdigit()


def _builtin_examples(config: Config) -> Iterator[Example]:
    if not pico.is_available():
        note = "no split new_voice, since the synthesizer Pico does not run on this system"
        name = "synthesized utterances"
        num_rows = sum(COUNTS.values()) - COUNTS["new_voice"]
        summaries.add(data.ReadSummary("builtin", name, num_rows, notes=(note,)))
    for split, text, voice, samples in synthesize_utterances(config.sample_rate):
        yield text, {"samples": samples, "text": text, "voice": voice}, split


def _open_corpus(config: Config) -> data.SpeechCorpus:
    return data.open_speech_corpus(
        config.data,
        data.CorpusOptions(
            config.encoding,
            config.delimiter,
            config.file_column,
            config.text_column,
            config.audio_folder,
            lambda text: normalize_text(text, config),
            config.alphabet,
        ),
    )


def _user_examples(corpus: data.SpeechCorpus, config: Config) -> Iterator[Example]:
    splits = corpus.splits
    for utterance, samples in corpus.read(config.sample_rate):
        key = samples.tobytes()
        text, split, where, *_ = utterance.transcript
        features = {"samples": samples, "text": text, "place": f"{utterance.audio_file} ({where})"}
        yield key, features, data.resolve_split(splits, split, key)


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
        for split, pairs in data.carve_splits(splits, lambda pair: pair[0].tobytes()).items()
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
