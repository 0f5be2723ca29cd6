"""Parallel text for translation: aligned files, tables, JSON lines and translation memories."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_seq._internal.errors import InputError, excerpt
from keras_seq._internal.unicode import check_text
from keras_seq.data import summaries
from keras_seq.data.delimited import describe_names
from keras_seq.data.encodings import detect_format
from keras_seq.data.files import read_lines
from keras_seq.data.hash_set import HashSet
from keras_seq.data.json_lines import read_objects
from keras_seq.data.languages import base_language, normalize_code, parse_language
from keras_seq.data.opening import unpacked_suffix
from keras_seq.data.pair_columns import (
    SAMPLE_ROWS,
    PairColumns,
    common_width,
    detect_pair_delimiter,
    find_columns,
    read_pair_rows,
)
from keras_seq.data.row_errors import BadRows
from keras_seq.data.summaries import ReadSummary
from keras_seq.data.tables import JSON_SUFFIXES
from keras_seq.data.translation_memory import MEMORY_READERS

Pair = tuple[str, str]
"""A text and its translation."""

ROLES = {
    "source": ["source", "target"],
    "src": ["src", "tgt"],
    "text": ["text", "translation"],
}
"""Keys of JSON objects for text and translation."""


@dataclasses.dataclass(frozen=True)
class ParallelOptions:
    """Options of the user for parallel text.

    >>> ParallelOptions("en", "de", columns="1,2").encoding
    'utf-8'

    Args:
        source: Code of the source language.
        target: Code of the target language.
        encoding: Character encoding of files without a byte order mark.
        delimiter: Delimiter of the columns of tables. Default: tab, or detected in .csv files.
        header: Whether tables have a header. Default: detected.
        columns: Columns of text and translation, separated by a comma: names in the header or in
            JSON objects, or numbers from 1. Default: detected.
    """

    source: str
    target: str
    encoding: str = "utf-8"
    delimiter: str | None = None
    header: bool | None = None
    columns: str | None = None


class PairFilter:
    """Filter that leaves out blank and repeated pairs of one file, and counts them.

    It holds a hash of each pair, not the texts: see `keras_seq.data.hash_set`.

    >>> pairs = PairFilter()
    >>> pairs.keep("a  tree", "ein Baum"), pairs.keep("a tree", "ein Baum")
    ([('a tree', 'ein Baum')], [])
    """

    def __init__(self) -> None:
        self.left_out: Counter[str] = Counter()
        self.bad_rows = BadRows()
        self._known = HashSet()

    def keep(self, text: str, translation: str) -> list[Pair]:
        """Return a list of the pair with single blanks for white space, or an empty list.

        Args:
            text: Text.
            translation: Its translation. A pair of blank texts is not counted.
        """
        text, translation = (" ".join(side.split()) for side in (text, translation))
        if text and translation:
            if self._known.add(text, translation):
                return [(text, translation)]
            self.left_out["repeated pairs"] += 1
        elif text or translation:
            self.left_out[f"the {'translation' if text else 'source'} is blank"] += 1
        return []

    def finish(self, summary: ReadSummary, reason: str = "") -> None:
        """Add a summary with the counts.

        Args:
            summary: Summary without counts.
            reason: Reason for which there may be no pairs, as a clause.

        Raises:
            InputError: If there were no pairs, or more than half of the rows were bad.
        """
        left_out = {**summary.left_out, **self.left_out}
        summary = summary.replace(num_rows=len(self._known), left_out=left_out)
        summary = self.bad_rows.finish(summary)
        if not self._known:
            counts = [f"left out {count}: {reason}" for reason, count in left_out.items()]
            details = "; ".join(filter(None, [reason, *counts]))
            raise InputError(
                f"{summary.path} contains no pairs{f' ({details})' if details else ''}."
            )
        summaries.add(summary)


def read_parallel_text(files: Sequence[Path], options: ParallelOptions) -> Iterator[Pair]:
    """Read the pairs of one file, or of two aligned files, one at a time.

    Pairs with a blank side and repeated pairs are left out and counted. White space becomes single
    blanks. A `keras_seq.data.ReadSummary` says what was detected.

    Args:
        files: Two files with one sentence per line (Moses), or one file: a table, JSON lines or a
            JSON array with two keys or an object "translation", or a translation memory (.tmx,
            .xlf, .xliff). Tables have the text and its translation in the first two columns, in
            those of a header with languages or roles, or in columns 2 and 4 as exported by Tatoeba.
            Quotes between tabs are characters, because sentences may begin and end with them.
        options: Languages, encoding and columns.

    Raises:
        InputError: If lines or columns have no counterpart, or there are no pairs. The message
            states file and line.
    """
    if len(files) == 2:
        return _read_aligned(files[0], files[1], options)
    [file] = files
    suffix = unpacked_suffix(file)
    if suffix in MEMORY_READERS:
        return _read_memory(file, suffix, options)
    if suffix in JSON_SUFFIXES:
        return _read_json(file, options)
    return _read_table(file, suffix, options)


def _read_aligned(file: Path, target_file: Path, options: ParallelOptions) -> Iterator[Pair]:
    pairs = PairFilter()
    sides = (read_lines(side, options.encoding) for side in (file, target_file))
    rows = itertools.zip_longest(*sides)
    number = 0
    for number, (source_row, target_row) in enumerate(rows, 1):
        if source_row is None or target_row is None:
            rest = 1 + sum(1 for _ in rows)
            counts = [number - 1 + rest * (row is not None) for row in (source_row, target_row)]
            longer, line = (target_file, target_row) if source_row is None else (file, source_row)
            raise InputError(
                f"{file} has {counts[0]} lines but {target_file} has {counts[1]}: line {number} of "
                f"{longer}, {excerpt(line[1])!r}, has no counterpart."
            )
        yield from pairs.keep(source_row[1], target_row[1])
    encodings = dict.fromkeys(
        str(detect_format(side, options.encoding)) for side in (file, target_file)
    )
    summary = ReadSummary(f"{file},{target_file}", "aligned lines", 0, " and ".join(encodings))
    pairs.finish(summary)


def _read_table(file: Path, suffix: str, options: ParallelOptions) -> Iterator[Pair]:
    delimiter = detect_pair_delimiter(file, suffix, options.encoding, options.delimiter)
    languages = (base_language(options.source), base_language(options.target))
    sample = [
        *itertools.islice(
            read_pair_rows(file, options.encoding, delimiter, BadRows("skip")), SAMPLE_ROWS
        )
    ]
    layout = find_columns(sample, file, languages, options.columns, options.header)
    num_cells = len(layout.header or ()) or common_width(sample)
    pairs = PairFilter()
    rows = read_pair_rows(file, options.encoding, delimiter, pairs.bad_rows)
    for number, cells in itertools.islice(rows, layout.header is not None, None):
        where = f"{file}, line {number}"
        with pairs.bad_rows:
            if delimiter != "\t" and len(cells) != num_cells:
                raise InputError(
                    f"{where}: the row has {len(cells)} cells, but others have {num_cells}; "
                    f"enclose cells that contain the delimiter {delimiter!r} in quotes."
                )
            if len(cells) <= max(layout.columns):
                raise _missing_column_error(cells, layout, delimiter, where)
            for cell in cells:
                check_text(cell, where)
            yield from pairs.keep(*(cells[column] for column in layout.columns))
    names = layout.header or [str(column + 1) for column in range(max(layout.columns) + 1)]
    pairs.finish(
        ReadSummary(
            str(file),
            "tab-separated text" if delimiter == "\t" else "delimited text",
            0,
            str(detect_format(file, options.encoding)),
            delimiter,
            layout.header is not None,
            {"source": names[layout.columns[0]], "target": names[layout.columns[1]]},
            notes=layout.notes,
        )
    )


def _missing_column_error(
    cells: Sequence[str], layout: PairColumns, delimiter: str, where: str
) -> InputError:
    name = summaries.DELIMITER_NAMES.get(delimiter, repr(delimiter))
    reason = f"has no {name}; a line needs a text, a {name} and its"
    if len(cells) > 1:
        reason = f"has {len(cells)} columns; column {max(layout.columns) + 1} has its"
    return InputError(f"{where}: {excerpt(delimiter.join(cells))!r} {reason} translation.")


def _read_json(file: Path, options: ParallelOptions) -> Iterator[Pair]:
    pairs = PairFilter()
    unit, objects = read_objects(file, options.encoding, pairs.bad_rows)
    keys: Sequence[str] = ()
    for number, content in objects:
        where = f"{file}, {unit} {number}"
        inner = content.get("translation")
        sides = inner if isinstance(inner, dict) else content
        with pairs.bad_rows:
            if not {*keys} <= {*sides} or not keys:
                keys = _find_keys(sides, options, where)
            texts = ["" if sides[key] is None else sides[key] for key in keys]
            for key, text in zip(keys, texts):
                if not isinstance(text, str):
                    raise InputError(f"{where}: {excerpt(key)!r} is not a text.")
                check_text(text, where)
            yield from pairs.keep(*texts)
    pairs.finish(
        ReadSummary(
            str(file),
            "JSON lines" if unit == "line" else "JSON array",
            0,
            str(detect_format(file, options.encoding)),
            columns=dict(zip(("source", "target"), keys)),
        )
    )


def _find_keys(sides: Mapping[str, Any], options: ParallelOptions, where: str) -> Sequence[str]:
    """Return the keys of text and translation in a JSON object.

    Raises:
        InputError: If there are none, or several that fit.
    """
    if options.columns is not None:
        keys = options.columns.split(",")
        if len(keys) == 2 and {*keys} <= {*sides}:
            return keys
    else:
        candidates = [
            [key for key in sides if normalize_code(key) == normalize_code(code)]
            or [key for key in sides if _is_language(key, code)]
            for code in (options.source, options.target)
        ]
        if all(len(keys) == 1 for keys in candidates):
            return [key for [key] in candidates]
        for roles in ROLES.values():
            if {*roles} <= {*sides}:
                return roles
    raise InputError(
        f"{where}: the object has the keys {describe_names(sides)}, none of which are for "
        f"--source {options.source} and --target {options.target}; name those of text and "
        "translation by --columns."
    )


def _is_language(key: str, code: str) -> bool:
    """Return whether a key names a language, of any region if the code has none."""
    language = parse_language(key)
    return language is not None and code in (language, base_language(language))


def _read_memory(file: Path, suffix: str, options: ParallelOptions) -> Iterator[Pair]:
    pairs = PairFilter()
    languages: Counter[str] = Counter()
    used: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    source, target = normalize_code(options.source), normalize_code(options.target)
    for variants in MEMORY_READERS[suffix](file):
        languages.update(variants.keys())
        source_code, target_code = (_choose_variant(variants, code) for code in (source, target))
        if source_code is None or target_code is None:
            pairs.left_out[f"{source} or {target} is missing"] += 1
            continue
        used[0][source_code] += 1
        used[1][target_code] += 1
        yield from pairs.keep(variants[source_code], variants[target_code])
    columns = {
        name: " ".join(counter) for name, counter in zip(("source", "target"), used) if counter
    }
    name = "translation memory (TMX)" if suffix == ".tmx" else "XLIFF"
    reason = f"its languages are {describe_names(sorted(languages))}" if languages else ""
    pairs.finish(ReadSummary(str(file), name, 0, columns=columns), reason)


def _choose_variant(variants: Mapping[str, str], code: str) -> str | None:
    """Return the code of a text in a language: the same code, or the first of any region."""
    if code in variants:
        return code
    return next((variant for variant in variants if base_language(variant) == code), None)
