"""REST protocol of TensorFlow Serving."""

import base64

import pytest

PREDICT = "/v1/models/toy:predict"


def test_rows_and_columns_of_texts(ask):
    row = {"tokens": ["江", "b", ""], "numbers": [1.0, 1.0, 0.0], "lengths": 2}
    other = {"tokens": ["c", "d", "e"], "numbers": [1.0, 1.0, 1.0], "lengths": 3}
    for instances in (["江b", "cde"], [{"texts": "江b"}, {"texts": "cde"}]):
        status, answer = ask("POST", PREDICT, json={"instances": instances})
        assert (status, answer) == (200, {"predictions": [row, other]})
    for inputs in (["江b", "cde"], {"texts": ["江b", "cde"]}):
        status, answer = ask("POST", PREDICT, json={"inputs": inputs})
        assert status == 200
        assert answer == {"outputs": {name: [row[name], other[name]] for name in row}}


def test_a_single_output_has_no_name(ask):
    body = {"signature_name": "total", "instances": [[[1, 2], [3, 4.5]], [[0, 0], [0, 1]]]}
    for address in (PREDICT, "/v1/models/toy/versions/1:predict"):
        assert ask("POST", address, json=body) == (200, {"predictions": [10.5, 1.0]})
    body = {"signature_name": "total", "inputs": {"x": [[[1, 2]]]}}
    assert ask("POST", PREDICT, json=body) == (200, {"outputs": [3.0]})


def test_an_empty_signature_name_is_the_default(ask):
    body = {"signature_name": "", "instances": ["ab"]}
    status, answer = ask("POST", PREDICT, json=body)
    assert status == 200 and answer["predictions"][0]["tokens"] == ["a", "b"]


def test_scalars_in_columns_and_infinite_outputs(ask):
    inputs = {"prompts": ["a", "b"], "max_length": 1}
    status, answer = ask("POST", PREDICT, json={"signature_name": "make", "inputs": inputs})
    assert status == 200
    infinite = [[float("inf")]] * 2
    assert answer == {"outputs": {"texts": ["a!", "b!"], "log_probs": infinite}}


def test_bytes_as_base64(ask):
    image = {"b64": base64.b64encode(b"\xff\x00\xfe").decode()}
    for instances in ([image], [{"image": image}]):
        body = {"signature_name": "echo", "instances": instances}
        status, answer = ask("POST", PREDICT, json=body)
        assert (status, answer) == (200, {"predictions": [{"image_bytes": image, "size": 3}]})


def test_status_and_metadata(ask):
    available = {
        "version": "1",
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }
    for address in ("/v1/models/toy", "/v1/models/toy/versions/1"):
        assert ask("GET", address) == (200, {"model_version_status": [available]})
    for address in ("/v1/models/toy/metadata", "/v1/models/toy/versions/1/metadata"):
        status, answer = ask("GET", address)
        assert status == 200
        assert answer["model_spec"] == {"name": "toy", "signature_name": "", "version": "1"}
        signatures = answer["metadata"]["signature_def"]["signature_def"]
        assert sorted(signatures) == ["echo", "make", "serving_default", "spell", "total"]
        x = signatures["total"]["inputs"]["x"]
        assert x["dtype"] == "DT_FLOAT" and not x["tensor_shape"]["unknown_rank"]
        assert [d["size"] for d in x["tensor_shape"]["dim"]] == ["-1", "-1", "2"]
        assert signatures["spell"]["outputs"]["lengths"]["dtype"] == "DT_INT64"
        assert signatures["make"]["inputs"]["max_length"]["tensor_shape"]["dim"] == []


@pytest.mark.parametrize("end", ["", ":predict", "/metadata", "/versions/1", "/versions/1:predict"])
def test_an_unknown_model_is_not_found(ask, end):
    method = "POST" if end.endswith("predict") else "GET"
    status, answer = ask(method, "/v1/models/tox" + end, json={"instances": ["a"]})
    assert (status, answer) == (404, {"error": "There is no model 'tox': did you mean 'toy'?"})


@pytest.mark.parametrize("version", ["2", "one", "1" * 5000])
@pytest.mark.parametrize("end", ["", ":predict", "/metadata"])
def test_an_unknown_version_is_not_found(ask, version, end):
    method = "POST" if end == ":predict" else "GET"
    address = f"/v1/models/toy/versions/{version}{end}"
    status, answer = ask(method, address, json={"instances": ["a"]})
    assert status == 404 and "only: 1." in answer["error"]
    assert len(answer["error"]) < 200
