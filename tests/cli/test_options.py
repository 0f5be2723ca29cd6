"""Options of all commands, including the fields of configs."""

import dataclasses
import inspect
import re
from typing import Literal

import pytest

from keras_seq import cli
from keras_seq._internal.errors import InputError
from keras_seq.cli import _common, _two_stages, data, train, tune
from keras_seq.train import config, registry

COMMON_OPTIONS = {"debug", "help", "limit"}


def names(parameters):
    """Return the names of options on the command line, with `_` for `-`."""
    options = set()
    for parameter in parameters:
        if isinstance(parameter.default, _common.OutputOptions):
            options.update({"quiet", "json"})
            continue
        extras = getattr(parameter.annotation, "__metadata__", ())
        option_names = [name for extra in extras for name in getattr(extra, "name", None) or ()]
        options.update([name.removeprefix("--") for name in option_names] or [parameter.name])
    return options


@pytest.fixture
def options_of_recipes(monkeypatch):
    """Return the options of commands that run a recipe without those of recipes."""
    options = set()

    def collect(name, function, words, parameters, **groups):
        own = inspect.signature(function).parameters.values()
        options.update(names(p for p in own if p.kind is not inspect.Parameter.VAR_KEYWORD))

    for module in (train, tune, data):
        monkeypatch.setattr(module, "run_command", collect)
    for command in ("train", "tune", "data"):
        assert cli.main([command, "mnist_rows"]) == 0
    return options


def other_options():
    """Return the options of the commands that cyclopts parses in one stage."""
    return {
        name.removeprefix("--").replace("-", "_")
        for command in _common.app
        if not command.startswith("-")
        for argument in _common.app[command].assemble_argument_collection()
        for name in argument.names
        if name.startswith("--")
    }


def test_reserved_names_are_the_options_of_train_tune_and_data(options_of_recipes):
    assert options_of_recipes - {"path"} | COMMON_OPTIONS == config.RESERVED


@pytest.mark.parametrize("name", sorted(registry.list_recipes()))
def test_no_field_is_called_as_an_option_of_any_command(name, options_of_recipes):
    options = options_of_recipes | other_options() | COMMON_OPTIONS
    assert {"split", "record", "format", "port", "run", "trials"} <= options
    fields = {field.name for field in dataclasses.fields(registry.find(name).preset("default"))}
    assert not fields & options


@pytest.mark.parametrize("field", sorted(config.RESERVED))
def test_a_config_with_a_reserved_field_is_refused(field):
    refused = dataclasses.make_dataclass(
        "Config", [(field, int, 3)], bases=(config.Config,), frozen=True
    )
    with pytest.raises(InputError, match=f"The field '{field}' of .* has the name of an option"):
        refused()


@dataclasses.dataclass(frozen=True)
class Config(config.Config):
    """Config with fields of all kinds."""

    width: int | None = config.tunable(4, choices=(2, 4))
    """Units, in
    two lines."""
    kind: Literal["plain", "fine"] = "plain"
    no_text: float = 0.5


def test_fields_become_options():
    arguments = {}

    def command(*, seed: int = 9, extra: bool = False, **fields):
        """Do nothing.

        Args:
            seed: Seed of the command.
            extra: Further option.
        """
        arguments.update(fields, seed=seed, extra=extra)

    parameters = _two_stages.config_parameters(Config(kind="fine"))
    assert {p.name: p.default for p in parameters}["kind"] == "fine"
    helps = {p.name: p.annotation.__metadata__[-1].help for p in parameters}
    assert helps["width"] == "Units, in two lines." and helps["no_text"] == ""
    assert helps["data"].startswith("Source of the examples")
    parameters = [p for p in parameters if p.name != "seed"]
    _two_stages.run_command("do it", command, ["--width", "2", "--kind=plain"], parameters)
    assert arguments == {"width": 2, "kind": "plain", "seed": 9, "extra": False}


def test_the_first_stage_reads_its_own_options_only():
    words = ["--units", "-4", "x", "--runs=there", "--run", "a", "--no-augment", "--resume"]
    start = _two_stages.parse_known(train.FirstStage, words)
    assert (start.run, str(start.runs_folder), start.resume) == ("a", "there", True)
    assert start.preset is None


GROUPS = ["Most used", "Data", "Model", "Training", "Run"]


def read_help(capsys, *words):
    """Return the names of the options by group, in the order in which help lists them."""
    assert cli.main([*words, "--help"]) == 0
    groups = {}
    out = capsys.readouterr().out
    for line in out.splitlines():
        if title := re.match("╭─ ([A-Z][a-z ]+) ─", line):
            options = groups[title[1]] = []
        elif name := re.match("│ --([a-z-]+)", line):
            options.append(name[1])
    assert max(map(len, out.splitlines())) == 80 and "\x1b" not in out
    return groups


@pytest.mark.parametrize("variable", ["NO_COLOR", "COLUMNS"])
def test_help_begins_with_ten_options_and_groups_the_others(monkeypatch, capsys, variable):
    monkeypatch.setenv(variable, "80")
    groups = read_help(capsys, "train", "sentiment")
    assert list(groups) == GROUPS
    assert groups["Most used"] == [name.replace("_", "-") for name in train.FIRST]
    assert len(train.FIRST) == 10
    assert {"errors", "encoding", "text-column"} <= {*groups["Data"]}
    assert {"cell", "num-layers", "vectors", "dropout"} <= {*groups["Model"]}
    assert {"steps", "patience", "weight-decay", "keep-best"} <= {*groups["Training"]}
    assert {"record", "runs", "quiet", "json", "limit", "help"} <= {*groups["Run"]}


def test_help_of_tune_and_data(capsys):
    groups = read_help(capsys, "tune", "ner")
    assert list(groups) == GROUPS
    assert groups["Most used"] == [name.replace("_", "-") for name in tune.FIRST]
    assert list(read_help(capsys, "data", "ner"))[-4:] == GROUPS[1:]


@pytest.mark.parametrize("name", sorted(registry.list_recipes()))
def test_the_group_of_a_field(name):
    default = registry.find(name).preset("default")
    groups = config.field_groups(type(default))
    assert list(groups) == [field.name for field in dataclasses.fields(default)]
    expected = {
        "Data": {"data", "errors", "encoding", "delimiter", "tokenizer", "max_frames"},
        "Model": {"cell", "units", "num_layers", "dropout", "pooling", "encoder", "vectors"},
        "Training": {"seed", "epochs", "learning_rate", "weight_decay", "optimizer", "augment"},
    }
    for group, names in expected.items():
        assert {groups[name] for name in names & {*groups}} == {group}


def test_quiet_and_json_exclude_each_other(capsys):
    assert cli.main(["train", "mnist_rows", "--quiet", "--json"]) == 2
    assert "--quiet prints nothing, --json prints JSON" in capsys.readouterr().err
