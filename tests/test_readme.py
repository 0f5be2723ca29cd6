import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_table_of_results_is_current():
    spec = importlib.util.spec_from_file_location("results_table", ROOT / "docs/results.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.update(README) == README, "run python docs/results.py"


def test_python_example_runs():
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)[1]
    code += "\nassert gates['forget'].shape == (1, 64) and layer(x[None]).shape == (1, 64)"
    exec(code, {})


def test_layers_replace_those_of_keras():
    page = (ROOT / "docs/guides/from_keras.md").read_text()
    names: dict = {}
    exec(re.search(r"```python\n(.*?)```", page, re.DOTALL)[1], names)
    x = np.random.default_rng(0).normal(size=(2, 5, 8)).astype("float32")
    ours, theirs = (np.asarray(names[name].predict(x, verbose=0)) for name in ("ours", "theirs"))
    assert abs(ours - theirs).max() < 1e-5 < abs(theirs).min()


def anchors(text):
    """Return the anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_somewhere():
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "recipes").rglob("*.md")]
    broken = []
    for page in pages:
        text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            path, _, anchor = target.partition("#")
            file = page.parent / path if path else page
            if "://" in target or (file.exists() and not anchor):
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
