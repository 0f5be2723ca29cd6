"""Benchmark for GPUs: tasks, limited time, tables, bounds on paper, wheels."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import without_tensorflow

from benchmarks.gpu import __main__ as command
from benchmarks.gpu import collect, paper, table, tasks, timing

ROOT = Path(__file__).parents[2]


# Tasks and timing.


@pytest.mark.parametrize("library", ["jax", "torch"])
def test_all_cells_shapes_and_precisions_are_timed(library):
    every = list(tasks.make_tasks(library, quick=False))
    assert len({(t.cell, t.precision, t.shape) for t in every}) == len(every) == 5 * 3 * 5
    assert len(list(tasks.make_tasks(library, quick=True))) == 2
    scaling = list(tasks.make_scaling_tasks(library, quick=False))
    assert {t.shape[0] for t in scaling} > {1, 64, 1024}
    assert {t.shape[1] for t in scaling} > {25, 100, 1600}


def test_contestants():
    assert tasks.jax_contestants("LSTM", "tf32", 512) == ("keras", "ours", "passes", "unroll 8")
    assert tasks.jax_contestants("PeepholeLSTM", "bfloat16", 256) == (
        "cell",
        "ours",
        "fused",
        "fused bfloat16",
    )
    assert tasks.jax_contestants("PeepholeLSTM", "float32", 512) == ("cell", "ours")
    assert tasks.torch_contestants("GRU") == ("torch", "products", "keras", "ours")


def fail():
    raise RuntimeError("out of\nmemory")


def test_a_failing_contestant_does_not_stop_the_others(tmp_path):
    def build(task):
        good = timing.Contestant({"forward": int, "train": int}, 5, 0.0)
        return {"ours": good, "keras": timing.Contestant({"forward": int, "train": fail})}, {}

    task = tasks.Task("GRU", "tf32", (1, 2, 3, 4), ("ours", "keras"))
    forward, train = timing.measure(task, build)
    assert set(forward["milliseconds"]) == {"ours", "keras"} and not forward["errors"]
    assert set(train["milliseconds"]) == {"ours"} and train["memory"] == {"ours": 5}
    assert train["errors"] == {"keras": "RuntimeError: out of memory"}
    path = tmp_path / "rows.jsonl"
    timing.run_tasks([task, task], build, path, deadline=time.time() - 1)
    assert path.read_text() == ""  # the time was over
    timing.run_tasks([task], build, path, deadline=time.time() + 99)
    assert [json.loads(line)["mode"] for line in path.read_text().splitlines()] == [
        "forward",
        "train",
    ]


# Parts.


def test_shares_of_the_time():
    assert sum(part.share for part in command.PARTS) == pytest.approx(1)
    assert {part.library for part in command.PARTS} == {"jax", "torch"}


def test_a_part_is_killed_with_its_children(tmp_path):
    code = "import subprocess; subprocess.run(['sleep', '60'])"
    start = time.time()
    assert command.run_process([sys.executable, "-c", code], {}, tmp_path / "log", 0.5) == (
        "time over"
    )
    assert time.time() - start < 30  # not 60
    assert command.run_process([sys.executable, "-c", "1 / 0"], {}, tmp_path / "log", 60) == (
        "exit code 1"
    )
    assert "ZeroDivisionError" in (tmp_path / "log").read_text()


def test_outcomes_of_tests(tmp_path):
    log = tmp_path / "log"
    log.write_text(
        "tests/a.py::test_x[1-two words] PASSED                [ 10%]\n"
        "tests/a.py::test_y FAILED                             [ 20%]\n"
        "[gw3] [ 30%] PASSED tests/b.py::test_z \n"
        "[gw3] [ 40%] SKIPPED tests/b.py::test_w \n"
        "FAILED tests/a.py::test_y - assert 1 == 2\n"
    )
    assert command.read_tests(log) == {
        **{"passed": 2, "failed": 1, "error": 0, "skipped": 1},
        "failures": ["tests/a.py::test_y"],
    }


def test_tables():
    row = {
        **{"cell": "LSTM", "precision": "tf32", "shape": [1, 2, 3, 4], "part": "shapes"},
        **{"mode": "train", "milliseconds": {"ours": 1.234, "keras": 2.0}, "memory": {"ours": 5e6}},
        **{"difference": {"ours": 1e-7}, "errors": {"fused": "ValueError: no"}},
    }
    tested = {"passed": 3, "failed": 1, "error": 0, "skipped": 0, "failures": ["t.py::test"]}
    parts = [
        {"name": "tests jax", "status": "exit code 1", "seconds": 9, "tests": tested},
        {"name": "shapes jax", "status": "time over", "seconds": 5, "rows": [row], "machine": {}},
    ]
    text = table.render({"command": "c", "date": "2026-01-01", "parts": parts})
    assert "| tests jax | exit code 1 | 9 | 3 passed, 1 failed |" in text
    assert "- `t.py::test`" in text and "- jax, fused: ValueError: no" in text
    expected = (
        "| shapes | tf32 | 1, 2, 3, 4 | LSTM | jax | ours 1.23, keras 2 | ours 5 | ours 1e-07 |"
    )
    assert expected in text


@pytest.mark.slow
def test_all_parts_without_tensorflow(tmp_path):
    """Every part runs on the CPU, and finds no TensorFlow."""
    site = tmp_path / "site"
    site.mkdir()
    without_tensorflow.install(site)
    out = tmp_path / "out"
    arguments = ["--quick", "--seconds", "900", "--out", str(out)]
    subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(site)},
        check=True,
    )
    report = json.loads((out / "results.json").read_text())
    assert [part["status"] for part in report["parts"]] == ["done"] * len(command.PARTS)
    for part in report["parts"]:
        if part["name"].startswith("tests"):
            assert part["tests"]["passed"] and not part["tests"]["failures"]
            continue
        assert not part["machine"]["has_tensorflow"]
        for row in part["rows"]:
            assert not row["errors"] and set(row["milliseconds"]) == set(row["contestants"])
            assert all(value < 0.02 for value in row["difference"].values())
    assert "| scaling |" in (out / "table.md").read_text()


# Bounds on paper.


def test_cost_of_a_step():
    cost = paper.compute_cost((2, 3, 5, 7), "float32")
    # Six rows; three products with matrices of 5 and of 7 rows and 28 columns.
    assert cost.operations == 3 * 2 * 6 * (5 + 7) * 28
    # Forward: 5 + 28 twice + 7 + 28 + 7. Backward: 28 + 7 + 7 + 28 four times + 5 + 7 + 5.
    assert cost.bytes == 6 * (103 + 171) * 4
    assert cost.launches == 12 and cost.recurrent_bytes == 7 * 28 * 4
    assert cost.bound == "launches"
    assert cost.total == pytest.approx(12 * paper.LAUNCH_SECONDS, rel=0.01)
    assert paper.compute_cost((256, 500, 512, 512), "float32").bound == "arithmetic"


def test_speedup_by_several_gpus():
    shape = (256, 500, 512, 512)
    for grow, high in ((True, 8), (False, 1.5)):
        ratios = [paper.compute_speedup(shape, "bfloat16", n, grow) for n in (1, 2, 8)]
        assert ratios[0] == pytest.approx(1) and ratios == sorted(ratios) and ratios[2] <= high
    assert paper.compute_speedup((1, 100, 128, 128), "bfloat16", 8, False) < 1


def test_page_has_the_computed_tables():
    text = paper.PAGE.read_text()
    assert paper.update(text) == text, "run `python -m benchmarks.gpu.paper`"


# Wheels.


def test_wheels_of_the_installed_versions():
    import keras

    assert collect.pin(["keras"]) == [f"keras=={keras.__version__}"]
    line = collect.download_command(["keras==3.0"], Path("wheels"), "3.12")
    assert line[-3:] == ["--dest", "wheels", "keras==3.0"]
    assert {"--no-deps", "--only-binary=:all:", "3.12"} <= set(line)


def test_wheels_of_an_earlier_run(tmp_path):
    (tmp_path / "a.whl").write_bytes(b"")
    with pytest.raises(SystemExit, match="contains wheels already"):
        collect.collect(tmp_path, "3.12")
