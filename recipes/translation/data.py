"""Pairs of sentences: gettext catalogues, sets of TFDS, or files of your own."""

import sys
from pathlib import Path

import tensorflow_datasets as tfds

from keras_seq import InputError, data
from keras_seq._internal.errors import excerpt
from keras_seq.batching import RawExamples
from keras_seq.data import xml_tree
from keras_seq.data.opening import read_document
from keras_seq.train.recipe import Splits

from . import catalogues
from .config import Config

READERS = {".po": catalogues.read_po, ".mo": catalogues.read_mo}


def load(config: Config) -> Splits:
    """Return sentences by split; the targets are their translations."""
    if config.data.startswith("tfds:"):
        return _public(config)
    source, paths = config.data, []
    if source == "builtin":
        if config.source != "en":
            raise InputError("The built-in catalogues are of English texts: --source en.")

        def pairs():
            return ((None, *pair) for pair in catalogues.builtin(config.target))
    else:
        files = _files(config)
        settings = repr((config.encoding, config.source, config.target))
        flat = [(file, split) for split, group in files for file in group]
        paths = [file for file, _ in flat]
        source = data.fingerprint(flat) + settings

        def pairs():
            for split, group in files:
                for text, said in read(group, config):
                    yield data.resolve_split(files, split, text.lower()), text, said

    def examples():
        for split, text, said in pairs():
            yield text.lower(), {"source": text, "target": said}, split

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


def _files(config):
    """Of each split, the file or the two files with its pairs: a list of (split, files)."""
    paths = config.data.split(",")
    if len(paths) > 2:
        raise InputError(f"--data {config.data}: two files are aligned, not {len(paths)}.")
    if len(paths) == 2:
        for path in paths:
            data.list_files_by_split(path)
        return [(None, [Path(path) for path in paths])]
    by_split = {}
    for split, file in data.list_files_by_split(config.data):
        by_split.setdefault(split, []).append(file)
    for split, group in by_split.items():
        endings = [f".{language}" for language in (config.source, config.target)]
        if len(group) == 2 and {file.suffix for file in group} == set(endings):
            group.sort(key=lambda file: endings.index(file.suffix))
        elif len(group) > 1:
            names = ", ".join(file.name for file in group)
            raise InputError(
                f"{config.data} has the files {names} for {split}: it takes one, or two that end "
                f"in {' and '.join(endings)}."
            )
    return list(by_split.items())


def read(files, config):
    """Pairs of a table (.tsv, .txt), a catalogue (.po, .mo), a memory (.tmx), or of two files.

    Raises:
        InputError: Lines or columns have no partner, or a side is empty; the message says where.
    """
    if len(files) == 2:
        pairs = _aligned(*files, config.encoding)
    elif (suffix := files[0].suffix.lower()) in READERS:
        pairs = READERS[suffix](read_document(files[0]), files[0])
    elif suffix == ".tmx":
        pairs = _memory(files[0], config.source, config.target)
    else:
        pairs = _table(files[0], config.encoding)
    pairs = list(dict.fromkeys(pairs))
    if not pairs:
        raise InputError(f"{files[0]} has no pair in it.")
    return pairs


def _table(file, encoding):
    for number, line in data.read_lines(file, encoding):
        if not line.strip():
            continue
        columns = line.split("\t")
        if len(columns) < 2:
            raise InputError(
                f"{file}, line {number}: {excerpt(line)!r} has no tab; a line is a text, a tab and "
                "its translation."
            )
        yield _both(*columns[:2], f"{file}, line {number}")


def _aligned(file, other, encoding):
    texts, said = (list(data.read_lines(side, encoding)) for side in (file, other))
    if len(texts) != len(said):
        longer = max((file, texts), (other, said), key=lambda side: len(side[1]))
        number, line = longer[1][min(len(texts), len(said))]
        raise InputError(
            f"{file} has {len(texts)} lines but {other} has {len(said)}: line {number} of "
            f"{longer[0]}, {excerpt(line)!r}, has no partner."
        )
    for (number, text), (_, translation) in zip(texts, said):
        if text.strip() or translation.strip():
            yield _both(text, translation, f"{file} and {other}, line {number}")


def _memory(file, source, target):
    """The units of a translation memory (TMX) that both languages have."""
    for unit in xml_tree.iter_elements(file, "tu"):
        texts = {}
        for variant in unit.iter("tuv"):
            names = ("{http://www.w3.org/XML/1998/namespace}lang", "lang")
            language = next((variant.get(name) for name in names if variant.get(name)), "")
            segment = variant.find("seg")
            if segment is not None:
                text = " ".join("".join(segment.itertext()).split())
                texts[language.lower()] = texts[language.lower().partition("-")[0]] = text
        if texts.get(source) and texts.get(target):
            yield texts[source], texts[target]


def _both(text, translation, where):
    text, translation = (" ".join(side.split()) for side in (text, translation))
    if not text or not translation:
        raise InputError(f"{where}: the {'translation' if text else 'source'} is empty.")
    return text, translation


def _public(config: Config) -> Splits:
    """Any set of TFDS of two languages, such as ted_hrlr_translate/fr_to_en."""
    name = config.data.removeprefix("tfds:")
    builder = data.load_tfds(name)
    languages = list(builder.info.features)
    source, target = config.source, config.target
    if len(languages) == 2 and source in languages:
        target = next(language for language in languages if language != source)
    if source not in languages or target not in languages:
        raise InputError(
            f"The data set {name} has the features {', '.join(languages)}; needed are the "
            f"languages --source and --target, here {source} and {target}."
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


def fitting(pairs, longest):
    """The pairs of tokens of which neither side is too long; how many are left out is said.

    Args:
        pairs: A list of (tokens, tokens).
        longest: Tokens at most.

    Raises:
        InputError: None is left.
    """
    kept = [pair for pair in pairs if max(map(len, pair)) <= longest]
    if not kept:
        raise InputError(f"No training pair has at most {longest} tokens on either side.")
    if len(kept) < len(pairs):
        print(
            f"Left out {len(pairs) - len(kept)} of {len(pairs)} training pairs with more than "
            f"{longest} tokens on a side.",
            file=sys.stderr,
        )
    return kept
