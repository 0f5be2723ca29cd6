"""Pages of `keras-seq trace` for each recipe."""

import json

import numpy as np
import pytest
from helpers import BACKEND
from tiny_models import WORDS, classifier, generator, rows, tagger

from keras_seq._internal.errors import InputError
from keras_seq.batching import RawExamples
from keras_seq.train import registry
from keras_seq.train.trace_page import write_example_page

pytestmark = [
    pytest.mark.skipif(BACKEND != "tensorflow", reason="recipes run on TensorFlow"),
    pytest.mark.usefixtures("eagerly"),
]

CASES = {
    "ner": (
        tagger,
        "Ada met Grace.",
        WORDS,
        ["stack/bidirectional_0/forward", "stack/bidirectional_0/backward"],
    ),
    "sentiment": (
        classifier,
        "Ada met Grace.",
        WORDS,
        ["stack/bidirectional_0/forward", "stack/bidirectional_0/backward"],
    ),
    "language_model": (generator, "ab!", ["<EOS>", "a", "b", "!"], ["stack/recurrent_0"]),
}


def read_page(path):
    text = path.read_text("utf-8")
    return text, json.loads(text.split('type="application/json">')[1].split("</script>")[0])


@pytest.mark.parametrize("name", CASES)
def test_a_text(name, tmp_path):
    make, text, steps, names = CASES[name]
    path = write_example_page(registry.find(name).import_recipe(), None, make(), text, tmp_path)
    assert path.parent == tmp_path and path.name.startswith("trace_")
    page, data = read_page(path)
    assert f"<title>{name}: {text}</title>" in page
    assert data["steps"] == steps
    # Layers on the characters of words have another time axis and are left out.
    assert [layer["name"] for layer in data["layers"]] == names
    assert all(
        len(line) == len(steps) for what in data["gradients"].values() for line in what.values()
    )
    side_outputs = {"ner": ["probability of tags: crf"], "sentiment": ["attention: pooling"]}
    assert [output["name"] for output in data["side_outputs"]] == side_outputs.get(name, [])


class RecipeWithSplits:
    """Recipe with fixed data."""

    def __init__(self, name, inputs, targets):
        self.name, self.splits = name, {"test": RawExamples(inputs, targets)}
        self.trace_inputs = registry.find(name).import_recipe().trace_inputs

    def load_splits(self, config):
        return self.splits


@pytest.mark.slow
def test_an_example_of_the_test_split(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28)).astype("uint8")
    path = write_example_page(
        RecipeWithSplits("mnist_rows", images, np.arange(3)), None, rows(), "2", tmp_path
    )
    page, data = read_page(path)
    assert path.name == "trace_2.html" and "mnist_rows: example 2 of the test split" in page
    assert data["steps"][0] == "row 0" and len(data["steps"]) == 28
    music = RecipeWithSplits("music", [["a", "b"], ["c"]], ["reel", "jig"])
    model = generator(["jig", "reel"], "whitespace")
    _, data = read_page(write_example_page(music, None, model, "0", tmp_path))
    assert data["steps"] == ["<EOS>", "a", "b"]
    ner = RecipeWithSplits(
        "ner", [WORDS[:2], WORDS], {"tags": [["O"] * 2, ["O"] * 4], "words": [[], []]}
    )
    _, data = read_page(write_example_page(ner, None, tagger(), "1", tmp_path))
    assert data["steps"] == WORDS


def test_mistakes():
    ner, config = (
        RecipeWithSplits("ner", [WORDS], {"tags": [["O"] * 4]}),
        type("Config", (), {"data": "mine"}),
    )
    with pytest.raises(InputError, match="no example 1: the test split has 1"):
        write_example_page(ner, config, None, "1", None)
    ner.splits = {}
    with pytest.raises(InputError, match="'mine' has no test split"):
        write_example_page(ner, config, None, "0", None)
    with pytest.raises(InputError, match="does not begin with the number of a style"):
        registry.find("music").import_recipe().trace_inputs(
            generator(["jig"], "whitespace"), "GAB c2d"
        )


def test_a_tune_as_people_type_it():
    pytest.importorskip("music21")
    model = generator(["jig", "reel"], "whitespace")
    music = registry.find("music").import_recipe()
    inputs, steps = music.trace_inputs(model, "1 M:6/8 K:G GAB")
    assert inputs["style"] == [1] and steps[0] == "<EOS>" and len(steps) > 4
