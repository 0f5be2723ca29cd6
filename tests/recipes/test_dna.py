"""Recipe `dna`: data formats, training, metrics, logo and export."""

import gzip
import json

import numpy as np
import pytest
from helpers import slow_but
from keras_seq_recipes.dna import bases, data, logo, metric
from keras_seq_recipes.dna.config import Config
from keras_seq_recipes.dna.fasta import read_fasta

from keras_seq import cli, export
from keras_seq._internal.errors import InputError
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


@pytest.mark.usefixtures("either_way")
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
    assert cli.main(["predict", str(folder), "acgxt"]) == 2
    assert "position 4: 'x' is not an IUPAC letter of DNA" in capsys.readouterr().err
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
            ">s\nACGT\nAC-T\n",
            "x.fa, line 3, position 3: '-' is not an IUPAC letter of DNA",
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
        ("a/y.fa", ">s\nACGT\n", "one FASTA file for each of at least two classes"),
        ("a/train.fa", ">s\nACGT\n", "The name of a FASTA file is the class"),
        ("x.fa", ">s\nACGT\n", "The name of a FASTA file is the class"),
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
    (workplace / "x.fa").write_text("\ufeff>one  two\nac\nGU\n\n>\nr\n")
    assert list(read_fasta("x.fa")) == [("one  two", "ACGT"), ("", "R")]


def small_model():
    """Return an untrained model and its training sequences, all of one length."""
    train = data.RawExamples(*map(list, zip(*rows(40, 6))))
    train = data.RawExamples(train.inputs, {"labels": train.targets})
    config = Config(units=4, conv_filters=4)
    return RECIPE.build(config, train), train


@pytest.mark.parametrize("how", slow_but(["onnx"], ["savedmodel", "onnx", "litert"]))
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
        InputError, match="The input, position 2: 'x' is not an IUPAC letter of DNA"
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
