"""Files of settings: `read_config_file` and `keras-seq train --config`."""

import json
import sys
from pathlib import Path

import formula_recipe
import keras
import pytest

import keras_seq
from keras_seq import cli
from keras_seq._internal.errors import InputError
from keras_seq.train import read_config_file, registry

needs_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="trained on TensorFlow alone"
)


def run(*arguments):
    """Return the exit code of a command line, run in this process."""
    return cli.main(list(map(str, arguments)))


def write(text, name="settings.toml"):
    Path(name).write_text(text)
    return name


@pytest.mark.usefixtures("workplace")
def test_json_and_toml():
    fields = {"units": 64, "dropout": 0.5, "cell": "GRU", "bidirectional": False}
    path = write("\ufeff" + json.dumps(fields), "settings.JSON")
    assert read_config_file(path, "mnist_rows") == fields
    toml = 'units = 64\ndropout = 0.5 # high\ncell = "GRU"\nbidirectional = false\npreset = "notes"'
    assert read_config_file(write(toml), registry.find("mnist_rows")) == fields | {
        "preset": "notes"
    }
    assert read_config_file(write("patience = 3"), "ner") == {"patience": 3}
    assert read_config_file(write('{"steps": null, "epochs": 3}', "a.json"), "ner")["steps"] is None


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("a.toml", "units = 0", "a.toml: --units must be an integer of at least 1, got 0."),
        ("a.toml", "units = 64.5", "a.toml: --units must be an integer of at least 1, got 64.5."),
        ("a.toml", 'cell = "LSTN"', "a.toml: --cell must be one of SimpleRNN, .* got 'LSTN'"),
        ("a.toml", 'augment = "yes"', "a.toml: --augment must be True or False, got 'yes'"),
        ("a.toml", "unit = 3", "a.toml: There is no field of mnist_rows 'unit': .* 'units'"),
        ("a.toml", "[model]\nunits = 3", "a.toml: There is no field of mnist_rows 'model'"),
        ("a.toml", 'preset = "note"', "a.toml: There is no preset .* did you mean 'notes'"),
        ("a.toml", "units = \n", "a.toml is not TOML in UTF-8: .*line 1, column 9"),
        ("a.json", '{"units": }', "a.json is not JSON in UTF-8: .*line 1 column 11"),
        ("a.json", '{"units": 1, "units": 2}', "a.json is not JSON.*: the key 'units' is repeated"),
        ("a.json", "[1]", r"a.json must have an object of fields, got \[1\]."),
        ("a.json", '{"recipe": "ner", "config": {}}', "from a run of the recipe ner, not of mnist"),
        ("a.json", '{"recipe": "mnist_rows", "config": [1]}', "must have an object of fields"),
        ("a.json", '{"steps": null, "epochs": null}', "a.json: .* needs an end"),
        ("a.yaml", "units: 3", "must end with .json or .toml, got a.yaml"),
    ],
)
@pytest.mark.usefixtures("workplace")
def test_errors_name_file_and_field(name, text, message):
    write(text, name)
    with pytest.raises(InputError, match=message):
        read_config_file(name, "mnist_rows")


@pytest.mark.usefixtures("workplace")
def test_a_file_in_another_encoding(capsys):
    Path("a.toml").write_bytes('data = "München"'.encode("latin-1"))
    with pytest.raises(InputError, match=r"a\.toml is not TOML in UTF-8"):
        read_config_file("a.toml", "ner")
    assert run("train", "ner", "--config", "none.toml") == 2
    assert capsys.readouterr().err == "keras-seq: none.toml does not exist.\n"


@pytest.mark.usefixtures("workplace")
def test_the_defaults_in_the_help(capsys):
    write('units = 33\ncell = "GRU"\nepochs = 7')
    assert run("train", "ner", "--config", "settings.toml", "--help") == 0
    out = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "[default: 33]" in out and "[default: GRU]" in out and "[default: 7]" in out
    write('preset = "notes"')
    options = ("train", "mnist_rows", "--config", "settings.toml")
    assert run(*options, "--preset", "default") == 2
    assert "settings.toml has the preset notes; leave out --preset default" in (
        capsys.readouterr().err
    )
    assert run(*options, "--preset", "notes", "--help") == 0
    assert "[default: sgd]" in capsys.readouterr().out


@needs_tensorflow
def test_a_run_with_the_settings_of_another(workplace, capsys):
    formula_recipe.write(workplace / "settled")
    write("width = 8\nrate = 0.5\nsteps = 2")
    options = ("train", "./settled", "--config")
    assert run(*options, "settings.toml", "--kind", "fine", "--width", 2, "--run", "first") == 0
    first = keras_seq.load_run("runs/settled/first", "./settled").config
    assert (first.width, first.rate, first.kind, first.steps, first.epochs) == (
        *(2, 0.5, "fine", 2, None),
    )
    file = "runs/settled/first/config.json"
    assert run(*options, file, "--run", "second", "--epochs", 1) == 0
    second = keras_seq.load_run("runs/settled/second", "./settled").config
    assert second == first.override(epochs=1) and second.steps is None
    arguments = read_config_file(file, "./settled")
    third = keras_seq.train("./settled", run="third", **arguments)
    assert third.config == first

    # An edited copy needs no new checksum.
    content = json.loads(Path(file).read_text())
    content["config"]["width"] = 4
    assert read_config_file(write(json.dumps(content), "a.json"), "./settled")["width"] == 4

    # A resumed run must have the settings of the file.
    Path("runs/settled/third/metrics.json").unlink()
    assert run(*options, "a.json", "--run", "third", "--resume") == 2
    assert "third was started with --width 2, not 4" in capsys.readouterr().err
    assert run(*options, file, "--run", "third", "--resume") == 0
    for module in [module for module in sys.modules if "_in_folder_settled" in module]:
        del sys.modules[module]
