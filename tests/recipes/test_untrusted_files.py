"""Files that readers reject: special files, decompression bombs, and paths in content."""

import os
import struct
import zlib

import numpy as np
import pytest
from keras_seq_recipes.mnist_rows.images import read_digit
from keras_seq_recipes.translation import catalogs
from PIL import Image

from benchmarks.fuzzing_files import damaged_files
from benchmarks.fuzzing_seeds import READERS, write_seeds
from keras_seq import cli
from keras_seq._internal.errors import InputError
from keras_seq.data import limits


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    return write_seeds(tmp_path_factory.mktemp("seeds") / "valid")


@pytest.mark.parametrize("reader", READERS)
def test_readers_reject_special_files(seeds, reader, tmp_path):
    for seed in seeds[reader]:
        assert READERS[reader].read(seed) is not None
        ending, folder = "".join(seed.suffixes), tmp_path / seed.name
        (folder / f"folder{ending}").mkdir(parents=True)
        os.mkfifo(folder / f"pipe{ending}")
        (folder / f"device{ending}").symlink_to("/dev/zero")
        (folder / f"link{ending}").symlink_to(seed)
        READERS[reader].read(folder / f"link{ending}")
        for name, message in {
            "folder": "is a folder; a file is needed|has no frames",
            "pipe": "is a named pipe",
            "device": "is a device",
            "none": "There is no file",
        }.items():
            # A corpus of recordings may be a folder, and may lack one of its lists.
            message = name if reader == "speech corpus" else message
            with pytest.raises(InputError, match=message):
                READERS[reader].read(folder / f"{name}{ending}")


def test_damaged_files_are_read_or_rejected(tmp_path):
    """A few of the files of `python -m benchmarks.fuzzing_files`."""
    for reader, path in damaged_files(4 * len(READERS), "test", tmp_path):
        try:
            READERS[reader].read(path)
        except InputError as error:
            assert path.stem in str(error) and "\n" not in str(error) and len(str(error)) < 1_000


def png(width, height):
    """Return a PNG file that has only a header."""

    def chunk(kind, content):
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))


@pytest.mark.parametrize("side", [60_000, 8_000], ids=["beyond Pillow's limit", "beyond ours"])
def test_large_images(tmp_path, side):
    path = tmp_path / "a.png"
    path.write_bytes(png(side, side))
    message = f"a.png: width times height is {side * side}, above the limit of 50000000"
    with pytest.raises(limits.LimitError, match=message):
        read_digit(path)
    with (
        limits.override(max_pixels=side * side),
        pytest.raises(InputError, match=r"a\.png is damaged or is not an image"),
    ):
        read_digit(path)


def test_image_formats_that_run_programs(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")
    assert Image.open(path).format == "EPS"
    with pytest.raises(InputError, match=r"a\.png is damaged or is not an image"):
        read_digit(path)


def test_a_catalog_that_is_the_path_of_another(tmp_path):
    (tmp_path / "other.po").write_text('msgid "a"\nmsgstr "b"\n')
    content = str(tmp_path / "other.po").encode()
    with pytest.raises(InputError, match=r"x\.po is damaged or is not a catalog"):
        catalogs.read_po(content, "x.po")


def test_a_catalog_whose_entries_share_their_text():
    count, text = 1_000, b"x" * 1_000
    table = np.tile(np.array([len(text), 28 + 8 * count], "<u4"), count).tobytes()
    content = struct.pack("<7I", 0x950412DE, 0, count, 28, 28, 0, 0) + table + text
    with (
        limits.override(max_document_bytes=1_999_999),
        pytest.raises(limits.LimitError, match="the size of its texts in bytes is 2000000, above"),
    ):
        catalogs.read_mo(content, "x.mo")
    assert len(catalogs.read_mo(content, "x.mo")) == count


def test_limits_on_the_command_line(workplace, capsys):
    (workplace / "a.csv").write_text("text,label\n" + "a good film,good\nbad,bad\n" * 9)
    train = ["train", "sentiment", "--data", "a.csv", "--steps", "1", "--units", "2"]
    assert cli.main([*train, "--limit", "max_lines=18"]) == 2
    assert capsys.readouterr().err == (
        "keras-seq: a.csv: the number of lines is 19, above the limit of 18; raise it with --limit "
        "max_lines=VALUE.\n"
    )
    assert cli.main([*train, "--limit", "max_line=18"]) == 2
    assert "no limit 'max_line': did you mean 'max_lines'?" in capsys.readouterr().err
