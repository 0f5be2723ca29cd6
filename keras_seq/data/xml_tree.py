"""XML from untrusted files, with limits on depth and size."""

import os
from collections.abc import Iterable, Iterator
from typing import Any
from xml.etree import ElementTree

from keras_seq.data import limits
from keras_seq.data.opening import open_unpacked, translate_errors

ERRORS = (ElementTree.ParseError, LookupError, ValueError)
"""Exceptions of ElementTree for damaged files. The last two are for unknown encodings."""

_BLOCK = 2**16
"""Number of bytes to parse at a time."""


def parse(content: bytes, where: object) -> ElementTree.Element:
    """Parse a whole document.

    Args:
        content: Bytes of the document.
        where: File, for error messages.

    Raises:
        InputError: If the document is not XML.
        LimitError: If the document is nested too deeply, or has too many elements.
    """
    # Each element contains this byte, whatever the encoding.
    limits.check("max_elements", content.count(b"<"), where, "the number of XML elements")
    blocks = (content[start : start + _BLOCK] for start in range(0, len(content), _BLOCK))
    root = None
    for _, element in _events(blocks, where):
        root = element if root is None else root
    assert root is not None  # The parser raises an error for documents without elements.
    return root


def iter_elements(path: str | os.PathLike[str], tag: str) -> Iterator[ElementTree.Element]:
    """Yield the elements with one tag from a file of any length.

    Args:
        path: File. If its name ends in .gz, it is decompressed.
        tag: Tag of the elements.

    Raises:
        InputError: If the file is not XML.
        LimitError: If the document is nested too deeply, or an element is too large.
    """
    parents: list[ElementTree.Element] = []
    num_open = 0
    with open_unpacked(path) as file:
        for event, element in _events(iter(lambda: file.read(_BLOCK), b""), path):
            if event == "start":
                parents.append(element)
                num_open += element.tag == tag
                continue
            parents.pop()
            num_open -= element.tag == tag
            if element.tag == tag:
                yield element
            if not num_open and parents:
                # Elements that were read are removed to keep memory constant.
                parents[-1].remove(element)


def _events(blocks: Iterable[bytes], where: object) -> Iterator[tuple[str, ElementTree.Element]]:
    """Parse blocks of bytes, and yield "start" or "end" with each element."""
    parser: Any = ElementTree.XMLPullParser(("start", "end"))
    depth = pending = 0
    for block in blocks:
        with translate_errors(where, "XML", ERRORS):
            parser.feed(block)
            events = list(parser.read_events())
        pending = 0 if events else pending + len(block)
        limits.check("max_line_bytes", pending, where, "the size of an XML element in bytes")
        for event, element in events:
            depth += event == "start"
            limits.check("max_depth", depth, where, "the depth of XML")
            yield event, element
            depth -= event == "end"
    with translate_errors(where, "XML", ERRORS):
        parser.close()
