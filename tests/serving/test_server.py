"""Server as a process: command line, sockets and shutdown."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

import httpx
import pytest

from keras_seq import cli
from keras_seq.cli import serve

TEXT = {"instances": ["ab", "c"]}


@pytest.fixture
def server(toy):
    """Yield a server process with its address."""
    command = "import sys; from keras_seq.cli import main; sys.exit(main(sys.argv[1:]))"
    arguments = ["serve", f"words={toy}", "--port", "0", "--request-timeout", "20"]
    process = subprocess.Popen(
        [sys.executable, "-c", command, *arguments], stderr=subprocess.PIPE, text=True
    )
    lines = []
    for line in process.stderr:
        lines.append(line)
        if match := re.search(r"running on (http://\S+)", line):
            break
    else:
        raise AssertionError("".join(lines))
    process.reading = threading.Thread(target=lines.extend, args=(process.stderr,), daemon=True)
    process.reading.start()
    process.address, process.lines = match[1], lines
    with httpx.Client() as client:
        while client.get(process.address + "/v2/health/ready").status_code != 200:
            time.sleep(0.05)
    yield process
    process.kill()
    process.wait()


@pytest.mark.slow
def test_bodies_cut_off_and_sigterm_under_load(server):
    address = urlsplit(server.address)
    head = b"POST /v1/models/words:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    for begun in (head + b'{"instances": [', head[:30], b"\x00\xff\r\n\r\n"):
        with socket.create_connection((address.hostname, address.port)) as connection:
            connection.sendall(begun)

    answered, failed, stopped = [], [], threading.Event()

    def ask():
        with httpx.Client(timeout=60) as client:
            while not stopped.is_set():
                try:
                    answer = client.post(f"{server.address}/v1/models/words:predict", json=TEXT)
                except httpx.ConnectError:  # the server accepts no more connections
                    return
                except httpx.HTTPError as error:
                    failed.append(repr(error))
                    return
                answered.append((answer.status_code, len(answer.json()["predictions"])))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    while len(answered) < 100:
        assert not failed
        time.sleep(0.01)
    # A silent connection, one with half a header, and a body large enough for a worker process.
    idle = [socket.create_connection((address.hostname, address.port)) for _ in range(2)]
    idle[0].sendall(head[:30])
    large = {"instances": ["a" * 500] * 100}
    assert httpx.post(f"{server.address}/v1/models/words:predict", json=large).status_code == 200
    server.send_signal(signal.SIGTERM)
    assert server.wait(60) in (0, -signal.SIGTERM)
    stopped.set()
    for thread in threads:
        thread.join(60)
    assert not failed, "every accepted request is answered"
    assert set(answered) == {(200, 2)}
    for connection in idle:
        connection.close()
    server.reading.join(60)
    assert not server.reading.is_alive(), "a worker process still has the log open"
    log = "".join(server.lines)
    assert "Traceback" not in log and "leaked" not in log


MISTAKES = {
    "no model": ([], "at least one model"),
    "no folder": (["nowhere"], "There is no folder nowhere"),
    "twice": (["a=.", "a=."], "Two models are called 'a'"),
    "a name of two parts": (["a/b=."], "'a/b' cannot be the name of a model"),
    "no batch": (
        ["a=.", "--max-batch-size", "0"],
        "max_batch_size must be an integer of at least 1",
    ),
    "no version": (["a=.", "--max-versions", "0"], "--max-versions"),
    "no header": (
        ["a=.", "--max-header-bytes", "0"],
        "max_header_bytes must be an integer of at least 1",
    ),
    "endless": (["a=.", "--poll-interval", "inf"], "--poll-interval"),
    "not a number": (
        ["a=.", "--request-timeout", "nan"],
        "request_timeout must be a number above 0",
    ),
    "port 99999": (["a=.", "--port", "99999"], "--port must be from 0 to 65535, got 99999"),
    "port -1": (["a=.", "--port", "-1"], "--port must be from 0 to 65535, got -1"),
    "another's host": (["a=.", "--host", "203.0.113.1"], "Cannot listen at '203.0.113.1', port"),
    "no host": (["a=.", "--host", "nowhere.invalid"], "Cannot listen at 'nowhere.invalid', port"),
}


@pytest.mark.parametrize("arguments, message", MISTAKES.values(), ids=MISTAKES)
def test_an_invalid_command_gets_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", {**os.environ})
    assert cli.main(["serve", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_a_port_in_use_is_detected_before_an_export(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(os, "environ", {**os.environ})
    exported = []
    monkeypatch.setattr(serve, "export", exported.append)
    config = {"recipe": "ner", "preset": "default", "config": {}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert cli.main(["serve", str(tmp_path), "--port", port]) == 2
    error = capsys.readouterr().err
    assert f"port {port}: Address already in use" in error and error.count("\n") == 1
    assert not exported


def test_names_of_models(tmp_path, monkeypatch, capsys):
    served = {}
    from keras_seq.serving import server

    monkeypatch.setattr(server, "serve", lambda folders, *_: served.update(folders))
    monkeypatch.setattr(os, "environ", {})
    exported = []
    monkeypatch.setattr(serve, "export", exported.append)
    run = tmp_path / "runs/ner/default"
    run.mkdir(parents=True)
    config = {"recipe": "ner", "preset": "default", "config": {}}
    (run / "config.json").write_text(json.dumps(config))
    other = tmp_path / "tunes"
    other.mkdir()
    assert cli.main(["serve", str(run), str(other), f"again={run}", "--port", "0"]) == 0
    assert served == {
        "ner": run / "savedmodel",
        "tunes": other,
        "again": run / "savedmodel",
    }
    assert exported == [run, run], "the runs are not exported yet"
    assert capsys.readouterr().out == f"exporting {run}\n" * 2
    assert os.environ == {
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": str(os.cpu_count() + 1),
        "TF_ENABLE_ONEDNN_OPTS": "0",
    }
