"""Pages that the site writes: the API reference, the list of all names, and links to folders."""

import importlib
import importlib.util
import pkgutil
import sys
from pathlib import Path

import pytest

import keras_seq

ROOT = Path(__file__).parents[2]
PRIVATE = {"keras_seq", "keras_seq.cli", "keras_seq.export.signatures"}
"""Packages with an `__all__` whose names are on the pages of other packages, or not for users."""


@pytest.fixture(scope="module")
def pages():
    file = ROOT / "docs/extensions/reference_pages.py"
    spec = importlib.util.spec_from_file_location("reference_pages", file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def public_packages():
    for info in pkgutil.walk_packages(keras_seq.__path__, "keras_seq."):
        if info.ispkg and "._" not in info.name and info.name not in PRIVATE:
            package = importlib.import_module(info.name)
            if hasattr(package, "__all__"):
                yield package


def test_every_public_name_is_on_one_page(pages):
    sections = pages.names_by_section()
    texts = {section: pages.api_page(section, names) for section, names in sections.items()}
    listed = pages.overview()
    missing = []
    for package in public_packages():
        for name in pages.public_names(package):
            thing = getattr(package, name)
            holders = [
                section
                for section, names in sections.items()
                if any(getattr(sys.modules[section.module], other) is thing for other in names)
            ]
            if len(holders) != 1 or name not in texts[holders[0]] or f"`{name} <" not in listed:
                missing.append(f"{package.__name__}.{name}")
    assert not missing


def test_the_names_of_the_main_package_are_on_pages(pages):
    modules = {section.module for section in pages.SECTIONS}
    objects = list(pages.public_objects().values())
    for name in set(keras_seq.__all__) - {"demo"}:  # the demo is a command
        thing = getattr(keras_seq, name)
        assert f"keras_seq.{name}" in modules or any(thing is other for other in objects), name


def test_a_class_shows_the_members_of_private_bases(pages):
    from keras_seq.layers import LSTM

    assert "Layer" in pages.foreign_bases(LSTM) and "CellLayer" not in pages.foreign_bases(LSTM)


def test_links_lead_to_pages_of_the_site(pages):
    docs = ROOT / "docs"
    text = (
        "[r](../recipes/ner) [c](../keras_seq/cells) [x](../keras_seq/scan/bptt) "
        "[f](formats.md#ner) [b](../benchmarks/results/fit.json) [w](https://a.b/c)"
    )
    assert pages.rewrite_links(text, docs, docs) == (
        "[r](reference/ner_recipe.md) [c](reference/cells.md) x "
        "[f](formats.md#ner) [b](../benchmarks/results/fit.json) [w](https://a.b/c)"
    )
    recipe = "[f](../../docs/formats.md#ner) ![l](../../docs/dna_logo.png)"
    assert pages.rewrite_links(recipe, ROOT / "recipes/ner", pages.FOLDER) == (
        "[f](../formats.md#ner) ![l](../dna_logo.png)"
    )


def test_recipes_and_pages_exist(pages):
    assert len(pages.RECIPES) == 10
    assert all(page.parent in (ROOT / "docs", pages.FOLDER) for page in pages.PAGES.values())
