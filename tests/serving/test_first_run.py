"""Warm-up of versions, which detects models that cannot run."""

import os

import pytest

TEXT = {"instances": ["ab"]}


@pytest.fixture(scope="module")
def strange(tmp_path_factory):
    """Return a folder of SavedModels that cannot run, or that reject the warm-up input."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("strange")
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(["a"], [1.0]), default_value=0.0
    )

    class Strange(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "texts")])
        def upper(self, texts):
            return {"texts": tf.strings.upper(texts)}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "texts")])
        def of_other_hardware(self, texts):
            chosen = tf.raw_ops.TPUOrdinalSelector()
            return {"texts": texts + tf.strings.as_string(chosen)[0]}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "texts")])
        def not_initialized(self, texts):
            handle = tf.raw_ops.HashTableV2(
                key_dtype=tf.string, value_dtype=tf.float32, shared_name=f"of nobody {table}"
            )
            values = tf.raw_ops.LookupTableFindV2(
                table_handle=handle, keys=texts, default_value=0.0
            )
            return {"values": values}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "texts")])
        def numbers(self, texts):
            return {"numbers": tf.strings.to_number(texts)}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "names")])
        def files(self, names):
            return {"contents": tf.map_fn(tf.io.read_file, names)}

    module = Strange()
    for name in ("upper", "of_other_hardware", "not_initialized", "numbers", "files"):
        signatures = {"serving_default": getattr(module, name)}
        tf.saved_model.save(module, str(folder / name), signatures)
    path = folder / "upper/saved_model.pb"
    path.write_bytes(path.read_bytes().replace(b"StringUpper", b"StringOpper"))
    return folder


@pytest.mark.parametrize(
    "name, reason",
    [
        ("upper", "RuntimeError, see the server log"),
        ("of_other_hardware", "its signature 'serving_default' cannot run"),
        ("not_initialized", "its signature 'serving_default' cannot run"),
    ],
)
def test_a_model_that_cannot_run_is_unavailable(session, toy, strange, name, reason):
    async def test(client):
        (state,) = (await client.get("/v1/models/never")).json()["model_version_status"]
        assert state["state"] == "END"
        assert state["status"]["error_message"] == f"version 1 cannot be loaded: {reason}"
        for method, address in (
            ("POST", "/v1/models/never:predict"),
            ("GET", "/v2/models/never/ready"),
        ):
            assert (await client.request(method, address, json=TEXT)).status_code == 503

    session(test, {"never": strange / name, "toy": toy})


@pytest.mark.parametrize("name, text, answer", [("numbers", "1.5", 1.5), ("files", os.devnull, "")])
def test_a_model_that_rejects_the_warm_up_input_is_available(session, strange, name, text, answer):
    async def test(client):
        answered = await client.post("/v1/models/picky:predict", json={"instances": [text]})
        assert answered.json() == {"predictions": [answer]}

    session(test, {"picky": strange / name})
