"""What whoever looks on sees of the preparing of examples."""

import importlib

prepare = importlib.import_module("keras_seq.data.prepare")


def test_examples_are_counted_where_somebody_looks(monkeypatch, capsys):
    assert list(prepare._shown((n for n in range(12)), "Preparing x")) == [*range(12)]
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert list(prepare._shown((n for n in range(12)), "Preparing x")) == [*range(12)]
    assert "12/?" in capsys.readouterr().err
