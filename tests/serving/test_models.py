"""Versions come and go while requests are answered; what is broken harms nothing else."""

import asyncio
import shutil
import threading

import pytest

from keras_seq.serving import Limits
from keras_seq.serving.models import Signature, reason

TEXT = {"instances": ["ab"]}


def numbers(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()["predictions"][0]["numbers"]


async def until(client, address, wanted):
    """Waits until the address answers so."""
    for _ in range(2000):
        answer = (await client.get(address)).json()
        if wanted(answer):
            return answer
        await asyncio.sleep(0.02)
    raise AssertionError(answer)


def state_of(number, state):
    def wanted(answer):
        states = {v["version"]: v["state"] for v in answer.get("model_version_status", [])}
        return states.get(str(number), "gone") == state

    return wanted


def publish(source, folder):
    """As `keras-seq export --to` does it: beside, then renamed."""
    shutil.copytree(source, folder.parent / ".writing" / folder.name)
    (folder.parent / ".writing" / folder.name).rename(folder)


def test_a_new_version_takes_over_under_load_without_an_error(session, toy, twice, tmp_path):
    publish(toy, tmp_path / "toy/1")

    async def test(client):
        # By client, since a request to the version before may be answered after another's.
        seen, stop = [[] for _ in range(4)], False

        async def ask(seen):
            while not stop:
                seen.append(numbers(await client.post("/v1/models/toy:predict", json=TEXT))[0])

        asking = [asyncio.create_task(ask(client_sees)) for client_sees in seen]
        while not all(seen):
            await asyncio.sleep(0)
        publish(twice, tmp_path / "toy/2")
        await until(client, "/v1/models/toy", state_of(1, "gone"))
        while any(one[-1] != 2 for one in seen):
            await asyncio.sleep(0)
        stop = True
        await asyncio.gather(*asking)
        for one in seen:
            assert one == sorted(one) and set(one) == {1.0, 2.0}
        answer = await client.post("/v1/models/toy/versions/1:predict", json=TEXT)
        assert answer.status_code == 404
        assert answer.json()["error"] == "toy has no version '1' to answer; there are: 2."

        # Taken back: the one before answers again. Without any, the last one goes on.
        shutil.rmtree(tmp_path / "toy/2")
        await until(client, "/v1/models/toy", state_of(2, "gone"))
        assert numbers(await client.post("/v1/models/toy:predict", json=TEXT)) == [1.0, 1.0]
        shutil.rmtree(tmp_path / "toy/1")
        await asyncio.sleep(0.1)
        assert numbers(await client.post("/v1/models/toy:predict", json=TEXT)) == [1.0, 1.0]

    session(test, {"toy": tmp_path / "toy"})


def test_several_versions_answer(session, toy, twice, tmp_path):
    publish(toy, tmp_path / "toy/3")
    publish(twice, tmp_path / "toy/10")
    (tmp_path / "toy/notes").mkdir()

    async def test(client):
        for address, factor in (("/versions/3", 1.0), ("/versions/10", 2.0), ("", 2.0)):
            answer = await client.post(f"/v1/models/toy{address}:predict", json=TEXT)
            assert numbers(answer) == [factor] * 2
        answer = (await client.get("/v2/models/toy")).json()
        assert answer["versions"] == ["3", "10"]

    session(test, {"toy": tmp_path / "toy"}, keep=2)


def test_a_version_that_is_broken_leaves_the_one_before(session, toy, twice, tmp_path):
    publish(toy, tmp_path / "toy/1")

    async def test(client):
        (tmp_path / "toy/2").mkdir()
        answer = await until(client, "/v1/models/toy", state_of(2, "END"))
        states = answer["model_version_status"]
        assert [(s["version"], s["state"]) for s in states] == [("2", "END"), ("1", "AVAILABLE")]
        assert "toy/2 cannot be loaded" in states[0]["status"]["error_message"]
        assert numbers(await client.post("/v1/models/toy:predict", json=TEXT)) == [1.0, 1.0]
        # It is tried again when its files change.
        shutil.copytree(twice, tmp_path / "toy/2", dirs_exist_ok=True)
        await until(client, "/v1/models/toy", state_of(2, "AVAILABLE"))
        assert numbers(await client.post("/v1/models/toy:predict", json=TEXT)) == [2.0, 2.0]

    session(test, {"toy": tmp_path / "toy"})


def test_a_model_that_is_broken_takes_no_other_down(session, toy, tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/saved_model.pb").write_bytes(b"nothing of the kind")
    (tmp_path / "empty").mkdir()
    folders = {"broken": tmp_path / "broken", "empty": tmp_path / "empty", "toy": toy}

    async def test(client):
        assert numbers(await client.post("/v1/models/toy:predict", json=TEXT)) == [1.0, 1.0]
        answer = (await client.get("/v1/models/broken")).json()
        (state,) = answer["model_version_status"]
        assert state["state"] == "END"
        assert "cannot be loaded" in state["status"]["error_message"]
        for name, why in (("broken", "cannot be loaded"), ("empty", "There is no SavedModel")):
            for method, address in (
                ("POST", f"/v1/models/{name}:predict"),
                ("GET", f"/v2/models/{name}/ready"),
            ):
                answer = await client.request(method, address, json=TEXT)
                assert answer.status_code == 503 and why in answer.json()["error"]

    session(test, folders)


def test_every_signature_has_run_before_the_first_request(session, toy, monkeypatch):
    ran = []
    call = Signature.__call__

    def noted(signature, arrays):
        ran.append(sorted(signature.outputs))
        return call(signature, arrays)

    monkeypatch.setattr(Signature, "__call__", noted)

    async def test(client):
        spelt = ["lengths", "numbers", "tokens"]
        made, echoed, total = ["log_probs", "texts"], ["image_bytes", "size"], ["sums"]
        assert sorted(ran) == [echoed, spelt, spelt, made, total]

    session(test, {"toy": toy})


def test_an_answer_that_takes_too_long(session, toy, monkeypatch):
    go = threading.Event()
    go.set()
    call = Signature.__call__
    monkeypatch.setattr(Signature, "__call__", lambda *args: go.wait(60) and call(*args))

    async def test(client):
        go.clear()
        answer = await client.post("/v1/models/toy:predict", json=TEXT)
        assert (answer.status_code, answer.json()["error"]) == (
            504,
            "There was no answer within 0.2 seconds.",
        )
        go.set()
        for _ in range(100):  # the first may wait for the one that was given up
            answer = await client.post("/v1/models/toy:predict", json=TEXT)
            if answer.status_code == 200:
                break
        assert numbers(answer) == [1.0, 1.0]

    session(test, {"toy": toy}, Limits(timeout=0.2))


def test_metrics(session, toy):
    async def test(client):
        for body in ({"instances": ["ab", "c"]}, {"instances": []}):
            await client.post("/v1/models/toy:predict", json=body)
        await client.post("/v1/models/made_up:predict", json=TEXT)
        lines = (await client.get("/metrics")).text.splitlines()
        labels = 'model="toy",signature="serving_default"'
        for line in (
            'keras_seq_requests_total{model="toy",status="200"} 1.0',
            'keras_seq_requests_total{model="toy",status="400"} 1.0',
            'keras_seq_requests_total{model="",status="404"} 1.0',
            'keras_seq_request_seconds_count{model="toy"} 2.0',
            f"keras_seq_batch_instances_sum{{{labels}}} 2.0",
            f"keras_seq_batch_instances_count{{{labels}}} 1.0",
            f"keras_seq_waiting_requests{{{labels}}} 0.0",
        ):
            assert line in lines
        assert not any("made_up" in line for line in lines)

    session(test, {"toy": toy})


@pytest.mark.parametrize("text", ["Graph execution error:\n\nDetected at node x\n<stack>\n", ""])
def test_errors_of_tensorflow_have_a_sentence(text):
    error = ValueError()
    error.message = text
    assert reason(error) in ("<stack>", "ValueError")
