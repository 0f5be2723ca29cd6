"""Recipe `sentiment`: tables, mocked TFDS datasets, training and metrics."""

import json

import keras
import numpy as np
import pytest
from helpers import to_numpy
from keras_seq_recipes.sentiment import data, metric, model, regression
from keras_seq_recipes.sentiment.config import Config
from keras_seq_recipes.sentiment.label_order import rank_labels, sort_labels

from keras_seq import InputError, cli
from keras_seq.data import collect_summaries
from keras_seq.models.results import Prediction
from keras_seq.text import TextEncoder
from keras_seq.train import registry

SMALL = ["--units", "4", "--steps", "6"]
WORDS = {"good": "fine great good", "bad": "awful poor bad", "so-so": "fair medium usual"}


def rows(count=90):
    random = np.random.default_rng(0)
    for number in range(count):
        label = list(WORDS)[number % 3]
        words = random.choice(WORDS[label].split(), 2)
        yield f'film {number} was {words[0]}, "really" {words[1]}', label


COLUMNS = {"text_column": "review", "label_column": "stars"}


def table(folder, suffix):
    """Write a table, and return its file and the expected rows."""
    file, expected = folder / f"mine{suffix}", dict(rows())
    if suffix == ".jsonl":
        lines = [json.dumps({"review": text, "stars": label}) for text, label in rows()]
    elif suffix == ".csv":
        quoted = [(text.replace('"', '""'), label) for text, label in rows()]
        lines = ["id,review,stars", *(f'7,"{text}",{label}' for text, label in quoted)]
    else:
        expected = {text.replace('"', ""): label for text, label in expected.items()}
        lines = ["review\tstars", *(f"{text}\t{label}" for text, label in expected.items())]
    file.write_text("\n".join(lines) + "\n")
    return file, expected


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_tables_are_read(workplace, suffix):
    file, expected = table(workplace, suffix)
    splits = data.load(Config(data=str(file), **COLUMNS))
    pairs = (zip(split.inputs, split.targets["labels"]) for split in splits.values())
    assert dict(pair for split in pairs for pair in split) == expected


@pytest.mark.slow
def test_own_table_end_to_end(workplace, capsys):
    file, _ = table(workplace, ".csv")
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join([*lines, lines[-1]]), encoding="utf-8")
    columns = ["--text-column", "review", "--label-column", "stars"]
    assert cli.main(["train", "sentiment", "--data", str(file), *columns, *SMALL]) == 0
    said = f"read {file}: delimited text, UTF-8, delimiter comma, header, text = 'review', "
    out = capsys.readouterr().out
    assert said + "label = 'stars'; 91 rows\n" in out
    folder = workplace / "runs/sentiment/default"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["data_read"][0]["delimiter"] == ","
    [warning] = metrics["data_warnings"]
    assert " split repeat another" in warning and f"warning: {warning}" in out
    assert {"accuracy", "f1", "calibration_error"} <= set(metrics["test"])
    for name in ("confusion_matrix.png", "calibration.png", "predictions.html"):
        assert (folder / name).stat().st_size > 500
    capsys.readouterr()
    assert cli.main(["predict", str(folder), "a great film", "awful"]) == 0
    out = capsys.readouterr().out
    assert "top words" in out and "great" in out


def untrained_model(initial=None, **settings):
    """Return an untrained model of the recipe."""
    config = Config(units=2, **settings)
    train = data.make_examples(["good film", "bad film"] * 3, ["yes", "no"] * 3)
    return model.build(config, train, initial)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("pooling", ["attention", "max", "last"])
def test_pooling_without_experts(pooling, monkeypatch):
    monkeypatch.setattr(model, "USE_NAIVE_BAYES", False)
    classifier = untrained_model(pooling=pooling, num_layers=2)
    assert classifier.has_token_weights == (pooling == "attention") and not classifier.experts
    prediction = classifier.classify(["good film"])[0]
    assert set(prediction.probabilities) == {"no", "yes"}


def test_pretrained_vectors(workplace):
    (workplace / "vectors.txt").write_text("good 1 2 3\nother 4 5 6\n")
    classifier = untrained_model(vectors="vectors.txt")
    row = classifier.encoder.tokens.index("good")
    np.testing.assert_array_equal(classifier.token_embedding.embeddings[row], [1, 2, 3])
    assert [expert.name for expert in classifier.experts] == ["naive_bayes", "char_ngrams"]


def test_rare_words_are_known_on_small_data(monkeypatch):
    texts = ["good film", "bad film", "rare"] * 2
    train = data.make_examples(texts[:-1], ["yes", "no"] * 2 + ["no"])
    small = model.build(Config(units=2), train)
    monkeypatch.setattr(model, "MAX_SMALL", 4)
    large = model.build(Config(units=2), train)
    assert "rare" in small.encoder.tokens and "rare" not in large.encoder.tokens
    # A model that starts from a trained one keeps its words.
    assert "rare" in model.build(Config(units=2), train, initial=small).encoder.tokens


def test_experts_are_counted_and_calibrated_but_not_trained(monkeypatch):
    monkeypatch.setattr(model, "MAX_REGRESSION", 0)
    train = data.make_examples(["good film", "bad film"] * 3, ["yes", "no"] * 3)
    classifier = model.build(Config(units=2), train)
    assert [expert.name for expert in classifier.experts] == ["naive_bayes", "char_ngrams"]
    weights = [expert.naive_bayes.feature_weights for expert in classifier.experts]
    factors = [to_numpy(w)[1, 0] / start for w, start in zip(weights, (0.45, 0.225))]
    assert factors[0] == pytest.approx(factors[1]) and abs(factors[0] - 1) > 0.01
    before = [to_numpy(weight) for weight in weights]
    network = to_numpy(classifier.get_layer("logits").kernel)
    encoded = model.encode(classifier, train)
    classifier.fit(encoded.inputs, encoded.targets, verbose=0)
    assert np.abs(to_numpy(classifier.get_layer("logits").kernel) - network).max() > 0
    for weight, values in zip(weights, before):
        np.testing.assert_array_equal(to_numpy(weight), values)


@pytest.mark.parametrize("labels", [["no", "yes"], ["no", "so-so", "yes"]])
def test_experts_of_small_data_are_mixed_with_logistic_regression(labels, monkeypatch):
    texts = ["good film", "bad film", "fair film", "a good one", "bad", "fair, not bad"]
    targets = [labels[number % len(labels)] for number in range(len(texts))]
    train = data.make_examples(texts, targets, weights=np.array([1, 1, 1, 0.5, 1, 1]))
    mixed = model.build(Config(units=2), train)
    monkeypatch.setattr(regression, "MAX_WEIGHTS", 0)  # too small a limit for a regression
    plain = model.build(Config(units=2), train)
    encoded = model.encode(mixed, train)
    logits, coefficients, features = 0, [], []
    for expert, counted in zip(mixed.experts, plain.experts):
        x = encoded.inputs["characters" if expert.name == "char_ngrams" else "tokens"]
        logits += 2 * to_numpy(expert(x)) - to_numpy(counted(x))
        layer, before = expert.naive_bayes, counted.naive_bayes
        ratios = to_numpy(layer.log_count_ratios)
        learned = 2 * to_numpy(layer.feature_weights) - to_numpy(before.feature_weights)
        counts = [np.bincount(np.asarray(i), minlength=len(ratios)) for i in expert.feature_ids(x)]
        frequency = np.array(counts, float)
        frequency[:, 0] = 0  # padding
        used = frequency.any(axis=0)
        assert np.abs(ratios[used]).min() > regression.MIN_RATIO
        frequency /= np.sqrt(frequency.sum(axis=1, keepdims=True))
        scale = np.log(7 / (1 + (frequency > 0).sum(axis=0))) + 1
        scale /= np.sqrt(((frequency * scale) ** 2).sum() / 6)
        features.append((frequency * scale)[:, used])
        coefficients.append((ratios * learned / scale[:, None])[used])
    # At the optimum, the gradient of the regularized cross-entropy is 0.
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    y = encoded.targets["labels"]
    errors = y - y.sum(axis=1, keepdims=True) * probabilities
    gradient = regression.INVERSE_REGULARIZATION * np.concatenate(features, axis=1).T @ errors
    expected = np.concatenate(coefficients)
    if len(labels) == 2:
        gradient /= 2  # The regression has one logit, the difference of ours.
    np.testing.assert_allclose(gradient, expected, atol=0.01 * np.abs(expected).max())


def test_targets_are_weighted_soft_labels_of_the_network():
    confidence, weights = np.array([0.75, 1.0]), np.array([1.0, 0.5])
    train = data.make_examples(["good", "bad"], ["yes", "no"], confidence, weights)
    targets = model.encode(model.build(Config(units=2), train), train).targets
    assert set(targets) == {"labels"}
    np.testing.assert_allclose(targets["labels"], [[0.25, 0.75], [0.5, 0]])
    logits = np.array([[1.0, 0.0], [0.0, 1.0]], "float32")
    # The network is trained before its logits are reduced.
    loss = model.ReducedCrossentropy(0.25)
    loss = keras.losses.deserialize(keras.losses.serialize(loss))
    losses = to_numpy(loss.call(targets["labels"], (0.25 * logits).astype("float32")))
    log_sigmoid = -np.log(1 + np.exp([-1, 1]))
    expected = -(targets["labels"] * np.array([log_sigmoid, log_sigmoid[::-1]])).sum(axis=1)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_the_network_counts_less_on_small_data():
    weights = [model.network_weight(count) for count in (1_000, 4_000, 20_000)]
    assert weights == pytest.approx([0.1, 0.4, 0.4])
    train = data.make_examples(["good film", "bad film"] * 50, ["yes", "no"] * 50)
    assert model.build(Config(units=2), train).loss["labels"].weight == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("count", "batch_size"), [(1, 8), (200, 8), (500, 16), (1_000, 32), (2_000, 64), (20_000, 64)]
)
def test_batches_of_small_data_are_small(count, batch_size):
    train = data.make_examples(["a"] * count, ["x"] * count)
    assert model.batch_size(Config(), train) == batch_size
    assert model.batch_size(Config(batch_size=7), train) == 7


def test_characters_of_long_texts_are_not_read(monkeypatch):
    assert not untrained_model(tokenizer="char").reads_characters
    for tokens, reads in ((12, True), (11, False)):  # six texts of two words
        monkeypatch.setattr(model, "MAX_PADDED_TOKENS", tokens)
        assert untrained_model().reads_characters == reads


class FixedModel:
    """A model with given predictions."""

    labels = ["bad", "good"]
    encoder = TextEncoder(["a", "b", "c", "d"])

    def __init__(self, answers):
        self.answers = answers

    def classify(self, texts):
        other = {"good": "bad", "bad": "good"}
        return [Prediction(a, p, {a: p, other[a]: 1 - p}, None) for a, p in self.answers]


def test_metrics_by_hand():
    answers = [("good", 0.95), ("good", 0.95), ("bad", 0.65), ("bad", 0.65)]
    splits = {"test": data.make_examples(["a", "b", "c", "d"], ["good", "bad", "bad", "bad"])}
    metrics = metric.evaluate(FixedModel(answers), splits, "test")
    assert metrics["accuracy"] == 0.75
    assert metrics["f1"] == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert metrics["calibration_error"] == pytest.approx(0.5 * 0.45 + 0.5 * 0.35)
    logs = np.log([0.95, 0.05, 0.65, 0.65])
    assert metrics["cross_entropy"] == pytest.approx(-logs.mean())


@pytest.mark.parametrize(
    ("labels", "given", "ordered", "ranks"),
    [
        (["10", "9", "1"], None, ["1", "9", "10"], {"1": 1, "9": 9, "10": 10}),
        (["0.5", "-1", "0"], None, ["-1", "0", "0.5"], {"-1": -1, "0": 0, "0.5": 0.5}),
        (["1", "0"], None, ["0", "1"], {}),
        (["1", "0"], "1,0", ["1", "0"], {"1": 1, "0": 0}),
        (["good", "bad", "nan"], None, ["bad", "good", "nan"], {}),
        (["1", "2", "two"], None, ["1", "2", "two"], {}),
        (["good", "bad"], "bad, fair, good", ["bad", "good"], {"bad": 0, "good": 1}),
    ],
)
def test_order_of_labels(labels, given, ordered, ranks):
    assert sort_labels(labels, given) == ordered
    assert rank_labels(labels, given) == ranks


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("1,2,2", "--label-order has a label twice: 1,2,2"),
        ("1,2,4", "The label '3' of the data is not in --label-order 1,2,4"),
    ],
)
def test_wrong_orders(given, message):
    with pytest.raises(InputError, match=message):
        sort_labels(["1", "2", "3"], given)


def stars(workplace):
    """Write a table of texts with 9 to 11 stars, and return its file."""
    file = workplace / "stars.csv"
    lines = [f"film {number} of {stars},{stars}" for number in range(30) for stars in (9, 10, 11)]
    file.write_text("\n".join(["text,label", *lines]) + "\n")
    return file


def test_stars_have_an_absolute_error(workplace):
    with collect_summaries() as summaries:
        splits = data.load(Config(data=str(stars(workplace))))
    assert str(summaries[-1]).endswith("stars.csv: labels ordered from '9' to '11'; 90 rows")
    config = Config(units=2)
    model = registry.find("sentiment").import_recipe().build(config, splits["train"])
    assert model.labels == ["9", "10", "11"]

    class Model(FixedModel):
        def classify(self, texts):
            return [Prediction("10", 1.0, dict.fromkeys(model.labels, 1 / 3), None)] * len(texts)

    true = np.array(splits["test"].targets["labels"])
    metrics = metric.evaluate(Model([]), splits, "test")
    assert metrics["accuracy"] == (true == "10").mean()
    assert metrics["mean_absolute_error"] == (true != "10").mean()


def test_a_label_that_is_not_in_the_order(workplace):
    config = Config(data=str(stars(workplace)), label_order="9,10")
    with pytest.raises(InputError, match="The label '11' of the data is not in --label-order 9,10"):
        data.load(config)


def test_page_shows_attention_weights():
    prediction = Prediction("good", 0.9, {}, [("a", 0.25), ("<b>", 0.75)])
    page = metric.write_page(
        [("a <b>", "bad", prediction), ("x & y", "good", Prediction("good", 1, {}, None))]
    )
    assert 'rgba(255,179,0,1.00)">&lt;b&gt;' in page and 'rgba(255,179,0,0.33)">a' in page
    assert "true label: bad" in page and "x &amp; y" in page


def read_mocked_rows(builder, split=None, **_):
    import tensorflow as tf

    texts, labels = zip(*rows(60))
    numbers = [list(WORDS).index(label) % 2 for label in labels]
    name = "sentence" if "glue" in builder.name else "text"
    return tf.data.Dataset.from_tensor_slices({name: list(texts), "label": numbers})


@pytest.mark.parametrize(
    ("name", "labels"),
    [("imdb_reviews", ["neg", "pos"]), ("glue/sst2", ["negative", "positive"])],
)
def test_mocked_tfds_dataset(workplace, mock_public, name, labels):
    with mock_public(as_dataset_fn=read_mocked_rows):
        splits = data.load(Config(data=f"tfds:{name}"))
    expected = [(text, labels[list(WORDS).index(label) % 2]) for text, label in rows(60)]
    assert set(splits) == {"train", "validation", "test"}
    for examples in splits.values():
        assert list(zip(examples.inputs, examples.targets["labels"])) == expected


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.csv",
            "words,label\nx,y\n",
            "a.csv, line 2: there is no column 'text'; there are words, label",
        ),
        ("a.csv", "text,label\n ,y\n", "a.csv, line 2: the text is empty"),
        ("a.csv", "text,label\nx,\n", "a.csv, line 2: the label is empty"),
        ("a.csv", "text,label\n" + "x,y\n" * 9, "All training texts have the label 'y'"),
        ("a.jsonl", '{"text": "x"\n', "a.jsonl, line 1: the line is not JSON"),
        ("a.jsonl", "[1]\n", "a.jsonl, line 1: the line is not a JSON object"),
    ],
)
def test_invalid_tables(workplace, capsys, name, content, message):
    (workplace / name).write_text(content)
    assert cli.main(["train", "sentiment", "--data", name, *SMALL]) == 2
    assert message in capsys.readouterr().err


def test_label_without_training_text(workplace, capsys):
    for split, label in (("train", "good bad"), ("test", "fair")):
        body = "\n".join(f"{split} {n},{label.split()[n % len(label.split())]}" for n in range(40))
        (workplace / f"{split}.csv").write_text(f"text,label\n{body}\n")
    assert cli.main(["train", "sentiment", "--data", str(workplace), *SMALL]) == 2
    assert "'fair'" in capsys.readouterr().err


def test_bad_rows_are_left_out_and_said(workplace, capsys):
    lines = [json.dumps({"text": text, "label": label}) for text, label in rows(40)]
    (workplace / "a.jsonl").write_text("\n".join([*lines, '{"text": "no label"}', "{"]))
    command = ["data", "sentiment", "a.jsonl"]
    for _ in range(2):  # The dataset without bad rows is not read under "strict".
        assert cli.main(command) == 2
        assert "a.jsonl, line 41: there is no column 'label'" in capsys.readouterr().err
        assert cli.main([*command, "--errors", "skip"]) == 0
        output, error = capsys.readouterr()
        assert "40 rows; left out 2: bad rows; bad: a.jsonl, line 41: " in output
        assert "warning: left out 2 bad rows of a.jsonl, such as: a.jsonl, line 41: " in error
        assert "line 42: the line is not JSON" in error


def test_folders_of_texts(workplace):
    for n, (text, label) in enumerate(rows()):
        split = ("train", "test")[n % 5 == 0]
        (workplace / f"mine/{split}/{label}").mkdir(parents=True, exist_ok=True)
        (workplace / f"mine/{split}/{label}/{n}.txt").write_text(text)
    found = data.load(Config(data=str(workplace / "mine")))
    assert len(found["test"].inputs) == 18
    pairs = (zip(split.inputs, split.targets["labels"]) for split in found.values())
    assert dict(pair for split in pairs for pair in split) == dict(rows())
