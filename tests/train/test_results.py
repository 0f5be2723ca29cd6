"""Recorded results of presets, of which only the first counts."""

import dataclasses
import json
import threading

import pytest

from keras_seq._internal.errors import InputError
from keras_seq._internal.files import exclusive_lock, write_json
from keras_seq.train import config, recipe, results


@dataclasses.dataclass(frozen=True)
class Config(config.Config):
    units: int = 3
    sizes: tuple = (1, 2)


class Small(recipe.RecipeInfo):
    """Recipe with results in a folder of the test."""

    folder = presets = None


@pytest.fixture
def small(tmp_path):
    recipe_info = Small("small", "none")
    recipe_info.__dict__.update(
        folder=tmp_path, presets={"default": Config(), "large": Config(units=9)}
    )
    return recipe_info


def metrics(preset, seed, accuracy):
    return {"preset": preset, "seed": seed, "test": {"accuracy": accuracy}, "seconds": 60}


def test_a_first_reading_stays_as_long_as_its_preset(small):
    config = small.preset("default")
    results.check_recordable(small, "default", config, True)
    results.record(small, metrics("default", 0, 0.25), config)
    with pytest.raises(InputError, match="already recorded"):
        results.check_recordable(small, "default", config, True)
    another = dataclasses.replace(config, seed=1)
    results.check_recordable(small, "default", another, True)
    results.record(small, metrics("default", 1, 0.75), another)
    assert results.summarize(small) == [("default", "2", "accuracy 0.500", "1.0", "")]
    # A changed preset may be recorded again. Older results are kept.
    small.presets["default"] = Config(units=4)
    assert results.summarize(small) == []
    results.check_recordable(small, "default", Config(units=4), True)
    results.record(small, metrics("default", 0, 1.0), Config(units=4))
    assert results.summarize(small) == [("default", "1", "accuracy 1.000", "1.0", "")]
    rows = json.loads((small.folder / "results.json").read_text())
    assert [row["config"]["units"] for row in rows] == [3, 4, 3]


def test_who_records_waits_for_others_and_reads_what_they_wrote(small):
    config = small.preset("default")
    with exclusive_lock(small.folder):
        thread = threading.Thread(
            target=results.record, args=(small, metrics("default", 0, 0.5), config)
        )
        thread.start()
        write_json(small.folder / "results.json", [metrics("large", 0, 0.25)])
    thread.join()
    assert [row["preset"] for row in small.results] == ["default", "large"]
    with pytest.raises(InputError, match="already recorded"):
        results.record(small, metrics("default", 0, 0.75), config)
    assert len(small.results) == 2


def test_rows_without_settings_are_of_presets_that_have_not_changed(small):
    rows = [metrics("large", 0, 0.5), metrics("gone", 0, 0.5) | {"config": {"units": 1}}]
    (small.folder / "results.json").write_text(json.dumps(rows))
    assert [row["preset"] for row in results.current_rows(small)] == ["large"]
    with pytest.raises(InputError, match="already recorded"):
        results.check_recordable(small, "large", small.preset("large"), True)


def test_machines_are_named_once(small):
    for seed, machine in enumerate(("Intel Xeon, 2 cores", "AMD EPYC, 2 cores") * 2):
        config = dataclasses.replace(small.preset("default"), seed=seed)
        results.record(small, {**metrics("default", seed, 1.0), "machine": machine}, config)
    [row] = results.summarize(small)
    assert row.machines == "Intel Xeon, 2 cores; AMD EPYC, 2 cores"
