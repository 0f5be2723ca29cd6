"""Recipe `dna`: data formats, training, metrics, logo and export."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from helpers import slow_but
from hypothesis import given, settings
from hypothesis import strategies as st
from keras_seq_recipes.dna import bases, data, logo, metric
from keras_seq_recipes.dna.config import Config
from keras_seq_recipes.dna.sequences import SequenceFile

from keras_seq import cli, export
from keras_seq._internal.errors import InputError
from keras_seq.data import collect_summaries, row_errors
from keras_seq.models.results import Prediction
from keras_seq.train import registry

RECIPE = registry.find("dna").import_recipe()
CUT_OFF = gzip.compress(b">s\nACGT\n" * 99, mtime=0)[:-20]
SMALL = ["--units", "4", "--conv-filters", "4", "--steps", "6", "--batch-size", "32"]


def rows(count=90, length=None):
    """Yield sequences with labels: GT is in the middle of donors, AG of acceptors."""
    random = np.random.default_rng(0)
    for number in range(count):
        label, site = ("donor", "GT") if number % 2 else ("acceptor", "AG")
        half = length or random.integers(5, 12)
        around = "".join(random.choice([*"ACGT"], 2 * half))
        yield around[:half] + site + around[half:], label


def table(path):
    path.write_text("sequence,label\n" + "".join(f"{s.lower()},{c}\n" for s, c in rows()))


def fasta(folder, packed=False):
    """Write a FASTA file per class, with wrapped lines, lower case and blank lines."""
    folder.mkdir(parents=True)
    for label in ("donor", "acceptor"):
        text = "\n"
        for number, (sequence, row_label) in enumerate(rows()):
            if row_label == label:
                wrapped = "\r\n".join(sequence[i : i + 7] for i in range(0, len(sequence), 7))
                text += f">s{number} of {label}\n{wrapped.lower() if number % 3 else wrapped}\n\n"
        if packed:
            (folder / f"{label}.fna.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
        else:
            (folder / f"{label}.fa").write_text(text)


def read(**fields):
    """Return all loaded examples, sequence to label."""
    loaded = data.load(Config(**fields))
    return {
        sequence: label
        for split in loaded.values()
        for sequence, label in zip(split.inputs, split.targets["labels"])
    }


def test_tables_and_fasta_files_are_read(workplace):
    table(workplace / "mine.csv")
    fasta(workplace / "mine")
    fasta(workplace / "packed", packed=True)
    for name in ("mine.csv", "mine", "packed"):
        assert read(data=name) == dict(rows()), name
    content = (workplace / "mine.csv").read_text()
    (workplace / "mine.csv").write_text(content.replace(",", "^"))
    assert read(data="mine.csv", delimiter="^") == dict(rows())


def test_folders_with_their_own_split(workplace):
    fasta(workplace / "mine/train")
    fasta(workplace / "mine/test")
    splits = data.load(Config(data="mine"))
    assert set(splits) == {"train", "validation", "test"}
    assert sorted(splits["test"].inputs) == sorted(sequence for sequence, _ in rows())
    with pytest.raises(
        InputError, match="--fold splits the data itself, but mine has its own splits"
    ):
        data.load(Config(data="mine", fold=1))


def test_folds_divide_all_sequences_and_keep_equal_ones_together(workplace):
    twice, tested = [*rows(), *rows()], []
    for fold in range(10):
        splits = data.split_by_fold(twice, fold)
        assert not set(splits.get("test", ())) & set(splits["train"])
        tested += splits.get("test", ())
    assert sorted(tested) == sorted(twice)
    table(workplace / "mine.csv")
    content, fold = (data.load(Config(data="mine.csv", fold=fold)) for fold in (None, 0))
    assert set(fold) == {"train", "test"}
    assert sorted(fold["test"].inputs) == sorted(content["test"].inputs)


def test_training_on_both_strands(workplace):
    assert bases.reverse_complement("AACGRN") == "NYCGTT"
    table(workplace / "mine.csv")
    one, both = (data.load(Config(data="mine.csv", strands=s)) for s in ("one", "both"))
    added = both["train"].inputs[len(one["train"].inputs) :]
    assert added == [bases.reverse_complement(s) for s in one["train"].inputs]
    assert both["train"].targets["labels"] == 2 * one["train"].targets["labels"]
    for split in ("test", "validation"):
        assert both[split].inputs == one[split].inputs and both[split].targets == one[split].targets


@pytest.mark.parametrize(
    ("settings", "counted"), [({}, True), ({"kmer": 0}, False), ({"pooling": "max"}, False)]
)
def test_weight_array_model_needs_pooling_in_the_middle(workplace, settings, counted):
    table(workplace / "mine.csv")
    config = Config(data="mine.csv", units=2, conv_filters=2, **settings)
    train = data.load(config)["train"]
    model = RECIPE.build(config, train)
    assert isinstance(model.output, dict) == counted
    if counted:
        (expert,) = model.experts
        assert (expert.order, expert.window) == (3, max(map(len, train.inputs)))
        assert np.abs(expert.weight_array.log_count_ratios.numpy()).max() > 1


def test_letters_have_the_probabilities_of_their_bases():
    vectors = bases.base_probabilities()
    assert vectors["a"] == [1, 0, 0, 0] and vectors["y"] == [0, 0.5, 0, 0.5]
    assert vectors["u"] == vectors["t"] and vectors["<UNK>"] == vectors["n"] == [0.25] * 4
    np.testing.assert_allclose([sum(vector) for vector in vectors.values()], 1)
    for letter, letter_bases in bases.IUPAC_CODE.items():
        complement_bases = bases.IUPAC_CODE[bases.reverse_complement(letter.replace("U", "T"))]
        assert sorted(map(bases.reverse_complement, letter_bases)) == sorted(complement_bases)


def test_tfds_dataset(workplace, mock_public):
    import tensorflow as tf

    def examples(builder, split=None, **_):
        names = builder.info.features["label"].names
        sequences, labels = zip(*rows(60))
        numbers = [names.index({"donor": "Yersinia", "acceptor": "Bacillus"}[c]) for c in labels]
        return tf.data.Dataset.from_tensor_slices({"seq": list(sequences), "label": numbers})

    with mock_public(as_dataset_fn=examples):
        splits = data.load(Config(data="tfds:genomics_ood"))
        with pytest.raises(InputError, match="has its own splits"):
            data.load(Config(data="tfds:genomics_ood", fold=0))
    assert set(splits) == {"train", "validation", "test"}
    genera = {"donor": "Yersinia", "acceptor": "Bacillus"}
    for examples_of_split in splits.values():
        expected = [(sequence, genera[label]) for sequence, label in rows(60)]
        assert list(zip(examples_of_split.inputs, examples_of_split.targets["labels"])) == expected


def test_splice_junctions_in_the_format_of_the_package(monkeypatch):
    from keras_seq_recipes.dna import splice

    text = "@relation x\n@attribute a {A, C}\n@data\nA, c, N, EI\nG, T, T, N\n"
    monkeypatch.setattr("keras_seq.data.read_from_wheel", lambda *_: {splice.MEMBER: text.encode()})
    assert list(splice.read_splice_junctions()) == [("AcN", "EI"), ("GTT", "N")]


@pytest.mark.slow
def test_end_to_end(workplace, capsys):
    table(workplace / "mine.csv")
    assert cli.main(["train", "dna", "--data", "mine.csv", *SMALL]) == 0, capsys.readouterr()
    folder = workplace / "runs/dna/default"
    metrics = json.loads((folder / "metrics.json").read_text())["test"]
    interval = metrics["accuracy_interval"]
    assert interval["low"] < metrics["accuracy"] <= interval["high"]
    assert {"donor", "acceptor"} <= set(metrics["per_label"])
    assert set(metrics["per_label"]["donor"]) == {"precision", "recall"}
    for name in ("confusion_matrix.png", "logo.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    (workplace / "new.fasta").write_text(">mine\nacg\ntnn\n>other\nGGGGU\n")
    capsys.readouterr()
    assert cli.main(["predict", str(folder), "new.fasta", "acgtrac"]) == 0
    out = capsys.readouterr().out
    assert "mine" in out and "other" in out and "ACGTRAC" in out and "donor" in out
    assert cli.main(["predict", str(folder), "acgzt"]) == 2
    assert "position 4: 'z' is not an IUPAC letter of DNA" in capsys.readouterr().err
    assert cli.main(["trace", str(folder), "acgtracc"]) == 0
    page = (folder / "trace_acgtracc.html").read_text()
    assert '["acg", "tra", "cc"]' in page.replace('","', '", "').lower()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "sequence,label\nAC GT,x\nACZGT,y\n", "a.csv, line 3, position 3: 'Z' is not"),
        ("a.csv", "seq,label\nACGT,x\n", "no column 'sequence'; there are seq, label"),
        ("a.csv", "sequence,label\n,x\n", "a.csv, line 2: the sequence is empty"),
        (
            "a.csv",
            "sequence,label\n" + "".join(f"{s},x\n" for s, _ in rows()),
            "have the label 'x'",
        ),
        (
            "a/x.fa",
            ">s\nACGT\nAC?T\n",
            "x.fa, line 3, position 3: '?' is not an IUPAC letter of DNA",
        ),
        ("a/x.fa", "ACGT\n", "x.fa, line 1: FASTA needs a line with > and a name before the first"),
        ("a/x.fa", ">s\nACGT\n>cut\n", "x.fa, line 3: no sequence follows this name"),
        ("a/x.fa", "", "x.fa is empty"),
        (
            "a/x.fa.gz",
            CUT_OFF,
            "x.fa.gz is damaged or is not a gzip file",
        ),
        ("a/x.fa.gz", b">s\nACGT\n", "x.fa.gz is damaged or is not"),
        ("a/x.fa", ">s\nACGT\n>cut\n-*\n", "x.fa, line 3: no sequence follows this name"),
        ("a/x.fq", "@s\nACGT\n+\nII\n", "x.fq, line 1: a record has 4 letters and 2 qualities"),
        ("a/x.fq", "@s\nAC\n+\nIII\n", "x.fq, line 4: a record has 2 letters and 3 qualities"),
        ("a/x.fq", "@s\nAC\n", "x.fq, line 1: the record has no line with + and qualities"),
        ("a/x.fq", "@s\nAC\n+\nII\nAC\n", "x.fq, line 5: a record of FASTQ begins with @"),
        ("a.csv", "sequence,label\n-*-,x\n", "a.csv, line 2: the sequence has no base"),
        ("a/y.fa", ">s\nACGT\n", "folder with one file, or one folder, for each of at least two"),
        ("a/train.fa", ">s\nACGT\n", "The name of a FASTA file or of its folder is the class"),
        ("x.fa", ">s\nACGT\n", "The headers of x.fa do not show the class of a sequence"),
    ],
)
def test_bad_files(workplace, capsys, name, content, message):
    path = workplace / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    if (path.name.startswith("x") and path.parent != workplace) or "train" in name:
        (workplace / "a/y.fa").write_text(">s\nACGT\n")
    source = name.split("/")[0]
    assert cli.main(["train", "dna", "--data", source, *SMALL]) == 2
    assert message in capsys.readouterr().err
    assert not (workplace / "runs").exists()


def test_headers_and_sequences_of_a_fasta_file(workplace):
    read_records, _ = records("\ufeff>one  two\nac\nGU\n\n>\nr\n")
    assert read_records == [("one  two", "ACGT"), ("", "R")]


COMMENTS = ";an old comment\n>one first\nacgtn\n# another comment\nRYX\n>two\nACG*\n"


def records(text, name="x.fa"):
    """Return header and sequence of each record of a file, and the summary."""
    Path(name).write_text(text)
    file = SequenceFile(name)
    return [(record.header, record.sequence) for record in file], file.summary


def test_comments_stops_gaps_and_unknown_letters(workplace):
    read_records, summary = records(COMMENTS)
    assert read_records == [("one first", "ACGTNRYN"), ("two", "ACG")]
    assert str(summary) == (
        "x.fa: FASTA, UTF-8; 2 rows; left out 2: comment lines; left out 1 stop (*); read 1 letter "
        "X as N"
    )
    assert records(">a\nAC--G.T\n\n\n-u\n")[0] == [("a", "ACGTT")]
    Path("x.csv").write_text("sequence,label\nAC-X*,one\nacgu,one\n")
    with collect_summaries() as summaries:
        assert read(data="x.csv") == {"ACN": "one", "ACGT": "one"}
    assert summaries[0].notes == ("left out 1 gap and 1 stop (*)", "read 1 letter X as N")


def test_text_files_that_are_fasta(workplace):
    table(workplace / "table.txt")
    (workplace / "table.txt").write_text((workplace / "table.txt").read_text().replace(",", "\t"))
    Path("x.txt").write_text("".join(f">{label}\n{sequence}\n" for sequence, label in rows()))
    assert read(data="x.txt") == read(data="table.txt") == dict(rows())


def test_fastq(workplace):
    text = (
        "@one\nACGT\n+\n@III\n@two x\nAC.\r\nGT\n+two x\n+@I\nII\n\n@trimmed\n\n+\n\n@last\nA\n+\nI"
    )
    read_records, summary = records(text, "x.fastq")
    assert read_records == [("one", "ACGT"), ("two x", "ACNGT"), ("last", "A")]
    assert (summary.format, summary.left_out) == ("FASTQ", {"empty reads": 1})
    assert records(text)[0] == read_records, "the format is that of the content"


NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), min_size=1, max_size=8)
RECORDS = st.lists(
    st.tuples(NAMES, st.text("ACGTRYKMSWBDHVN", min_size=1, max_size=30)), min_size=1
)


@given(RECORDS, st.integers(1, 9), st.booleans(), st.sampled_from(["\n", "\r\n"]))
@settings(deadline=None, max_examples=60)
def test_written_records_are_read_back(tmp_path_factory, rows, width, is_fastq, end):
    lines = []
    for name, sequence in rows:
        wrapped = [sequence[start : start + width] for start in range(0, len(sequence), width)]
        lines += [("@" if is_fastq else ">") + name, *wrapped]
        # Qualities may begin with any sign.
        lines += ["+", *(("@+>;"[len(part) % 4] * len(part)) for part in wrapped)] * is_fastq
    path = tmp_path_factory.mktemp("records") / "x.fa.gz"
    path.write_bytes(gzip.compress((end.join(lines) + end).encode()))
    assert [(record.header, record.sequence) for record in SequenceFile(path)] == rows


@pytest.mark.parametrize(
    ("headers", "option", "described"),
    [
        ([f"s{n}|{c}" for n, (_, c) in enumerate(rows())], None, "field 2"),
        ([f"{c}" for _, c in rows()], None, "field 1"),
        ([f"s{n} {c} training" for n, (_, c) in enumerate(rows())], None, "field 2"),
        ([f"s{n} x class={c}; y" for n, (_, c) in enumerate(rows())], None, "key class"),
        ([f"s{n} [kind={c}] x" for n, (_, c) in enumerate(rows())], "kind", "key kind"),
        ([f"chr{n % 5}|{c}" for n, (_, c) in enumerate(rows())], "2", "field 2"),
    ],
)
def test_classes_in_headers(workplace, headers, option, described):
    lines = (f">{header}\n{sequence}\n" for header, (sequence, _) in zip(headers, rows()))
    Path("x.fa").write_text("".join(lines))
    with collect_summaries() as summaries:
        assert read(data="x.fa", header_label=option) == dict(rows())
    assert summaries[0].columns == {"label": described}


def test_classes_in_headers_of_files_with_splits(workplace):
    for split in ("train", "dev", "test"):
        sequences = "".join(f">{label}\n{sequence}\n" for sequence, label in rows(20))
        (workplace / f"{split}.fa").write_text(sequences)
    splits = data.load(Config(data="."))
    assert {name: len(split.inputs) for name, split in splits.items()} == {
        "train": 20,
        "validation": 20,
        "test": 20,
    }


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        (
            "abcd",
            r"headers of x\.fa do not show the class of a sequence; name it by --header-label",
        ),
        (
            [f"{n % 3}|{n % 2}" for n in range(12)],
            r"The fields 1 .*, 2 .* of the headers",
        ),
        (["a|b|c", "a b", "a", "b"] * 4, "do not show the class"),
    ],
)
def test_headers_without_a_clear_class(workplace, headers, message):
    Path("x.fa").write_text("".join(f">{header}\nACGT\n" for header in headers))
    with pytest.raises(InputError, match=message):
        data.load(Config(data="x.fa"))


def test_folders_that_are_named_by_class(workplace):
    for number, (sequence, label) in enumerate(rows()):
        path = workplace / f"mine/{label}/{number % 2}/{number}.fastq"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"@r\n{sequence}\n+\n{'I' * len(sequence)}\n")
    (workplace / "mine/donor/._1.fastq").write_bytes(b"\0")
    assert read(data="mine") == dict(rows())


@pytest.mark.parametrize("order", ["{0},{1}", "{1};{0}", "{1}\t{0}"])
def test_tables_without_a_header(workplace, order):
    Path("x.csv").write_text("".join(order.format(*row) + "\n" for row in rows()))
    with collect_summaries() as summaries:
        assert read(data="x.csv") == dict(rows())
    assert summaries[0].has_header is False


def test_tables_without_a_header_of_more_columns(workplace):
    Path("x.csv").write_text("".join(f"{c},{n},  {s}\n" for n, (s, c) in enumerate(rows())))
    with pytest.raises(InputError, match="no header and 3 columns; give the numbers"):
        data.load(Config(data="x.csv"))
    assert read(data="x.csv", sequence_column="3", label_column="1") == dict(rows())


def test_proteins(workplace):
    with pytest.raises(InputError, match=r"x\.fa, line 2, position 2: 'E' .* looks like a protein"):
        records(">p\nMEIKLPQW\n")
    # Letters of amino acids that are those of groups of bases too.
    notes = records(">p\nMKVHDYSWRRKG\n>q\nACKMRSW\n")[1].notes
    assert notes == ("only 16% of the letters are A, C, G, T, U or N: is this DNA?",)


def test_bad_records_and_files_are_left_out_on_request(workplace):
    fasta(workplace / "mine")
    with (workplace / "mine/donor.fa").open("a") as file:
        file.write(">wrong\nACGZ\n>empty\n")
    for number in range(3):
        (workplace / "mine" / "donor").mkdir(exist_ok=True)
        (workplace / f"mine/donor/{number}.fa.gz").write_bytes(CUT_OFF if number else CUT_OFF[:9])
    with pytest.raises(InputError, match=r"donor/0\.fa\.gz is damaged"):
        data.load(Config(data="mine"))
    (workplace / "mine/donor/2.fa.gz").unlink()
    with row_errors.policy("skip"), collect_summaries() as summaries:
        assert read(data="mine").items() >= dict(rows()).items()
    left_out = {Path(summary.path).name: summary.left_out for summary in summaries}
    assert left_out == {"acceptor.fa": {}, "donor.fa": {"bad rows": 2}, "mine": {"bad rows": 2}}


def small_model():
    """Return an untrained model and its training sequences, all of one length."""
    train = data.RawExamples(*map(list, zip(*rows(40, 6))))
    train = data.RawExamples(train.inputs, {"labels": train.targets})
    config = Config(units=4, conv_filters=4)
    return RECIPE.build(config, train), train


@pytest.mark.parametrize("how", slow_but([], ["savedmodel", "onnx", "litert"]))
def test_exports(workplace, how):
    pytest.importorskip({"onnx": "onnxruntime", "litert": "ai_edge_litert"}.get(how, "tensorflow"))
    model, train = small_model()
    tokens = [model.encoder.tokenize(sequence) for sequence in train.inputs[:3]]
    report = export.FORMATS[how](model, workplace / how, [*tokens, tokens[0][:5]])
    assert report["max_abs_error"] < 1e-5
    if how == "savedmodel":
        import tensorflow as tf

        loaded = tf.saved_model.load(workplace / how)
        texts = [train.inputs[0], train.inputs[0].lower(), "acgRn"]
        out = loaded.classify(tf.constant(texts))["probabilities"].numpy()
        expected = [list(prediction.probabilities.values()) for prediction in model.classify(texts)]
        np.testing.assert_allclose(out, expected, atol=1e-5)
        np.testing.assert_allclose(out[0], out[1], atol=1e-6)


def test_demo_panel():
    pytest.importorskip("gradio")
    model, _ = small_model()
    panel = RECIPE.demo(model, None)
    [likely], inputs, steps = panel.answer("acg tracc\n")
    assert set(likely) == {"donor", "acceptor"}
    assert steps == ["ACG", "TRA", "CC"] and inputs["tokens"].shape == (1, 8)
    with pytest.raises(
        InputError, match="The input, position 4: 'f' is not an IUPAC letter of DNA"
    ):
        panel.answer("ax.fa")
    with pytest.raises(InputError, match="There is no text yet"):
        panel.answer(None)


class CountingModel:
    """A model whose log-odds of "many" are the number of Gs."""

    labels = ["few", "many"]

    def classify(self, sentences, batch_size=64):
        for sentence in sentences:
            p = float(1 / (1 + np.exp(-sentence.count("G"))))
            label = "many" if p > 0.5 else "few"
            yield Prediction(label, max(p, 1 - p), {"few": 1 - p, "many": p}, None)


def test_saliency_is_the_loss_of_log_odds(workplace):
    examples = data.RawExamples(
        ["AGC", "GGC", "CCT", "ACGTT"], {"labels": ["many"] * 2 + ["few"] * 2}
    )
    saliency = logo.compute_saliency(CountingModel(), examples)
    assert set(saliency) == {"few", "many"}
    np.testing.assert_allclose(saliency["few"], np.zeros((3, 4)), atol=1e-6)
    expected = [[0, 0, 0.5, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(saliency["many"], expected, atol=1e-6)
    logo.draw_logo(
        {"a": np.array([[1.0, -2.0, 0, 0.5]]), "b": saliency["many"]}, workplace / "logo.png"
    )
    assert (workplace / "logo.png").stat().st_size > 1000


def test_metrics_by_hand():
    class Fixed:
        labels = ["few", "many"]

        def classify(self, sentences, batch_size):
            return list(CountingModel().classify(sentences))

    examples = data.RawExamples(["G", "C", "GG", "GGG"], {"labels": ["many", "few", "few", "many"]})
    metrics = metric.evaluate(Fixed(), {"test": examples}, "test")
    assert metrics["accuracy"] == 0.75
    assert metrics["per_label"]["many"] == {"precision": 2 / 3, "recall": 1}
    assert metrics["per_label"]["few"]["recall"] == 0.5
    # Wilson interval of 3 correct out of 4, by the formula of the paper.
    low, high = metric.accuracy_interval(3, 4)
    for end in (low, high):
        np.testing.assert_allclose(
            (end - 0.75) ** 2, 1.959963984540054**2 * end * (1 - end) / 4, rtol=1e-6
        )
    assert low < 0.75 < high


def test_traced_files_have_the_encoding_of_the_run(workplace):
    (workplace / "x.fa").write_bytes(">Größe EI\nACGT\nAC\n>b IE\nAAAA\n".encode("latin-1"))
    recipe = registry.find("dna").import_recipe()
    assert recipe.read_example(Config(encoding="latin-1"), "x.fa") == "ACGTAC"
    with pytest.raises(InputError, match=r"is not (UTF|utf)-8"):
        recipe.read_example(Config(), "x.fa")
    assert recipe.read_example(Config(), "acgt") == "ACGT"
