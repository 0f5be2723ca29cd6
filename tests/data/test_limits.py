"""Tests of the limits of data readers."""

import dataclasses
import importlib.util
from pathlib import Path

import pytest

from keras_seq._internal.errors import InputError
from keras_seq.data import limits


def test_override_holds_within_its_block():
    with limits.override(max_pixels=100):
        limits.check("max_pixels", 100, "a.png", "width times height")
        with pytest.raises(limits.LimitError) as error:
            limits.check("max_pixels", 101, "a.png", "width times height")
    assert str(error.value) == (
        "a.png: width times height is 101, above the limit of 100; raise it with --limit "
        "max_pixels=VALUE."
    )
    limits.check("max_pixels", 101, "a.png", "width times height")


def test_nan_exceeds_every_limit():
    with pytest.raises(limits.LimitError, match="is nan, above"):
        limits.check("max_audio_seconds", float("nan"), "a.wav", "the duration in seconds")


def test_parse_options():
    options = ["max_files=3", "max_audio_seconds=0.5"]
    assert limits.parse(options) == {"max_files": 3, "max_audio_seconds": 0.5}
    expected = dataclasses.replace(limits.DataLimits(), max_files=3, max_audio_seconds=0.5)
    with limits.override(**limits.parse(options)) as changed:
        assert changed == limits.get() == expected


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("max_file=3", "no limit 'max_file': did you mean 'max_files'"),
        ("max_files", "--limit max_files must be NAME=VALUE"),
        ("max_files=many", "'many' is not a whole number"),
        ("max_audio_seconds=long", "'long' is not a number"),
        ("max_files=0", "max_files must be positive, got 0"),
        ("max_audio_seconds=nan", "max_audio_seconds must be positive, got nan"),
    ],
)
def test_invalid_options(option, message):
    with pytest.raises(InputError, match=message), limits.override(**limits.parse([option])):
        pass


def test_documentation_has_the_current_table():
    root = Path(__file__).parents[2]
    spec = importlib.util.spec_from_file_location("limits_table", root / "docs/limits.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (root / "docs/limits.md").read_text()
    assert module.update(page) == page, "run python docs/limits.py"
    assert page.count("| `max_") == len(dataclasses.fields(limits.DataLimits))
