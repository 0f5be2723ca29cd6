"""Attacks on the page, and invalid requests."""

import contextlib
import functools
import json
import urllib.parse
from pathlib import Path

import gradio as gr
import pytest
from helpers import BACKEND, slow_but
from PIL import Image
from starlette.requests import Request
from starlette.testclient import TestClient
from tiny_models import recognizer, rows, tagger

from keras_seq.data import cache
from keras_seq.demo import app, folder, gate, panels
from keras_seq.demo.app import create_app
from keras_seq.train import registry

pytestmark = pytest.mark.skipif(BACKEND != "tensorflow", reason="recipes run on TensorFlow")

ADDRESS = "http://127.0.0.1:7860"
SECRET = "the content of a file that nobody uploaded"
JSON = {"Content-Type": "application/json"}
META = {"_type": "gradio.FileData"}


class Builtin:
    """Config with the field that a page reads."""

    data = "mine"


@pytest.fixture
def secret(tmp_path):
    """Return the path of a file of the machine."""
    path = tmp_path / "secret" / "secret.png"
    path.parent.mkdir()
    path.write_text(SECRET)
    return path


@contextlib.contextmanager
def client_of(page):
    with TestClient(page, ADDRESS, raise_server_exceptions=False) as client:
        yield client


def blocks_of(page):
    """Return gradio's application, which is behind the middleware and the mount."""
    return page.app.app.routes[-1].app.get_blocks()


def echo(kind):
    """Return a page with one component that shows the inputs of its function."""

    def answer(given):
        return panels.Answer([str(given)], None, [])

    def panel(*_):
        return panels.Panel([kind()], [gr.Textbox()], answer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "make_panel", panel)
        return create_app(registry.find("ner").import_recipe(), Builtin, None)


def disguises(path):
    """Yield values that name a file of the machine to a component."""
    file = {"path": str(path), "meta": META}
    folder = next(cache.upload_folder().iterdir())
    yield file
    yield str(path)
    yield [file]
    yield {"background": None, "layers": [], "composite": file}
    yield {"background": file, "layers": [file], "composite": None, "id": None}
    yield {"text": "", "files": [file]}
    yield {"video": file, "subtitles": None}
    yield [{"image": file, "caption": None}]
    yield [{"role": "user", "content": [{"type": "file", "file": file}]}]
    yield {"path": None, "url": f"{ADDRESS}/gradio_api/file={path}", "meta": META}
    yield {"path": str(path), "url": f"{ADDRESS}/gradio_api/file={folder}/x.png", "meta": META}
    yield {"path": f"{folder}/../../../secret/secret.png", "meta": META}
    yield {"path": path.as_uri(), "meta": META}
    yield {"path": str(path), "meta": META, "is_stream": True}
    yield {"path": str(path), "url": None, "size": 1, "orig_name": "a.svg", "mime_type": None}
    yield {"path": "https://somewhere.invalid/a.png", "meta": META}


def attack(client, path):
    """Post every disguise to every endpoint, ask for the file, and look for it everywhere."""
    texts = []
    for given in disguises(path):
        body = {"data": [given], "session_hash": "s"}
        for name in ("call/ask", "run/ask", "api/ask", "call/show_trace"):
            answer = client.post(f"/gradio_api/{name}", json=body)
            texts.append(answer.text)
            if "event_id" in texts[-1]:
                event = answer.json()["event_id"]
                texts.append(client.get(f"/gradio_api/{name}/{event}").text)
        for number in range(3):
            join = {**body, "fn_index": number, "trigger_id": None, "event_data": given}
            answer = client.post("/gradio_api/queue/join", json=join)
            texts.append(answer.text)
        for function in ("accept_blobs", "preprocess", "postprocess"):
            body = {**body, "component_id": 1, "fn_name": function, "data": given}
            texts.append(client.post("/gradio_api/component_server", json=body).text)
    for route in ("file=", "file/", "proxy=", "stream/"):
        for name in (path, path.as_uri(), urllib.parse.quote(str(path), safe="")):
            texts.append(client.get(f"/gradio_api/{route}{name}").text)
    for kept in cache.upload_folder().parent.rglob("*"):
        assert kept.is_dir() or SECRET.encode() not in kept.read_bytes(), (
            "the copy could be downloaded"
        )
    assert not [text for text in texts if SECRET in text]


USED_COMPONENTS = [gr.Textbox, gr.Sketchpad, gr.Audio, gr.File]
OTHER_COMPONENTS = [
    gr.ImageEditor,
    gr.Image,
    gr.Video,
    gr.Gallery,
    gr.MultimodalTextbox,
    gr.Chatbot,
    gr.JSON,
    gr.Model3D,
    gr.UploadButton,
]
COMPONENTS = [
    *USED_COMPONENTS,
    *(pytest.param(kind, marks=pytest.mark.slow) for kind in OTHER_COMPONENTS),
]


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("defence", ["gate", "gradio"])
def test_no_file_of_the_machine_is_served(component, defence, secret, monkeypatch):
    monkeypatch.setattr(app, "MAX_WAITING_PER_ADDRESS", 1_000)
    page = echo(component)
    if defence == "gradio":  # its own checks, active since `has_launched` is set
        page = page.app.app
    else:
        blocks_of(page).has_launched = False
    with client_of(page) as client:
        attack(client, secret)


KINDS = {"ner": tagger, "mnist_rows": rows, "speech": recognizer}


@pytest.mark.parametrize("name", slow_but(["mnist_rows", "speech"], [*KINDS]))
def test_no_file_is_served_by_the_pages_of_recipes(name, secret, monkeypatch):
    monkeypatch.setattr(app, "MAX_WAITING_PER_ADDRESS", 1_000)
    with client_of(
        create_app(registry.find(name).import_recipe(), Builtin, KINDS[name]())
    ) as client:
        attack(client, secret)


def test_an_uploaded_file_is_read_and_served():
    with client_of(echo(gr.File)) as client:
        files = {"files": ("a.txt", b"mine")}
        [path] = client.post("/gradio_api/upload", files=files).json()
        assert Path(path).is_relative_to(cache.upload_folder())
        url = f"{ADDRESS}/gradio_api/file={path}"
        assert client.get(url).content == b"mine"
        body = {"data": [{"path": path, "url": url, "meta": META}], "session_hash": "s"}
        event = client.post("/gradio_api/call/ask", json=body).json()["event_id"]
        assert Path(path).name in client.get(f"/gradio_api/call/ask/{event}").text
    assert not list(cache.upload_folder().iterdir()), "the folder is removed with the page"


@pytest.fixture
def text_page():
    with client_of(echo(gr.Textbox)) as client:
        yield client


def join(client, **body):
    """Return the response to a question with changed parts."""
    body = {"data": ["a"], "fn_index": 0, "session_hash": "s", **body}
    return client.post("/gradio_api/queue/join", content=json.dumps(body), headers=JSON)


def test_invalid_requests_get_an_error(text_page):
    wrong = {
        404: [{"fn_index": 999}, {"fn_index": -1}, {"fn_index": True}, {"fn_index": "0"}],
        422: [
            {"data": []},
            {"data": ["a", "b"]},
            {"data": "a"},
            {"data": None},
            {"data": ["\ud800"]},
            {"session_hash": 3},
            {"trigger_id": []},
            {"event_data": {"path": 5}},
        ],
        400: [{"data": [float("nan")]}, {"session_hash": None}],
        413: [{"data": ["a" * 100_000]}, {"data": [[{"path": None}] * 9]}],
    }
    for status, bodies in wrong.items():
        for body in bodies:
            answer = join(text_page, **body)
            assert answer.status_code == status and "detail" in answer.json(), body
    for content in (b"", b"[]", b"{", b"\xff", b"[" * 50_000, b'{"data": [' + b"1" * 5_000 + b"]}"):
        answer = text_page.post("/gradio_api/queue/join", content=content, headers=JSON)
        assert answer.status_code in (400, 422), content[:20]
    for name in ("nothing", "ask/more", "v2/ask"):
        assert text_page.post(f"/gradio_api/call/{name}", json={"data": ["a"]}).status_code == 404
    detail = join(text_page, data=["\ud800"]).json()["detail"]
    assert detail == "The text has an unpaired surrogate, which is invalid."
    assert join(text_page).status_code == 200, "the page still works"


def test_unneeded_routes_are_closed(text_page):
    for path in (
        "login_check",
        "proxy=http://127.0.0.1:1/x",
        "file=http://somewhere.invalid/x",
        "file/etc/hostname",
        "stream/s/r/1/playlist.m3u8",
        "deep_link",
        "custom_component/x/client/component/index.js",
        "runs",
        "vibe-code",
        "openapi.json",
    ):
        assert text_page.get(f"/gradio_api/{path}").status_code in (403, 404), path
    for path in (
        "run/ask",
        "api/ask",
        "component_server",
        "process_recording",
        "vibe-edit",
        "stream/e",
        "login",
    ):
        assert text_page.post(f"/gradio_api/{path}", json={"data": ["a"]}).status_code == 404
    assert text_page.put("/gradio_api/upload").status_code == 405
    for path in ("/assets/../routes.py", "/static/%2e%2e/%2e%2e/x", "/monitoring", "/docs"):
        assert text_page.get(path).status_code in (400, 403, 404), path


def test_unknown_ids_get_an_error(text_page):
    for path in (
        "call/ask/unknown",
        "queue/data?session_hash=unknown",
        "queue/data",
        "upload_progress",
    ):
        answer = text_page.get(f"/gradio_api/{path}")
        assert answer.status_code < 500, path


def test_uploads_that_are_too_large(monkeypatch):
    small = gate.RequestLimits(max_upload_bytes=1_500, max_folder_bytes=4_000)
    monkeypatch.setattr(app, "GateMiddleware", functools.partial(gate.GateMiddleware, limits=small))
    with client_of(echo(gr.File)) as client:
        upload = "/gradio_api/upload"
        assert client.post(upload, files={"files": ("a", bytes(900))}).status_code == 200
        large = {"files": ("a", bytes(2_000))}
        request = client.build_request("POST", upload, files=large)
        content = request.read()
        assert client.send(request).status_code == 413
        # Without an announced size.
        kind = {"Content-Type": request.headers["Content-Type"]}
        parts = (content[i : i + 100] for i in range(0, len(content), 100))
        answer = client.post(upload, content=parts, headers=kind)
        assert answer.status_code == 413 and "at most 1,500 bytes" in answer.json()["detail"]
        assert client.post(upload, json={}).status_code == 415
        for number in range(6):
            answer = client.post(upload, files={"files": ("a", bytes([number]) * 1_000)})
        assert answer.status_code == 507 and "no room for more files" in answer.json()["detail"]
        monkeypatch.setattr(folder, "RETENTION_SECONDS", -1)
        assert client.post(upload, files={"files": ("b", bytes(900))}).status_code == 200


def test_a_decompression_bomb(tmp_path):
    path = tmp_path / "bomb.png"
    Image.new("1", (6_000, 6_000)).save(path)
    with client_of(echo(gr.Image)) as client:
        [sent] = client.post("/gradio_api/upload", files={"files": path.open("rb")}).json()
        body = {"data": [{"path": sent, "meta": META}], "session_hash": "s"}
        event = client.post("/gradio_api/call/ask", json=body).json()["event_id"]
        assert "event: error" in client.get(f"/gradio_api/call/ask/{event}").text


def test_one_visitor_does_not_fill_the_queue():
    page = echo(gr.Textbox)
    events = [type("Event", (), {"request": request_from(host)}) for host in ("a", "b", "a", None)]
    queue = type("Queue", (), {"queue": events})
    check_queue = app._make_queue_check(blocks_of(page))
    blocks_of(page)._queue.event_queue_per_concurrency_id["model"] = queue
    check_queue("b")
    check_queue("c")
    with pytest.raises(
        gate.RequestError, match="2 questions from your address are waiting"
    ) as caught:
        check_queue("a")
    assert caught.value.status == 429


def request_from(host):
    """Return a request as gradio stores it with a waiting question."""
    return Request({"type": "http", "client": None if host is None else (host, 1)})


def test_waiting_questions_have_the_address_of_the_visitor(monkeypatch):
    addresses = []
    monkeypatch.setattr(
        app, "_make_queue_check", lambda blocks: lambda _: addresses.append(waiting(blocks))
    )

    def waiting(blocks):
        return [
            event.request.client.host
            for queue in blocks._queue.event_queue_per_concurrency_id.values()
            for event in queue.queue
        ]

    page = echo(gr.Textbox)
    monkeypatch.setattr(
        type(blocks_of(page)._queue), "start", lambda _: None
    )  # so that all questions wait
    with client_of(page) as client:
        for _ in range(2):
            assert join(client).status_code == 200
    assert addresses == [[], ["testclient"]]
