"""Tests of XML that is nested too deep, too large, or damaged."""

import pytest

from keras_seq._internal.errors import InputError
from keras_seq.data import limits, xml_tree


def test_iter_elements(tmp_path):
    path = tmp_path / "a.tmx"
    path.write_text("<a><b/><u>1<v>2</v></u><b><u>3</u></b></a>" + " " * 200_000)
    texts = ["".join(element.itertext()) for element in xml_tree.iter_elements(path, "u")]
    assert texts == ["12", "3"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<a>" * 100_000, "the depth of XML is 65, above the limit of 64"),
        (b"<a>" + b"x" * 300_000, r"the size of an XML element in bytes is \d+, above"),
        (b"<a><b></a>", "is damaged or is not XML: mismatched tag"),
        (b"<a>", "is damaged or is not XML: no element found"),
        (b"", "is damaged or is not XML: no element found"),
        (b'<?xml version="1.0" encoding="x"?><a/>', "is damaged or is not XML"),
        (
            b'<!DOCTYPE a [<!ENTITY x0 "'
            + b"x" * 1_000
            + b'">'
            + b"".join(b'<!ENTITY x%d "%s">' % (n + 1, b"&x%d;" % n * 10) for n in range(9))
            + b"]><a>&x9;</a>",
            "limit on input amplification",
        ),
    ],
    ids=["deep", "large", "mismatched", "cut", "empty", "encoding", "entities"],
)
def test_errors(tmp_path, content, message):
    path = tmp_path / "a.tmx"
    path.write_bytes(content)
    with limits.override(max_line_bytes=100_000), pytest.raises(InputError, match=message):
        list(xml_tree.iter_elements(path, "u"))
    with limits.override(max_line_bytes=100_000), pytest.raises(InputError, match=message):
        xml_tree.parse(content, path)


def test_max_elements():
    assert len(xml_tree.parse(b"<a><b/><b/></a>", "a.xml")) == 2
    with limits.override(max_elements=3), pytest.raises(limits.LimitError, match="XML elements"):
        xml_tree.parse(b"<a><b/><b/></a>", "a.xml")
