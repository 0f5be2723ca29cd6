"""Sentence pairs: gettext catalogs, TFDS datasets, or your own files."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from keras_seq import InputError, data
from keras_seq.batching import RawExamples
from keras_seq.data.opening import read_document
from keras_seq.data.parallel import PairFilter
from keras_seq.train.recipe import Splits

from . import catalogs
from .config import Config

READERS = {".po": catalogs.read_po, ".mo": catalogs.read_mo}
"""Functions that read a catalog, by suffix."""

Pair = tuple[str, str]
"""A sentence and its translation."""


def load(config: Config) -> Splits:
    """Return the sentences of each split, with their translations as targets.

    Args:
        config: Config of the run.

    Raises:
        InputError: If the data does not have the languages, or a file is damaged.
    """
    if config.data.startswith(("tfds:", "hf:")):
        return _load_tfds(config) if config.data.startswith("tfds:") else _load_hf(config)
    source, paths = config.data, []
    if source == "builtin":

        def pairs() -> Iterator[tuple[str | None, str, str]]:
            return ((None, *pair) for pair in catalogs.read_builtin_pairs(config.target))
    else:
        groups = _list_files(config)
        settings = repr(_options(config))
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


def read_pairs(files: Sequence[Path], config: Config) -> Iterator[Pair]:
    """Yield the sentence pairs of one file, or of two aligned files.

    One file is a catalog (`.po`, `.mo`), or one that `keras_seq.data.read_parallel_text` reads.

    Args:
        files: One or two files.
        config: Encoding, languages and columns.

    Raises:
        InputError: If lines or columns have no counterpart, or there are no pairs; the message
            gives file and line.
    """
    suffix = files[0].suffix.lower()
    if len(files) == 1 and suffix in READERS:
        pairs = PairFilter()
        catalog = READERS[suffix](read_document(files[0]), files[0], pairs.left_out)
        for text, translation in catalog:
            yield from pairs.keep(text, translation)
        pairs.finish(data.ReadSummary(str(files[0]), "gettext catalog", 0))
    else:
        yield from data.read_parallel_text(files, _options(config))


def _options(config: Config) -> data.ParallelOptions:
    return data.ParallelOptions(
        config.source,
        config.target,
        config.encoding,
        config.delimiter,
        config.header,
        config.columns,
    )


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


def _load_hf(config: Config) -> Splits:
    """Return the pairs of a dataset of the Hugging Face Hub.

    The languages are keys of the column `translation`, or columns that `--columns` names or that
    have the codes of the languages as names.

    Raises:
        InputError: If the dataset lacks one of the languages.
    """
    dataset = data.open_hf(config.data)
    languages = [config.source, config.target]
    names = config.columns.split(",") if config.columns else languages
    if len(names) != 2:
        raise InputError(f"--columns must name two columns, got {config.columns!r}.")
    is_nested = "translation" in dataset.features and not config.columns
    if is_nested:
        columns = {"translation": "translation"}
    else:
        columns = {
            side: dataset.choose_column([name], "--columns")
            for side, name in zip(("source", "target"), names)
        }

    def parse(*values: Any) -> Pair | str:
        if is_nested:
            [sides] = values
            if not sides:
                return "the translation is missing"
            if missing := [language for language in languages if language not in sides]:
                raise InputError(
                    f"{config.data} has the languages {', '.join(sides)}, not {missing[0]}; change "
                    "--source or --target."
                )
            values = tuple(sides[language] for language in languages)
        text, translation = (" ".join(str(value or "").split()) for value in values)
        if not text or not translation:
            return f"the {'translation' if text else 'source'} is blank"
        return text, translation

    rows = dataset.read(columns, parse, lambda pair: pair[0].lower())
    return {split: RawExamples(*map(list, zip(*pairs))) for split, pairs in rows.items()}


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
