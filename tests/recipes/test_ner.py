"""Recipe `ner`: data formats, training, metrics and the page of predictions."""

import importlib
import json

import numpy as np
import pytest

from keras_seq import cli, data
from keras_seq._internal.errors import InputError
from keras_seq.batching import RawExamples
from keras_seq.text.tag_schemes import SCHEMES, Span, spans_to_tags, tags_to_spans
from keras_seq.train import registry

RECIPE = registry.find("ner").import_recipe()
TFDS_BUILDERS = importlib.import_module("keras_seq.data.tfds_builders")
SMALL = ("--units", 4, "--num-layers", 1, "--steps", 2, "--batch-size", 8)
NAMES = {"Ada": "PER", "Grace Hopper": "PER", "Rome": "LOC", "New York": "LOC"}


def run(*arguments):
    return cli.main(list(map(str, arguments)))


def sentences(count=60):
    """Yield tokens with spans, two of which may be adjacent."""
    rng = np.random.default_rng(0)
    for number in range(count):
        tokens, spans = [f"w{number}"], []
        for name in rng.choice(list(NAMES), 2):
            spans.append(Span(NAMES[name], len(tokens), len(tokens) + len(name.split())))
            tokens += [*name.split(), *["met"] * rng.integers(0, 2)]
        yield [*tokens, "."], spans


def conll(scheme):
    """Return a CoNLL file whose first column is the tag and whose last is the token."""
    blocks = []
    for tokens, spans in sentences():
        tags = spans_to_tags(spans, len(tokens), scheme)
        blocks.append("\n".join(f"{tag} x {token}" for token, tag in zip(tokens, tags)))
    return "\n\n".join(blocks) + "\n"


def config(**fields):
    return type(RECIPE.preset("default"))(**fields)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_tag_scheme(workplace, scheme):
    (workplace / "mine.conll").write_text(conll(scheme))
    loaded = RECIPE.load(config(data="mine.conll", token_column=-1, tag_column=0))
    spans_by_text = {
        " ".join(tokens): tags_to_spans(tags, "IOBES")
        for split in loaded.values()
        for tokens, tags in zip(split.inputs, split.targets["tags"])
    }
    assert spans_by_text == {" ".join(tokens): expected for tokens, expected in sentences()}


@pytest.mark.slow
def test_a_conll_file_end_to_end(workplace, capsys):
    (workplace / "mine.conll").write_text(conll("IOB1"))
    columns = ("--token-column", -1, "--tag-column", 0)
    assert run("train", "ner", "--data", "mine.conll", *columns, *SMALL) == 0, capsys.readouterr()
    folder = workplace / "runs/ner/default"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert {"f1", "f1_raw_text", "recall", "accuracy", "new_entities"} <= set(metrics["test"])
    assert metrics["tokenizer"]["tokenizer"] == "word"
    assert (
        f"reproduces 100.0% of {metrics['tokenizer']['num_sentences']}" in capsys.readouterr().out
    )
    assert set(metrics["test"]["per_label"]["PER"]) == {"f1", "precision", "recall"}
    assert {"predictions.html", "confusion_matrix.png"} <= {f.name for f in folder.iterdir()}
    assert run("evaluate", folder) == 0
    f1, f1_raw_text = metrics["test"]["f1"], metrics["test"]["f1_raw_text"]
    assert f"f1 {f1:.4f}  f1_raw_text {f1_raw_text:.4f}" in capsys.readouterr().out
    assert run("predict", folder, "Ada met Grace Hopper .") == 0


@pytest.mark.slow
def test_json_lines_and_a_folder_with_its_own_split(workplace):
    rows = [
        {"text": "Ada met Rome.", "spans": [{"start": 0, "end": 3, "label": "PER"}]},
        {"text": "No-one came", "spans": []},
    ]
    lines = "\n".join(json.dumps(row) for row in rows)
    (workplace / "mine").mkdir()
    (workplace / "mine/train.jsonl").write_text(lines)
    (workplace / "mine/test.jsonl").write_text(lines)
    assert run("train", "ner", "--data", "mine", *SMALL, "--no-test") == 0
    metrics = json.loads((workplace / "runs/ner/default/metrics.json").read_text())
    assert "test" not in metrics
    # The test split exists, though it is not used.
    warnings = metrics["data_warnings"]
    assert warnings and "the test split is empty" not in warnings
    splits = RECIPE.load(config(data="mine"))
    test = splits["test"]
    assert dict(zip(map(" ".join, test.inputs), test.targets["tags"])) == {
        "Ada met Rome .": ["S-PER", "O", "O", "O"],
        "No - one came": ["O"] * 4,
    }


def test_chinese_paragraphs_with_words_and_their_tags(workplace):
    text = "[中央/n [电视台/n 北京/ns]ns]nt 江/nr 泽民/nr 说/v ：/w “/w 好/a 。/w ”/w"
    text += " 上海/ns 李/nr 四/nr"
    listed = "19980101-01-001-001/m 张/nr 一/nr 王/nr 二/nr"
    (workplace / "daily.txt").write_text(f"{text}\n" * 3 + f"{listed}\n" * 9)
    splits = RECIPE.load(config(data="daily.txt"))
    spans_by_text = {
        "".join(tokens): [
            ("".join(tokens[s.start : s.end]), s.label) for s in tags_to_spans(tags, "IOBES")
        ]
        for split in splits.values()
        for tokens, tags in zip(split.inputs, split.targets["tags"])
    }
    assert spans_by_text == {
        "中央电视台北京江泽民说：“好。”": [("中央电视台北京", "ORG"), ("江泽民", "PER")],
        "上海李四": [("上海", "LOC"), ("李四", "PER")],
        "张一王二": [("张一", "PER"), ("王二", "PER")],
    }


def test_mocked_conll2003_of_tfds(workplace, mock_public):
    tf = pytest.importorskip("tensorflow")

    def examples(builder, split=None, **_):
        names = builder.info.features["ner"].feature.names
        rows = list(sentences(40))
        tags = [spans_to_tags(spans, len(tokens), "IOB2") for tokens, spans in rows]
        return tf.data.Dataset.from_generator(
            lambda: (
                {"tokens": tokens, "ner": [names.index(tag) for tag in row]}
                for (tokens, _), row in zip(rows, tags)
            ),
            output_signature={
                "tokens": tf.TensorSpec([None], tf.string),
                "ner": tf.TensorSpec([None], tf.int64),
            },
        )

    with mock_public(as_dataset_fn=examples):
        splits = RECIPE.load(config(data="tfds:conll2003"))
    expected = {" ".join(tokens): spans for tokens, spans in sentences(40)}
    assert {"train", "test"} <= set(splits)
    for split in splits.values():
        assert expected == {
            " ".join(tokens): tags_to_spans(tags, "IOBES")
            for tokens, tags in zip(split.inputs, split.targets["tags"])
        }


def test_missing_tfds_dataset(workplace, monkeypatch, capsys):
    monkeypatch.setattr(TFDS_BUILDERS, "_is_online", lambda: False)
    assert run("train", "ner", "--data", "tfds:conll2003", *SMALL) == 2
    assert "run `tfds build conll2003`" in capsys.readouterr().err


MISTAKES = {
    "no such file": (None, "There is no file or folder mine.txt"),
    "a tag outside of the scheme": ("a B-PER\nb X-PER\n", "at line 1: 'X-PER' is not a tag"),
    "too few columns": ("a B-PER\nb\n", "line 2: 'b' has 1 column"),
    "a word without its tag": ("中国/ns 人\n", "line 1"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_invalid_files(workplace, mistake, capsys):
    text, message = MISTAKES[mistake]
    if text is not None:
        (workplace / "mine.txt").write_text(text)
    assert run("train", "ner", "--data", "mine.txt", *SMALL) == 2
    assert message in capsys.readouterr().err
    assert not (workplace / "runs").exists()


def test_iob1_is_guessed_from_inside_tags(workplace):
    (workplace / "mine.txt").write_text("".join(f"a{i} O\nb I-PER\nc B-PER\n\n" for i in range(40)))
    loaded = RECIPE.load(config(data="mine.txt"))
    assert {tuple(tags) for split in loaded.values() for tags in split.targets["tags"]} == {
        ("O", "S-PER", "S-PER")
    }


def test_metrics_are_strict():
    from keras_seq_recipes.ner.metric import entity_metrics

    true = [{Span("PER", 0, 2), Span("LOC", 3, 4)}, {Span("LOC", 0, 1)}]
    predicted = [{Span("PER", 0, 1), Span("LOC", 3, 4)}, {Span("PER", 0, 1)}]
    metrics = entity_metrics(true, predicted)
    assert metrics["f1"] == metrics["precision"] == metrics["recall"] == 1 / 3
    assert metrics["per_label"]["LOC"] == {"f1": 2 / 3, "precision": 1, "recall": 1 / 2}
    assert metrics["per_label"]["PER"]["f1"] == 0


def test_wrong_spans_are_outlined_on_the_page():
    from keras_seq_recipes.ner.metric import write_page

    html = write_page([(["A<", "b"], {Span("PER", 0, 1)}, {Span("LOC", 1, 2)})], ["LOC", "PER"])
    assert "A&lt;" in html and html.count('class="off"') == 2


def test_unbalanced_brackets():
    from keras_seq.data.datasets import peoples_daily

    with pytest.raises(InputError, match="x: the bracket that opens at '中央' is not closed"):
        list(peoples_daily.parse_paragraph("[中央/n 好/a", "x"))
    with pytest.raises(InputError, match="x: the bracket that closes at"):
        list(peoples_daily.parse_paragraph("中央/n]nt", "x"))
    with pytest.raises(InputError, match=r"x: '好' is not word/tag"):
        list(peoples_daily.parse_paragraph("中央/n 好", "x"))


UPOS = {"Ada": "PROPN", "sees": "VERB", "it": "PRON"}


@pytest.mark.slow
def test_parts_of_speech_of_conll_u(workplace):
    rng = np.random.default_rng(0)
    blocks, expected = [], {}
    for _ in range(60):
        tokens = [str(token) for token in rng.choice(list(UPOS), 5)]
        expected[" ".join(tokens)] = [UPOS[token] for token in tokens]
        lines = [f"{i}\t{t}\t_\t{UPOS[t]}" + "\t_" * 6 for i, t in enumerate(tokens, 1)]
        blocks.append("\n".join(["# text = x", *lines, "6.1\tghost" + "\t_" * 8]))
    (workplace / "mine.conllu").write_text("\n\n".join(blocks) + "\n")
    settings = config(data="mine.conllu", units=4, num_layers=1, steps=2)
    with data.collect_summaries() as summaries:
        splits = RECIPE.load(settings)
    [summary] = summaries
    assert summary.format == "CoNLL-U" and summary.columns == {"token": "FORM", "tag": "UPOS"}
    assert summary.scheme == "classes"
    found = {
        " ".join(tokens): tags
        for split in splits.values()
        for tokens, tags in zip(split.inputs, split.targets["tags"])
    }
    assert found == expected
    model = RECIPE.build(settings, splits["train"])
    assert model.tag_set.tags == ["O", "PRON", "PROPN", "VERB"]
    metrics = RECIPE.evaluate(model, splits, "test")
    assert set(metrics["per_label"]) == set(UPOS.values()) and 0 <= metrics["accuracy"] <= 1
    RECIPE.report(model, splits, "test", workplace)
    assert (workplace / "confusion_matrix.png").exists()


def test_tokens_of_any_character(workplace):
    tokens = ["\n", "a\u2028b", '"', "\\n", "\x00", "é"]
    row = {"tokens": tokens, "ner_tags": ["O"] * 5 + ["B-PER"]}
    (workplace / "mine.jsonl").write_text(json.dumps(row))
    [split] = RECIPE.load(config(data="mine.jsonl")).values()
    assert split.inputs == [tokens] and split.targets["tags"] == [["O"] * 5 + ["S-PER"]]


def test_one_scheme_and_one_tokenizer_for_all_splits(workplace):
    (workplace / "mine").mkdir()
    (workplace / "mine/train.conll").write_text("Ann PER\nis O\n\n" * 5)
    (workplace / "mine/test.conll").write_text("New LOC\nYork LOC\n")
    splits = RECIPE.load(config(data="mine"))
    assert splits["test"].targets["tags"] == [["B-LOC", "E-LOC"]]
    for name, text in (("train", "\u5f20\u5c0f"), ("test", "Ann")):
        (workplace / f"mine/{name}.jsonl").write_text(json.dumps({"text": text, "label": []}))
        (workplace / f"mine/{name}.conll").unlink()
    assert RECIPE.load(config(data="mine"))["test"].inputs == [["A", "n", "n"]]


def test_iob2_tags_under_another_scheme(workplace, capsys):
    (workplace / "mine.txt").write_text("a B-PER\nb O\n")
    assert run("train", "ner", "--data", "mine.txt", "--tag-scheme", "IOBES", *SMALL) == 2
    assert "The tags look like IOB2; use --tag-scheme IOB2 or auto." in capsys.readouterr().err


def test_names_of_columns_and_tags_on_the_command_line(workplace, capsys):
    (workplace / "mine.txt").write_text("a O\n")
    assert run("train", "ner", "--data", "mine.txt", "--tag-column", "UPOS", *SMALL) == 2
    assert "there is no column 'UPOS'" in capsys.readouterr().err
    (workplace / "b.jsonl").write_text('{"tokens": ["a"], "ner_tags": [2]}')
    assert run("train", "ner", "--data", "b.jsonl", "--tag-names", "O,B-X", *SMALL) == 2
    assert "the tag 2 is not a number from 0 to 1" in capsys.readouterr().err


ADDRESSES = [
    "430 webster st, palo alto, CA 94301",
    "9912 S. Avenue H",
    "B-17 Lee's Mill #4, Evanston, IL 60202",
]


def write_addresses(folder, count=12):
    """Write addresses whose tokens are the parts between white space, each a street."""
    tokens = [address.split() for address in ADDRESSES * count]
    blocks = ["\n".join(f"{t} {'BI'[i > 0]}-Street" for i, t in enumerate(row)) for row in tokens]
    (folder / "mine.conll").write_text("\n\n".join(blocks) + "\n")


def test_raw_text_is_split_as_the_training_data(workplace):
    from keras_seq_recipes.ner import metric

    write_addresses(workplace)
    settings = config(data="mine.conll", units=4, num_layers=1, steps=2)
    splits = RECIPE.load(settings)
    model = RECIPE.build(settings, splits["train"])
    report = RECIPE.tokenizer_report(model, splits["train"])
    assert report.tokenizer == "whitespace" and report.shares == (1, 1)
    spans = [set(tags_to_spans(tags, "IOBES")) for tags in splits["train"].targets["tags"]]
    true, predicted = metric.raw_text_spans(model, splits, "train", spans, spans)
    assert true == predicted and len(true) == len(splits["train"])


def test_the_report_on_the_data_has_the_tokenizer(workplace, capsys):
    write_addresses(workplace)
    assert run("data", "ner", "mine.conll") == 0
    assert "tokenizer: white space, reproduces 100.0% of " in capsys.readouterr().out
    assert run("data", "ner", "mine.conll", "--tokenizer", "word") == 0
    assert "\n  training tokens: 9912 | S. | Avenue | H\n" in capsys.readouterr().out


@pytest.mark.slow
def test_another_tokenizer_lowers_the_f1_of_raw_text(workplace):
    from keras_seq_recipes.ner import metric

    write_addresses(workplace)
    settings = config(data="mine.conll", tokenizer="word", units=4, num_layers=1, steps=2)
    train = RECIPE.load(settings)["train"]
    model = RECIPE.build(settings, train)
    report = RECIPE.tokenizer_report(model, train)
    assert report.shares.sentences == 0 and "The tokenizer whitespace reproduces 100.0%." in (
        report.warning
    )
    spans = [set(tags_to_spans(tags, "IOBES")) for tags in train.targets["tags"]]
    true, predicted = metric.raw_text_spans(model, {"train": train}, "train", spans, spans)
    texts = [" ".join(tokens) for tokens in train.inputs]
    assert true == [{Span("Street", 0, len(text))} for text in texts]
    tagged = [{Span(s.label, s.start, s.end) for s in spans} for spans in model.tag(texts)]
    assert predicted == tagged


def test_original_text_of_conll_u_is_evaluated(workplace):
    lines = ["1\tAda\tB-PER\t_", "2\t-\tI-PER\t_", "3\tGrace\tI-PER\t_", "4\t.\tO\t_"]
    (workplace / "mine").mkdir()
    for split in ("train", "test"):
        text = "\n".join(["# text = Ada-Grace.", *lines])
        (workplace / f"mine/{split}.conllu").write_text(f"{text}\n\n" * 3)
    settings = config(data="mine", units=4, num_layers=1, steps=2)
    splits = RECIPE.load(settings)
    assert splits["test"].targets["texts"] == ["Ada-Grace."] * 3
    model = RECIPE.build(settings, splits["train"])
    report = RECIPE.tokenizer_report(model, splits["train"])
    assert report.text_source == "original" and report.tokenizer == "word"


def test_the_builtin_data_has_texts_and_characters(monkeypatch, workplace):
    from keras_seq_recipes.ner import data as ner_data

    line = "19980101-01-001-001/m 江/nr 泽民/nr 在/p 北京/ns 。/w"
    monkeypatch.setattr(ner_data.peoples_daily, "read_january_1998", lambda: [line] * 3)
    monkeypatch.setattr(ner_data, "DATASET", ("ner_texts", "1.0.0"))
    [split] = RECIPE.load(config()).values()
    assert split.targets["texts"] == ["江泽民在北京。"] * 3
    assert split.inputs[0] == list("江泽民在北京。")
    model = RECIPE.build(config(units=4, num_layers=1), split)
    assert model.encoder.tokenizer == "char_nospace"


MODEL = importlib.import_module("keras_seq_recipes.ner.model")


def examples(count=60):
    rows = [
        (tokens, spans_to_tags(spans, len(tokens), "IOBES")) for tokens, spans in sentences(count)
    ]
    tokens, tags = zip(*rows)
    return RawExamples([*tokens], {"tags": [*tags], "word_tags": None, "texts": [""] * count})


@pytest.mark.parametrize(
    ("count", "batch_size"), [(1, 8), (200, 8), (500, 16), (955, 32), (9_999, 32), (10_000, 128)]
)
def test_batches_of_small_data_are_small(count, batch_size):
    train = RawExamples([["a"]] * count, None)
    assert RECIPE.batch_size(config(), train) == batch_size
    assert RECIPE.batch_size(config(batch_size=7), train) == 7


def test_little_data_has_a_high_learning_rate():
    for count, rate in ((1_999, 0.01), (2_000, 0.003)):
        train = RawExamples([["a"]] * count, None)
        assert MODEL.learning_rate(config(), train) == rate
        assert MODEL.learning_rate(config(learning_rate=0.1), train) == 0.1


def test_small_data_has_an_expert(monkeypatch):
    options = config(units=2, num_layers=1)
    trained = MODEL.build(options, examples())
    [expert] = trained.experts
    assert {*trained.output} == {"tags", expert.name}
    assert trained.tag_set.scheme == "IOBES"
    # The new model also knows the features of the trained one.
    [more] = MODEL.build(options, examples(20), trained).experts
    assert {*expert.keys.tolist()} <= {*more.keys.tolist()}
    monkeypatch.setattr(MODEL, "MAX_SMALL", 59)
    assert not MODEL.build(options, examples()).experts
    assert MODEL.build(options, examples(), trained).experts


def test_the_builtin_data_is_not_small():
    train = RawExamples([["a"]] * 35_819, None)
    assert RECIPE.batch_size(config(), train) == 128
    assert MODEL.learning_rate(config(), train) == 0.003
    assert MODEL.MAX_SMALL < 35_819


def test_many_labels_have_fewer_tags(monkeypatch):
    monkeypatch.setattr(MODEL, "MAX_IOBES_LABELS", 1)
    train = examples(20)
    model = MODEL.build(config(units=2, num_layers=1), train)
    assert model.tag_set.tags == ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]
    # The metrics compare predictions in IOB2 with the tags of the data in IOBES.
    ids = RECIPE.encode(model, train).targets["tags"]
    true = [model.tag_set.decode(row[: len(tokens)]) for row, tokens in zip(ids, train.inputs)]
    assert true != train.targets["tags"]
    answers = {}
    monkeypatch.setattr(
        model, "tag_tokens", lambda rows, **_: [(answers[tuple(row)], None) for row in rows]
    )
    for tags, score in ((true, 1), ([["O"] * len(row) for row in true], 0)):
        answers.update(zip(map(tuple, train.inputs), tags))
        metrics = RECIPE.evaluate(model, {"train": train}, "train")
        assert metrics["f1"] == score and (metrics["accuracy"] == 1) == score
