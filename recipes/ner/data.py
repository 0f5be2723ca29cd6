"""Sentences with entities: the People's Daily, `tfds:conll2003`, or your own files."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from keras_seq import InputError, data
from keras_seq.batching import RawExamples
from keras_seq.data import summaries
from keras_seq.data.datasets import peoples_daily
from keras_seq.models import SequenceTagger
from keras_seq.text.tag_scheme_detection import guess_scheme
from keras_seq.text.tag_schemes import OUTSIDE, SCHEMES, convert_tags, spans_to_tags
from keras_seq.train.recipe import Splits

from . import hugging_face
from .config import Config

DATASET = "ner", "1.0.0"
"""Name and version of the cached dataset; change one of them after a change of its examples."""
SCHEME = "IOBES"
"""Scheme of the tags of the data, unless each token has a class."""

Sentences = Iterable[Sequence[Any]]
"""Sentences as `(tokens, spans, text)` or `(tokens, spans, text, word_tags)`.

Spans are positions of tokens. The text is the original one, or an empty string if it is not known.
None means that the dataset has no texts."""


def load(config: Config) -> Splits:
    """Return the sentences of each split as lists of tokens.

    The targets have a list for each sentence: "tags" has the entity tags in `SCHEME`, or the
    classes of the tokens, "texts" has the original text or an empty string, and "word_tags" marks
    where a word begins and gives its part of speech. If the data has no word tags, these lists are
    empty, or "word_tags" is None.
    """
    decode: Callable[[bytes], list[str]] = _split_lines
    if config.data == "builtin":
        builder = data.cached_dataset(
            *DATASET, _features(), lambda: _to_examples(_read_peoples_daily(), None, "\n".join)
        )
    elif config.data.startswith("tfds:"):
        return _load_tfds(config)
    elif config.data.startswith("hf:"):
        return hugging_face.load(config, SCHEME)
    else:
        builder, decode = _user_dataset(config), json.loads
    splits = {}
    for split, columns in data.to_arrays(builder).items():
        texts = [text.decode("utf-8") for text in columns.pop("text", [])]
        # Most tokens and tags repeat: interned, they need a fraction of the memory.
        lists = {
            key: [[*map(sys.intern, decode(text))] for text in texts]
            for key, texts in columns.items()
        }
        targets = {
            "tags": lists["tags"],
            "word_tags": lists["words"],
            "texts": texts or ["".join(tokens) for tokens in lists["tokens"]],
        }
        splits[split] = RawExamples(lists["tokens"], targets)
    return splits


def tag_scheme(config: Config, tags: Iterable[Iterable[str]]) -> str:
    """Return the scheme of the tags that `load` returned: `SCHEME`, or "classes".

    Args:
        config: Settings.
        tags: Tags of the training sentences.
    """
    letters = {f"{letter}-" for letter in SCHEMES[SCHEME]}
    has_classes = any(tag != OUTSIDE and tag[:2] not in letters for row in tags for tag in row)
    return "classes" if has_classes or config.tag_scheme == "classes" else SCHEME


def data_scheme(model: SequenceTagger) -> str:
    """Return the scheme of the tags of the data of a trained model, see `tag_scheme`.

    Args:
        model: Model, whose tags may have another scheme.
    """
    return "classes" if model.tag_set.scheme == "classes" else SCHEME


def _features(*more: str) -> tfds.features.FeaturesDict:
    text = tfds.features.Text(doc="One item per line.")
    names = ("tokens", "tags", "words", *more)
    return tfds.features.FeaturesDict(dict.fromkeys(names, text))


def _split_lines(text: bytes) -> list[str]:
    return text.decode("utf-8").split("\n")


def _to_examples(
    sentences: Sentences,
    split: str | None,
    encode: Callable[[list[str]], str],
    scheme: str = SCHEME,
) -> Iterator[tuple[str, dict[str, str], str | None]]:
    """Yield examples for `cached_dataset`; the key is the tokens of the sentence."""
    for tokens, spans, text, *word_tags in sentences:
        tags = spans_to_tags(spans, len(tokens), scheme)
        columns = {"tokens": tokens, "tags": tags, "words": word_tags[0] if word_tags else []}
        row = {name: encode(rows) for name, rows in columns.items()}
        yield "".join(tokens), row if text is None else {**row, "text": text}, split


def _read_peoples_daily() -> Iterator[Sequence[Any]]:
    """Yield sentences whose text is None: it is the characters, which are the tokens."""
    for number, line in enumerate(peoples_daily.read_january_1998(), 1):
        for text, spans, tags in peoples_daily.parse_paragraph(line, f"199801.txt, line {number}"):
            yield text, spans, None, tags


def _load_tfds(config: Config) -> Splits:
    """Return a TFDS dataset with the features `tokens` and `ner`, such as conll2003."""
    name = config.data.removeprefix("tfds:")
    builder = data.load_tfds(name)
    features = builder.info.features
    if "tokens" not in features or "ner" not in features:
        raise InputError(
            f"The dataset {name} has the features {', '.join(features)}; it needs tokens and "
            "ner, as in conll2003."
        )
    tag_names = features["ner"].feature.names
    splits = {}
    for split in builder.info.splits:
        tokens, tags = [], []
        for row in tfds.as_numpy(builder.as_dataset(split=split)):
            if len(row["tokens"]):
                tokens.append([token.decode("utf-8") for token in row["tokens"]])
                tags.append([tag_names[tag_id] for tag_id in row["ner"]])
        scheme = guess_scheme(tags)
        tags = [convert_tags(row, scheme, SCHEME) for row in tags]
        splits[split] = RawExamples(
            tokens, {"tags": tags, "word_tags": None, "texts": [""] * len(tokens)}
        )
    return splits


def _user_dataset(config: Config) -> tfds.core.DatasetBuilder:
    """Return the dataset of the user's files. Its lists are JSON, since tokens can be line ends."""
    files = data.list_files_by_split(config.data)
    settings = (
        config.encoding,
        config.token_column,
        config.tag_column,
        config.tag_names,
        config.tag_scheme,
        config.tokenizer,
        "JSON and texts",
    )
    source = data.fingerprint([(file, split) for split, file in files]) + repr(settings)

    def examples() -> Iterator[tuple[str, dict[str, str], str | None]]:
        sentences = read_files([file for _, file in files], config)
        for (split, _), (scheme, rows) in zip(files, sentences, strict=True):
            for key, example, _ in _to_examples(rows, split, json.dumps, scheme):
                yield key, example, data.resolve_split(files, split, key)

    paths = [file for _, file in files]
    return data.cached_dataset(*DATASET, _features("text"), examples, source, paths)


def read_files(files: Sequence[Path], config: Config) -> Iterator[tuple[str, Sentences]]:
    """Yield the scheme for the tags, and the sentences, of each file.

    The summary of each file goes to `keras_seq.data.collect_summaries`.

    Args:
        files: Files in word/tag, or in a format of `keras_seq.data.open_tagged`.
        config: Columns, encoding, tag scheme and tokenizer.

    Raises:
        InputError: If a file is not in its format; the message gives the line.
    """
    options = data.TaggingOptions(
        config.token_column,
        config.tag_column,
        tuple(name.strip() for name in config.tag_names.split(",") if name.strip()),
        config.tag_scheme,
        config.tokenizer,
        config.encoding,
    )
    word_tag_files = {file for file in files if _has_word_tags(file, config.encoding)}
    tagged = iter(data.open_tagged([f for f in files if f not in word_tag_files], options))
    for file in files:
        if file in word_tag_files:
            yield SCHEME, _read_paragraphs(file, config.encoding)
        else:
            sentences = next(tagged)
            yield ("classes" if sentences.scheme == "classes" else SCHEME), sentences


def _has_word_tags(file: Path, encoding: str) -> bool:
    first = data.read_first_line(file, encoding)
    return peoples_daily.is_tagged_line(first)


def _read_paragraphs(file: Path, encoding: str) -> Iterator[Sequence[Any]]:
    bad_rows = data.BadRows()
    num_sentences = 0
    for number, line in data.read_lines(file, encoding):
        with bad_rows:
            sentences = [*peoples_daily.parse_paragraph(line, f"{file}, line {number}")]
            num_sentences += len(sentences)
            for text, spans, tags in sentences:
                yield list(text), spans, text, tags
    summaries.add(bad_rows.finish(data.ReadSummary(str(file), "word/tag", num_sentences, encoding)))
