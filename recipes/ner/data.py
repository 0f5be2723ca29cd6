"""Sentences with entities: the People's Daily, `tfds:conll2003`, or your own files."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from keras_seq import InputError, data
from keras_seq.batching import RawExamples
from keras_seq.data.datasets import peoples_daily
from keras_seq.text.tag_scheme_detection import guess_scheme
from keras_seq.text.tag_schemes import convert_tags, spans_to_tags, tags_to_spans
from keras_seq.text.tokenizers import TOKENIZERS, has_chinese_or_japanese
from keras_seq.train.recipe import Splits

from .config import Config

DATASET = "ner", "1.0.0"
"""Name and version of the cached dataset; change one of them after a change of its examples."""
SCHEME = "IOBES"
"""Scheme of the tags that the model learns."""

Sentences = Iterable[Sequence[Any]]
"""Sentences as `(tokens, spans)` or `(tokens, spans, word_tags)`; spans are positions of tokens."""


def load(config: Config) -> Splits:
    """Return the sentences of each split as lists of tokens.

    The targets have a list for each sentence: "tags" has the entity tags in `SCHEME`, and
    "word_tags" marks where a word begins and gives its part of speech. If the data has no word
    tags, these lists are empty, or "word_tags" is None.
    """
    if config.data == "builtin":
        builder = data.cached_dataset(
            *DATASET, _features(), lambda: _to_examples(_read_peoples_daily(), None)
        )
    elif config.data.startswith("tfds:"):
        return _load_tfds(config)
    else:
        builder = _user_dataset(config)
    splits = {}
    for split, columns in data.to_arrays(builder).items():
        lists = {key: [_split_lines(text) for text in texts] for key, texts in columns.items()}
        splits[split] = _raw_examples(lists["tokens"], lists["tags"], "IOBES", lists["words"])
    return splits


def _features() -> tfds.features.FeaturesDict:
    text = tfds.features.Text(doc="One item per line.")
    return tfds.features.FeaturesDict({"tokens": text, "tags": text, "words": text})


def _split_lines(text: bytes) -> list[str]:
    return text.decode("utf-8").split("\n")


def _raw_examples(
    tokens: list[list[str]],
    tags: list[list[str]],
    scheme: str,
    word_tags: list[list[str]] | None = None,
) -> RawExamples:
    """Return raw examples, with the tags converted from `scheme` to `SCHEME`."""
    tags = [convert_tags(row, scheme, SCHEME) for row in tags]
    return RawExamples(tokens, {"tags": tags, "word_tags": word_tags})


def _to_examples(
    sentences: Sentences, split: str | None
) -> Iterator[tuple[str, dict[str, str], str | None]]:
    """Yield examples for `cached_dataset`, with IOBES tags; the key is the text of the sentence."""
    for tokens, spans, *word_tags in sentences:
        tags = spans_to_tags(spans, len(tokens), "IOBES")
        columns = {"tokens": tokens, "tags": tags, "words": word_tags[0] if word_tags else []}
        yield "".join(tokens), {name: "\n".join(rows) for name, rows in columns.items()}, split


def _read_peoples_daily() -> Iterator[Sequence[Any]]:
    for number, line in enumerate(peoples_daily.read_january_1998(), 1):
        yield from peoples_daily.parse_paragraph(line, f"199801.txt, line {number}")


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
        splits[split] = _raw_examples(tokens, tags, guess_scheme(tags))
    return splits


def _user_dataset(config: Config) -> tfds.core.DatasetBuilder:
    files = data.list_files_by_split(config.data)
    settings = (
        config.encoding,
        config.token_column,
        config.tag_column,
        config.tag_scheme,
        config.tokenizer,
    )
    source = data.fingerprint([(file, split) for split, file in files]) + repr(settings)

    def examples() -> Iterator[tuple[str, dict[str, str], str | None]]:
        for split, file in files:
            for key, example, _ in _to_examples(read_file(file, config), split):
                yield key, example, data.resolve_split(files, split, key)

    paths = [file for _, file in files]
    return data.cached_dataset(*DATASET, _features(), examples, source, paths)


def read_file(file: Path, config: Config) -> Sentences:
    """Return the sentences of a file in word/tag, JSON lines or CoNLL format.

    Args:
        file: File; its suffix or first line tells the format.
        config: Columns, encoding, tag scheme and tokenizer.

    Raises:
        InputError: If the file is not in its format; the message gives the line.
    """
    first = next((line for _, line in data.read_lines(file, config.encoding) if line.strip()), "")
    if file.suffix in (".jsonl", ".json") or first.lstrip().startswith("{"):
        tokenizer: str = config.tokenizer
        if tokenizer == "auto":
            texts = (line for _, line in data.read_lines(file, config.encoding))
            tokenizer = "char_nospace" if any(map(has_chinese_or_japanese, texts)) else "word"
        return data.read_spans(file, TOKENIZERS[tokenizer], config.encoding)
    if peoples_daily.is_tagged_line(first):
        return [
            sentence
            for number, line in data.read_lines(file, config.encoding)
            for sentence in peoples_daily.parse_paragraph(line, f"{file}, line {number}")
        ]
    rows = data.read_conll(file, config.token_column, config.tag_column, config.encoding)
    scheme: str = config.tag_scheme
    if scheme == "auto":
        scheme = guess_scheme([tags for _, tags, _ in rows])
    sentences = []
    for tokens, tags, line in rows:
        try:
            sentences.append((tokens, tags_to_spans(tags, scheme)))
        except InputError as error:
            raise InputError(f"{file}, sentence at line {line}: {error}") from None
    return sentences
