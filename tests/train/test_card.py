"""Model cards of runs, and the command `card`."""

import dataclasses
import shutil
from pathlib import Path

import pytest
from huggingface_hub import ModelCard, metadata_load
from run_cases import make_run

from keras_seq import cli
from keras_seq._internal.errors import InputError
from keras_seq.train import registry


@pytest.fixture
def trained(workplace):
    return make_run(Path("runs/ner/small"))


def test_the_hub_reads_the_metadata(trained):
    path = trained.write_card()
    metadata = metadata_load(path)
    assert metadata["library_name"] == "keras-seq"
    assert metadata["pipeline_tag"] == "token-classification"
    assert metadata["tags"] == ["keras", "keras-seq", "recurrent", "ner", "lstm"]
    [first, second] = ModelCard.load(path).data.eval_results  # without NaN
    assert (first.metric_type, first.metric_value) == ("f1", 0.5)
    assert (second.metric_type, second.dataset_split) == ("accuracy", "validation")
    assert first.task_type == "token-classification" and first.dataset_name == "ner (builtin)"


def test_the_text_has_data_metrics_config_and_use(trained):
    text = trained.write_card().read_text()
    for line in (
        "| train | 1,234 |",
        "| validation | 0.5000 | 0.7500 | nan |",
        "| PER | 0.2500 |",
        r"| a\|b&lt;i> | 1.0000 |",
        "| recall | 0.1250 |",
        "| dropout | 0.5 |",
        "| parameters | 10 |",
        "- Not evaluated on the test split.",
        "keras-seq pull SOURCE small",
        'trained = keras_seq.load_run("runs/ner/small")',
    ):
        assert line in text.splitlines(), line
    assert "For its license, see the source: the README of the recipe `ner`" in text
    assert "onnxruntime" not in text


@pytest.mark.parametrize(
    "data, name, where",
    [
        ("hf:owner/set/config", "hf:owner/set/config", "huggingface.co/datasets/owner/set."),
        ("tfds:conll2003/x", "tfds:conll2003/x", "tensorflow.org/datasets/catalog/conll2003."),
        ("/home/me/a.conll,/home/me/b", "a.conll, b", "the author of this model."),
    ],
)
def test_the_source_of_the_data(trained, data, name, where):
    config = dataclasses.replace(trained.info.preset("default"), data=data)
    trained.run.start("ner", "default", config)
    text = trained.write_card().read_text()
    assert f"`{name}`. For its license, see the source: " in text and where in text
    assert "/home/me" not in text
    datasets = metadata_load(trained.folder / "README.md").get("datasets")
    assert datasets == (["owner/set"] if data.startswith("hf:") else None)


def test_a_card_that_a_person_edited_is_kept(trained, capsys):
    path = trained.write_card()
    trained.run.write_json("metrics.json", {**trained.metrics, "epochs": 3})
    assert "| epochs | 3 |" in trained.write_card().read_text(), "ours is written again"
    edited = path.read_text().replace("| epochs | 3 |", "| epochs | three |")
    path.write_text(edited)
    assert cli.main(["card", "runs/ner/small"]) == 2
    assert "README.md was edited; add --overwrite" in capsys.readouterr().err
    assert path.read_text() == edited
    path.write_bytes(b"\xff my own")
    with pytest.raises(InputError, match="was edited"):
        trained.write_card()
    assert cli.main(["card", "runs/ner/small", "--overwrite"]) == 0
    assert "| epochs | 3 |" in path.read_text()


def test_damaged_metrics_are_an_error(trained):
    trained.run.write_json("metrics.json", {"validation": 3})
    with pytest.raises(InputError, match=r"metrics.json is damaged: .*the metrics of a run"):
        trained.write_card()
    assert not (trained.folder / "README.md").exists()


def test_all_tasks_are_of_the_hub():
    tasks = {
        name: info.preset("default").hub_task for name, info in registry.list_recipes().items()
    }
    assert tasks["sentiment"] == "text-classification" and tasks["music"] is None


@pytest.mark.slow
@pytest.mark.parametrize("format", ["savedmodel", "onnx"])
def test_the_examples_without_keras_seq_run(trained, format, monkeypatch):
    import tiny_models

    from keras_seq import export

    shutil.rmtree(trained.folder / "savedmodel")
    export.FORMATS[format](tiny_models.tagger(), trained.folder / format)
    text = trained.write_card().read_text()
    marker = "saved_model.load" if format == "savedmodel" else "onnxruntime"
    [code] = [part for part in text.split("```") if part.startswith("python") and marker in part]
    monkeypatch.chdir(trained.folder)
    exec(code.removeprefix("python"), {})
