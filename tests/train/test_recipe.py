"""Recipes: required methods, defaults, and imports."""

import dataclasses
import inspect
import subprocess
import sys

import formula_recipe
import pytest

from keras_seq._internal.errors import InputError
from keras_seq.batching import RawExamples
from keras_seq.data import row_errors, summaries
from keras_seq.train import recipe, registry


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return the folder of a recipe with a package name that no other test imports."""
    monkeypatch.chdir(tmp_path)
    formula_recipe.write(tmp_path / "written")
    yield tmp_path / "written"
    for module in [name for name in sys.modules if "_in_folder_written" in name]:
        del sys.modules[module]


def test_a_recipe_has_what_is_known_before_its_code_is_imported(folder):
    info = registry.find("./written")
    assert not isinstance(info, recipe.Recipe) and f"{info.package}.recipe" not in sys.modules
    imported = info.import_recipe()
    assert isinstance(imported, recipe.Recipe)
    assert (imported.name, imported.package, imported.path) == (
        "written",
        info.package,
        "./written",
    )
    assert imported.presets == info.presets and imported.description == "Formula without training."
    config = imported.preset("default")
    model = imported.build(config, imported.load(config)["train"])
    assert (
        imported.report(model, {}, "test", folder) is None and imported.demo(model, config) is None
    )
    assert imported.export_inputs(model, config, 3).shape == (3, 1)


def test_a_split_without_examples(folder, monkeypatch):
    imported = registry.find("./written").import_recipe()
    config = imported.preset("default")
    splits = {**imported.load(config), "test": RawExamples([], [])}
    monkeypatch.setattr(imported, "load", lambda config: splits)
    with pytest.raises(InputError, match="The test split of the data 'builtin' has no examples"):
        imported.load_splits(config)


def test_the_treatment_of_bad_rows_holds_while_loading(folder, monkeypatch, capsys):
    imported = registry.find("./written").import_recipe()
    config = dataclasses.replace(imported.preset("default"), errors="skip")
    treatments = []

    def load(config):
        treatments.append(row_errors.get())
        bad_rows = row_errors.BadRows()
        bad_rows.add(InputError("a.txt, line 3: it is bad."))
        bad_rows.num_good = 2
        summaries.add(bad_rows.finish(summaries.ReadSummary("a.txt", "text", 2)))
        return {"train": RawExamples([1, 2])}

    monkeypatch.setattr(imported, "load", load)
    with summaries.collect_summaries() as read:
        imported.load_splits(config)
    assert treatments == ["skip"] and row_errors.get() == "strict"
    assert read[0].left_out == {"bad rows": 1}
    message = "warning: left out 1 bad rows of a.txt, such as: a.txt, line 3: it is bad."
    assert message in capsys.readouterr().err
    with pytest.raises(InputError, match="line 3: it is bad"):
        imported.load_splits(imported.preset("default"))


def test_registered_recipes_have_no_path():
    assert registry.find("ner").path is None


MISTAKES = {
    "a method is missing": (
        "from keras_seq.train import recipe\nclass Recipe(recipe.Recipe): load = build = None",
        "The class Recipe in .*recipe.py must define encode, evaluate, predict.",
    ),
    "no such class": ("class Recipe: pass", "must define a class Recipe that extends"),
    "no class": ("Recipe = None", "must define a class Recipe that extends"),
}


@pytest.mark.parametrize("text, message", MISTAKES.values(), ids=MISTAKES)
def test_a_recipe_that_is_not_whole(folder, text, message):
    (folder / "recipe.py").write_text(text)
    with pytest.raises(InputError, match=message):
        registry.find("./written").import_recipe()


def test_a_recipe_without_code(folder):
    (folder / "recipe.py").unlink()
    with pytest.raises(InputError, match=r"written has no recipe\.py"):
        registry.find("./written").import_recipe()


@pytest.mark.parametrize("name", sorted(registry.list_recipes()))
def test_every_recipe_writes_its_methods_as_they_are_called(name):
    imported = registry.find(name).import_recipe()
    names = ("load", "build", "build_from", "encode", "evaluate", "report", "trace_inputs", "demo")
    for method in names:
        expected = list(inspect.signature(getattr(recipe.Recipe, method)).parameters)[1:]
        written = inspect.signature(getattr(imported, method)).parameters
        if method == "build" and "initial" in written:  # the same function as `build_from`
            assert written["initial"].default is None
            expected.append("initial")
        assert list(written) == expected
    positional = [
        p.name
        for p in inspect.signature(imported.predict).parameters.values()
        if p.kind is not inspect.Parameter.KEYWORD_ONLY
    ]
    assert positional == ["model", "config", "inputs"]


def test_configs_of_all_recipes_need_no_backend():
    code = (
        "import sys; from keras_seq.train import registry\n"
        "for info in registry.list_recipes().values(): assert info.presets and info.description\n"
        "sys.exit(any(m in sys.modules for m in ('keras', 'tensorflow', 'jax', 'torch')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_lists_of_symbols_and_texts_in_the_report_on_the_tokenizer():
    from keras_seq.batching import RawExamples
    from keras_seq.layers import RNNStack
    from keras_seq.models import SequenceGenerator
    from keras_seq.text import TextEncoder

    music = registry.find("music").import_recipe()
    tunes = [["C,", ",", "'"], ["G", "."]]
    encoder = TextEncoder.from_examples(tunes, "whitespace", end=True)
    model = SequenceGenerator(encoder, stack=RNNStack("SimpleRNN", 2, return_state=True))
    report = music.tokenizer_report(model, RawExamples(tunes))
    assert report.shares.sentences == 1 and report.text_source == "blanks"
    assert music.tokenizer_report(model, RawExamples(["C, G"])) is None
