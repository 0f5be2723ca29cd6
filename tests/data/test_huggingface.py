"""Tests of datasets of the Hugging Face Hub, without a network."""

import builtins
import doctest
import io
import json
import wave

import datasets
import numpy as np
import pytest

from keras_seq import InputError, cli, data
from keras_seq.data import collect_summaries, huggingface, network, open_hf
from keras_seq.train import registry

LABELED = {
    "text": [f"film {number} was great" for number in range(40)] + [" ", "hidden"],
    "label": [number % 2 for number in range(40)] + [0, -1],
}


def labeled(rows=None):
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])}
    )
    return datasets.Dataset.from_dict(rows or LABELED, features=features)


@pytest.fixture
def hub(workplace, monkeypatch):
    """Return a dict of datasets by name and config, which `load_dataset` loads."""
    content = {}
    calls = []

    def load_dataset(path, name=None, **options):
        assert not options
        calls.append((path, name))
        if (path, name) not in content:
            raise datasets.exceptions.DatasetNotFoundError(f"Dataset '{path}' doesn't exist")
        if isinstance(content[path, name], Exception):
            raise content[path, name]
        return content[path, name]

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr(network, "is_reachable", lambda url: True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    content["calls"] = calls
    return content


def load(recipe, name, **fields):
    """Return the splits of a recipe, and the summary in one line."""
    code = registry.find(recipe).import_recipe()
    config = type(code.preset("default"))(data=name, **fields)
    with collect_summaries() as summaries:
        splits = code.load_splits(config)
    [summary] = summaries
    return splits, str(summary)


def test_examples_in_docstrings():
    results = doctest.testmod(huggingface)
    assert results.attempted and not results.failed


def test_names_of_labels_and_missing_splits(hub):
    hub["owner/films", None] = datasets.DatasetDict({"train": labeled(), "extra": labeled()})
    splits, said = load("sentiment", "hf:owner/films")
    rows = {
        text: label
        for examples in splits.values()
        for text, label in zip(examples.inputs, examples.targets["labels"])
    }
    assert rows == {f"film {n} was great": ("neg", "pos")[n % 2] for n in range(40)}
    sizes = {split: len(examples) for split, examples in splits.items()}
    assert all(data.hash_split(text) == "test" for text in splits["test"].inputs)
    assert said == (
        "hf:owner/films: Hugging Face dataset, text = 'text', label = 'label'; 40 rows; left out "
        f"2: the text or the label is missing; train {sizes['train']}, validation "
        f"{sizes['validation']}, test {sizes['test']}; validation and test taken from train by a "
        "hash of the input; not read: split extra"
    )


def test_splits_have_our_names(hub):
    texts = {"train.a": ["a"], "train.b": ["b"], "dev": ["c"], "test-clean": ["d"]}
    hub["films", None] = datasets.DatasetDict(
        {split: labeled({"text": rows, "label": [0]}) for split, rows in texts.items()}
    )
    splits, _ = load("sentiment", "hf:films")
    assert {split: examples.inputs for split, examples in splits.items()} == {
        "train": ["a", "b"],
        "validation": ["c"],
        "test": ["d"],
    }


@pytest.mark.parametrize(
    ("name", "loaded", "calls"),
    [
        ("hf:glue/sst2", ("glue", "sst2"), [("glue/sst2", None), ("glue", "sst2")]),
        ("hf:a/b/c", ("a/b", "c"), [("a/b", "c")]),
        ("hf:imdb", ("imdb", None), [("imdb", None)]),
    ],
)
def test_names_with_a_config(hub, name, loaded, calls):
    hub[loaded] = labeled()
    assert set(open_hf(name).splits) == {"train"}
    assert hub["calls"] == calls


@pytest.mark.parametrize("kind", ["one", "dict", "jsonl", "parquet"])
def test_local_folders(workplace, monkeypatch, kind):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(workplace / "cache"))
    folder, rows = workplace / "mine", labeled().select(range(40))
    if kind == "one":
        rows.save_to_disk(folder)
    elif kind == "dict":
        datasets.DatasetDict({"train": rows, "test": rows}).save_to_disk(folder)
    else:
        folder.mkdir()
        write = rows.to_parquet if kind == "parquet" else rows.to_json
        write(folder / f"train.{kind}")
    splits, said = load("sentiment", f"hf:{folder}")
    assert ("validation" in splits) and f"hf:{folder}: Hugging Face dataset" in said
    labels = set(splits["train"].targets["labels"])
    assert labels == ({"0", "1"} if kind == "jsonl" else {"neg", "pos"})


def test_tagged_sentences(hub):
    features = datasets.Features(
        {
            "tokens": datasets.Sequence(datasets.Value("string")),
            "ner_tags": datasets.Sequence(datasets.ClassLabel(names=["O", "B-PER", "I-PER"])),
            "upos": datasets.Sequence(datasets.Value("string")),
        }
    )
    rows = {
        "tokens": [["Ada", "King", "wrote", str(number)] for number in range(30)] + [[]],
        "ner_tags": [[1, 2, 0, 0]] * 30 + [[]],
        "upos": [["PROPN", "PROPN", "VERB", "NUM"]] * 30 + [[]],
    }
    hub["tagged", None] = datasets.Dataset.from_dict(rows, features=features)
    splits, said = load("ner", "hf:tagged")
    assert splits["train"].targets["tags"][0] == ["B-PER", "E-PER", "O", "O"]
    assert splits["train"].inputs[0][:2] == ["Ada", "King"]
    assert "token = 'tokens', tag = 'ner_tags'" in said and "left out 1: no tokens" in said
    splits, _ = load("ner", "hf:tagged", tag_column="upos")
    assert splits["train"].targets["tags"][0] == ["PROPN", "PROPN", "VERB", "NUM"]


def test_numbers_of_tags(hub):
    rows = {"words": [["Ada", str(number)] for number in range(30)], "tags": [[1, 0]] * 30}
    hub["numbers", None] = datasets.Dataset.from_dict(rows)
    splits, _ = load("ner", "hf:numbers", tag_names="O,B-PER")
    assert splits["train"].targets["tags"][0] == ["S-PER", "O"]
    with pytest.raises(InputError, match="the tags are numbers up to 1; name them by --tag-names"):
        load("ner", "hf:numbers")


def test_translations(hub):
    features = datasets.Features(
        {"id": datasets.Value("string"), "translation": datasets.Translation(["en", "de"])}
    )
    pairs = [{"en": f"House {n} ", "de": f"Haus  {n}"} for n in range(30)]
    pairs.append({"en": "x", "de": ""})
    rows = {"id": [str(number) for number in range(31)], "translation": pairs}
    hub["opus", "de-en"] = datasets.Dataset.from_dict(rows, features=features)
    splits, said = load("translation", "hf:opus/de-en", target="de")
    assert (splits["train"].inputs[0], splits["train"].targets[0]) == ("House 0", "Haus 0")
    assert "left out 1: the translation is blank" in said
    with pytest.raises(InputError, match=r"has the languages .*, not fr"):
        load("translation", "hf:opus/de-en", target="fr")


def test_translations_in_two_columns(hub):
    rows = {"en": [f"House {n}" for n in range(30)], "texte": [f"Maison {n}" for n in range(30)]}
    hub["pairs", None] = datasets.Dataset.from_dict(rows)
    splits, _ = load("translation", "hf:pairs", columns="en,texte")
    assert splits["train"].targets[0] == "Maison 0"
    with pytest.raises(InputError, match="but not fr; name the column by --columns"):
        load("translation", "hf:pairs")


def test_texts(hub):
    texts = [f"First {number}.\n\nSecond {number}." for number in range(30)] + ["\n"]
    hub["texts", None] = datasets.Dataset.from_dict({"text": texts})
    splits, _ = load("language_model", "hf:texts")
    assert splits["train"].inputs[:2] == ["First 0.", "Second 0."]
    assert sum(map(len, splits.values())) == 60


def test_dna(hub):
    rows = {"seq": ["acgt" * (number + 1) for number in range(30)], "label": ["a", "b"] * 15}
    hub["dna", None] = datasets.Dataset.from_dict(rows)
    splits, said = load("dna", "hf:dna")
    assert splits["train"].inputs[0] == "ACGT" and "sequence = 'seq'" in said


def wav(seed, rate=16_000):
    """Return the bytes of a short recording."""
    samples = np.random.default_rng(seed).integers(-9_000, 9_000, 4_000).astype("int16")
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(samples.tobytes())
    return file.getvalue(), samples


def test_recordings(hub, workplace, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(workplace))
    (workplace / "last.wav").write_bytes(wav(30)[0])
    audio = [{"bytes": wav(number)[0], "path": f"{number}.wav"} for number in range(30)]
    audio.append({"bytes": None, "path": str(workplace / "last.wav")})
    rows = {"audio": audio, "sentence": [f"Word  {number}" for number in range(31)]}
    file = {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}
    features = datasets.Features({"audio": file, "sentence": datasets.Value("string")})
    recordings = datasets.Dataset.from_dict(rows, features=features)
    hub["spoken", None] = recordings.cast_column("audio", datasets.Audio())
    splits, said = load("speech", "hf:spoken")
    samples = {
        text: samples
        for examples in splits.values()
        for samples, text in zip(examples.inputs, examples.targets)
    }
    assert set(samples) == {f"word {number}" for number in range(31)}
    for number in (0, 29, 30):
        np.testing.assert_array_equal(samples[f"word {number}"], wav(number)[1])
    assert "audio = 'audio', text = 'sentence'; 31 rows" in said
    _, said = load("speech", "hf:spoken", max_hours=0.0005)
    assert "left out 23: beyond --max-hours" in said
    with pytest.raises(InputError, match="row 1: the column of the recordings has no audio"):
        load("speech", "hf:spoken", file_column="sentence")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(workplace / "elsewhere"))
    with pytest.raises(InputError, match=r"row 31 names the file .*last.wav, which is not part of"):
        load("speech", "hf:spoken")


@pytest.mark.parametrize("recipe", ["mnist_rows", "music", "spelling", "video"])
def test_other_recipes(workplace, capsys, recipe):
    assert cli.main(["data", recipe, "hf:some/thing"]) == 2
    message = f"The recipe {recipe} reads no datasets of the Hugging Face Hub"
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("hf:none", None, "The Hugging Face Hub has no public dataset 'none'."),
        ("hf:owner/none", None, "The Hugging Face Hub has no public dataset 'owner/none'."),
        ("hf:../secret", None, "'hf:../secret' is neither hf:NAME, hf:OWNER/NAME[/CONFIG] nor a"),
        ("hf:", None, "'hf:' is neither"),
        (
            "hf:glue",
            ValueError("Config name is missing.\nPick one: ['cola']\nExample of usage:\n\tx"),
            "hf:glue cannot be read: Config name is missing. Pick one: ['cola'].",
        ),
        (
            "hf:old",
            RuntimeError("Dataset scripts are no longer supported, but found old.py"),
            "hf:old consists of Python code, which is not run: choose a copy",
        ),
        ("hf:cut", ConnectionError("Couldn't reach it"), "hf:cut cannot be read: Couldn't reach"),
        ("hf:labels", "labels", "hf:labels has the columns x, but not label"),
        ("hf:lists", "lists", "hf:lists: the column 'text' has the type List("),
        ("hf:empty", "empty", "hf:empty has no training examples; left out 1: the text or the"),
    ],
)
def test_errors(hub, name, error, message):
    contents = {
        "labels": {"x": ["a"]},
        "lists": {"text": [["a"]], "label": [0]},
        "empty": {"text": [""], "label": [0]},
    }
    if isinstance(error, str):
        error = datasets.Dataset.from_dict(contents[error])
    if error is not None:
        hub[name.removeprefix("hf:"), None] = error
    with pytest.raises(InputError) as caught:
        load("sentiment", name, **({"text_column": "x"} if name == "hf:labels" else {}))
    assert str(caught.value).startswith(message)


def test_columns_that_are_named(hub):
    hub["films", None] = datasets.Dataset.from_dict({"sentence": ["a"], "stars": [1]})
    with pytest.raises(InputError, match="but not title; name the column by --text-column"):
        load("sentiment", "hf:films", text_column="title", label_column="stars")
    splits, _ = load("sentiment", "hf:films", label_column="stars")
    assert splits["train"].targets["labels"] == ["1"]


@pytest.mark.parametrize("by_variable", [True, False])
def test_without_a_network(workplace, monkeypatch, by_variable, capsys):
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", by_variable)
    asked = []
    monkeypatch.setattr(network, "is_reachable", asked.append)
    for name in ("hf:keras-seq-none", "hf:keras-seq/none/config"):
        with pytest.raises(InputError, match=f"{name} is not in the cache .* HF_HUB_OFFLINE"):
            open_hf(name)
    assert bool(asked) is not by_variable


def test_a_damaged_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path))
    monkeypatch.setattr(network, "is_reachable", lambda _: False)
    folder = tmp_path / "owner___mine/default/0.0.0/hash"
    labeled().save_to_disk(folder)
    [arrow] = folder.glob("*.arrow")
    arrow.rename(folder / "mine-train.arrow")
    splits = {
        "train": {"name": "train", "num_bytes": 1, "num_examples": 42, "dataset_name": "mine"}
    }
    info = json.loads((folder / "dataset_info.json").read_text())
    info |= {"config_name": "default", "dataset_name": "mine", "splits": splits}
    info |= {"builder_name": "mine", "version": {"version_str": "0.0.0"}}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    assert len(open_hf("hf:owner/mine").splits["train"]) == 42
    damaged = {"dataset_info.json": b"{", "mine-train.arrow": b"", "dataset_info.json ": None}
    for name, content in damaged.items():
        path = folder / name.strip()
        intact = path.read_bytes()
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(InputError, match=r"hf:owner/mine is damaged in the cache .* Remove it"):
            open_hf("hf:owner/mine")
        path.write_bytes(intact)
    with pytest.raises(InputError, match="hf:owner/mine/other is not in the cache"):
        open_hf("hf:owner/mine/other")


def test_without_the_package(monkeypatch):
    real_import = builtins.__import__

    def import_module(name, *arguments, **options):
        if name == "datasets":
            raise ImportError
        return real_import(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", import_module)
    with pytest.raises(InputError, match=r"hf:imdb needs .*: run pip install 'keras-seq\[hf\]'"):
        open_hf("hf:imdb")


def test_report_on_a_local_folder(workplace, monkeypatch, capsys):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(workplace / "cache"))
    labeled().save_to_disk(workplace / "mine")
    capsys.readouterr()
    assert cli.main(["data", "sentiment", f"hf:{workplace / 'mine'}", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["read"][0]["format"] == "Hugging Face dataset"
    assert set(report["labels"]) == {"neg", "pos"}
