"""XML from untrusted files, of bounded depth and size."""

from collections.abc import Iterable, Iterator
from typing import Any
from xml.etree import ElementTree

from keras_seq.data import limits
from keras_seq.data.opening import open_unpacked, translate_errors

ERRORS = (ElementTree.ParseError, LookupError, ValueError)
"""Exceptions of ElementTree for damaged bytes; the last two are of unknown encodings."""

_BLOCK = 2**16
"""Bytes to parse at a time."""


def parse(content: bytes, where: object) -> ElementTree.Element:
    """Parse a whole document.

    Args:
        content: Bytes of the document.
        where: File, for messages.

    Raises:
        InputError: If it is not XML.
        LimitError: If it is nested too deep, or has too many elements.
    """
    # Whatever the encoding, each element has this byte.
    limits.check("max_elements", content.count(b"<"), where, "the number of XML elements")
    blocks = (content[start : start + _BLOCK] for start in range(0, len(content), _BLOCK))
    root = None
    for _, element in _events(blocks, where):
        root = element if root is None else root
    assert root is not None  # Without an element it is not XML.
    return root


def iter_elements(path: object, tag: str) -> Iterator[ElementTree.Element]:
    """Read the elements of one kind in a file of any length, one at a time.

    Args:
        path: File; one whose name ends in .gz is unpacked.
        tag: Name of the elements.

    Raises:
        InputError: If it is not XML.
        LimitError: If it is nested too deep, or an element is too large.
    """
    parents: list[ElementTree.Element] = []
    inside = 0
    with open_unpacked(str(path)) as file:
        for event, element in _events(iter(lambda: file.read(_BLOCK), b""), path):
            if event == "start":
                parents.append(element)
                inside += element.tag == tag
                continue
            parents.pop()
            inside -= element.tag == tag
            if element.tag == tag:
                yield element
            if not inside and parents:
                # What has been read is forgotten.
                parents[-1].remove(element)


def _events(blocks: Iterable[bytes], where: object) -> Iterator[tuple[str, ElementTree.Element]]:
    """Parse blocks of bytes, yielding "start" or "end" with the element."""
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
