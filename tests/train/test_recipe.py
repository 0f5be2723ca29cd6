"""Recipes: required methods, defaults, and imports."""

import inspect
import subprocess
import sys

import formula_recipe
import pytest

from keras_seq._internal.errors import InputError
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
    for method in ("load", "build", "encode", "evaluate", "report", "trace_inputs", "demo"):
        expected = inspect.signature(getattr(recipe.Recipe, method)).parameters
        written = inspect.signature(getattr(imported, method)).parameters
        assert list(written) == list(expected)[1:]
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
