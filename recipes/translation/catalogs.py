"""Gettext message catalogs: texts of programs in English, with translations."""

import codecs
import re
import struct
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import polib

from keras_seq import data
from keras_seq.data import limits
from keras_seq.data.opening import translate_errors

# Package, version and SHA-256 of each wheel, and its language if it has only one.
WHEELS = [
    ("django", "5.2.19", "5965d974a5218a2b68a11dd1276434707f23886525c23f0598eccedaf4f4ca00", None),
    ("wagtail", "8.0.1", "1e6ad5c7891a54efce1400e168298b5a2cc343b642cee89c31bf5ec30c98b26c", None),
    ("weblate", "5.14.3", "0bc2c5a49ebc496758e89f08d5ec9d1b226e8aba2cff7744a18ab9f235dca816", None),
    ("gramps", "6.0.8", "56f03bcb643320eb9f9892d4c3f8bbe7c4c4d2e4c71e56f598584af24561ec1c", None),
    ("indico", "3.2.9", "194d2e31ccaabd2b9af7809e67d60d942faee35a6b4de36f0c2c280a32ed84c3", None),
    (
        "nicotine-plus",
        "3.3.11",
        "57a5fdf5f4d3ca993bfd3e086348c95536557cfa68569c0fc03b21f5c8d4307a",
        None,
    ),
    (
        "plone.app.locales",
        "7.0.4",
        "de96a5d0dc1fe5ab540fa6f993805c09da80a9518aa7a309e8cd1f433e3ae6aa",
        None,
    ),
    (
        "pretix",
        "2026.8.0",
        "a78932e698778d873530d67f25a57c28d1c09b1bfb1a22ec817c00d90397db85",
        None,
    ),
    ("spyder", "6.1.8", "4da836742a7138c93392a8a0bd1a5ff40002cf92d217ef0e7bed11b522322f90", None),
    (
        "jupyterlab-language-pack-fr-FR",
        "4.5.post3",
        "9f6ce9d4e64b367ff084a2313af29d6ad8a02d1d08000f3e6c53e2856fa9a11f",
        "fr",
    ),
    (
        "jupyterlab-language-pack-de-DE",
        "4.5.post3",
        "b716b56f7e0c884f42152d5e36c253ea0f32ca41f99097d842d3934f4a4bc7fb",
        "de",
    ),
]
CATALOG = re.compile(r"(?:^|/)([a-z]+(?:[_-]\w+)?)/LC_MESSAGES/[^/]+\.mo$")
MARKUP = set("%{}<>&_|$\\")
NUM_WORDS = range(2, 21)
"""Number of words of a clean text."""
POLIB_ERRORS = (AttributeError, LookupError, OSError, TypeError, ValueError, struct.error)
"""Exceptions of polib for damaged catalogs."""

Pairs = list[tuple[str, str]]
"""English texts with their translations."""


def read_builtin_pairs(language: str) -> Pairs:
    """Return the clean pairs of all built-in catalogs of a language.

    Both texts of a pair are clean, see `is_clean`. Each English text occurs once, regardless of
    case, with its most frequent translation.

    Args:
        language: Language code of the translations, such as "fr".
    """
    counts: dict[str, Counter[tuple[str, str]]] = {}
    for package, version, sha256, only_language in WHEELS:
        if only_language not in (None, language):
            continue
        files = data.read_from_wheel(package, version, sha256, CATALOG.search)
        languages = {path: _language(path) for path in files}
        for path, content in files.items():
            if languages[path] == language:
                for english, translation in read_mo(content, path):
                    if is_clean(english) and is_clean(translation):
                        pair_counts = counts.setdefault(english.lower(), Counter())
                        pair_counts[english, translation] += 1
    # Among equally frequent translations, the first one counts.
    return [pair_counts.most_common(1)[0][0] for pair_counts in counts.values()]


def _language(path: str) -> str:
    """Return the language of a catalog: fr for fr, fr_FR and fr-FR, but pt_BR for pt_BR."""
    match = CATALOG.search(path)
    assert match is not None  # the files were selected by this pattern
    language, _, region = match[1].replace("-", "_").partition("_")
    return language if region in ("", language.upper()) else f"{language}_{region}"


def is_clean(text: str) -> bool:
    """Return whether a text has 2 to 20 words, and no markup or placeholder."""
    return not MARKUP & set(text) and len(text.split()) in NUM_WORDS


def read_mo(content: bytes, where: object, left_out: Counter[str] | None = None) -> Pairs:
    """Return the texts of a compiled catalog with their translations.

    Singular and plural of an entry are two pairs.

    Args:
        content: Content of the file.
        where: File, for error messages.
        left_out: Counter to which the numbers of entries that are left out are added.

    Raises:
        InputError: If the content is not a catalog.
        LimitError: If its texts are too long.
    """
    with translate_errors(where, "a catalog", POLIB_ERRORS):
        num_bytes = _total_text_bytes(content)
    # Entries may share bytes, so a small file can hold any amount of text.
    limits.check("max_document_bytes", num_bytes, where, "the size of its texts in bytes")
    return _read_pairs(polib.mofile, content, where, left_out)


def _total_text_bytes(content: bytes) -> int:
    """Return the total size of the texts of a compiled catalog, as its tables give it."""
    order = {0x950412DE: "<", 0xDE120495: ">"}.get(struct.unpack_from("<I", content)[0])
    if order is None:
        raise ValueError("the magic number is wrong")
    count, *tables = struct.unpack_from(f"{order}3I", content, 8)
    pairs = (np.frombuffer(content, f"{order}u4", 2 * count, table) for table in tables)
    return sum(int(pair[::2].sum(dtype=np.int64)) for pair in pairs)


def read_po(content: bytes, where: object, left_out: Counter[str] | None = None) -> Pairs:
    """Return the texts of a text catalog with their translations.

    Fuzzy, obsolete and untranslated entries are left out. Singular and plural of an entry are two
    pairs.

    Args:
        content: Content of the file.
        where: File, for error messages.
        left_out: Counter to which the numbers of entries that are left out are added.

    Raises:
        InputError: If the content is not a catalog.
    """
    # polib opens content that is the path of a file. No path ends with blank lines.
    content = content.removeprefix(codecs.BOM_UTF8) + b"\n\n"
    with translate_errors(where, "a catalog", POLIB_ERRORS):
        encoding = polib.detect_encoding(content, binary_mode=True)
        text = content.decode(encoding, "replace")
    return _read_pairs(polib.pofile, text, where, left_out)


def _read_pairs(
    parse: Callable[..., Any], content: bytes | str, where: object, left_out: Counter[str] | None
) -> Pairs:
    with translate_errors(where, "a catalog", POLIB_ERRORS):
        entries = parse(content)
    left_out = Counter() if left_out is None else left_out
    pairs: Pairs = []
    for entry in entries:
        if entry.obsolete or "fuzzy" in entry.flags:
            left_out["obsolete entries" if entry.obsolete else "fuzzy entries"] += 1
            continue
        texts, translations = [entry.msgid], [entry.msgstr]
        if entry.msgid_plural:
            texts.append(entry.msgid_plural)
            translations = [entry.msgstr_plural.get(n, "") for n in (0, 1)]
        for text, translation in zip(texts, translations):
            pair = (" ".join(text.split()), " ".join(translation.split()))
            if all(pair):
                pairs.append(pair)
            elif pair[0]:
                left_out["untranslated texts"] += 1
    return pairs
