"""Sentences with names: the People's Daily, `tfds:conll2003`, or files of your own."""

import tensorflow_datasets as tfds

from keras_seq import InputError, data
from keras_seq.batching import RawExamples
from keras_seq.data.datasets import peoples_daily
from keras_seq.text.tag_schemes import convert_tags, guess_scheme, spans_to_tags, tags_to_spans
from keras_seq.text.tokenizers import TOKENIZERS, has_chinese_or_japanese
from keras_seq.train.recipe import Splits

from .config import Config

SCHEME = "IOBES"
"""Scheme of the tags that the model learns."""


def load(config: Config) -> Splits:
    """Return sentences as lists of tokens, and targets of each token, by split.

    The tokens are part of the data, which says a tag for each; a file of spans is brought to that
    form. The targets are "tags", in the scheme of the model, and "words", which say where a word
    begins and what part of speech it is (lists that are empty if the data does not say).
    """
    if config.data == "builtin":
        builder = data.cached_dataset(
            "ner", "1.0.0", _features(), lambda: _prepared(_builtin(), None)
        )
    elif config.data.startswith("tfds:"):
        return _public(config)
    else:
        builder = _of_user(config)
    splits = {}
    for name, columns in data.to_arrays(builder).items():
        found = {key: [_lines(text) for text in texts] for key, texts in columns.items()}
        splits[name] = _examples(found["tokens"], found["tags"], "IOBES", config, found["words"])
    return splits


def _features():
    text = tfds.features.Text(doc="One a line.")
    return tfds.features.FeaturesDict({"tokens": text, "tags": text, "words": text})


def _lines(text):
    return text.decode("utf-8").split("\n")


def _examples(tokens, tags, scheme, config, words=None) -> RawExamples:
    tags = [convert_tags(row, scheme, SCHEME) for row in tags]
    return RawExamples(tokens, {"tags": tags, "words": words})


def _prepared(sentences, split):
    """Tokens with spans as what `keras_seq.data.cached_dataset` takes; the key is the sentence."""
    for tokens, found, *words in sentences:
        tags = spans_to_tags(found, len(tokens), "IOBES")
        columns = {"tokens": tokens, "tags": tags, "words": words[0] if words else []}
        joined = {name: "\n".join(column) for name, column in columns.items()}
        yield "".join(tokens), joined, split


def _builtin():
    for number, line in enumerate(peoples_daily.read_january_1998(), 1):
        yield from peoples_daily.parse_paragraph(line, f"199801.txt, line {number}")


def _public(config):
    """Any set of TFDS with the features tokens and ner, as conll2003 has them."""
    name = config.data.removeprefix("tfds:")
    builder = data.load_tfds(name)
    features = builder.info.features
    if "tokens" not in features or "ner" not in features:
        raise InputError(
            f"The data set {name} has the features {', '.join(features)}; "
            "needed are tokens and ner, as conll2003 has them."
        )
    names = features["ner"].feature.names
    splits = {}
    for split in builder.info.splits:
        tokens, tags = [], []
        for row in tfds.as_numpy(builder.as_dataset(split=split)):
            if len(row["tokens"]):
                tokens.append([token.decode("utf-8") for token in row["tokens"]])
                tags.append([names[number] for number in row["ner"]])
        splits[split] = _examples(tokens, tags, guess_scheme(tags), config)
    return splits


def _of_user(config):
    files = data.list_files_by_split(config.data)
    settings = (
        config.encoding,
        config.token_column,
        config.tag_column,
        config.tag_scheme,
        config.tokenizer,
    )
    source = data.fingerprint([(file, split) for split, file in files]) + repr(settings)

    def examples():
        for split, file in files:
            for key, example, _ in _prepared(read(file, config), split):
                yield key, example, data.resolve_split(files, split, key)

    paths = [file for _, file in files]
    return data.cached_dataset("ner", "1.0.0", _features(), examples, source, paths)


def read(file, config):
    """Sentences of a file, as tokens and spans of tokens: word/tag, JSON lines, or CoNLL."""
    first = next((line for _, line in data.read_lines(file, config.encoding) if line.strip()), "")
    if file.suffix in (".jsonl", ".json") or first.lstrip().startswith("{"):
        way = config.tokenizer
        if way == "auto":
            texts = (line for _, line in data.read_lines(file, config.encoding))
            chinese = any(map(has_chinese_or_japanese, texts))
            way = "char_nospace" if chinese else "word"
        return data.read_spans(file, TOKENIZERS[way], config.encoding)
    if peoples_daily.is_tagged_line(first):
        return [
            sentence
            for number, line in data.read_lines(file, config.encoding)
            for sentence in peoples_daily.parse_paragraph(line, f"{file}, line {number}")
        ]
    rows = data.read_conll(file, config.token_column, config.tag_column, config.encoding)
    scheme = config.tag_scheme
    if scheme == "auto":
        scheme = guess_scheme([tags for _, tags, _ in rows])
    sentences = []
    for tokens, tags, line in rows:
        try:
            sentences.append((tokens, tags_to_spans(tags, scheme)))
        except InputError as error:
            raise InputError(f"{file}, sentence at line {line}: {error}") from None
    return sentences
