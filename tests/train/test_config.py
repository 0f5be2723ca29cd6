"""Fields of a Config that depend on each other."""

import keras
import pytest

from keras_seq._internal.errors import InputError
from keras_seq.train.config import Config


def test_one_of_steps_and_epochs_replaces_the_other():
    config = Config(steps=100, epochs=7)
    for fields, limits in (
        ({"steps": 5}, (5, None)),
        ({"epochs": 5}, (None, 5)),
        ({"steps": 5, "epochs": 6}, (5, 6)),
        ({"steps": None}, (None, 7)),
        ({"steps": 5, "epochs": None}, (5, None)),
        ({"seed": 5}, (100, 7)),
    ):
        changed = config.override(**fields)
        assert (changed.steps, changed.epochs) == limits, fields


def test_training_needs_an_end():
    with pytest.raises(InputError, match="give --steps, --epochs or both"):
        Config(steps=None, epochs=None)
    with pytest.raises(InputError, match="--epochs must be an integer of at least 1, got 0"):
        Config().override(epochs=0)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="trained on TensorFlow alone")
def test_epochs_on_the_command_line_and_in_a_resumed_run(tmp_path, monkeypatch, capsys):
    import formula_recipe

    from keras_seq import cli
    from keras_seq.train import callbacks

    monkeypatch.chdir(tmp_path)
    name = formula_recipe.write(tmp_path / "passes")
    save = callbacks.RunCallback.save

    def stop_after_two(run_callback):
        save(run_callback)
        if run_callback.epochs_done == 2:
            raise KeyboardInterrupt

    command = ["train", name, "--epochs", "5"]  # the preset has 3 steps, an epoch each
    with monkeypatch.context() as patch:
        patch.setattr(callbacks.RunCallback, "save", stop_after_two)
        assert cli.main(command) == 130
    assert cli.main([*command[:2], "--resume", "--epochs", "6"]) == 2
    assert "was started with --epochs 5, not 6" in capsys.readouterr().err
    assert cli.main([*command, "--resume"]) == 0
    history = (tmp_path / "runs/passes/default/history.csv").read_text()
    assert len(history.splitlines()) == 1 + 5
