"""Translation memories (TMX) and bilingual files (XLIFF)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from xml.etree import ElementTree

from keras_seq.data import xml_tree
from keras_seq.data.languages import normalize_code
from keras_seq.data.opening import read_document

CODES = {"bpt", "ept", "it", "ph", "ut", "x", "bx", "ex", "sc", "ec", "sm", "em"}
"""Elements within a text that stand for formatting codes. Their content is not text."""
LANGUAGE_ATTRIBUTES = ("{http://www.w3.org/XML/1998/namespace}lang", "lang")

Variants = dict[str, str]
"""Texts of one unit by normalized language code."""

_LINE_BREAK = re.compile(r"<br\b", re.IGNORECASE)


def read_tmx(path: str | os.PathLike[str]) -> Iterator[Variants]:
    """Read the units of a translation memory, one at a time.

    Args:
        path: File. A file whose name ends in .gz is decompressed.

    Raises:
        InputError: If the file is not XML.
        LimitError: If the XML is nested too deep, or an element is too large.
    """
    for unit in xml_tree.iter_elements(path, "tu"):
        variants: Variants = {}
        for variant in unit.iter("tuv"):
            language = next(filter(None, map(variant.get, LANGUAGE_ATTRIBUTES)), "")
            segment = variant.find("seg")
            if segment is not None:
                variants[normalize_code(language)] = element_text(segment)
        yield variants


def read_xliff(path: str | os.PathLike[str]) -> Iterator[Variants]:
    """Read the units of an XLIFF file of version 1.2 or 2.

    Args:
        path: File. It is read at once, so `max_document_bytes` limits its size.

    Raises:
        InputError: If the file is not XML.
        LimitError: If the XML is too large.
    """
    root = xml_tree.parse(read_document(path), path)
    namespace = root.tag[: root.tag.find("}") + 1]
    if root.get("srcLang"):
        groups = [(root, root.get("srcLang"), root.get("trgLang"))]
    else:
        groups = [
            (file, file.get("source-language"), file.get("target-language"))
            for file in root.iter(f"{namespace}file")
        ]
    for group, *languages in groups:
        for unit in group.iter():
            if unit.tag not in (f"{namespace}trans-unit", f"{namespace}segment"):
                continue
            sides = (unit.find(f"{namespace}{side}") for side in ("source", "target"))
            yield {
                normalize_code(language or ""): element_text(side)
                for side, language in zip(sides, languages)
                if side is not None
            }


def element_text(element: ElementTree.Element) -> str:
    """Return the text of an element without the content of formatting codes.

    A code that stands for a line break becomes a blank.

    Args:
        element: Element, such as "seg" in TMX.
    """
    parts = [element.text or ""]
    for child in element:
        if child.tag.rpartition("}")[2] not in CODES:
            parts.append(element_text(child))
        elif _LINE_BREAK.search("".join(child.itertext())):
            parts.append(" ")
        parts.append(child.tail or "")
    return "".join(parts)


MEMORY_READERS: dict[str, Callable[[str | os.PathLike[str]], Iterator[Variants]]] = {
    ".tmx": read_tmx,
    ".xlf": read_xliff,
    ".xliff": read_xliff,
}
"""Readers of units in several languages, by suffix."""
