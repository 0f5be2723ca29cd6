"""Tests of the registry of formats and of its page."""

import ast
import dataclasses
import importlib.util
from pathlib import Path

import pytest
from keras_seq_recipes.music import sources

from keras_seq.data import audio, images, tables, translation_memory, videos
from keras_seq.data.formats import FORMATS
from keras_seq.train import registry

ROOT = Path(__file__).parents[2]
RECIPES = registry.list_recipes()


def recipes(entry):
    return [entry.recipes] if isinstance(entry.recipes, str) else list(entry.recipes)


def test_the_page_has_the_current_tables():
    spec = importlib.util.spec_from_file_location("formats_page", ROOT / "docs/formats.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (ROOT / "docs/formats.md").read_text()
    assert module.update(page) == page, "run python docs/formats.py"
    assert all(f"### {recipe}\n" in page for recipe in RECIPES)
    assert page.count("](../tests/") == sum(len(recipes(entry)) for entry in FORMATS)


@pytest.mark.parametrize("entry", FORMATS, ids=lambda entry: entry.name)
def test_recipes_options_and_tests_exist(entry):
    assert {*recipes(entry)} <= {*RECIPES}
    fields = [
        {field.name for field in dataclasses.fields(RECIPES[name].preset("default"))}
        for name in recipes(entry)
    ]
    assert {*entry.options.split()} <= set.union(*fields)
    file, _, test = entry.test.partition("::")
    nodes = ast.walk(ast.parse((ROOT / "tests" / file).read_text()))
    assert test in {node.name for node in nodes if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(
    ("recipe", "suffixes"),
    [
        ("sentiment", (*tables.JSON_SUFFIXES, *tables.TAB_SUFFIXES, ".parquet")),
        ("translation", translation_memory.MEMORY_READERS),
        ("speech", audio.AUDIO_SUFFIXES),
        ("mnist_rows", images.IMAGE_SUFFIXES),
        ("video", videos.VIDEO_SUFFIXES),
        ("music", sources.FORMATS),
    ],
)
def test_all_suffixes_are_listed(recipe, suffixes):
    words = " ".join(entry.files for entry in FORMATS if recipe in recipes(entry)).split()
    assert {*suffixes} <= {*words}
