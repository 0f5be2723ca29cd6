import json
import os
import subprocess
import sys

import pytest

from keras_seq import cli
from keras_seq._internal import machine
from keras_seq.train import registry, runs


def run(*arguments):
    """Return the exit code of a command line, run in this process."""
    return cli.main(list(map(str, arguments)))


@pytest.fixture
def digits(tmp_path):
    """Return a folder of small images, ten per digit, which differ in brightness."""
    np = pytest.importorskip("numpy")
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    for digit in range(10):
        folder = tmp_path / "digits" / str(digit)
        folder.mkdir(parents=True)
        for number in range(10):
            pixels = rng.integers(0, 5, (28, 28)) + 25 * digit
            image.fromarray(pixels.astype("uint8")).save(folder / f"{number}.png")
    return tmp_path / "digits"


SMALL = ("--units", 4, "--num-layers", 1, "--steps", 3)


@pytest.mark.usefixtures("either_way")
def test_train_evaluate_predict(workplace, digits, capsys):
    assert run("train", "mnist_rows", "--data", digits, *SMALL) == 0
    out = capsys.readouterr().out
    assert "test accuracy" in out and "runs/mnist_rows/default" in out
    folder = workplace / "runs/mnist_rows/default"
    assert {file.name for file in folder.iterdir()} == {
        "config.json",
        "confusion_matrix.png",
        "history.csv",
        "learning_curve.png",
        "metrics.json",
        "model.keras",
    }
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["command"].startswith("keras-seq train mnist_rows --data")
    assert metrics["machine"] == machine.training_machine()

    assert run("evaluate", folder, "--split", "validation") == 0
    assert f"{metrics['validation']['accuracy']:.4f}" in capsys.readouterr().out

    assert run("predict", folder, digits / "3/0.png", digits / "9/1.png") == 0
    assert capsys.readouterr().out.count(".png") == 2

    assert run("trace", folder, "0") == 0
    assert "runs/mnist_rows/default/trace_0.html" in capsys.readouterr().out
    assert "example 0 of the test split" in (folder / "trace_0.html").read_text()
    assert run("trace", folder, "9" * 5) == 2
    assert "There is no example 99999" in capsys.readouterr().err

    assert run("export", folder, "--format", "onnx") == 0
    out = capsys.readouterr().out
    assert "predict" in out and "largest difference" in out
    assert (folder / "onnx/predict.onnx").exists()
    assert run("export", folder, "--format", "onnx") == 2
    assert "exists already" in capsys.readouterr().err
    assert (
        run("export", folder, "--format", "onnx", "--portable", "--output", folder / "other") == 0
    )
    assert (folder / "other/predict.onnx").exists()
    assert run("export", folder, "--portable") == 2
    assert "--portable needs --format onnx" in capsys.readouterr().err

    # A finished run is not overwritten.
    before = (folder / "metrics.json").read_bytes()
    assert run("train", "mnist_rows", "--data", digits, *SMALL) == 2
    assert "holds a finished run" in capsys.readouterr().err
    assert (folder / "metrics.json").read_bytes() == before


@pytest.mark.slow
def test_same_seed_same_metrics_and_resume_equals_an_undisturbed_run(
    workplace, digits, monkeypatch, capsys
):
    options = ("train", "mnist_rows", "--data", digits, *SMALL, "--batch-size", 40)
    assert run(*options, "--run", "whole") == 0

    from keras_seq.train import callbacks

    save = callbacks.RunCallback.save

    def stop_after_first_epoch(run_callback):
        save(run_callback)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.RunCallback, "save", stop_after_first_epoch)
        assert run(*options, "--run", "stopped") == 130
        assert (
            "interrupted. Continue with the same command and --resume." in capsys.readouterr().err
        )
    assert run(*options, "--run", "stopped") == 2, "an interrupted run is not overwritten"
    assert "--resume" in capsys.readouterr().err
    assert run("train", "mnist_rows", "--run", "stopped", "--resume", "--units", 5) == 2
    assert "was started with --units 4, not 5" in capsys.readouterr().err
    capsys.readouterr()
    assert run("train", "mnist_rows", "--run", "stopped", "--resume") == 0
    assert "resumed after epoch 1 of 2" in capsys.readouterr().out

    whole, stopped = (
        json.loads((workplace / f"runs/mnist_rows/{name}/metrics.json").read_text())
        for name in ("whole", "stopped")
    )
    for split in ("validation", "test"):
        assert whole[split] == stopped[split]
    history = [
        [line.rpartition(",")[0] for line in path.read_text().splitlines()]
        for path in sorted(workplace.glob("runs/mnist_rows/*/history.csv"))
    ]
    assert len(history[0]) > 2 and history[0] == history[1]


@pytest.mark.slow
def test_a_copied_recipe_runs_from_its_folder(workplace, digits, capsys):
    assert run("cp", "mnist_rows", "mine") == 0
    config = workplace / "mine/config.py"
    config.write_text(config.read_text().replace("tunable(64, ", "tunable(3, "))
    assert run("train", "./mine", "--data", digits, "--num-layers", 1, "--steps", 1) == 0
    content = json.loads((workplace / "runs/mine/default/config.json").read_text())
    assert content["config"]["units"] == 3
    assert run("cp", "mnist_rows", "mine") == 2
    assert "mine exists already" in capsys.readouterr().err


def test_the_default_folder_of_a_copy_and_the_installation_of_completion(
    workplace, monkeypatch, capsys
):
    assert run("cp", "ner") == 0 and (workplace / "my_ner/config.py").is_file()
    monkeypatch.setenv("HOME", str(workplace))
    assert run("--install-completion", "--help") == 0 and "~/.bashrc" in capsys.readouterr().out
    assert run("--install-completion", "--shell", "bash") == 0
    assert "keras-seq" in (workplace / ".bashrc").read_text()


@pytest.mark.slow
def test_the_chosen_of_some_runs_is_recorded_once(workplace, digits, capsys):
    assert run("cp", "mnist_rows", "chosen") == 0
    small = f'Config(data="{digits}", num_layers=1, units=4, steps=1)'
    with (workplace / "chosen/config.py").open("a") as config:
        config.write(f'\nPRESETS = {{"default": {small}}}\n')
    (workplace / "chosen/results.json").unlink(missing_ok=True)
    assert run("train", "./chosen", "--no-test") == 0
    assert run("train", "./chosen", "--no-test", "--units", 5, "--run", "larger") == 0
    folder = workplace / "runs/chosen"
    named = ("--recipe", "./chosen", "--record")
    assert run("evaluate", folder / "larger", *named) == 2
    assert run("evaluate", folder / "default", *named, "--split", "train") == 2
    assert run("train", "./chosen", "--run", "read") == 0
    capsys.readouterr()
    assert run("evaluate", folder / "read", *named) == 2
    assert "was trained without --no-test" in " ".join(capsys.readouterr().err.split())
    assert not (workplace / "chosen/results.json").exists()
    assert run("evaluate", folder / "default", *named) == 0
    [row] = json.loads((workplace / "chosen/results.json").read_text())
    assert {"validation", "test"} <= set(row) and row["config"]["units"] == 4
    metrics = runs.Run(folder / "default").metrics
    assert row == metrics | {"config": row["config"]}
    capsys.readouterr()
    assert run("evaluate", folder / "default", *named) == 2
    assert "already recorded" in capsys.readouterr().err


MISTAKES = {
    "no such recipe": (["train", "mnist_row"], "did you mean 'mnist_rows'?"),
    "no such preset": (["train", "mnist_rows", "--preset", "note"], "did you mean 'notes'?"),
    "no test to record": (
        ["train", "mnist_rows", "--no-test", "--record"],
        "needs a result on the test split",
    ),
    "no such verb": (["trane", "mnist_rows"], 'Did you mean "train"?'),
    "no such field": (["train", "mnist_rows", "--unit", "3"], "Did you mean --units?"),
    "no such cell": (["train", "mnist_rows", "--cell", "LSTN"], '"LSTN" for --cell'),
    "wrong type": (["train", "mnist_rows", "--units", "many"], "--units"),
    "too small": (
        ["train", "mnist_rows", "--batch-size", "0"],
        "--batch-size must be an integer of at least 1",
    ),
    "not a number": (
        ["train", "mnist_rows", "--learning-rate", "nan"],
        "--learning-rate must be a number above 0, got nan",
    ),
    "too large": (
        ["train", "mnist_rows", "--dropout", "1.5"],
        "--dropout must be a number from 0 to 1, got 1.5",
    ),
    "a fraction": (
        ["train", "mnist_rows", "--steps", "1.5"],
        "Invalid value for --steps: '1.5' is not a whole number",
    ),
    "a fraction or nothing": (["train", "dna", "--fold", "1.5"], "--fold: '1.5' is not a whole"),
    "no such folder": (
        ["train", "mnist_rows", "--data", "nowhere"],
        "There is no file or folder nowhere",
    ),
    "no such public set": (["train", "mnist_rows", "--data", "tfds:mnits"], "'mnits'"),
    "a folder without a recipe": (["train", "."], "has no config.py"),
    "nothing to resume": (["train", "mnist_rows", "--resume"], "is not a run"),
    "no run": (["evaluate", "runs"], "runs is not a run"),
    "nothing to predict": (["predict", "runs"], "needs either inputs after the folder"),
    "not a preset as it is": (["train", "mnist_rows", "--units", "3", "--record"], "--record"),
}


@pytest.mark.parametrize("arguments, message", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_gets_one_sentence_and_leaves_nothing(workplace, capsys, arguments, message):
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("keras-seq: ") and error.count("\n") == 1
    assert not (workplace / "runs").exists()


def test_unreadable_images_are_named(workplace, digits, capsys):
    (digits / "4/broken.png").write_text("this is not a picture")
    assert run("train", "mnist_rows", "--data", digits, *SMALL) == 2
    assert "4/broken.png is damaged or is not an image" in capsys.readouterr().err
    assert not (workplace / "runs").exists()
    assert not list((workplace / "tfds").rglob("*.tfrecord*"))


def test_help_and_ls_need_no_backend():
    code = (
        "import sys; from keras_seq.cli import main; "
        "sys.exit(main({!r}) or any(m in sys.modules for m in ('tensorflow', 'jax', 'torch')))"
    )
    for arguments, text in (
        (["--help"], "Train, evaluate, export and serve"),
        (["ls"], "mnist_rows"),
        (["train", "mnist_rows", "--help"], "Hidden units"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code.format(arguments)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert text in done.stdout
    assert "--units" in done.stdout


@pytest.mark.slow
def test_help_of_predict_imports_the_backend_without_its_messages(workplace):
    run = runs.Run(workplace / "run")
    run.start("mnist_rows", "default", registry.find("mnist_rows").preset("default"))
    done = subprocess.run(
        [sys.executable, "-m", "keras_seq.cli", "predict", "run", "--help"],
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("TF_")},
    )
    assert done.returncode == 0 and done.stderr == ""
    assert "Predict the digit of each image file" in done.stdout


@pytest.mark.slow
def test_no_noise_of_the_backend_on_the_screen(workplace, digits):
    train = ["train", "mnist_rows", "--data", str(digits), *map(str, SMALL)]
    export = ["export", "runs/mnist_rows/default", "--format"]
    predict = ["predict", "runs/mnist_rows/default", str(digits / "3/0.png")]
    code = (
        f"from keras_seq.cli import main; assert not main({train}); "
        f"assert not main({[*export, 'onnx']}); assert not main({[*export, 'litert']}); "
        f"assert not main({predict}); "
        # oneDNN prints another message for this operation.
        "import tensorflow as tf; tf.transpose(tf.zeros((3, 2), tf.int64))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=workplace
    )
    assert done.returncode == 0
    assert done.stderr == ""


def test_the_first_line_needs_no_backend(workplace):
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('keras', 'tensorflow', 'jax', 'torch')))\n"
        "from keras_seq.cli import main; main(['train', 'mnist_rows'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "importing Keras\n"
    assert "ModuleNotFoundError: import of keras halted" in done.stderr
