"""Paragraphs of text: the Python manual, other built-in texts, TFDS datasets, or your own."""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from keras_seq import InputError, data
from keras_seq.batching import RawExamples
from keras_seq.data import summaries
from keras_seq.data.datasets import peoples_daily, vader
from keras_seq.data.encodings import detect_format
from keras_seq.data.huggingface import to_text
from keras_seq.train.recipe import Splits

from .config import Config

TEXT_COLUMNS = "text", "sentence", "content"
"""Names of the column with texts in datasets of the Hugging Face Hub."""

Paragraphs = Iterator[tuple[str, str | None]]
"""Paragraphs, each with the split of the source, or None."""


def load(config: Config) -> Splits:
    """Return the paragraphs of each split in the order of the text, without targets."""
    if config.data.startswith("tfds:"):
        texts = _load_tfds(config.data.removeprefix("tfds:"))
    elif config.data.startswith("hf:"):
        return _load_hf(config.data)
    else:
        texts = {
            split: [text for _, text in sorted(zip(columns["number"], columns["text"]))]
            for split, columns in data.to_arrays(_dataset(config)).items()
        }
    return {
        split: RawExamples([text.decode("utf-8") for text in paragraphs])
        for split, paragraphs in texts.items()
    }


def _dataset(config: Config) -> tfds.core.DatasetBuilder:
    """Return a cached dataset of numbered paragraphs, because TFDS changes the order."""
    features = tfds.features.FeaturesDict(
        {"text": tfds.features.Text(), "number": tfds.features.Scalar(np.int64)}
    )
    source, paths = config.data, []
    if source == "builtin":
        read = read_python_manual
    elif source == "peoples_daily":
        read = read_peoples_daily
    elif source == "reviews":
        read = read_reviews
    else:
        files = data.list_files_by_split(source)
        paths = [file for _, file in files]
        source = data.fingerprint([(file, split) for split, file in files]) + config.encoding

        def read() -> Paragraphs:
            for split, file in files:
                for paragraph in _read_file(file, config.encoding):
                    key = normalize_whitespace(paragraph)
                    yield paragraph, data.resolve_split(files, split, key)

    def examples() -> Iterator[tuple[str, dict[str, str | int], str | None]]:
        for number, (text, split) in enumerate(read()):
            yield normalize_whitespace(text), {"text": text, "number": number}, split

    return data.cached_dataset("language_model", "1.0.0", features, examples, source, paths)


def _read_file(file: Path, encoding: str) -> Iterator[str]:
    """Yield the paragraphs of a text file."""
    lines = (line for _, line in data.read_lines(file, encoding))
    num_paragraphs = num_characters = 0
    for paragraph in iterate_paragraphs(lines):
        num_paragraphs += 1
        num_characters += len(paragraph)
        yield paragraph
    summaries.add(
        data.ReadSummary(
            str(file),
            "paragraphs of plain text",
            num_paragraphs,
            str(detect_format(file, encoding)),
            notes=(f"{num_characters:,} characters",),
        )
    )


def split_paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a text, which blank lines separate."""
    return [*iterate_paragraphs(text.split("\n"))]


def iterate_paragraphs(lines: Iterable[str]) -> Iterator[str]:
    """Yield the paragraphs of the lines of a text, which blank lines separate.

    Args:
        lines: Lines without line ends.
    """
    paragraph: list[str] = []
    for line in itertools.chain(lines, [""]):
        if line.strip(" \t"):
            paragraph.append(line)
        elif paragraph:
            if any(map(str.strip, paragraph)):
                yield "\n".join(paragraph)
            paragraph = []


def normalize_whitespace(text: str) -> str:
    """Return a text with each run of white space as one space."""
    return " ".join(text.split())


def read_python_manual() -> Paragraphs:
    """Yield each paragraph of the reference manual of Python once, as `help()` has it."""
    from pydoc_data.topics import topics

    keys = set()
    for text in topics.values():
        for paragraph in split_paragraphs(text):
            key = normalize_whitespace(paragraph)
            if key not in keys:
                keys.add(key)
                yield paragraph, None


def read_peoples_daily() -> Paragraphs:
    """Yield the sentences of the People's Daily of January 1998, in Chinese."""
    for number, line in enumerate(peoples_daily.read_january_1998(), 1):
        for sentence in peoples_daily.parse_paragraph(line, f"199801.txt, line {number}"):
            yield "".join(sentence[0]), None


def read_reviews() -> Paragraphs:
    """Yield the sentences of the recipe `sentiment`, and neutral ones, in the same splits."""
    for _, text, _ in vader.read_rated_sentences():
        yield text, data.hash_split(text)


def _load_tfds(name: str) -> dict[str, list[bytes]]:
    """Return the paragraphs of a TFDS dataset with the feature `text`."""
    builder = data.load_tfds(name)
    features = builder.info.features
    if "text" not in features:
        raise InputError(
            f"The dataset {name} has the features {', '.join(features)}; it needs the feature text."
        )
    return {
        split: [
            paragraph.encode("utf-8")
            for row in tfds.as_numpy(builder.as_dataset(split=split))
            for paragraph in split_paragraphs(row["text"].decode("utf-8"))
        ]
        for split in builder.info.splits
    }


def _load_hf(source: str) -> Splits:
    """Return the paragraphs of a dataset of the Hugging Face Hub with a column `text`."""
    dataset = data.open_hf(source)
    column = dataset.choose_column(TEXT_COLUMNS)

    def parse(value: object) -> list[str] | str:
        return split_paragraphs(to_text(value, dataset, column)) or "no text"

    documents = dataset.read({"text": column}, parse, "\n".join)
    return {
        split: RawExamples([paragraph for paragraphs in rows for paragraph in paragraphs])
        for split, rows in documents.items()
    }
