"""Paragraphs: the manual of the running Python, other builtin texts, or texts of your own."""

import re

import numpy as np
import tensorflow_datasets as tfds

from keras_seq import InputError, data
from keras_seq.batching import RawExamples
from keras_seq.data.datasets import peoples_daily, vader
from keras_seq.train.recipe import Splits

from .config import Config


def load(config: Config) -> Splits:
    """Return paragraphs by split, in the order of the text; there are no targets."""
    if config.data.startswith("tfds:"):
        texts = _public(config.data.removeprefix("tfds:"))
    else:
        texts = {
            split: [text for _, text in sorted(zip(columns["number"], columns["text"]))]
            for split, columns in data.to_arrays(_prepared(config)).items()
        }
    return {
        name: RawExamples([text.decode("utf-8") for text in found]) for name, found in texts.items()
    }


def _prepared(config):
    """A text and its number, since TFDS changes the order."""
    features = tfds.features.FeaturesDict(
        {"text": tfds.features.Text(), "number": tfds.features.Scalar(np.int64)}
    )
    source, paths = config.data, []
    if source == "builtin":
        read = manual
    elif source == "peoples_daily":
        read = newspaper
    elif source == "reviews":
        read = reviews
    else:
        files = data.list_files_by_split(source)
        paths = [file for _, file in files]
        source = data.fingerprint([(file, split) for split, file in files]) + config.encoding

        def read():
            for split, file in files:
                text = "\n".join(line for _, line in data.read_lines(file, config.encoding))
                for paragraph in paragraphs(text):
                    yield paragraph, data.resolve_split(files, split, folded(paragraph))

    def examples():
        for number, (text, split) in enumerate(read()):
            yield folded(text), {"text": text, "number": number}, split

    return data.cached_dataset("language_model", "1.0.0", features, examples, source, paths)


def paragraphs(text):
    """What stands between blank lines."""
    return [p.strip("\n") for p in re.split(r"\n[ \t]*(?=\n)", text) if p.strip()]


def folded(text):
    """The text, all white space the same: by this paragraphs are told apart."""
    return " ".join(text.split())


def manual():
    """The reference manual, as `help()` has it; what is said again under other topics only once."""
    from pydoc_data.topics import topics

    seen = set()
    for text in topics.values():
        for paragraph in paragraphs(text):
            if folded(paragraph) not in seen:
                seen.add(folded(paragraph))
                yield paragraph, None


def newspaper():
    """The sentences of the People's Daily of January 1998, in Chinese."""
    for number, line in enumerate(peoples_daily.read_january_1998(), 1):
        for sentence in peoples_daily.parse_paragraph(line, f"199801.txt, line {number}"):
            yield "".join(sentence[0]), None


def reviews():
    """The sentences that `sentiment` judges, in its splits."""
    for _, text, _ in vader.read_rated_sentences():
        yield text, data.hash_split(text)


def _public(name):
    """Any set of TFDS with the feature text, such as tiny_shakespeare or lm1b."""
    builder = data.load_tfds(name)
    features = builder.info.features
    if "text" not in features:
        raise InputError(
            f"The data set {name} has the features {', '.join(features)}; needed is text."
        )
    return {
        split: [
            paragraph.encode("utf-8")
            for row in tfds.as_numpy(builder.as_dataset(split=split))
            for paragraph in paragraphs(row["text"].decode("utf-8"))
        ]
        for split in builder.info.splits
    }
