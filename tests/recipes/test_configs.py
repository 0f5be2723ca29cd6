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
    "sentiment": {"tokenizer", "vectors"},
    "spelling": {"joint_order"},  # 0 for a writing system that is not read letter by letter
    "translation": {"tokenizer", "vocab_size"},
}
"""Fields for user data that `data.py` does not read."""


@pytest.mark.parametrize("name", sorted(registry.list_recipes()))
def test_each_field_is_needed_by_a_preset_a_search_or_data(name):
    recipe = registry.find(name)
    default = recipe.preset("default")
    shared = {field.name for field in dataclasses.fields(config.ClassifierConfig)}
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


def test_ranges_that_the_layers_have():
    speech, dna = (registry.find(name).preset("default") for name in ("speech", "dna"))
    for default, field, good, bad in (
        (speech, "sample_rate", 2_000, 1_999),
        (speech, "max_warp", 0.99, 1.0),
        (dna, "kmer", 8, 9),
        (dna, "strides", 9, 10),
    ):
        dataclasses.replace(default, **{field: good})
        with pytest.raises(InputError, match=f"--{field.replace('_', '-')} must be .* got {bad}"):
            dataclasses.replace(default, **{field: bad})
    assert dataclasses.replace(dna, strides=10, conv_filters=0).strides == 10


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


WRONG = {
    "data": ["", " ", 3],
    "errors": ["ignore", None],
    "keep_best": ["yes", 1, None],
    "class_weights": ["balance", None],
    "cell": ["LSTN", "lstm", None],
    "encoding": ["klingon", "utf-9", ""],
    "delimiter": ["ab", '"', ""],
    "text_column": ["", 1],
    "vectors": ["", 1],
    "tokenizer": ["words", ""],
    "target": ["../../x", "", "a b"],
    "token_column": [1.5, True],
    "pooling": ["mean"],
}
"""Values of fields that are not numbers."""


@pytest.mark.parametrize("name", sorted(registry.list_recipes()))
def test_each_field_refuses_values_of_another_type_or_form(name):
    default = registry.find(name).preset("default")
    for field in dataclasses.fields(default):
        for value in (object(), *WRONG.get(field.name, ())):
            option = f"--{field.name.replace('_', '-')}"
            with pytest.raises(InputError, match=f"^{option} must be .*, got ") as error:
                dataclasses.replace(default, **{field.name: value})
            assert "\n" not in str(error.value)


def test_choices_are_listed():
    default = registry.find("sentiment").preset("default")
    for field, value, text in (
        ("pooling", "mean", "one of attention, last, max, got 'mean'."),
        ("vectors", "", "a text that is not empty or None, got ''."),
        ("encoding", "klingon", "an encoding of Python, such as utf-8, got 'klingon'."),
        ("delimiter", "ab", "one character other than a quote, or \"tab\" or None, got 'ab'."),
        ("keep_best", 1, "True or False, got 1."),
    ):
        with pytest.raises(InputError) as error:
            dataclasses.replace(default, **{field: value})
        assert str(error.value) == f"--{field.replace('_', '-')} must be {text}"


@pytest.mark.parametrize(
    "name, fields, message",
    [
        ("ner", {"data": "nowhere"}, "There is no file or folder nowhere"),
        ("ner", {"vectors": "nowhere"}, "There is no file nowhere"),
        ("sentiment", {"vectors": "."}, "is a folder"),
        ("speech", {"audio_folder": "nowhere"}, "There is no folder nowhere"),
        ("translation", {"data": "pyproject.toml,nowhere"}, "There is no file or folder nowhere"),
        ("translation", {"target": "tlh"}, "no built-in translation to --target 'tlh'"),
        ("translation", {"source": "la"}, "--source must be en, got la"),
        ("music", {"data": "choral"}, "There is no file or folder choral"),
    ],
)
def test_files_are_checked_without_the_data(name, fields, message):
    with pytest.raises(InputError, match=message):
        dataclasses.replace(registry.find(name).preset("default"), **fields).check_files()


@pytest.mark.parametrize("name", sorted(registry.list_recipes()))
def test_the_data_of_presets_needs_no_file(name):
    presets = registry.find(name).presets.values()
    for default in (
        *presets,
        dataclasses.replace(registry.find(name).preset("default"), data="tfds:x"),
    ):
        default.check_files()
