"""Panels of each class of models, the page as an application, and the command."""

import asyncio
import contextlib
import dataclasses
import html
import json
import os
import re
import signal
import socket
import sys
import threading
import webbrowser

import httpx
import numpy as np
import pytest
import soundfile
from helpers import BACKEND
from PIL import Image
from starlette.testclient import TestClient
from tiny_models import WORDS, classifier, generator, recognizer, rows, seq2seq, tagger

from keras_seq import cli
from keras_seq._internal.errors import InputError
from keras_seq.data import audio
from keras_seq.demo import app, panels, server
from keras_seq.demo.app import create_app
from keras_seq.models import VideoClassifier
from keras_seq.text.vocabulary import END
from keras_seq.train import registry, runs

pytestmark = [
    pytest.mark.skipif(BACKEND != "tensorflow", reason="recipes run on TensorFlow"),
    pytest.mark.usefixtures("eagerly"),
]

TEXT = "Ada met Grace."
TUNE = ["M:4/4", "K:C_major", "0:1", "4:1", "7:2", "|"]


ADDRESS = "http://127.0.0.1:7860"


class Builtin:
    """Config with the field that a page reads."""

    data = "builtin"


def length(inputs):
    """Return the number of time steps of the inputs of a model."""
    return next(iter(inputs.values())).shape[1]


def test_a_tagger_shows_its_spans():
    model = tagger()
    [shown], inputs, steps = panels.tagger_panel(model).answer(TEXT)
    spans = [(e["entity"], e["start"], e["end"]) for e in shown["entities"]]
    assert shown["text"] == TEXT
    assert spans == [(span.label, span.start, span.end) for span in model.tag([TEXT])[0]]
    assert steps == WORDS and length(inputs) == 4


def test_a_classifier_shows_its_words():
    [likely, words], inputs, steps = panels.classifier_panel(classifier()).answer(TEXT)
    assert set(likely) == {"bad", "good"} and sum(likely.values()) == pytest.approx(1, abs=1e-5)
    assert [token for token, _ in words] == steps == WORDS
    assert max(weight for _, weight in words) == 1 and length(inputs) == 4
    panel = panels.classifier_panel(classifier(return_sequences=False))
    assert len(panel.outputs) == 1 and len(panel.answer(TEXT).values) == 1


@pytest.mark.parametrize("styles", [None, ["jig", "reel"]])
def test_a_generator_continues_a_prompt(styles):
    model = generator(styles)
    panel = panels.generator_panel(model)
    style = [] if styles is None else [1]
    how = {"max_length": 20, "temperature": 0.8, "seed": 3}
    for text in ("ab", "", None):
        [shown], inputs, steps = panel.answer(text, *style, 20, 0.8, 3)
        [expected] = model.generate([text or ""], style or None, **how)
        assert shown[0] == (text or "", None) and shown[1][1] == "generated"
        assert "".join(part for part, _ in shown) == expected
        assert steps == [END, *expected] and length(inputs) == len(steps)
    assert len(panel.inputs) == 4 + len(style)


def test_a_translation_shows_attention():
    model = seq2seq()
    # Suppress the end token, so that no hypothesis is empty.
    kernel, bias = model.decoder.output_layer.get_weights()
    bias[model.target_encoder.end_id] = -9
    model.decoder.output_layer.set_weights([kernel, bias])
    panel = panels.seq2seq_panel(model)
    [answers, attention], inputs, steps = panel.answer("abz", 2)
    scores = [score for _, score in answers]
    assert len(answers) == 2 and scores == sorted(scores, reverse=True)
    assert all(text for text, _ in answers) and attention.ndim == 3
    assert steps[0].startswith("a | ") and length(inputs) == len(steps)
    blind = panels.seq2seq_panel(seq2seq(attention=None))
    assert len(blind.outputs) == 1 and len(blind.answer("abc", 1).values) == 1


def test_a_recipe_sets_options_of_the_translation():
    model = seq2seq()

    def translate_n_best(texts, **how):
        raise InputError(f"copy_unknown={how['copy_unknown']}")

    model.translate_n_best = translate_n_best
    with pytest.raises(InputError, match="copy_unknown=True"):
        registry.find("translation").import_recipe().demo(model, Builtin).answer("a", 1)


def test_a_drawn_digit_is_classified():
    panel = registry.find("mnist_rows").import_recipe().demo(rows(), Builtin)
    layer = np.zeros((280, 280, 4), "uint8")
    layer[10:210, 40:60] = 255  # a one, off center
    [likely, image], inputs, steps = panel.answer({"layers": [layer]})
    assert list(likely) == list("0123456789")
    assert sum(likely.values()) == pytest.approx(1, abs=1e-5)
    assert inputs.shape == (1, 28, 28) and len(steps) == 28
    tall, wide = (np.flatnonzero(inputs[0].any(axis=axis)).tolist() for axis in (1, 0))
    assert tall == list(range(4, 24)), "as tall as MNIST's"
    assert wide == [13, 14], "centered, with the stroke width of the drawing"
    assert (image[::10, ::10] == inputs[0]).all()
    for nothing in (None, {"layers": []}, {"layers": [np.zeros_like(layer)]}):
        with pytest.raises(InputError, match="The drawing is empty"):
            panel.answer(nothing)


def test_a_drawing_is_centered_by_its_mass():
    from keras_seq_recipes.mnist_rows.drawing import to_mnist_image

    ink = np.zeros((100, 100), "uint8")
    ink[0:100, 0:10] = 255
    ink[90:100, 0:60] = 255  # an L: its mass is down and to the left
    image = to_mnist_image(ink).astype(float)
    centre = [(place * image).sum() / image.sum() for place in np.indices(image.shape)]
    assert centre == pytest.approx([13.5, 13.5], abs=0.6)
    assert image.max() == 255


def test_a_tune_is_generated():
    model = generator(["jig", "reel"], "whitespace", TUNE)
    panel = registry.find("music").import_recipe().demo(model, Builtin)
    values, inputs, steps = panel.answer(1, "", 0.9, 4)
    (rate, samples), roll, score = values
    assert rate > 8_000 and samples.dtype == np.int16 and len(samples) > rate / 2
    assert roll.ndim == 3 and "T:reel 4\n" in score and "X:1" in score
    assert inputs["style"] == [1] and steps[0] == END and length(inputs) == len(steps)


def test_a_recording_is_transcribed(tmp_path):
    model = recognizer()
    panel = panels.recognizer_panel(model)
    file = tmp_path / "said.wav"
    samples = np.random.default_rng(0).integers(-(2**14), 2**14, 4_000).astype("int16")
    soundfile.write(file, samples, 8_000)
    [text, heard], inputs, steps = panel.answer(file)
    recording = audio.read_audio(file, 4_000)
    assert text == model.transcribe([recording])[0]
    assert heard.ndim == 3 and (inputs["lengths"] == [2_000]).all()
    assert steps[:2] == ["0.00 s", "0.04 s"] and len(steps) == 13
    with pytest.raises(InputError, match="There is no audio yet"):
        panel.answer(None)


def test_recordings_beyond_the_limits(tmp_path):
    long, fast = tmp_path / "long.wav", tmp_path / "fast.wav"
    soundfile.write(long, np.zeros(61 * 4_000, "int16"), 4_000)
    soundfile.write(fast, np.zeros(8, "int16"), 100_000_007)
    with page_of("speech", recognizer()) as client:
        for file, what in {long: "duration in seconds", fast: "sampling rate in Hz"}.items():
            files = {"files": file.open("rb")}
            [path] = client.post("/gradio_api/upload", files=files).json()
            kind, data = asked(client, "ask", {"path": path, "meta": {"_type": "gradio.FileData"}})
            assert kind == "error" and what in str(data)


def test_a_video_is_classified(tmp_path):
    model = VideoClassifier(["falls", "rises"], (8, 8))
    panel = registry.find("video").import_recipe().demo(model, Builtin)
    frames = [Image.fromarray(np.full((8, 8), 80 * n, "uint8")) for n in range(4)]
    file = tmp_path / "clip.gif"
    frames[0].save(file, save_all=True, append_images=frames[1:], duration=200)
    [likely, strip], inputs, steps = panel.answer(file)
    assert set(likely) == {"falls", "rises"} and strip.ndim == 3
    assert inputs["frames"].shape == (1, 4, 8, 8)
    assert steps == ["frame 0", "frame 1", "frame 2", "frame 3"]
    with pytest.raises(InputError, match="There is no video yet"):
        panel.answer(None)


MISTAKES = {
    "nothing": (tagger, [""], "There is no text yet"),
    "None": (classifier, [None], "There is no text yet"),
    "blanks": (tagger, ["  \n"], "There is no text yet"),
    "nothing to translate": (seq2seq, ["", 3], "There is no text yet"),
    "too long": (tagger, ["a" * 1001], "has 1,001 characters: at most 1,000"),
    "a beginning too long": (generator, ["a" * 1001, 50, 1, 0], "at most 1,000"),
    "unknown": (generator, ["ä", 50, 1, 0], "unknown token 'ä'"),
}


@pytest.mark.parametrize("make, given, message", MISTAKES.values(), ids=MISTAKES)
def test_invalid_input_raises_an_error(make, given, message):
    with pytest.raises(InputError, match=message):
        panels.make_panel(registry.find("ner").import_recipe(), Builtin, make()).answer(*given)


def test_a_model_without_a_demo():
    with pytest.raises(InputError, match=r"There is no demo for a Functional.* recipe ner"):
        panels.make_panel(registry.find("ner").import_recipe(), Builtin, rows())


@contextlib.contextmanager
def page_of(name, model):
    """Yield a client of a page."""
    with TestClient(
        create_app(registry.find(name).import_recipe(), Builtin, model), ADDRESS
    ) as client:
        yield client


def asked(client, name, *given):
    """Return the last event of a call of the page, and its data."""
    body = {"data": list(given), "session_hash": "somebody"}
    number = client.post(f"/gradio_api/call/{name}", json=body).json()["event_id"]
    lines = client.get(f"/gradio_api/call/{name}/{number}").text.splitlines()
    kind, data = lines[-3:-1] if not lines[-1] else lines[-2:]
    return kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def test_the_page_answers_and_survives_errors(monkeypatch):
    asked_for = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *_: asked_for.append(host))
    model = tagger()
    with page_of("ner", model) as client:
        for _ in range(2):
            kind, data = asked(client, "ask", "  ")
            assert kind == "error" and "There is no text yet: type one." in str(data)
            kind, data = asked(client, "ask", "Ada <b> met")
            assert kind == "complete"
            assert "".join(part["token"] for part in data[0]) == "Ada <b> met"
            kind, [frame] = asked(client, "show_trace")
            assert kind == "complete" and frame.startswith("<iframe srcdoc=")
            page = html.unescape(frame)
            assert '"steps": ["Ada", "\\u003c", "b", ">", "met"]' in page
            assert "stack/bidirectional_0/forward" in page and "probability of tags: crf" in page
            assert "<" not in frame[1:].partition('"></iframe>')[0], (
                "the page stays inside its frame"
            )
        kind, data = asked(client, "ask", "<img>" * 201)
        assert kind == "error"
    assert not asked_for, "no other host"


def test_the_model_runs_one_call_at_a_time():
    blocks = app._build_blocks(registry.find("ner").import_recipe(), Builtin, tagger())
    concurrency = {f.api_name: (f.concurrency_id, f.concurrency_limit) for f in blocks.fns.values()}
    assert concurrency["ask"] == concurrency["show_trace"] == ("model", 1)


def test_the_page_needs_no_other_host():
    with page_of("ner", tagger()) as client:
        page, style = client.get("/").text, client.get("/theme.css").text
        assert registry.find("ner").import_recipe().examples[0] in page
        config = json.loads(re.search(r"window\.gradio_config = (.*?);</script>", page)[1])
        assert config["analytics_enabled"] is False and config["footer_links"] == []
        assert not config["stylesheets"]
        assert set(re.findall(r"""url\(["']?(\w+)""", style)) == {"data", "static"}
        fetched = re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="([^"]*)"', page)
        assert fetched and not [address for address in fetched if "//" in address]
        assert client.get("/docs").status_code == 404


@pytest.fixture
def run(tmp_path):
    """Return the folder of a finished run."""
    folder = runs.Run(tmp_path / "run")
    folder.start("ner", "default", registry.find("ner").preset("default"))
    tagger().save(folder.model_path)
    folder.finish({})
    return folder.folder


@pytest.fixture
def served(monkeypatch):
    """Record the address that would be opened, and the page that would be served."""
    calls = []
    monkeypatch.setattr(webbrowser, "open", calls.append)
    monkeypatch.setattr(
        server, "serve", lambda page, listening: (listening.close(), calls.append(page))
    )
    return calls


def test_the_command(run, served, capsys):
    assert cli.main(["demo", str(run), "--port", "0"]) == 0
    address, page = served
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address)
    assert f"page {address}" in capsys.readouterr().out
    with TestClient(page, address) as client:
        assert asked(client, "ask", TEXT)[0] == "complete"
    assert cli.main(["demo", str(run), "--port", "0", "--no-open", "--host", "0.0.0.0"]) == 0
    assert len(served) == 3 and "page http://127.0.0.1:" in capsys.readouterr().out


def test_errors_of_the_command(run, served, monkeypatch, capsys):
    def error_of(*arguments):
        assert cli.main(["demo", *map(str, arguments)]) == 2 and not served
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        return error

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"Cannot listen at '127.0.0.1', port {port}: Address already" in error_of(
            run, "--port", port
        )
    assert "--port" in error_of(run, "--port", "70000")
    assert "Cannot listen at 'nowhere.invalid'" in error_of(run, "--host", "nowhere.invalid")
    (run / "metrics.json").unlink()
    assert "not finished" in error_of(run)
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert (
        "needs gradio and httptools. Install them with: pip install 'keras-seq[demo]'"
        in error_of(run)
    )


@pytest.fixture
def interruptible():
    """SIGINT raises KeyboardInterrupt, even where a shell's background job ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_open_page_does_not_delay_the_shutdown(interruptible):
    async def page(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await asyncio.Event().wait()

    listening, address = server.listen("127.0.0.1", 0)
    read = []

    def interrupt():
        with httpx.stream("GET", address, timeout=60) as answer:
            parts = answer.iter_bytes()
            read.append(next(parts))
            os.kill(os.getpid(), signal.SIGINT)
            try:
                list(parts)
            except httpx.RemoteProtocolError:
                read.append("cut")
            except httpx.ReadTimeout:
                os.kill(os.getpid(), signal.SIGINT)  # the second one ends the server at once

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        server.serve(page, listening)
    thread.join()
    assert read == [b"first", "cut"]


def test_silent_connections_are_closed(interruptible):
    async def page(scope, receive, send):
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    listening, _ = server.listen("127.0.0.1", 0)
    received = []

    def connect():
        with socket.create_connection(listening.getsockname(), timeout=30) as client:
            try:
                client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")  # the header never ends
                received.append(client.recv(1_000))
            finally:
                os.kill(os.getpid(), signal.SIGINT)

    visitor = threading.Thread(target=connect)
    visitor.start()
    with contextlib.suppress(KeyboardInterrupt):
        limits = dataclasses.replace(server.CONNECTION_LIMITS, header_timeout=0.2)
        server.serve(page, listening, limits)
    visitor.join()
    assert received[0].startswith(b"HTTP/1.1 408 ")
