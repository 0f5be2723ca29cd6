"""Preparing examples: what whoever looks on sees of it, and who else does it."""

import importlib

import tensorflow_datasets as tfds

prepare = importlib.import_module("keras_seq.data.prepare")


def test_examples_are_counted_where_somebody_looks(monkeypatch, capsys):
    assert list(prepare._shown((n for n in range(12)), "Preparing x")) == [*range(12)]
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert list(prepare._shown((n for n in range(12)), "Preparing x")) == [*range(12)]
    assert "12/?" in capsys.readouterr().err


def test_another_process_may_prepare_the_same_meanwhile(workplace):
    features = tfds.features.FeaturesDict({"text": tfds.features.Text()})

    def examples():
        yield "a", {"text": "a"}, "train"

    def overtaken():
        prepare.prepare("some", "1.0.0", features, examples)
        yield from examples()

    builder = prepare.prepare("some", "1.0.0", features, overtaken)
    assert list(prepare.arrays(builder)["train"]["text"]) == [b"a"]
