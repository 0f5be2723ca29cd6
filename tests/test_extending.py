"""Examples of docs/guides: a copied recipe with another feature, and a custom cell."""

import re
import shutil
from pathlib import Path

import keras
import pytest
from helpers import BACKEND

from keras_seq import cli

ROOT = Path(__file__).parent.parent
GUIDES = ROOT / "docs/guides"
EXTENSION = (GUIDES / "extend_recipe.md").read_text("utf-8")
DIFF = re.search(r"%%writefile shape.diff\n(.*?)```", EXTENSION, re.DOTALL)[1]
SMALL = ("--units", 4, "--num-layers", 1, "--steps", 2, "--batch-size", 8)


def run(*arguments):
    return cli.main(list(map(str, arguments)))


def apply(diff, text):
    """Return a text after the changes of a unified diff of one file."""
    for hunk in re.split(r"^@@.*@@\n", diff, flags=re.MULTILINE)[1:]:
        lines = hunk.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if line[0] in " -")
        after = "".join(line[1:] for line in lines if line[0] in " +")
        assert text.count(before) == 1, f"not in the recipe:\n{before}"
        text = text.replace(before, after)
    return text


def test_the_diff_is_short_and_applies_to_the_recipe():
    lines = DIFF.splitlines()[2:]
    assert 0 < sum(line[0] in "+-" for line in lines) < 30
    apply(DIFF, (ROOT / "recipes/ner/model.py").read_text("utf-8"))


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="recipes run on TensorFlow")
@pytest.mark.usefixtures("eagerly")
def test_a_copied_recipe_with_another_feature(workplace):
    sentences = [f"w{number}\tO\nAda\tB-PER\nmet\tO\n" for number in range(40)]
    (workplace / "mine.conll").write_text("\n".join(sentences))
    assert run("cp", "ner", "my_ner") == 0
    model = workplace / "my_ner/model.py"
    model.write_text(apply(DIFF, model.read_text()))
    train = ("train", "./my_ner", "--data", "mine.conll", "--no-test", *SMALL)
    assert run(*train) == 0
    evaluate = ("evaluate", "runs/my_ner/default", "--split", "validation")
    assert run(*evaluate, "--recipe", "./my_ner") == 0
    loaded = keras.saving.load_model(workplace / "runs/my_ner/default/model.keras")
    assert "WordShape" in [type(feature).__name__ for feature in loaded.features]
    shape = loaded.features[-1](loaded.encode(["Ada NATO r2 w"]).inputs["characters"])
    assert keras.ops.convert_to_numpy(shape)[0].tolist() == [
        [1, 0, 0],
        [1, 1, 0],
        [0, 0, 1],
        [0, 0, 0],
    ]
    shutil.rmtree(workplace / "my_ner")


@pytest.mark.slow
def test_a_custom_cell_in_a_tagger(tmp_path):
    page = (GUIDES / "own_cell.md").read_text("utf-8")
    names: dict = {}
    for code in re.findall(r"```{code-cell} python\n(.*?)```", page, re.DOTALL):
        exec(code, names)
        if "spans" in names:
            break
    assert [(span.text, span.label) for span in names["spans"]] == [
        ("Grace", "PER"),
        ("London", "LOC"),
    ]
    names["tagger"].save(tmp_path / "tagger.keras")
    loaded = keras.saving.load_model(tmp_path / "tagger.keras")
    assert [span.text for span in loaded.tag(["Grace lived in London"])[0]] == ["Grace", "London"]
