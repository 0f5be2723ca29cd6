import contextlib
import importlib.util
import io
import json
import re
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest

from benchmarks.ratios import summary

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
GENERATED = ROOT / "docs/reference"


def load(file):
    """Return a module of the folder docs."""
    spec = importlib.util.spec_from_file_location(f"docs_{file}", ROOT / f"docs/{file}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tables_of_results_are_current():
    tables = load("results")
    page = tables.PAGE.read_text()
    assert tables.update(README, tables.tasks()) == README, "run python docs/results.py"
    assert tables.update(page, tables.table()) == page, "run python docs/results.py"


def test_the_first_screen_has_the_two_commands():
    screen = README.splitlines()[:24]
    first, second = [line for line in screen if line.startswith("python3 -m venv")]
    assert first.endswith("keras-seq train mnist_rows")
    assert second.endswith("python -m pytest -n auto")


def test_times_are_those_of_the_benchmark():
    [file] = set(re.findall(r"benchmarks/results/recurrent_\w+\.json", README))
    rows = json.loads((ROOT / file).read_text())["rows"]
    medians = {(row["mode"], row["cell"]): row for row in summary(rows)}
    for mode, name in (("train", "training step"), ("forward", "forward pass")):
        row = medians[mode, "LSTM"]
        keras, torch = (f"{1 / row[other]:.1f}" for other in ("keras", "torch"))
        assert f"| {name} of an LSTM | 1 | {keras} | not measured | {torch} |" in README


BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def run(block, names):
    """Run a block and compare what it prints with the comments after it."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(block, "README.md", "exec"), names)
    assert printed.getvalue() == "".join(re.findall(r"^# (.*\n)", block, re.MULTILINE))


def test_the_example_of_a_layer():
    run(BLOCKS[0], {})


@pytest.mark.slow
def test_all_examples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keras.utils.clear_session()  # for the names of layers
    names: dict = {}
    for block in BLOCKS:
        run(block, names)
    assert len(BLOCKS) == 3
    assert plt.imread("gates.png").shape == plt.imread(ROOT / "docs/gates.png").shape


@pytest.mark.slow
def test_layers_replace_those_of_keras():
    page = (ROOT / "docs/guides/from_keras.md").read_text()
    names: dict = {}
    exec(re.search(r"```{code-cell} python\n(.*?)```", page, re.DOTALL)[1], names)
    x = np.random.default_rng(0).normal(size=(2, 5, 8)).astype("float32")
    ours, theirs = (np.asarray(names[name].predict(x, verbose=0)) for name in ("ours", "theirs"))
    assert abs(ours - theirs).max() < 1e-5 < abs(theirs).min()


def anchors(text):
    """Return the anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_somewhere():
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "recipes").rglob("*.md")]
    pages = [page for page in pages if page.parent != GENERATED]
    broken = []
    for page in pages:
        text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            path, _, anchor = target.partition("#")
            file = page.parent / path if path else page
            # The build of the site writes docs/reference, and checks links into it.
            if "://" in target or file.parent == GENERATED or (file.exists() and not anchor):
                continue
            if not file.exists() or anchor not in anchors(file.read_text("utf-8")):
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert not broken


@pytest.mark.slow
def test_examples_of_derivatives_train():
    blocks = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs/derivatives.md").read_text(), re.DOTALL
    )
    names: dict = {}
    for block in blocks:
        exec(compile(block, "docs/derivatives.md", "exec"), names)
    assert 0.5 < names["gradient_norm"] < 1.5
    assert sum(names["losses"][-20:]) < 0.8 * sum(names["losses"][:20])
