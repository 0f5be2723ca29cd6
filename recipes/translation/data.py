"""Sentence pairs: gettext catalogs, TFDS datasets, or your own files."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import tensorflow_datasets as tfds

from keras_seq import InputError, data
from keras_seq.batching import RawExamples
from keras_seq.data import xml_tree
from keras_seq.data.opening import read_document
from keras_seq.train.recipe import Splits

from . import catalogs
from .config import Config

READERS = {".po": catalogs.read_po, ".mo": catalogs.read_mo}
"""Functions that read a catalog, by suffix."""

Pair = tuple[str, str]
"""A sentence and its translation."""


def load(config: Config) -> Splits:
    """Return the sentences of each split, with their translations as targets."""
    if config.data.startswith("tfds:"):
        return _load_tfds(config)
    source, paths = config.data, []
    if source == "builtin":
        if config.source != "en":
            raise InputError(
                f"The built-in catalogs have only English texts: --source must be en, got "
                f"{config.source}."
            )

        def pairs() -> Iterator[tuple[str | None, str, str]]:
            return ((None, *pair) for pair in catalogs.read_builtin_pairs(config.target))
    else:
        groups = _list_files(config)
        settings = repr((config.encoding, config.source, config.target))
        files = [(file, split) for split, group in groups for file in group]
        paths = [file for file, _ in files]
        source = data.fingerprint(files) + settings

        def pairs() -> Iterator[tuple[str | None, str, str]]:
            for split, group in groups:
                for text, translation in read_pairs(group, config):
                    yield data.resolve_split(groups, split, text.lower()), text, translation

    def examples() -> Iterator[tuple[str, dict[str, str], str | None]]:
        for split, text, translation in pairs():
            yield text.lower(), {"source": text, "target": translation}, split

    features = {name: tfds.features.Text() for name in ("source", "target")}
    builder = data.cached_dataset(
        f"translation_{config.target}".lower(),
        "2.0.0",
        tfds.features.FeaturesDict(features),
        examples,
        source,
        paths,
    )
    return {
        split: RawExamples(*([text.decode("utf-8") for text in columns[n]] for n in features))
        for split, columns in data.to_arrays(builder).items()
    }


def _list_files(config: Config) -> list[tuple[str | None, list[Path]]]:
    """Return, for each split, one file with pairs or two aligned files."""
    paths = config.data.split(",")
    if len(paths) > 2:
        raise InputError(
            f"--data takes at most two aligned files, got {len(paths)}: {config.data}."
        )
    if len(paths) == 2:
        for path in paths:
            data.list_files_by_split(path)
        return [(None, [Path(path) for path in paths])]
    by_split: dict[str | None, list[Path]] = {}
    for split, file in data.list_files_by_split(config.data):
        by_split.setdefault(split, []).append(file)
    suffixes = [f".{language}" for language in (config.source, config.target)]
    for split, group in by_split.items():
        if len(group) == 2 and {file.suffix for file in group} == set(suffixes):
            group.sort(key=lambda file: suffixes.index(file.suffix))
        elif len(group) > 1:
            names = ", ".join(file.name for file in group)
            raise InputError(
                f"{config.data} has the files {names} for the split {split}; it needs one file, or "
                f"two that end in {' and '.join(suffixes)}."
            )
    return list(by_split.items())


def read_pairs(files: Sequence[Path], config: Config) -> list[Pair]:
    """Return the sentence pairs of one file, or of two aligned files.

    One file is a table (`.tsv`, `.txt`), a catalog (`.po`, `.mo`) or a translation memory (`.tmx`).

    Args:
        files: One or two files.
        config: Encoding and languages.

    Raises:
        InputError: If lines or columns have no counterpart, or one side is empty; the message gives
            file and line.
    """
    pairs: Iterable[Pair]
    if len(files) == 2:
        pairs = _read_aligned(files[0], files[1], config.encoding)
    elif (suffix := files[0].suffix.lower()) in READERS:
        pairs = READERS[suffix](read_document(files[0]), files[0])
    elif suffix == ".tmx":
        pairs = _read_tmx(files[0], config.source, config.target)
    else:
        pairs = _read_table(files[0], config.encoding)
    pairs = list(dict.fromkeys(pairs))
    if not pairs:
        raise InputError(f"{files[0]} contains no pairs.")
    return pairs


def _read_table(file: Path, encoding: str) -> Iterator[Pair]:
    for number, line in data.read_lines(file, encoding):
        if not line.strip():
            continue
        columns = line.split("\t")
        if len(columns) < 2:
            raise InputError(
                f"{file}, line {number}: {line[:60]!r} has no tab; a line needs a text, a tab and "
                "its translation."
            )
        yield _to_pair(columns[0], columns[1], f"{file}, line {number}")


def _read_aligned(file: Path, target_file: Path, encoding: str) -> Iterator[Pair]:
    texts, translations = (list(data.read_lines(side, encoding)) for side in (file, target_file))
    if len(texts) != len(translations):
        longer = max((file, texts), (target_file, translations), key=lambda side: len(side[1]))
        number, line = longer[1][min(len(texts), len(translations))]
        raise InputError(
            f"{file} has {len(texts)} lines but {target_file} has {len(translations)}: line "
            f"{number} of {longer[0]}, {line[:60]!r}, has no counterpart."
        )
    for (number, text), (_, translation) in zip(texts, translations):
        if text.strip() or translation.strip():
            yield _to_pair(text, translation, f"{file} and {target_file}, line {number}")


def _read_tmx(file: Path, source: str, target: str) -> Iterator[Pair]:
    """Yield the units of a translation memory (TMX) that have both languages."""
    for unit in xml_tree.iter_elements(file, "tu"):
        texts: dict[str, str] = {}
        for variant in unit.iter("tuv"):
            attributes = ("{http://www.w3.org/XML/1998/namespace}lang", "lang")
            language = next(filter(None, map(variant.get, attributes)), "").lower()
            segment = variant.find("seg")
            if segment is not None:
                text = " ".join("".join(segment.itertext()).split())
                texts[language] = texts[language.partition("-")[0]] = text
        if texts.get(source) and texts.get(target):
            yield texts[source], texts[target]


def _to_pair(text: str, translation: str, where: str) -> Pair:
    text, translation = (" ".join(side.split()) for side in (text, translation))
    if not text or not translation:
        raise InputError(f"{where}: the {'translation' if text else 'source'} is empty.")
    return text, translation


def _load_tfds(config: Config) -> Splits:
    """Return a TFDS dataset of two languages, such as ted_hrlr_translate/fr_to_en.

    Raises:
        InputError: If the dataset lacks one of the languages.
    """
    name = config.data.removeprefix("tfds:")
    builder = data.load_tfds(name)
    languages = list(builder.info.features)
    source, target = config.source, config.target
    if len(languages) == 2 and source in languages:
        target = next(language for language in languages if language != source)
    if source not in languages or target not in languages:
        raise InputError(
            f"The dataset {name} has the features {', '.join(languages)}; it needs the languages "
            f"of --source ({source}) and --target ({target})."
        )
    splits = {}
    for split in builder.info.splits:
        if split in data.SPLITS:
            rows = tfds.as_numpy(builder.as_dataset(split=split))
            pairs = [[row[n].decode("utf-8").strip() for n in (source, target)] for row in rows]
            pairs = [pair for pair in pairs if all(pair)]
            if pairs:
                splits[split] = RawExamples(*map(list, zip(*pairs)))
    return splits


def drop_long_pairs(
    pairs: Sequence[tuple[list[str], list[str]]], max_length: int
) -> list[tuple[list[str], list[str]]]:
    """Return the pairs whose sides have at most `max_length` tokens; report how many are dropped.

    Args:
        pairs: Source and target tokens.
        max_length: Maximum number of tokens of either side.

    Raises:
        InputError: If no pair is left.
    """
    kept = [pair for pair in pairs if max(map(len, pair)) <= max_length]
    if not kept:
        raise InputError(f"No training pair has at most {max_length} tokens on both sides.")
    if len(kept) < len(pairs):
        print(
            f"Left out {len(pairs) - len(kept)} of {len(pairs)} training pairs with more than "
            f"{max_length} tokens on a side.",
            file=sys.stderr,
        )
    return kept
