"""Tests of `keras-seq data`."""

import json
import re
from pathlib import Path

import pytest

from keras_seq import cli
from keras_seq.train import progress

TABLE = "review;stars\n" + "".join(
    f"film {number} was {word}, really;{label}\n"
    for number in range(12)
    for word, label in (("great", "good"), ("dull", "bad"))
)


@pytest.fixture
def table(workplace):
    file = workplace / "reviews.csv"
    file.write_text(TABLE + "film 0 was cafÃ©;odd\n")
    return file


COLUMNS = ("--text-column", "review", "--label-column", "stars")


def test_report_as_text(table, capsys):
    assert cli.main(["data", "sentiment", str(table), *COLUMNS]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        f"read {table}: delimited text, UTF-8, delimiter semicolon, header, text = 'review', "
        "label = 'stars'; 25 rows"
    )
    assert lines[1].startswith("examples train ") and "%" in lines[1]
    assert lines[2].startswith("lengths median 24, 95 % up to ")
    assert lines[3].startswith("example 'film ") and " -> " in lines[3]
    assert any("'good'" in line and " 9 " in line for line in lines)
    assert "warning fewer than 5 training examples have the label odd (1)" in lines
    assert any(line.startswith("warning 1 of 25 texts has bytes of UTF-8 read") for line in lines)
    assert not (table.parent / "runs").exists()


def test_report_as_json(table, capsys):
    assert cli.main(["data", "sentiment", str(table), *COLUMNS, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["read"][0]["delimiter"] == ";"
    assert sum(report["num_examples"].values()) == 25
    assert sum(report["labels"]["good"].values()) == 12
    assert report["lengths"]["unit"] == "characters"
    assert len(report["examples"]) == 3 and len(report["warnings"]) >= 2


def test_what_was_read_is_shown_before_an_error(workplace, capsys):
    for split, label in (("train", "good"), ("test", "bad")):
        (workplace / f"{split}.csv").write_text(f"text,label\na film,{label}\n")
    assert cli.main(["data", "sentiment", str(workplace)]) == 2
    captured = capsys.readouterr()
    assert captured.out.count("read ") == 2 and "delimiter comma" in captured.out
    assert "The test split has the label 'bad'; no training example has." in captured.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sentiment", "none.csv"], "There is no file or folder none.csv."),
        (["sentiment", "https://a.org/b.csv"], "https://a.org/b.csv is not a path; download the"),
        (["video", "s3://a/b"], "s3://a/b is not a path; download the data and give its path."),
        (["sentimental"], "did you mean 'sentiment'"),
        (["sentiment", "a.csv", "--text-colum", "x"], "Unknown option"),
        (["sentiment", "a.csv", "b.csv"], "Unexpected argument: 'b.csv'."),
    ],
)
def test_mistakes(workplace, capsys, arguments, message):
    assert cli.main(["data", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_brackets_in_labels_are_no_markup(workplace, capsys):
    (workplace / "a.conll").write_text("a B-[/b]\nb B-[red]\nc B-:x:\n")
    assert cli.main(["data", "ner", "a.conll"]) == 0
    out = capsys.readouterr().out
    assert all(f"│ '{label}' " in out for label in ("[/b]", "[red]", ":x:"))


def test_control_characters_are_escaped(workplace, capsys):
    lines = ["a\tB-L\x1b[31m", "", "d.e\tO", "", "\x1b[2Jf.g\tO\n"]
    (workplace / "a.conll").write_text("\n".join(lines))
    assert cli.main(["data", "ner", "a.conll", "--tokenizer", "word"]) == 0
    out = capsys.readouterr().out
    assert "\x1b[31m" not in out and "\x1b[2J" not in out
    assert r"labels: L\x1b[31m 1" in out
    (workplace / "a.conll").write_text("a O\n\x1b[31mred\n")
    assert cli.main(["data", "ner", "a.conll"]) == 2
    assert "\x1b[31m" not in capsys.readouterr().err


def test_help_lists_the_options_of_the_recipe(capsys):
    assert cli.main(["data", "sentiment", "--help"]) == 0
    out = capsys.readouterr().out
    assert "--text-column" in out and "--json" in out and "PATH" in out
    assert cli.main(["data", "--help"]) == 0
    assert "RECIPE" in capsys.readouterr().out


def test_training_prints_few_warnings():
    assert progress.shorten(list("abcde")) == list("abcde")
    assert progress.shorten(list("abcdef")) == [*"abcd", "2 others, which `keras-seq data` prints"]


def test_a_dataset_of_tfds(workplace, mock_public, capsys):
    with mock_public(num_examples=40):
        assert cli.main(["data", "sentiment", "tfds:imdb_reviews"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("read tfds:imdb_reviews: TFDS dataset; ")
    assert lines[1].startswith("examples train ") and "warning " in lines[-1]


FILES = {
    "semicolon.csv": 'text;label\n"a; b";good\nDull;bad\n',
    "tatoeba.tsv": (
        "1276\tLet's try it.\t2481\tIntentemos.\n1277\tI have to sleep.\t2482\tTengo que dormir.\n"
    ),
    "blank_side.en": "Save\nOpen\n\nClose\n",
    "blank_side.de": "Speichern\n\nLeer\nSchließen\n",
    "codes.tmx": (
        '<tmx version="1.4"><header srclang="en_US"/><body><tu><tuv xml:lang="en_US"><seg>Press '
        '<bpt i="1">&lt;b&gt;</bpt>OK<ept i="1">&lt;/b&gt;</ept> <ph>%s</ph>now</seg></tuv><tuv '
        'xml:lang="de_DE"><seg>Jetzt <hi>OK</hi> drücken</seg></tuv></tu></body></tmx>'
    ),
    "bilou.conll": "New B-LOC\nYork I-LOC\nCity L-LOC\nAnn U-PER\n\n",
}
README = Path(__file__).parents[2] / "README.md"
PAGE = Path(__file__).parents[2] / "docs/formats.md"


@pytest.mark.parametrize("file", ["semicolon.csv", "tatoeba.tsv", "blank_side", "codes", "bilou"])
def test_the_page_quotes_what_is_printed(workplace, capsys, file):
    for name, content in FILES.items():
        (workplace / name).write_text(content)
    [quote] = re.findall(rf"^\$ keras-seq (.* {file}.*)\n((?:.+\n)*)", PAGE.read_text(), re.M)
    command, expected = quote[0], quote[1].removesuffix("```\n")
    assert cli.main(command.split()) == 0
    assert capsys.readouterr().out == expected
    readme = re.findall(
        rf"^\$ keras-seq {re.escape(command)}\n((?:.+\n)*)", README.read_text(), re.M
    )
    assert [text.removesuffix("```\n") for text in readme] in ([], [expected])
