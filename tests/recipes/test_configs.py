"""Fields of the configs, each of which must be needed and described."""

import dataclasses
import re

import pytest

from keras_seq.train import config, registry

ABOUT_DATA = {
    "dna": {"pooling"},  # depends on whether positions matter
    "language_model": {"tokenizer", "vocab_size"},
    "ner": {"vectors"},
    "sentiment": {"tokenizer", "vectors", "init_from"},
    "translation": {"tokenizer", "vocab_size"},
}
"""Fields for user data that `data.py` does not read."""


@pytest.mark.parametrize("name", sorted(registry.list_recipes()))
def test_each_field_is_needed_by_a_preset_a_search_or_data(name):
    recipe = registry.find(name)
    default = recipe.preset("default")
    shared = {field.name for field in dataclasses.fields(config.Config)}
    read = set(re.findall(r"config\.(\w+)", (recipe.folder / "data.py").read_text()))
    for field in dataclasses.fields(default):
        values = {getattr(preset, field.name) for preset in recipe.presets.values()}
        is_set = field.name in shared or len(values) > 1
        assert (
            is_set
            or field.name in default.spaces()
            or field.name in read
            or field.name in ABOUT_DATA.get(name, ())
        ), f"{field.name} should be a constant in model.py"


@pytest.mark.parametrize("name", sorted(registry.list_recipes()))
def test_each_field_has_a_description(name):
    texts = config.field_texts(type(registry.find(name).preset("default")))
    fields = dataclasses.fields(registry.find(name).preset("default"))
    assert all(texts.get(field.name) for field in fields)
