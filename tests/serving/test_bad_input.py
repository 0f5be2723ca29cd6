"""Invalid requests get an error of one line, and the server continues."""

import asyncio
import dataclasses
import doctest
import gzip
import json
import zlib
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from keras_seq._internal.errors import InputError
from keras_seq.serving import Limits, limits
from keras_seq.serving.app import create_app
from keras_seq.serving.bodies import WorkerPool

V1, V2 = "/v1/models/toy:predict", "/v2/models/toy/infer"


def v2(**changes):
    tensor = {"name": "texts", "datatype": "BYTES", "shape": [1], "data": ["a"]} | changes
    return {"inputs": [{name: value for name, value in tensor.items() if value is not None}]}


def total(x):
    return {"signature_name": "total", "inputs": {"x": x}}


MISTAKES = {
    "nothing": (V1, b"", "not JSON"),
    "cut off midway": (V1, b'{"instances": ["a", "b', "not JSON"),
    "not UTF-8": (V1, b'{"instances": ["\xff"]}', "not UTF-8 at byte 16"),
    "half a surrogate pair": (V1, rb'{"instances": ["\ud800"]}', "surrogate"),
    "NaN": (V1, b'{"signature_name": "total", "instances": [[[NaN, 1]]]}', "NaN"),
    "infinity by another name": (V1, total([[[1e39, 0]]]), "out of range for float32"),
    "a number of 5000 digits": (V1, b'{"instances": [1%s]}' % (b"0" * 5000), "limit"),
    "a number of 400 digits": (V1, total([[[10**400, 0]]]), "out of range for float32"),
    "a name twice": (
        V1,
        b'{"instances": ["a"], "instances": ["b"]}',
        "the duplicate name 'instances'",
    ),
    "nested 100,000 deep": (V1, b"[" * 100_000, "nested too deeply"),
    "nested 400 deep": (V1, b'{"instances": ' + b"[" * 400 + b"]" * 400 + b"}", "strings"),
    "no object": (V1, ["a"], "must be a JSON object"),
    "neither": (V1, {"signature_name": "spell"}, "either"),
    "both": (V1, {"instances": ["a"], "inputs": ["a"]}, "either"),
    "wrong field": (V1, {"instance": ["a"]}, "did you mean 'instances'?"),
    "wrong signature": (V1, {"instances": ["a"], "signature_name": "spel"}, "'spell'?"),
    "no name of a signature": (V1, {"instances": ["a"], "signature_name": [1]}, "signature"),
    "wrong input": (V1, {"instances": [{"text": "a"}]}, "did you mean 'texts'?"),
    "no input": (V1, {"inputs": {}}, "'texts' is missing"),
    "no instances": (V1, {"instances": []}, "at least one instance"),
    "no list": (V1, {"instances": "a"}, "at least one instance"),
    "no rows": (V1, {"inputs": []}, "is empty: it has the shape (0,)"),
    "no timesteps": (V1, total([[]]), "is empty: it has the shape (1, 0, 0)"),
    "different names": (V1, {"instances": [{"texts": "a"}, {"text": "a"}]}, "same names"),
    "number for text": (V1, {"instances": ["a", 1]}, "holds a number; the model takes strings"),
    "text for number": (V1, total([[["1", 2]]]), "holds a string; the model takes float32"),
    "bool for number": (V1, total([[[True, 2]]]), "true or false"),
    "fraction for integer": (
        V1,
        {"signature_name": "make", "inputs": {"prompts": ["a"], "max_length": 1.5}},
        "fraction",
    ),
    "integer too large": (
        V1,
        {"signature_name": "make", "inputs": {"prompts": ["a"], "max_length": 2**31}},
        "out of range for int32",
    ),
    "a length too large": (
        V1,
        {"signature_name": "make", "inputs": {"prompts": ["a"], "max_length": 2_000_000_000}},
        "at most 10000",
    ),
    "a length below zero": (
        V1,
        {"signature_name": "make", "inputs": {"prompts": ["a"], "max_length": -1}},
        "The model rejects",
    ),
    "lists too shallow": (V1, total([1, 2]), "lists nested 3 deep"),
    "lists too deep": (V1, total([[[[1]]]]), "takes (any, any, 2)"),
    "ragged": (V1, total([[[1, 2]], [[1, 2], [3, 4]]]), "different lengths"),
    "wrong shape": (V1, total([[[1, 2, 3]]]), "has the shape (1, 1, 3); the model takes"),
    "what the model rejects": (V1, total([[[-1, 2]]]), "x must not be negative"),
    "no Base64": (V1, {"instances": [{"b64": "!"}]}, "not valid Base64"),
    "too many instances": (V1, {"instances": ["a"] * 257}, "257 instances; at most 256"),
    "a text of 1 MB": (V1, {"instances": ["a" * 2**20]}, "1048576 characters; at most 10000"),
    "a long sequence": (V1, total([[[1, 2]] * 10_001]), "10001 timesteps"),
    "v2: no object": (V2, 3, "must be a JSON object"),
    "v2: no inputs": (V2, {}, "must be a list of objects"),
    "v2: too few inputs": (V2, {"inputs": []}, "'texts' is missing"),
    "v2: twice": (V2, {"inputs": v2()["inputs"] * 2}, "two tensors with the same name"),
    "v2: wrong name": (V2, v2(name="text"), "did you mean 'texts'?"),
    "v2: no name": (V2, v2(name=None), "no input"),
    "v2: wrong type": (V2, v2(datatype="FP32"), "takes BYTES"),
    "v2: no shape": (V2, v2(shape=None), "must be a list of at most 32 non-negative"),
    "v2: shape of bools": (V2, v2(shape=[True]), "must be a list of at most 32 non-negative"),
    "v2: negative": (V2, v2(shape=[-1]), "must be a list of at most 32 non-negative"),
    "v2: a huge shape": (V2, v2(shape=[2**62, 2**62]), "expected [4611686018427387904"),
    "v2: nothing of a huge shape": (V2, v2(shape=[0, 2**62], data=[]), "is empty"),
    "v2: a size of 64 bits": (V2, v2(shape=[2**63]), "must be a list of at most 32 non-negative"),
    "v2: too many axes": (V2, v2(shape=[1] * 33), "must be a list of at most 32 non-negative"),
    "v2: a wrong shape": (V2, v2(shape=[1, 1]), "takes (any)"),
    "v2: too little data": (V2, v2(shape=[2]), "expected [2]"),
    "v2: no data": (V2, v2(data=None), "must be a list"),
    "v2: no rows": (V2, v2(shape=[0], data=[]), "is empty: it has the shape (0,)"),
    "v2: wrong output": (V2, v2() | {"outputs": [{"name": "token"}]}, "did you mean 'tokens'?"),
    "v2: id no string": (V2, v2() | {"id": 1}, "'id' must be a string"),
    "v2: parameters": (V2, v2() | {"parameters": [1]}, "'parameters' must be an object"),
    "v2: half a surrogate pair": (V2, v2(name="\ud800"), "no input"),
}


@pytest.mark.parametrize("address, body, message", MISTAKES.values(), ids=MISTAKES)
def test_an_invalid_request_gets_one_line(ask, address, body, message):
    content = body if type(body) is bytes else json.dumps(body).encode()
    status, answer = ask("POST", address, content=content)
    assert status == 400
    assert message in answer["error"]
    assert "\n" not in answer["error"] and len(answer["error"]) < 300


def test_compressed_bodies(session, toy):
    valid = json.dumps({"instances": ["ab"]}).encode()
    packed = gzip.compress(valid)
    invalid = (
        ("identity", packed, 400, "not UTF-8"),
        ("gzip", valid, 400, "not valid gzip"),
        ("gzip", packed[:-1], 400, "gzip data of the body is truncated"),
        ("gzip", gzip.compress(b" " * 2**23), 413, "exceeds the maximum of 4194304 bytes"),
        ("br", packed, 415, "'br' is not supported: use gzip, deflate or none"),
        ("gzip, gzip", packed, 415, "'gzip, gzip' is not supported"),
    )

    async def test(client):
        async def post(address, content, encoding):
            headers = {"Content-Encoding": encoding}
            answer = await client.post(address, content=content, headers=headers)
            return answer.status_code, answer.json()

        for encoding, compress in (
            ("gzip", gzip.compress),
            ("GZIP", gzip.compress),
            ("deflate", zlib.compress),
        ):
            status, answer = await post(V1, compress(valid), encoding)
            assert status == 200 and answer["predictions"][0]["lengths"] == 2
            status, answer = await post(V2, compress(json.dumps(v2()).encode()), encoding)
            assert status == 200 and answer["model_name"] == "toy"
        for encoding, content, expected, message in invalid:
            status, answer = await post(V1, content, encoding)
            assert status == expected and message in answer["error"]

    session(test, {"toy": toy})


def test_the_memory_of_all_bodies_is_limited(session, toy):
    async def body(size):
        yield b" " * size
        await go.wait()
        yield b'{"instances": ["ab"]}'

    async def test(client):
        first = asyncio.create_task(client.post(V1, content=body(900)))
        await asyncio.sleep(0)
        answer = await client.post(V1, content=body(200))
        assert answer.status_code == 503 and "is used up" in answer.json()["error"]
        go.set()
        assert (await first).status_code == 200
        assert (await client.post(V1, content=body(900))).status_code == 200, (
            "the memory is free again"
        )

    go = asyncio.Event()
    session(test, {"toy": toy}, Limits(max_buffered_bytes=1000))


def test_large_bodies_are_handled_by_a_worker_process(session, toy, monkeypatch):
    functions, run = [], WorkerPool.run

    def noted(self, function, *arguments):
        functions.append(function.__name__)
        return run(self, function, *arguments)

    monkeypatch.setattr(WorkerPool, "run", noted)

    async def test(client):
        for instances, expected in (
            (["ab"] * 100, []),
            (["ab"] * 100 + ["a" * 5000], ["encode_response"]),
            (["a" * 200] * 200, ["decode_request", "encode_response"]),
        ):
            functions.clear()
            answer = await client.post(V1, json={"instances": instances})
            assert [p["lengths"] for p in answer.json()["predictions"]] == list(map(len, instances))
            assert functions == expected

    session(test, {"toy": toy})


def test_unknown_addresses_and_methods(ask):
    assert ask("GET", "/v1/models/toy:classify")[0] == 404
    status, answer = ask("GET", "/nowhere")
    assert status == 404 and answer["error"] == (
        "There is no path '/nowhere': requests go to /v1/models/NAME:predict or "
        "/v2/models/NAME/infer. Models: toy."
    )
    status, answer = ask("GET", V1)
    assert status == 405 and "Send a POST request" in answer["error"]
    assert ask("GET", V2)[0] == 405
    assert ask("DELETE", "/v1/models/toy")[0] == 405


def test_a_body_that_is_too_large_is_not_read_completely(session, toy):
    sent = 0

    async def endless():
        nonlocal sent
        while True:
            sent += 1
            yield b" " * 1000

    async def test(client):
        answer = await client.post(V1, content=endless())
        assert answer.status_code == 413 and "10000 bytes" in answer.json()["error"]
        assert sent == 11

    session(test, {"toy": toy}, Limits(max_body_bytes=10_000))


def test_a_body_that_does_not_arrive_times_out(session, toy):
    async def stuck():
        yield b"{"
        await asyncio.sleep(60)

    async def test(client):
        answer = await client.post(V1, content=stuck())
        assert answer.status_code == 408 and "0.05 seconds" in answer.json()["error"]

    session(test, {"toy": toy}, Limits(request_timeout=0.05))


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.sampled_from(["a", "江", "\ud800", "\n", "\0"]), max_size=3)
    | st.sampled_from(
        ["a", "texts", "x", "total", "FP32", "BYTES", {"b64": "YQ=="}, [1], [[[1, 2]]]]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "shape", "datatype", "data", "texts", "x", "b64", "?"]), inner
        )
    ),
    max_leaves=10,
)
bodies = st.dictionaries(
    st.sampled_from(["instances", "inputs", "signature_name", "parameters", "outputs", "id"]),
    values
    | st.just({"signature_name": "total"})
    | st.lists(
        st.fixed_dictionaries(
            {
                "name": st.sampled_from(["texts", "x"]),
                "datatype": st.sampled_from(["BYTES", "FP32"]),
            },
            optional={"shape": st.lists(st.integers(-1, 3), max_size=3), "data": values},
        ),
        max_size=2,
    ),
).map(lambda body: json.dumps(body).encode())


@st.composite
def damaged(draw):
    """Return a valid body in which up to three bytes are changed."""
    valid = st.sampled_from([{"instances": ["a", "bc"]}, total([[[1, 2]]]), v2()])
    body = bytearray(json.dumps(draw(valid)).encode())
    for _ in range(draw(st.integers(0, 3))):
        body[draw(st.integers(0, len(body) - 1))] = draw(st.integers(0, 255))
    return bytes(body)


def test_no_body_breaks_the_server(toy, client_of):
    app, statuses = create_app({"toy": toy}, Limits(batch_timeout_ms=0)), set()
    with asyncio.Runner() as runner:
        context = client_of(app)
        client = runner.run(context.__aenter__())

        @hypothesis.settings(max_examples=300)
        @hypothesis.given(st.sampled_from([V1, V2]), bodies | damaged() | st.binary())
        def check(address, body):
            answer = runner.run(client.post(address, content=body))
            statuses.add(answer.status_code)
            if answer.status_code != 200:
                assert answer.status_code == 400
                assert list(answer.json()) == ["error"] and "\n" not in answer.json()["error"]

        try:
            check()
            assert statuses == {200, 400}, "some bodies are valid"
            assert runner.run(client.post(V1, json={"instances": ["a"]})).status_code == 200
        finally:
            runner.run(context.__aexit__(None, None, None))


def test_the_example_of_the_docstring():
    failed, count = doctest.testmod(limits)
    assert count == 2 and not failed


def test_limits_must_be_positive():
    with pytest.raises(InputError, match="max_batch_size must be an integer of at least 1, got 0"):
        Limits(max_batch_size=0)


def test_the_documentation_has_every_limit_and_its_default():
    page = (Path(__file__).parents[2] / "docs/serving.md").read_text()
    for field in dataclasses.fields(Limits):
        assert f"`--{field.name.replace('_', '-')}`" in page
        if field.name not in ("max_batch_size", "batch_timeout_ms", "max_concurrent_batches"):
            value = getattr(Limits(), field.name)
            written = {
                f"{value:,.0f}",
                f"{value / 2**10:.0f} KiB",
                f"{value / 2**20:.0f} MiB",
            }
            row = next(
                line
                for line in page.splitlines()
                if f"| `--{field.name.replace('_', '-')}`" in line
            )
            assert row.split(" | ")[1] in written
