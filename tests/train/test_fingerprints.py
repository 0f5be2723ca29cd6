"""Fingerprints of code and data."""

import copy
import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from keras_seq._internal.errors import InputError
from keras_seq.batching import RawExamples
from keras_seq.train import fingerprints, registry


def splits():
    """Return examples of all the kinds that recipes load."""
    arrays = RawExamples(np.arange(12, dtype="int16").reshape(3, 4), np.array(["a", "bc", "d"]))
    return {
        "arrays": arrays,
        "tokens": RawExamples([["a", "汉"], []], {"tags": [["O", "B-X"], []], "words": None}),
        "labels": RawExamples([np.array([1, 2]), np.array([3])], {"labels": ["x", "y"]}),
        "frames": RawExamples([np.zeros((2, 3, 3), "uint8")] * 2, [b"a", np.float32(0.5)]),
        "untold": RawExamples(["a"]),
    }


def test_it_is_the_same_in_another_process():
    code = f"""
import sys, json
sys.path.insert(0, {str(__file__.rpartition("/")[0])!r})
import test_fingerprints as tests
print(json.dumps(tests.fingerprints.hash_data(tests.splits())))
"""
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    hashes = fingerprints.hash_data(splits())
    assert fingerprints.json.loads(out) == hashes
    assert {name: row["examples"] for name, row in hashes.items()} == {
        "arrays": 3,
        "tokens": 2,
        "labels": 2,
        "frames": 2,
        "untold": 1,
    }
    assert len({row["sha256"] for row in hashes.values()}) == 5


CHANGES = {
    "arrays": lambda e: dataclasses.replace(e, inputs=e.inputs + (e.inputs == 5).astype("int16")),
    "tokens": lambda e: dataclasses.replace(e, inputs=[["a", "漢"], []]),
    "labels": lambda e: dataclasses.replace(e, inputs=[np.array([1]), np.array([2, 3])]),
    "frames": lambda e: dataclasses.replace(e, targets=[b"a", np.float32(0.25)]),
    "untold": lambda e: dataclasses.replace(e, inputs=["b"]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_other_content_has_another(name):
    before = fingerprints.hash_data(splits())
    changed = splits()
    changed[name] = CHANGES[name](changed[name])
    now = fingerprints.hash_data(changed)
    assert [split for split in now if now[split] != before[split]] == [name]
    count = now[name]["examples"]
    assert fingerprints.compare_data({"data": before}, now) == (
        f"the {count} examples of the {name} split have changed"
    )


def test_another_type_or_shape_has_another():
    rows = [
        np.zeros((2, 3), "int16"),
        np.zeros((3, 2), "int16"),
        np.zeros((2, 3), "uint16"),
        np.zeros((2, 3), "float16"),
    ]
    hashes = [
        fingerprints.hash_data({"train": RawExamples(row)})["train"]["sha256"] for row in rows
    ]
    assert len(set(hashes)) == len(rows)


@pytest.fixture
def own(tmp_path):
    """Return a recipe in a folder."""
    (tmp_path / "own").mkdir()
    for name in ("__init__.py", "config.py", "model.py"):
        (tmp_path / "own" / name).touch()
    return registry.find(str(tmp_path / "own"))


def test_what_is_refused_and_what_is_warned_of(own, capsys):
    before = fingerprints.compute(own, splits())
    fingerprints.check(before, before, own, "runs/a")
    fingerprints.check({}, before, own, "runs/a")  # of an older version
    assert capsys.readouterr().err == ""

    other = copy.deepcopy(before)
    other["versions"]["keras"] = "3.0"
    fingerprints.check(before, other, own, "runs/a")
    version = before["versions"]["keras"]
    assert f"runs/a was started with keras {version} (now 3.0)" in capsys.readouterr().err

    for change, message in (
        (lambda data: data.pop("tokens"), "the tokens split is missing"),
        (lambda data: data["tokens"].update(examples=3), "the tokens split had 2 examples and has"),
    ):
        other = copy.deepcopy(before)
        change(other["data"])
        with pytest.raises(InputError, match=message):
            fingerprints.check(before, other, own, "runs/a")

    (own.folder / "model.py").write_text("# changed")
    (own.folder / "more.py").touch()
    (own.folder / "README.md").touch()
    with pytest.raises(
        InputError, match=r"code of the recipe own\. Changed since: model\.py, more\.py"
    ):
        fingerprints.check(before, before, own, "runs/a")
