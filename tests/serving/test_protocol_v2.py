"""Open Inference Protocol, version 2."""

import pytest


def tensor(name, datatype, shape, data):
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


TEXTS = tensor("texts", "BYTES", [2], ["江b", ""])


@pytest.mark.parametrize("address", ["/v2/models/toy", "/v2/models/toy/versions/1"])
def test_metadata_ready_and_texts(ask, address):
    assert ask("GET", address) == (
        200,
        {
            "name": "toy",
            "versions": ["1"],
            "platform": "tensorflow_savedmodel",
            "inputs": [{"name": "texts", "datatype": "BYTES", "shape": [-1]}],
            "outputs": [
                {"name": "lengths", "datatype": "INT64", "shape": [-1]},
                {"name": "numbers", "datatype": "FP32", "shape": [-1, -1]},
                {"name": "tokens", "datatype": "BYTES", "shape": [-1, -1]},
            ],
        },
    )
    assert ask("GET", address + "/ready") == (200, {"name": "toy", "ready": True})
    status, answer = ask("POST", address + "/infer", json={"id": "42", "inputs": [TEXTS]})
    assert status == 200
    assert answer.pop("outputs") == [
        tensor("lengths", "INT64", [2], [2, 0]),
        tensor("numbers", "FP32", [2, 2], [1.0, 1.0, 0.0, 0.0]),
        tensor("tokens", "BYTES", [2, 2], ["江", "b", "", ""]),
    ]
    assert answer == {"model_name": "toy", "model_version": "1", "id": "42"}


@pytest.mark.parametrize("data", [[1, 2, 3, 4], [[[1, 2], [3, 4]]]], ids=["flat", "nested"])
def test_numbers_of_another_signature_and_no_id(ask, data):
    body = {
        "parameters": {"signature_name": "total"},
        "inputs": [tensor("x", "FP32", [1, 2, 2], data)],
        "outputs": [{"name": "sums"}],
    }
    status, answer = ask("POST", "/v2/models/toy/infer", json=body)
    assert status == 200 and answer == {
        "model_name": "toy",
        "model_version": "1",
        "outputs": [tensor("sums", "FP32", [1], [10.0])],
    }


def test_only_requested_outputs_are_returned(ask):
    body = {"inputs": [TEXTS], "outputs": [{"name": "tokens"}, {"name": "lengths"}]}
    _, answer = ask("POST", "/v2/models/toy/infer", json=body)
    assert [output["name"] for output in answer["outputs"]] == ["tokens", "lengths"]


def test_scalars_have_an_empty_shape(ask):
    body = {
        "parameters": {"signature_name": "make"},
        "inputs": [tensor("prompts", "BYTES", [1], ["a"]), tensor("max_length", "INT32", [], [3])],
        "outputs": [{"name": "texts"}],
    }
    _, answer = ask("POST", "/v2/models/toy/infer", json=body)
    assert answer["outputs"] == [tensor("texts", "BYTES", [1], ["a!"])]


def test_server_metadata_and_health(ask):
    status, answer = ask("GET", "/v2")
    assert status == 200 and answer["name"] == "keras-seq" and answer["extensions"] == []
    assert ask("GET", "/v2/health/live") == (200, {"live": True})
    assert ask("GET", "/v2/health/ready") == (200, {"live": True, "ready": True})


@pytest.mark.parametrize("end", ["", "/ready", "/infer", "/versions/1/infer"])
def test_an_unknown_model_is_not_found(ask, end):
    method = "POST" if end.endswith("infer") else "GET"
    status, answer = ask(method, "/v2/models/tox" + end, json={"inputs": [TEXTS]})
    assert (status, answer) == (404, {"error": "There is no model 'tox': did you mean 'toy'?"})


def test_an_empty_signature_name_is_the_default(ask):
    body = {"parameters": {"signature_name": ""}, "inputs": [TEXTS]}
    status, answer = ask("POST", "/v2/models/toy/infer", json=body)
    assert status == 200
    assert [o["name"] for o in answer["outputs"]] == ["lengths", "numbers", "tokens"]


def test_binary_tensors_raise_an_error(ask):
    """Triton's client sends them by default."""
    status, answer = ask(
        "POST",
        "/v2/models/toy/infer",
        content=b'{"inputs": []}\1\0\0\0a',
        headers={"Inference-Header-Content-Length": "14"},
    )
    assert status == 400 and "binary_data=False" in answer["error"]
