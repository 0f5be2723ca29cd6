"""Checks of options, files and folders before TensorFlow is imported."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from keras_seq.train import registry, runs
from keras_seq.train.model_files import SAVED_MODEL

MISTAKES = {
    "a number out of range": (["train", "ner", "--units", "0"], "--units must be an integer"),
    "a probability": (["train", "dna", "--dropout", "1.5"], "--dropout must be a number from 0"),
    "no number": (["train", "ner", "--learning-rate", "nan"], "--learning-rate must be a number"),
    "a negative seed": (["train", "ner", "--seed=-1"], "--seed must be an integer from 0 to"),
    "a choice": (["train", "sentiment", "--pooling", "mean"], "--pooling"),
    "an encoding": (["train", "ner", "--encoding", "klingon"], "--encoding must be an encoding"),
    "no trials": (["tune", "ner", "--trials", "0"], "--trials must be an integer of at least 1"),
    "no workers": (["tune", "ner", "--workers=-1"], "--workers must be an integer of at least 1"),
    "a combination": (["train", "dna", "--strides", "99"], "--strides must be at most --kernel"),
    "a language": (["train", "translation", "--target", "tlh"], "translation to --target 'tlh'"),
    "an unknown command": (["trane", "ner"], 'Did you mean "train"? keras-seq --help lists all.'),
    "a word too many": (["train", "ner", "mine.conll"], "Unexpected argument: 'mine.conll'."),
    "no recipe named": (["train"], "RECIPE is missing. keras-seq ls lists those that exist"),
    "no run to predict with": (["predict"], "RUN is missing. keras-seq runs lists those that"),
    "no run named": (["evaluate"], "RUN is missing. keras-seq evaluate --help describes it."),
    "no example": (["trace", "unfinished"], "EXAMPLE is missing. keras-seq trace --help"),
    "no such preset": (["train", "dna", "--preset", "x"], "'x': there is only default."),
    "no inputs": (["predict", "whole", "--input", "nowhere"], "no file or folder nowhere."),
    "an export": (["export", "whole"], "whole/savedmodel exists already: remove it, or name an"),
    "a suffix": (["predict", "whole", "a", "--output", "a.txt"], "a.txt must end with .jsonl"),
    "no data": (["train", "ner", "--data", "nowhere"], "There is no file or folder nowhere"),
    "no data to tune": (["tune", "ner", "--data", "nowhere"], "There is no file or folder"),
    "no data to show": (["data", "ner", "nowhere"], "There is no file or folder nowhere"),
    "no data of folds": (["train", "ner", "--folds", "3", "--data", "no"], "file or folder no."),
    "no vectors": (["train", "ner", "--vectors", "nowhere"], "There is no file nowhere"),
    "no run to start from": (
        ["train", "ner", "--init-from", "nowhere"],
        "--init-from: nowhere is not a folder",
    ),
    "no run for a search to start from": (
        ["tune", "ner", "--init-from", "file"],
        "--init-from: file is not a folder",
    ),
    "no run for folds to start from": (
        ["train", "ner", "--init-from", "unfinished", "--folds", "3"],
        "--init-from: unfinished is not finished",
    ),
    "a damaged run to start from": (
        ["train", "ner", "--init-from", "cut"],
        "--init-from: cut/model.keras is damaged: ",
    ),
    "a run of another recipe to start from": (
        ["train", "sentiment", "--init-from", "cut"],
        "cut is a run of ner, but sentiment starts from runs of sentiment or language_model only",
    ),
    "no folder of audio": (["train", "speech", "--audio-folder", "no"], "There is no folder no"),
    "a folder that cannot be": (
        ["train", "ner", "--runs", "/proc/x"],
        "/proc/x/ner/default cannot",
    ),
    "a file in the way": (["train", "ner", "--runs", "file"], "file/ner/default cannot be created"),
    "a parent as a name": (["train", "ner", "--run", ".."], "without path separators, got '..'"),
    "an empty name": (["train", "ner", "--run", ""], "without path separators, got ''"),
    "a path as a name": (["train", "ner", "--run", "a/b"], "without path separators, got 'a/b'"),
    "a long name": (["train", "ner", "--run", "é" * 101], "is too long, with more than 200 bytes"),
    "a hyphen": (["train", "ner", "--run=-x"], "--run '-x' begins with a hyphen"),
    "a control character": (["tune", "ner", "--run", "a\nb"], r"'a\nb' contains control char"),
    "a name of Windows": (["train", "ner", "--run", "con.1"], "is a reserved name on Windows"),
    "no run": (["evaluate", "nowhere"], "nowhere is not a run: it has no config.json"),
    "a field of a run": (["evaluate", "wrong_field"], "config.json is not valid: --cell must be"),
    "an unfinished run": (["trace", "unfinished", "0"], "unfinished is not finished"),
    **{
        f"{command} {damage}": ([command, damage, *words], f"{damage}/model.keras is damaged: ")
        for command, words in {
            "predict": ["a"],
            "evaluate": [],
            "push": ["out"],
            "trace": ["a"],
            "export": [],
            "serve": ["--port", "0"],
            "demo": [],
        }.items()
        for damage in ("cut", "missing", "folder")
    },
    "broken JSON": (["predict", "broken", "a"], "broken/config.json is damaged: it is not JSON"),
    "empty JSON": (["predict", "empty", "a"], "empty/config.json is damaged: it is empty"),
    "other JSON": (
        ["predict", "list", "a"],
        "list/config.json is damaged: it is not a JSON object",
    ),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return exit code, error and imports of TensorFlow of each mistake, from one process."""
    place = tmp_path_factory.mktemp("place")
    recipe = registry.find("ner")
    names = (
        "cut",
        "missing",
        "folder",
        "unfinished",
        "broken",
        "empty",
        "list",
        "wrong_field",
        "whole",
    )
    for name in names:
        run = runs.Run(place / name)
        run.start("ner", "default", recipe.preset("default"))
        if name != "unfinished":
            run.write_json("metrics.json", {"validation": {}})
    with zipfile.ZipFile(place / "whole/model.keras", "w") as archive:
        for member in SAVED_MODEL:
            archive.writestr(member, "{}" * 100)
    (place / "cut/model.keras").write_bytes((place / "whole/model.keras").read_bytes()[:-30])
    (place / "folder/model.keras").mkdir()
    (place / "whole/savedmodel").mkdir()
    (place / "broken/config.json").write_text('{"recipe": ')
    (place / "empty/config.json").write_text("")
    (place / "list/config.json").write_text("[]")
    content = {"recipe": "ner", "preset": "default", "config": {"cell": "LSTN"}}
    (place / "wrong_field/config.json").write_text(json.dumps(content))
    (place / "file").touch()
    code = f"""
import contextlib, io, json, sys
from keras_seq.cli import main
results = []
for arguments in {[arguments for arguments, _ in MISTAKES.values()]}:
    error = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(error):
        exit_code = main(arguments)
    results.append((exit_code, error.getvalue(), "tensorflow" in sys.modules))
print(json.dumps(results))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=place, capture_output=True, text=True, check=True
    )
    assert not (place / "runs").exists()
    return dict(zip(MISTAKES, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_before_tensorflow_is_imported(results, name):
    exit_code, error, imported = results[name]
    assert exit_code == 2
    assert error.startswith("keras-seq: ") and error.count("\n") == 1
    assert MISTAKES[name][1] in error
    assert not imported


def test_names_that_are_valid():
    info = registry.find("ner")
    for name in ("a", "lr=0.1, units 64", "2026-01-01", ".hidden", "консоль", "é" * 100):
        assert runs.get_run(Path("runs"), info, name).folder == Path("runs/ner") / name
