"""Tests of encodings, byte order marks and line ends of text files."""

import codecs
import gzip

import hypothesis
import pytest
from hypothesis import strategies as st

from keras_seq._internal.errors import InputError
from keras_seq.data import encodings, limits, read_lines

UTF_16_TABLE = (
    b"\xff\xfet\x00e\x00x\x00t\x00\t\x00l\x00a\x00b\x00e\x00l\x00\n\x00s\x00c\x00h\x00\xf6\x00n\x00"
    b"\t\x00g\x00o\x00o\x00d\x00\n\x00f\x00a\x00d\x00\t\x00b\x00a\x00d\x00\n\x00"
)


def lines(folder, content, encoding="utf-8", name="a.txt"):
    (folder / name).write_bytes(content)
    found = list(read_lines(folder / name, encoding))
    assert [number for number, _ in found] == list(range(1, len(found) + 1))
    return [line for _, line in found]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "latin-1"])
def test_a_byte_order_mark_determines_the_encoding(tmp_path, encoding):
    expected = ["text\tlabel", "schön\tgood", "fad\tbad"]
    assert lines(tmp_path, UTF_16_TABLE, encoding) == expected
    packed = gzip.compress(UTF_16_TABLE, mtime=0)
    assert lines(tmp_path, packed, encoding, "a.txt.gz") == expected


@pytest.mark.parametrize(("mark", "encoding"), encodings.BYTE_ORDER_MARKS, ids=str)
def test_all_byte_order_marks(tmp_path, mark, encoding):
    content = mark + "één\r\ntwee 😀\r\n".encode(encoding)
    assert lines(tmp_path, content) == ["één", "twee 😀"]
    detected = encodings.detect_format(tmp_path / "a.txt")
    assert detected == (encoding, True, False)
    assert str(detected) == f"{encoding.upper()} (byte order mark)"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "“déjà” vu\nœuf"),
        ("gb18030", "北京\n東京"),
        ("shift_jis", "ソ表\n東京"),
        ("koi8-r", "да\nнет"),
        ("utf-16-be", "да\n東京"),
        ("utf-32-le", "да\n東京"),
        ("cp037", "EBCDIC\nlines"),
    ],
)
def test_encodings_by_name(tmp_path, encoding, text):
    assert lines(tmp_path, text.encode(encoding), encoding) == text.split("\n")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=repr)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-32-be"])
def test_only_line_ends_end_a_line(tmp_path, end, encoding):
    # All of them end a line for `str.splitlines`.
    line = "a\x0bb\x0cc\x1cd\x1de\x1ef\x85g\u2028h\u2029i"
    content = end.join([line, "", line, ""]).encode(encoding)
    assert lines(tmp_path, content, encoding) == [line, "", line]
    assert encodings.detect_format(tmp_path / "a.txt", encoding).has_cr_lines == (end == "\r")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le", "gb18030"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_only_the_first_line_has_a_byte_order_mark(tmp_path, mark, encoding):
    content = f"{mark}a\n\ufeffb\ufeff\n"
    name = "utf-8" if encoding == "utf-8-sig" else encoding
    assert lines(tmp_path, content.encode(name), encoding) == ["a", "\ufeffb\ufeff"]


def test_a_carriage_return_within_a_line(tmp_path):
    assert lines(tmp_path, b"a\rb\nc\r\nd") == ["a\rb", "c", "d"]


@pytest.mark.parametrize("size", [2**16 - 1, 2**16, 2**17 + 5])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-be"])
def test_long_first_lines(tmp_path, size, encoding):
    for end in ("\r\n", "\r"):
        content = ("x" * size + end + "y" + end).encode(encoding)
        assert lines(tmp_path, content, encoding) == ["x" * size, "y"]


NOT_IN_LINES = st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0")
LINES = st.lists(st.text(NOT_IN_LINES)).filter(lambda lines: "".join(lines[:1])[:1] != "\ufeff")


@hypothesis.given(
    lines=LINES,
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-be", "gb18030"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_what_is_written_is_read(tmp_path_factory, lines, encoding, end):
    path = tmp_path_factory.mktemp("lines") / "a.txt"
    path.write_bytes("".join(line + end for line in lines).encode(encoding))
    given = encoding if encoding in ("utf-8-sig", "utf-16-be", "gb18030") else "utf-8"
    assert [line for _, line in read_lines(path, given)] == lines


@pytest.mark.parametrize(
    ("content", "encoding", "message"),
    [
        (b"a\0b\0", "utf-16", "no byte order mark; give --encoding utf-16-le or utf-16-be"),
        (b"a\0\0\0", "U32", "no byte order mark; give --encoding utf-32-le or utf-32-be"),
        ("text\nmore\n".encode("utf-16-le"), "utf-8", "without a .* give --encoding utf-16-le"),
        ("text\nmore\n".encode("utf-16-be"), "cp1252", "without a .* give --encoding utf-16-be"),
        (b"one\n\xfftwo\n", "utf-8", "line 2: byte 1 is not utf-8; give --encoding"),
        (b"one\rt\xffwo\r", "utf-8", "line 2: the bytes ff are not utf-8; give --encoding"),
        (
            codecs.BOM_UTF16_LE + "a\nb".encode("utf-16-le") + b"\x00\xd8",
            "utf-8",
            "line 2: the bytes 00 d8 are not utf-16-le",
        ),
        (codecs.BOM_UTF16_BE + b"\0a\0\n\0", "utf-8", "line 2: the bytes 00 are not utf-16-be"),
        (b"a\r\\ud800\r", "unicode_escape", r"line 2: character 3 is half a surrogate pair"),
    ],
)
def test_what_has_another_encoding(tmp_path, content, encoding, message):
    with pytest.raises(InputError, match=message):
        lines(tmp_path, content, encoding)


def test_limits_of_converted_lines(tmp_path):
    content = "0123456789\n".encode("utf-16")
    with limits.override(max_line_bytes=11):
        assert lines(tmp_path, content) == ["0123456789"]
    too_long = pytest.raises(limits.LimitError, match="line 1: the size in bytes is 11, above")
    with limits.override(max_line_bytes=10), too_long:
        lines(tmp_path, content)
