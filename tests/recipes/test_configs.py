"""Fields of the configs, each of which must be needed and described."""

import dataclasses
import math
import re
import typing

import pytest

from keras_seq._internal.errors import InputError
from keras_seq._internal.ranges import find_ranges
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


@pytest.mark.parametrize("name", sorted(registry.list_recipes()))
def test_each_number_has_a_range(name):
    default = registry.find(name).preset("default")
    for field, hint in typing.get_type_hints(type(default)).items():
        if {hint, *typing.get_args(hint)} & {int, float} and str not in typing.get_args(hint):
            assert field in find_ranges(type(default)), field
    for field in find_ranges(type(default)):
        for value in (math.nan, math.inf, -1, "1"):
            with pytest.raises(InputError, match=f"^--{field.replace('_', '-')} must be an? "):
                dataclasses.replace(default, **{field: value})


def test_ranges_are_those_of_the_options():
    default = registry.find("dna").preset("default")
    for field, values, text in (
        ("fold", (10, 1.0), "an integer from 0 to 9"),
        ("learning_rate", (0, -0.1), "a number above 0"),
        ("dropout", (1.5,), "a number from 0 to 1"),
        ("units", (0, 1.5), "an integer of at least 1"),
        ("steps", (0, 10.5), "an integer of at least 1"),
        ("seed", (2**32,), "an integer from 0 to 4294967295"),
    ):
        for value in values:
            with pytest.raises(InputError) as error:
                dataclasses.replace(default, **{field: value})
            option = field.replace("_", "-")
            assert str(error.value) == f"--{option} must be {text}, got {value}."
