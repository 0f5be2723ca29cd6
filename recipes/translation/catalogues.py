"""Gettext catalogues: what programs say, in English and in other languages."""

import codecs
import re
import struct
from collections import Counter

import numpy as np
import polib

from keras_seq import data
from keras_seq._internal.errors import unknown_name
from keras_seq.data import limits
from keras_seq.data.opening import translate_errors

# Package, version and SHA-256 of the wheel; those with a language have the catalogues of it alone.
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
CATALOGUE = re.compile(r"(?:^|/)([a-z]+(?:[_-]\w+)?)/LC_MESSAGES/[^/]+\.mo$")
MARKUP = set("%{}<>&_|$\\")
WORDS = range(2, 21)
"""How many words a clean sentence has."""
DAMAGE = (AttributeError, LookupError, OSError, TypeError, ValueError, struct.error)
"""Exceptions of polib for damaged catalogues."""


def builtin(language):
    """Clean pairs of an English text and its translation, out of all catalogues.

    No pair has a character of markup or of a placeholder, both sides have 2 to 20 words, and each
    English text, small and capital letters alike, is there once, with the translation that is
    there most often.

    Raises:
        InputError: There is no catalogue of that language; the message lists those that there are.
    """
    found = {}
    for package, version, sha256, only in WHEELS:
        if only not in (None, language):
            continue
        files = data.read_from_wheel(package, version, sha256, CATALOGUE.search)
        languages = {path: _language(path) for path in files}
        if package == WHEELS[0][0] and language not in languages.values():
            # It has all the languages that the others have; English it has as well.
            raise unknown_name(
                "catalogue of the language", language, {*languages.values()} - {"en"}
            )
        for path, content in files.items():
            if languages[path] == language:
                for english, said in read_mo(content, path):
                    if is_clean(english) and is_clean(said):
                        found.setdefault(english.lower(), Counter())[english, said] += 1
    # Of equally frequent ones the first.
    return [pairs.most_common(1)[0][0] for pairs in found.values()]


def _language(path):
    """fr, fr_FR and fr-FR are one language, pt_BR is not pt."""
    language, _, region = CATALOGUE.search(path)[1].replace("-", "_").partition("_")
    return language if region in ("", language.upper()) else f"{language}_{region}"


def is_clean(text):
    """Whether a text has 2 to 20 words and no markup."""
    return not MARKUP & set(text) and len(text.split()) in WORDS


def read_mo(content, where):
    """The texts of a compiled catalogue with their translations, singular and plural apart.

    Args:
        content: Bytes.
        where: For the error.

    Raises:
        InputError: It is none.
        LimitError: Its texts are too long.
    """
    with translate_errors(where, "a catalogue", DAMAGE):
        total = _bytes_of_texts(content)
    # Entries may point to the same bytes, so that a small file has any number of large texts.
    limits.check("max_document_bytes", total, where, "the size of its texts in bytes")
    return _read(polib.mofile, content, where)


def _bytes_of_texts(content: bytes) -> int:
    """Return the size of all texts in a compiled catalogue, as its tables give them."""
    order = {0x950412DE: "<", 0xDE120495: ">"}.get(struct.unpack_from("<I", content)[0])
    if order is None:
        raise ValueError("it does not begin as one")
    count, *tables = struct.unpack_from(f"{order}3I", content, 8)
    pairs = (np.frombuffer(content, f"{order}u4", 2 * count, table) for table in tables)
    return sum(int(pair[::2].sum(dtype=np.int64)) for pair in pairs)


def read_po(content, where):
    """The same of a catalogue as text; what is fuzzy, obsolete or not translated is left out."""
    # polib takes content that is the path of a file for that file; no path ends so.
    content = content.removeprefix(codecs.BOM_UTF8) + b"\n\n"
    with translate_errors(where, "a catalogue", DAMAGE):
        encoding = polib.detect_encoding(content, binary_mode=True)
        text = content.decode(encoding, "replace")
    return _read(polib.pofile, text, where)


def _read(parse, content, where):
    with translate_errors(where, "a catalogue", DAMAGE):
        entries = parse(content)
    pairs = []
    for entry in entries:
        if not (entry.obsolete or "fuzzy" in entry.flags):
            said = [entry.msgstr_plural.get(n, "") for n in (0, 1)] if entry.msgid_plural else []
            sides = [entry.msgid, entry.msgid_plural], said or [entry.msgstr]
            pairs += [tuple(" ".join(side.split()) for side in pair) for pair in zip(*sides)]
    return [pair for pair in pairs if all(pair)]
