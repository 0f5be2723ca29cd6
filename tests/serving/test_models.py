"""Loading and replacement of versions under load, and broken versions."""

import asyncio
import os
import shutil
import threading

import pytest

from keras_seq.serving import Limits
from keras_seq.serving.models import Signature, error_summary

TEXT = {"instances": ["ab"]}


def numbers(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()["predictions"][0]["numbers"]


async def until(client, address, is_met):
    """Wait until the response of an address fulfills a condition."""
    for _ in range(2000):
        answer = (await client.get(address)).json()
        if is_met(answer):
            return answer
        await asyncio.sleep(0.02)
    raise AssertionError(answer)


def state_of(number, state):
    def is_met(answer):
        states = {v["version"]: v["state"] for v in answer.get("model_version_status", [])}
        return states.get(str(number), "gone") == state

    return is_met


def publish(source, folder):
    """Write a version as `keras-seq export --output` does: to a temporary folder, then renamed."""
    shutil.copytree(source, folder.parent / ".writing" / folder.name)
    (folder.parent / ".writing" / folder.name).rename(folder)


def test_a_version_is_replaced_under_load_without_errors(session, toy, twice, tmp_path):
    publish(toy, tmp_path / "toy/1")

    async def test(client):
        # Per client, since responses of the old version may arrive after those of the new one.
        observed, stop = [[] for _ in range(4)], False

        async def ask(series):
            while not stop:
                series.append(numbers(await client.post("/v1/models/toy:predict", json=TEXT))[0])

        asking = [asyncio.create_task(ask(series)) for series in observed]
        while not all(observed):
            await asyncio.sleep(0)
        publish(twice, tmp_path / "toy/2")
        await until(client, "/v1/models/toy", state_of(1, "gone"))
        while any(series[-1] != 2 for series in observed):
            await asyncio.sleep(0)
        stop = True
        await asyncio.gather(*asking)
        for series in observed:
            assert series == sorted(series) and set(series) == {1.0, 2.0}
        answer = await client.post("/v1/models/toy/versions/1:predict", json=TEXT)
        assert answer.status_code == 404
        assert answer.json()["error"] == "toy does not serve version '1', only: 2."

        # After a rollback the previous version answers. Without any version, the last one stays.
        shutil.rmtree(tmp_path / "toy/2")
        await until(client, "/v1/models/toy", state_of(2, "gone"))
        assert numbers(await client.post("/v1/models/toy:predict", json=TEXT)) == [1.0, 1.0]
        shutil.rmtree(tmp_path / "toy/1")
        await asyncio.sleep(0.1)
        assert numbers(await client.post("/v1/models/toy:predict", json=TEXT)) == [1.0, 1.0]

    session(test, {"toy": tmp_path / "toy"})


def test_several_versions_are_served(session, toy, twice, tmp_path):
    publish(toy, tmp_path / "toy/3")
    publish(twice, tmp_path / "toy/10")
    (tmp_path / "toy/notes").mkdir()

    async def test(client):
        for address, factor in (("/versions/3", 1.0), ("/versions/10", 2.0), ("", 2.0)):
            answer = await client.post(f"/v1/models/toy{address}:predict", json=TEXT)
            assert numbers(answer) == [factor] * 2
        answer = (await client.get("/v2/models/toy")).json()
        assert answer["versions"] == ["3", "10"]

    session(test, {"toy": tmp_path / "toy"}, max_versions=2)


def test_a_broken_version_leaves_the_previous_one(session, toy, twice, tmp_path):
    publish(toy, tmp_path / "toy/1")

    async def test(client):
        (tmp_path / "toy/2").mkdir()
        answer = await until(client, "/v1/models/toy", state_of(2, "END"))
        states = answer["model_version_status"]
        assert [(s["version"], s["state"]) for s in states] == [("2", "END"), ("1", "AVAILABLE")]
        why = states[0]["status"]["error_message"]
        assert why == "version 2 cannot be loaded: it has no saved_model.pb"
        assert numbers(await client.post("/v1/models/toy:predict", json=TEXT)) == [1.0, 1.0]
        # It is loaded again when its files change.
        shutil.copytree(twice, tmp_path / "toy/2", dirs_exist_ok=True)
        await until(client, "/v1/models/toy", state_of(2, "AVAILABLE"))
        assert numbers(await client.post("/v1/models/toy:predict", json=TEXT)) == [2.0, 2.0]

    session(test, {"toy": tmp_path / "toy"})


def damage(folder, how):
    """Make a folder a version that cannot be loaded."""
    if how == "a broken link":
        folder.symlink_to("nowhere")
        return
    if how == "a file":
        folder.write_text("")
        return
    folder.mkdir()
    if how == "no saved_model.pb":
        (folder / "variables").mkdir()
    elif how == "a damaged saved_model.pb":
        (folder / "saved_model.pb").write_bytes(b"nothing of the kind")
    elif how == "a saved_model.pb that is a broken link":
        (folder / "saved_model.pb").symlink_to("nowhere")
    elif how == "a saved_model.pb that is a pipe":
        os.mkfifo(folder / "saved_model.pb")
    elif how == "a saved_model.pb that is a device":
        (folder / "saved_model.pb").symlink_to("/dev/zero")


NOT_REGULAR = "its saved_model.pb is not a regular file, or a broken link"
DAMAGES = {
    "a broken link": "it is not a folder, or a broken link",
    "a file": "it is not a folder, or a broken link",
    "no saved_model.pb": "it has no saved_model.pb",
    "a damaged saved_model.pb": "OSError, see the server log",
    "a saved_model.pb that is a broken link": "it has no saved_model.pb",
    "a saved_model.pb that is a pipe": NOT_REGULAR,
    "a saved_model.pb that is a device": NOT_REGULAR,
}


def test_broken_versions_are_unavailable_with_a_reason(session, toy, tmp_path):
    folders = {"toy": tmp_path / "toy", "empty": tmp_path / "empty", "gone": tmp_path / "gone"}
    for folder in (folders["toy"], folders["empty"]):
        folder.mkdir()
    publish(toy, folders["toy"] / "1")
    for number, how in enumerate(DAMAGES, 2):
        damage(folders["toy"] / str(number), how)
        folders[f"broken{number}"] = tmp_path / f"broken{number}"
        damage(folders[f"broken{number}"], how)

    async def test(client):
        assert numbers(await client.post("/v1/models/toy:predict", json=TEXT)) == [1.0, 1.0]
        states = (await client.get("/v1/models/toy")).json()["model_version_status"]
        assert [(int(s["version"]), s["state"]) for s in states] == [
            *((number, "END") for number in range(len(DAMAGES) + 1, 1, -1)),
            (1, "AVAILABLE"),
        ]
        for state, why in zip(states, reversed(DAMAGES.values())):
            assert state["status"]["error_message"] == (
                f"version {state['version']} cannot be loaded: {why}"
            )
        for name in folders.keys() - {"toy"}:
            for method, address in (
                ("POST", f"/v1/models/{name}:predict"),
                ("GET", f"/v1/models/{name}"),
                ("GET", f"/v2/models/{name}/ready"),
            ):
                answer = await client.request(method, address, json=TEXT)
                assert str(tmp_path) not in answer.text
                if address != f"/v1/models/{name}":
                    assert answer.status_code == 503
                    sentence = answer.json()["error"]
                    assert sentence.startswith(f"{name} is not available: ")
        # A later version is loaded.
        publish(toy, folders["toy"] / "20")
        await until(client, "/v1/models/toy", state_of(20, "AVAILABLE"))

    session(test, folders)


@pytest.mark.parametrize("name", ["variables/variables.index", "notes.txt"])
def test_a_broken_link_within_a_version(session, toy, twice, tmp_path, name):
    publish(toy, tmp_path / "toy/1")
    publish(twice, tmp_path / "toy/2")
    (tmp_path / "toy/2" / name).unlink(missing_ok=True)
    (tmp_path / "toy/2" / name).symlink_to("nowhere")

    async def test(client):
        assert numbers(await client.post("/v1/models/toy:predict", json=TEXT)) == [1.0, 1.0]
        states = (await client.get("/v1/models/toy")).json()["model_version_status"]
        why = f"version 2 cannot be loaded: its {name} is not a regular file, or a broken link"
        assert states[0]["status"]["error_message"] == why
        publish(toy, tmp_path / "toy/3")
        await until(client, "/v1/models/toy", state_of(3, "AVAILABLE"))

    session(test, {"toy": tmp_path / "toy"})


def test_a_slow_model_does_not_delay_others(session, toy, monkeypatch):
    go, call = threading.Event(), Signature.__call__
    go.set()

    def wait_for_long_ones(signature, arrays):
        if len(next(iter(arrays.values())).shape) == 3:
            assert go.wait(60)
        return call(signature, arrays)

    monkeypatch.setattr(Signature, "__call__", wait_for_long_ones)

    async def test(client):
        go.clear()
        asked = [
            {"signature_name": "total", "instances": [[[1, 1]] * length]} for length in range(1, 71)
        ]
        slow = [
            asyncio.create_task(client.post("/v1/models/slow:predict", json=body)) for body in asked
        ]
        while "slow" not in (text := (await client.get("/metrics")).text) or (
            'waiting_requests{model="slow",signature="total"} 70.0' not in text
        ):
            await asyncio.sleep(0.01)
        assert numbers(await client.post("/v1/models/other:predict", json=TEXT)) == [1.0, 1.0]
        assert not any(task.done() for task in slow)
        go.set()
        answers = [(await task).json()["predictions"][0] for task in slow]
        assert answers == [2.0 * length for length in range(1, 71)]

    session(test, {"slow": toy, "other": toy})


def test_every_signature_is_warmed_up(session, toy, monkeypatch):
    ran = []
    call = Signature.__call__

    def noted(signature, arrays):
        ran.append(sorted(signature.spec.outputs))
        return call(signature, arrays)

    monkeypatch.setattr(Signature, "__call__", noted)

    async def test(client):
        spelt = ["lengths", "numbers", "tokens"]
        generated, echoed, total = ["log_probs", "texts"], ["image_bytes", "size"], ["sums"]
        assert sorted(ran) == [echoed, spelt, spelt, generated, total]

    session(test, {"toy": toy})


def test_a_slow_response_times_out(session, toy, monkeypatch):
    go = threading.Event()
    go.set()
    call = Signature.__call__
    monkeypatch.setattr(Signature, "__call__", lambda *args: go.wait(60) and call(*args))

    async def test(client):
        go.clear()
        answer = await client.post("/v1/models/toy:predict", json=TEXT)
        assert (answer.status_code, answer.json()["error"]) == (
            504,
            "No answer within 0.2 seconds.",
        )
        go.set()
        for _ in range(100):  # the first may wait for the one that timed out
            answer = await client.post("/v1/models/toy:predict", json=TEXT)
            if answer.status_code == 200:
                break
        assert numbers(answer) == [1.0, 1.0]

    session(test, {"toy": toy}, Limits(request_timeout=0.2))


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
def test_errors_of_tensorflow_have_a_summary(text):
    error = ValueError()
    error.message = text
    assert error_summary(error) in ("<stack>", "ValueError")
