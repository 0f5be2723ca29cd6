"""Folders of runs: locks, trusted code, damaged files."""

import json
import shutil
import sys
import zipfile
from pathlib import Path

import damage
import formula_recipe
import keras
import numpy as np
import pytest

from keras_seq import cli
from keras_seq._internal import folder_locks
from keras_seq.cli import app
from keras_seq.train import checkpoints, registry, runs

if keras.backend.backend() != "tensorflow":
    pytest.skip("trained on TensorFlow alone", allow_module_level=True)


def run(*arguments):
    """Return the exit code of a command line, run in this process."""
    return cli.main(list(map(str, arguments)))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a folder with a recipe, a finished run `whole`, and `half` with two epochs."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        name = formula_recipe.write(folder / "formula")
        assert run("train", name, "--run", "whole") == 0
        from keras_seq.train import callbacks

        save = callbacks.RunCallback.save

        def stop_after_two(run_callback):
            save(run_callback)
            if run_callback.epochs_done == 2:
                raise KeyboardInterrupt

        patch.setattr(callbacks.RunCallback, "save", stop_after_two)
        assert run("train", name, "--run", "half") == 130
    return folder


@pytest.fixture
def place(trained, tmp_path, monkeypatch):
    """Return a copy of `trained`, which is the current folder."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


WHOLE, HALF = Path("runs/formula/whole"), Path("runs/formula/half")
NAMED = ("--recipe", "./formula")
RESUME = ("train", "./formula", "--run", "half", "--resume")


def read_error(capsys):
    """Return the printed error, which must be one line."""
    error = capsys.readouterr().err
    assert error.startswith("keras-seq: ") and error.count("\n") == 1, error
    return error


def forget_modules():
    """Let the code of the recipe be imported again."""
    for module in [name for name in sys.modules if "_in_folder_formula" in name]:
        del sys.modules[module]
    # Bytecode looks valid for code of the same size that was written in the same second.
    for cache in Path("formula").rglob("__pycache__"):
        shutil.rmtree(cache)


def metrics(folder):
    metrics_json = runs.Run(folder).metrics
    return {split: metrics_json[split] for split in ("validation", "test")}


def test_a_second_process_is_refused_before_data_is_loaded(place, monkeypatch, capsys):
    shutil.copytree(WHOLE, "runs/formula/chosen")
    with monkeypatch.context() as patch:
        patch.setenv("NO_DATA", "1")
        for name, command in {
            "half": RESUME,
            "new": ("train", "./formula", "--run", "new"),
            "tuned": ("tune", "./formula"),
            "chosen": ("evaluate", "runs/formula/chosen", *NAMED, "--record"),
        }.items():
            folder = Path("runs/formula") / name
            with runs.Run(folder).lock():
                assert run(*command) == 2
            assert f"Another process uses {folder}; wait" in read_error(capsys)
    assert run(*RESUME) == 0
    assert metrics(HALF) == metrics(WHOLE)


def test_what_killed_processes_left_is_removed_at_the_next_start(place):
    left = [HALF / ".writing-killed_1", HALF / "tuning/trial_0/.writing-killed_2"]
    held = HALF / "tuning/.writing-alive_01"
    for folder in (*left, held):
        folder.mkdir(parents=True)
        (folder / "half").touch()
    with folder_locks.hold(held), runs.Run(HALF).lock():
        assert held.exists() and not any(folder.exists() for folder in left)


def test_code_of_a_folder_runs_only_if_the_command_names_it(place, capsys):
    ran = place / "ran"
    (place / "formula/recipe.py").write_text(
        f"open({str(ran)!r}, 'w').close()\n" + formula_recipe.FILES["recipe.py"]
    )
    for command in (
        ("predict", WHOLE, "text"),
        ("evaluate", WHOLE),
        ("trace", WHOLE, "0"),
        ("export", WHOLE),
        ("demo", WHOLE),
    ):
        assert run(*command) == 2
        assert "in the folder ./formula. If you trust its code, add --recipe" in read_error(capsys)
    assert run("serve", WHOLE) == 2
    assert f"with `keras-seq export {WHOLE} --recipe ./formula`" in read_error(capsys)
    assert not ran.exists()
    assert run("predict", WHOLE, "text", *NAMED) == 0 and ran.exists()
    assert "text" in capsys.readouterr().out
    shutil.copytree("formula", "other")
    assert run("predict", WHOLE, "text", "--recipe", "./other") == 2
    assert "is a run of the recipe formula, not of other" in read_error(capsys)


@pytest.mark.parametrize("key", ["recipe", "recipe_folder"])
def test_a_planted_folder_is_not_followed(place, capsys, key):
    content = {"recipe": "ner", "preset": "default", "config": {}, key: f"{place}/formula"}
    (WHOLE / "config.json").write_text(json.dumps(content))
    forget_modules()
    (place / "formula/__init__.py").write_text("raise AssertionError")
    assert run("predict", WHOLE, "text") == 2
    assert f"in the folder {place}/formula. If you trust" in read_error(capsys)


def test_a_folder_here_does_not_replace_a_registered_recipe(place, capsys):
    shutil.copytree("formula", "ner")
    assert registry.find("ner").package == "keras_seq_recipes.ner"
    assert registry.find("./ner").folder == place / "ner"
    assert run("train", "formula") == 2
    assert "For the recipe in the folder formula, write ./formula" in read_error(capsys)
    for name, message in (("./none", "There is no folder none"), (".", "has no config.py")):
        assert run("train", name) == 2
        assert message in read_error(capsys)


def test_another_folder_of_the_same_name_is_another_recipe(place):
    (place / "more").mkdir()
    formula_recipe.write(place / "more/formula")
    (place / "more/formula/config.py").write_text("PRESETS = {}")
    assert registry.find("./formula").presets
    assert registry.find("./more/formula").presets == {}
    assert registry.find("./formula").presets


def test_a_run_goes_on_with_the_same_code_and_data_only(place, capsys):
    data = place / "formula/data.py"
    text = data.read_text()
    data.write_text(text + "# changed\n")
    assert run(*RESUME) == 2
    assert "code of the recipe formula. Changed since: data.py. Restore the code" in read_error(
        capsys
    )
    data.write_text(text.replace("(4, 1)", "(5, 1)"))
    config = json.loads((HALF / "config.json").read_text())
    del config["checksum"], config["fingerprint"]["code"]
    (HALF / "config.json").write_text(json.dumps(config))
    forget_modules()
    assert run(*RESUME) == 2
    assert "the train split had 4 examples and has 5. Restore the data" in read_error(capsys)
    forget_modules()
    data.write_text(text)
    config["fingerprint"]["versions"]["keras"] = "3.0"
    (HALF / "config.json").write_text(json.dumps(config))
    assert run(*RESUME) == 0
    assert "half was started with keras 3.0 (now" in read_error(capsys)
    assert metrics(HALF) == metrics(WHOLE)


def test_a_result_on_other_data_is_not_recorded(place, monkeypatch, capsys):
    monkeypatch.setattr(
        type(registry.find("./formula").import_recipe()), "evaluate", lambda *_: {"accuracy": 0.5}
    )
    config = json.loads((WHOLE / "config.json").read_text())
    del config["checksum"]
    config["fingerprint"]["data"]["test"]["examples"] = 9
    (WHOLE / "config.json").write_text(json.dumps(config))
    content = json.loads((WHOLE / "metrics.json").read_text())
    del content["checksum"], content["test"]
    (WHOLE / "metrics.json").write_text(json.dumps(content))
    assert run("evaluate", WHOLE, *NAMED) == 0
    assert "other data: the test split had 9 examples and has 4." in read_error(capsys)
    assert run("evaluate", WHOLE, *NAMED, "--record") == 2
    assert "Results on other data are not recorded" in read_error(capsys)
    assert not Path("formula/results.json").exists()


def test_a_checkpoint_of_another_model(place, capsys):
    path = runs.Run(HALF).checkpoint_path
    arrays, progress = checkpoints.read(path)
    arrays["variables"][0] = arrays["variables"][0][:0]
    checkpoints.write(path, arrays, progress)
    assert run(*RESUME) == 2
    assert "does not fit the model that the recipe builds now" in read_error(capsys)


def test_a_field_that_is_gone(place, capsys):
    config = json.loads((WHOLE / "config.json").read_text())
    del config["checksum"]
    config["config"]["depth"] = 3
    (WHOLE / "config.json").write_text(json.dumps(config))
    assert run("predict", WHOLE, "text", *NAMED) == 2
    assert "the field 'depth', which the recipe formula no longer has" in read_error(capsys)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"recipe": 5}, "'recipe' is not valid"),
        ({"fingerprint": []}, "'fingerprint' is not valid"),
        ({"preset": None}, "'preset' is not valid"),
        ({"config": {"width": "many"}}, "width 'many' does not have the type of the default, 4"),
        ({"config": {"width": True}}, "width True does not have the type of the default, 4"),
        (
            {"config": {"data": ["a"]}},
            "data ['a'] does not have the type of the default, 'builtin'",
        ),
    ],
    ids=str,
)
def test_a_config_that_somebody_made_up(place, capsys, change, message):
    config = json.loads((WHOLE / "config.json").read_text())
    del config["checksum"]
    (WHOLE / "config.json").write_text(json.dumps(config | change))
    assert run("predict", WHOLE, "text", *NAMED) == 2
    assert message in read_error(capsys)


def test_a_model_with_code_in_it_is_not_loaded(place, capsys):
    path = runs.Run(WHOLE).model_path
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    code = {"class_name": "__lambda__", "config": {"code": "", "defaults": None, "closure": None}}
    layer = {"module": "keras.layers", "class_name": "Lambda", "config": {"function": code}}
    config["config"]["layers"].append(layer | {"registered_name": None})
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (members | {"config.json": json.dumps(config)}).items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match="arbitrary code execution"):  # by Keras itself
        keras.saving.load_model(path)
    assert run("predict", WHOLE, "text", *NAMED) == 2
    assert "model.keras contains a Python lambda" in read_error(capsys)


NAMES = {
    "empty": "",
    "parent": "..",
    "here": ".",
    "nested": "a/b",
    "absolute": "/proc/a",
    "slash": "a/",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("verb", ["train", "tune"])
def test_names_that_are_no_folder(place, capsys, verb, name):
    assert run(verb, "./formula", "--run", name) == 2
    assert f"--run must be a name without path separators, got {name!r}" in read_error(capsys)


def test_folders_that_cannot_be(place, capsys):
    Path("file").touch()
    for folder in ("file", "file/below", "/proc/none"):
        assert run("train", "./formula", "--runs", folder) == 2
        assert f"The folder {folder}/formula/default cannot be created" in read_error(capsys)
    assert run("train", "./formula", "--run", "a" * 300) == 2
    assert "too long" in read_error(capsys)
    assert run("evaluate", "file") == 2
    assert "file is not a run: it has no config.json" in read_error(capsys)


def test_a_programming_error_keeps_its_traceback(place, monkeypatch, capsys):
    def broken(self, *arguments):
        return None + 1

    monkeypatch.setattr(runs.Run, "load", broken)
    with pytest.raises(TypeError):
        run("trace", WHOLE, "0", *NAMED)
    assert run("evaluate", "file", "--debug") == 2
    error = capsys.readouterr().err
    assert error.startswith("Traceback") and error.endswith(
        "file is not a run: it has no config.json.\n"
    )
    assert app._without_debug(["a", "--", "--debug"]) == (["a", "--", "--debug"], False)


def test_an_error_of_the_operating_system_names_the_file(place, monkeypatch, capsys):
    def refused(self, *arguments):
        raise PermissionError(13, "Permission denied", "secret.txt")

    monkeypatch.setattr(runs.Run, "load", refused)
    assert run("trace", WHOLE, "0", *NAMED) == 2
    assert "secret.txt cannot be used: permission denied." in read_error(capsys)


DAMAGE = [
    (name, kind)
    for name in ("config.json", "model.keras", "metrics.json", "history.csv")
    for kind in damage.KINDS
]


@pytest.mark.parametrize("name, kind", DAMAGE, ids=map("-".join, DAMAGE))
def test_a_damaged_finished_run(place, capsys, name, kind):
    assert run("predict", WHOLE, "text", *NAMED) == 0
    intact, path = capsys.readouterr().out, WHOLE / name
    for damaged in damage.versions(path.read_bytes(), kind, 3):
        path.write_bytes(damaged)
        for command in (("predict", WHOLE, "text"), ("evaluate", WHOLE, "--record")):
            code = run(*command, *NAMED)
            out, error = capsys.readouterr()
            if code == 0:
                assert out == intact
            else:
                assert code == 2 and error.startswith("keras-seq: ") and error.count("\n") == 1
                assert f"{path} is damaged" in error or "was trained without --no-test" in error
            # Files that `predict` does not read cannot harm it.
            if command[0] == "predict" and name in ("metrics.json", "history.csv"):
                assert code == 0


def test_a_model_that_keras_cannot_load(place, capsys):
    path = runs.Run(WHOLE).model_path
    for config in ("{", "{}", "[]"):
        with zipfile.ZipFile(path, "w") as archive:
            for name in ("metadata.json", "model.weights.h5"):
                archive.writestr(name, "{}")
            archive.writestr("config.json", config)
        assert run("evaluate", WHOLE, *NAMED) == 2
        error = read_error(capsys)
        assert f"{path} is damaged: Keras cannot load it (" in error
        assert error.endswith("restore it from a copy, or train another run.\n")


@pytest.mark.parametrize("metrics", [{"validation": 5}, {"seconds": "x"}, {"test": {"a": "x"}}])
def test_a_list_of_runs_with_made_up_metrics(place, capsys, metrics):
    (WHOLE / "metrics.json").write_text(json.dumps(metrics))
    assert run("runs") == 0
    out = capsys.readouterr().out
    assert "metrics.json is damaged: it does not hold the metrics of a run" in out
    assert "not finished" in out


def test_a_folder_that_cannot_be_written(place, monkeypatch, capsys):
    def refuse(*_, **options):
        raise PermissionError(13, "Permission denied", "file")

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    monkeypatch.setenv("NO_DATA", "1")
    assert run("train", "./formula", "--run", "new") == 2
    assert "runs/formula/new cannot be written: Permission denied." in read_error(capsys)


@pytest.mark.parametrize("kind", damage.KINDS)
@pytest.mark.parametrize("name", ["checkpoint.npz", "config.json", "history.csv"])
def test_a_damaged_interrupted_run(place, capsys, name, kind):
    [damaged] = damage.versions((HALF / name).read_bytes(), kind, 1)
    (HALF / name).write_bytes(damaged)
    code = run(*RESUME)
    error = capsys.readouterr().err
    if name == "config.json":
        assert code == 2 and f"{HALF / name} is damaged" in error and error.count("\n") == 1
        return
    assert code == 0, error
    assert metrics(HALF) == metrics(WHOLE), "from the checkpoint before"
    assert ("using its previous version checkpoint.previous.npz" in error) == (
        name == "checkpoint.npz"
    )


@pytest.mark.parametrize("progress", ["no JSON", "{}", "[1]"])
def test_a_checkpoint_with_other_content(place, capsys, progress):
    path = runs.Run(HALF).checkpoint_path
    arrays, _ = checkpoints.read(path)
    flat = {f"variables/{i}": array for i, array in enumerate(arrays["variables"])}
    for checkpoint in (path, path.with_stem("checkpoint.previous")):
        np.savez(checkpoint, **flat, progress=np.array(progress))
    assert run(*RESUME) == 2
    assert f"{path} is damaged: it does not hold" in read_error(capsys)


def test_both_checkpoints_damaged(place, capsys):
    for name in ("checkpoint.npz", "checkpoint.previous.npz"):
        (HALF / name).write_bytes(b"")
    assert run(*RESUME) == 2
    error = read_error(capsys)
    assert f"{HALF / 'checkpoint.npz'} is damaged" in error and "remove the folder" in error
