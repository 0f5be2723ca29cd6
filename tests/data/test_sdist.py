"""Tests of reading files from archives of a local package index."""

import contextlib
import functools
import hashlib
import http.server
import io
import socket
import sys
import tarfile
import threading
import zipfile

import pytest

from keras_seq import data
from keras_seq._internal.errors import InputError
from keras_seq.data import network, packages

SDIST, WHEEL = "thing-1.0.tar.gz", "thing-1.0-py3-none-any.whl"


def sdist(**files):
    """Return a source distribution. Double underscores in file names stand for dots."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo("thing-1.0/" + name.replace("__", "."))
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content.encode()))
    return buffer.getvalue()


def wheel():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("thing/b.mo", "thing/a.mo", "thing/c.py"):
            archive.writestr(name, name)
    return buffer.getvalue()


def hash_of(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def index(workplace, monkeypatch):
    """Return a function that serves archives as an index and returns the list of requests."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with contextlib.ExitStack() as stack:

        def serve(archives, with_hash=True):
            root, requests = workplace / "index", []
            (root / "thing").mkdir(parents=True, exist_ok=True)
            page = "<!DOCTYPE html><html><body>"
            for name, content in archives.items():
                (root / name).write_bytes(content)
                fragment = f"#sha256={hash_of(content)}" if with_hash else ""
                page += f'<a href="../{name}{fragment}">{name}</a>'
            (root / "thing" / "index.html").write_text(page)

            class Handler(http.server.SimpleHTTPRequestHandler):
                def log_message(self, *_):
                    requests.append(self.path)

            handler = functools.partial(Handler, directory=root)
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            address = f"http://127.0.0.1:{server.server_port}"
            monkeypatch.setattr(packages, "_pip_settings", lambda: {"index-url": address})
            return requests

        yield serve


def test_the_archive_is_cached(index, workplace, monkeypatch):
    content = sdist(words__txt="words")
    requests = index({"thing-0.9.tar.gz": b"older", WHEEL: wheel(), SDIST: content})
    read = functools.partial(data.read_from_sdist, "thing", "1.0", hash_of(content), "words.txt")
    assert read() == b"words"
    assert requests == ["/thing/", f"/{SDIST}"]
    monkeypatch.setattr(packages, "_pip_settings", lambda: pytest.fail("not read from the cache"))
    assert read() == b"words"
    [archive] = (workplace / "cache" / "archives").rglob(SDIST)
    assert archive.read_bytes() == content


def test_a_damaged_copy_is_downloaded_again(index, workplace):
    content = sdist(words__txt="words")
    archive = workplace / "cache" / "archives" / hash_of(content) / SDIST
    archive.parent.mkdir(parents=True)
    archive.write_bytes(content[:-1])
    index({SDIST: content})
    assert data.read_from_sdist("thing", "1.0", hash_of(content), "words.txt") == b"words"
    assert archive.read_bytes() == content


def test_reads_files_of_a_wheel(index):
    index({SDIST: sdist(), WHEEL: wheel()}, with_hash=False)
    files = data.read_from_wheel("thing", "1.0", hash_of(wheel()), lambda n: n.endswith(".mo"))
    assert list(files.items()) == [("thing/a.mo", b"thing/a.mo"), ("thing/b.mo", b"thing/b.mo")]


BACKEND = """
import pathlib
pathlib.Path({marker!r}).touch()
def get_requires_for_build_sdist(*_): pathlib.Path({marker!r}).touch(); return []
get_requires_for_build_wheel = prepare_metadata_for_build_wheel = get_requires_for_build_sdist
"""
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


@pytest.mark.parametrize("with_hash", [True, False])
@pytest.mark.parametrize("expected", [True, False])
def test_no_code_of_an_archive_runs(index, workplace, with_hash, expected):
    marker = workplace / "it_ran"
    backend = BACKEND.format(marker=str(marker))
    content = sdist(
        words__txt="words", setup__py=backend, backend__py=backend, pyproject__toml=PYPROJECT
    )
    index({SDIST: content}, with_hash)
    if expected:
        assert data.read_from_sdist("thing", "1.0", hash_of(content), "words.txt") == b"words"
    else:
        with pytest.raises(InputError, match=rf"has .*SHA-256 {hash_of(content)}"):
            data.read_from_sdist("thing", "1.0", "00", "words.txt")
        assert not list((workplace / "cache").rglob("*.tar.gz"))
    assert not marker.exists() and "backend" not in sys.modules


def test_local_folders_and_indexes(workplace, monkeypatch):
    folder = workplace / "some where"
    folder.mkdir()
    (folder / SDIST).write_bytes(sdist(words__txt="words"))
    page = f'<a href="../{SDIST}">it</a>'
    (folder / "thing").mkdir()
    (folder / "thing" / "index.html").write_text(page)
    sha256 = hash_of(sdist(words__txt="words"))
    for settings in (
        {"find-links": folder.as_uri(), "no-index": "1"},
        {"index-url": folder.as_uri()},
        {"extra-index-url": folder.as_uri(), "index-url": "http://127.0.0.1:9"},
    ):
        monkeypatch.setattr(packages, "_pip_settings", lambda settings=settings: settings)
        monkeypatch.setenv("KERAS_SEQ_CACHE", str(workplace / f"cache {len(settings)}"))
        assert data.read_from_sdist("thing", "1.0", sha256, "words.txt") == b"words"


def error_of(settings, monkeypatch):
    monkeypatch.setattr(packages, "_pip_settings", lambda: settings)
    with pytest.raises(InputError) as caught:
        data.read_from_sdist("thing", "1.0", "ab12", "words.txt")
    error = str(caught.value)
    assert "in the source distribution of thing 1.0, which cannot be downloaded: " in error
    assert "SHA-256 ab12 to" in error and error.endswith("archives/ab12.")
    return error.partition("downloaded: ")[2]


def test_no_network(workplace, monkeypatch):
    monkeypatch.setattr(network, "TIMEOUT_SECONDS", 0.05)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://someone:secret@127.0.0.1:{silent.getsockname()[1]}"
        error = error_of({"index-url": f"{address} http://127.0.0.1:9"}, monkeypatch)
    assert error.startswith("the index cannot be reached (no answer within 0.05 seconds)")
    error = error_of({"index-url": address}, monkeypatch)
    assert (
        error.startswith("the index cannot be reached (ConnectionError)") and "secret" not in error
    )


def test_archives_that_the_index_does_not_have(index, monkeypatch, workplace):
    index({})
    settings = packages._pip_settings()
    assert error_of(settings, monkeypatch).startswith("no index in pip's settings has it")
    (workplace / "index" / "thing" / "index.html").unlink()
    (workplace / "index" / "thing").rmdir()
    assert error_of(settings, monkeypatch).startswith("no index in pip's settings has it")
    index({"thing-1.0.zip": b"another"})
    settings = packages._pip_settings()
    error = error_of(settings, monkeypatch)
    assert error.startswith("127.0.0.1 has another archive, with SHA-256")
    (workplace / "index" / "thing-1.0.zip").unlink()
    (workplace / "index/thing/index.html").write_text('<a href="/thing-1.0.zip">it</a>')
    assert error_of(settings, monkeypatch).startswith("127.0.0.1 returned status 404")


def test_the_settings_are_those_of_pip(tmp_path, monkeypatch):
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "pip.conf"
    file.write_text(
        "[global]\nindex-url = https://one.invalid/simple\nfind-links = /a\n  /b\n"
        "[download]\nfind-links = /c\n[install]\nindex-url = https://other.invalid\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://two.invalid/simple")
    settings = packages._pip_settings()
    assert settings["index-url"] == "https://one.invalid/simple"
    assert settings["find-links"] == "/c"
    assert settings["extra-index-url"] == "https://two.invalid/simple"
