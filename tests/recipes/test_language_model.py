"""Recipe `language_model`: texts, a mocked TFDS dataset, training and metrics."""

import json
import re

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras_seq_recipes.language_model import data, metric, model
from keras_seq_recipes.language_model.config import Config

from keras_seq import cli
from keras_seq.batching import RawExamples
from keras_seq.data import collect_summaries
from keras_seq.text.encoder import TextEncoder

SMALL = [
    "--units",
    "16",
    "--num-layers",
    "1",
    "--embedding-dim",
    "8",
    "--steps",
    "4",
    "--dropout",
    "0",
]
SMALL += ["--kneser-ney-order", "4"]


def test_paragraphs():
    text = "one\ntwo\n\n  three\n \t\nfour\n\n\n\nfive\n"
    assert data.split_paragraphs(text) == ["one\ntwo", "  three", "four", "five"]
    assert data.split_paragraphs("\n\n \n") == []


@given(st.text("a \t\n\u00a0\r", max_size=30))
def test_paragraphs_are_read_line_by_line(text):
    parts = re.split(r"\n[ \t]*(?=\n)", f"\n{text}\n\n")
    assert data.split_paragraphs(text) == [p.strip("\n") for p in parts if p.strip()]


def test_python_manual(workplace):
    paragraphs = [text for text, _ in data.read_python_manual()]
    folded = [data.normalize_whitespace(text) for text in paragraphs]
    assert len(paragraphs) > 1_500 and len(set(folded)) == len(folded)
    assert any('"break" may only occur syntactically nested' in text for text in folded)


class UniformModel:
    """A model that gives each token, and the end, the probability 1/8."""

    encoder = TextEncoder("abcd", "char", end=True)

    def log_probs(self, sequences):
        return [np.full(len(tokens) + 1, -np.log(8)) for tokens in sequences]


def test_bits_per_character():
    metrics = metric.evaluate(UniformModel(), {"test": RawExamples(["abc", "d"])}, "test")
    assert metrics["perplexity"] == pytest.approx(8)
    # Six tokens including ends, three bits each, over four characters.
    assert metrics["bits_per_character"] == pytest.approx(6 * 3 / 4)


@pytest.fixture
def mine(workplace, monkeypatch):
    """Write a file of sixty paragraphs, and limit the length of samples."""
    monkeypatch.setattr(metric, "MAX_LENGTH", 5)
    paragraphs = [f"the cat number {n}\nsat on mat {n % 3}" for n in range(60)]
    (workplace / "mine.txt").write_text("\n\n".join(paragraphs))
    return workplace


def test_word_tokenizer(mine):
    train = data.load(Config(data="mine.txt"))["train"]
    assert all(text.startswith("the cat number ") for text in train.inputs)
    generator = model.build(
        Config(tokenizer="word", units=2, embedding_dim=2, kneser_ney_order=0), train
    )
    assert generator.encoder.tokenize(train.inputs[0])[:3] == ["the", "cat", "number"]


@pytest.mark.slow
def test_subwords_end_to_end(mine, capsys):
    arguments = ["--data", "mine.txt", "--tokenizer", "wordpiece", "--vocab-size", "30", *SMALL]
    assert cli.main(["train", "language_model", *arguments]) == 0
    capsys.readouterr()
    run = "runs/language_model/default"
    assert (
        cli.main(
            ["predict", run, "the cat", "--generate", "--beam-width", "2", "--max-length", "9"]
        )
        == 0
    )
    assert "the cat" in capsys.readouterr().out


@pytest.mark.slow
def test_own_text_end_to_end(mine, capsys):
    assert cli.main(["train", "language_model", "--data", "mine.txt", *SMALL]) == 0
    metrics = json.loads((mine / "runs/language_model/default/metrics.json").read_text())
    assert metrics["test"]["perplexity"] > 1
    trained = keras.saving.load_model(mine / "runs/language_model/default/model.keras")
    assert (trained.count_model.mixture_weights.numpy() != 0.5).all()  # fitted
    assert "report" not in metrics
    samples = (mine / "runs/language_model/default/samples.txt").read_text()
    assert "temperature 0.5" in samples
    capsys.readouterr()
    run = "runs/language_model/default"
    assert cli.main(["predict", run, "the cat", "the mat", "--num-next", "3"]) == 0
    out = capsys.readouterr().out
    assert "log2_probability" in out and "bits_per_character" in out
    assert (
        cli.main(["predict", run, "the cat", "--generate", "--seed", "4", "--max-length", "9"]) == 0
    )
    assert "the cat" in capsys.readouterr().out


def test_folder_with_its_own_splits(workplace):
    for split, text in (("train", "a b\n\n" * 30), ("test", "b a")):
        (workplace / f"{split}.txt").write_text(
            text if split == "test" else "\n\n".join(f"a {n}" for n in range(30))
        )
    with collect_summaries() as summaries:
        splits = data.load(Config(data=str(workplace)))
    assert splits["test"].inputs == ["b a"]
    said = f"{workplace / 'test.txt'}: paragraphs of plain text, UTF-8; 1 row; 3 characters"
    assert said in map(str, summaries)
    assert len(splits["train"].inputs) + len(splits["validation"].inputs) == 30
    numbers = [int(text[2:]) for text in splits["train"].inputs]
    assert numbers == sorted(numbers)  # in the order of the text


def test_mocked_tfds_dataset(workplace, mock_public):
    def two_paragraphs(builder, split=None, **_):
        import tensorflow as tf

        texts = [f"line {n}\nanother\n\nparagraph {n}" for n in range(8)]
        return tf.data.Dataset.from_tensor_slices({"text": texts})

    with mock_public(as_dataset_fn=two_paragraphs):
        splits = data.load(Config(data="tfds:tiny_shakespeare"))
    assert set(splits) == {"train", "validation", "test"}
    for examples in splits.values():
        expected = [(f"line {n}\nanother", f"paragraph {n}") for n in range(8)]
        assert examples.inputs == [text for pair in expected for text in pair]


def test_invalid_data(workplace, mock_public, capsys):
    assert cli.main(["train", "language_model", "--data", "no.txt"]) == 2
    assert "There is no file or folder no.txt" in capsys.readouterr().err
    with mock_public():
        assert cli.main(["train", "language_model", "--data", "tfds:mnist"]) == 2
    assert "it needs the feature text" in capsys.readouterr().err
    (workplace / "empty.txt").write_text("\n\n")
    assert cli.main(["train", "language_model", "--data", "empty.txt"]) == 2
    assert "empty.txt" in capsys.readouterr().err
