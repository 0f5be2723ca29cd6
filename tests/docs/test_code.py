"""Python blocks of README, docs and recipes: each is run by a test or by the build of the site."""

import logging
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("docs/experiments/*.md")),
    *sorted(ROOT.glob("docs/guides/*.md")),
    *sorted(ROOT.glob("recipes/*/README.md")),
]

TESTED = {
    "README.md": "tests/test_readme.py",
    "docs/derivatives.md": "tests/test_readme.py",
    "docs/export.md": "tests/export/test_translating.py",
    "docs/fast_path.md": "tests/docs/test_code.py",
    "docs/limits.md": "tests/docs/test_code.py",
    "docs/runs.md": "tests/train/test_api.py",
}
"""Test file that runs the blocks of a page."""

OTHERS = {
    "class RatingAdapter": "tests/export/test_signatures.py",
    "openvino.Core()": "tests/export/test_portable.py",
    "def learned": "tests/text/test_tokenizer_choice.py",
}
"""Test files that run single blocks, by a text in the block."""

NOT_RUN = {
    "tfa.rnn.PeepholeLSTMCell": "TensorFlow Addons cannot be installed next to Keras 3",
    "tensorflow_serving.apis": "needs a running TensorFlow Serving",
    "runs/ner/default/model.keras": "needs a trained run",
}
"""Reasons why blocks are only compiled, by a text in the block."""


def blocks(page, language="python"):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.S | re.M)


def cells(page):
    """Return the code cells, which the build of the site executes."""
    return blocks(page, r"\{code-cell\}[^\n]*")


def test_every_block_is_run(capsys):
    broken, counts = [], {"executed in guides": 0, "run by tests": 0, "compiled": 0}
    for page in PAGES:
        name = page.relative_to(ROOT).as_posix()
        counts["executed in guides"] += len(cells(page))
        for block in blocks(page):
            compile(block, name, "exec")
            if any(text in block for text in NOT_RUN):
                counts["compiled"] += 1
                continue
            test = next((OTHERS[text] for text in OTHERS if text in block), TESTED.get(name))
            if test is None:
                broken.append(f"{name}: {block.splitlines()[0]} ...: write it as a {{code-cell}}")
            else:
                assert page.name in (ROOT / test).read_text("utf-8") or test in OTHERS.values()
                counts["run by tests"] += 1
    assert not broken, "\n".join(broken)
    assert sum(counts.values()) > 50
    with capsys.disabled():
        print("Python blocks:", ", ".join(f"{count} {kind}" for kind, count in counts.items()))


def test_no_entry_is_left_over():
    text = "".join(block for page in PAGES for block in blocks(page))
    assert [key for key in {**OTHERS, **NOT_RUN} if key not in text] == []
    assert [name for name in TESTED if not blocks(ROOT / name)] == []


def test_notebooks_have_the_format_of_the_site():
    for page in PAGES:
        assert bool(cells(page)) == page.read_text("utf-8").startswith(
            "---\nfile_format: mystnb\n"
        ), page


def test_the_example_of_the_fast_path():
    try:
        exec(blocks(ROOT / "docs/fast_path.md")[0], {})
        assert logging.getLogger("keras_seq.scan").isEnabledFor(logging.DEBUG)
    finally:
        logging.getLogger("keras_seq.scan").setLevel(logging.NOTSET)


def test_the_example_of_limits(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("reviews.csv").write_text("text,label\nfine,good\nbad,bad\n")
    names: dict = {}
    exec(blocks(ROOT / "docs/limits.md")[0], names)
    assert len(names["rows"]) == 2
