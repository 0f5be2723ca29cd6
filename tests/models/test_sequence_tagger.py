"""SequenceTagger: training, tagging, saving and export."""

import functools

import keras
import numpy as np
import pytest
from helpers import BACKEND, CELLS, eagerly, run_script, slow_but, to_numpy
from keras import ops

from keras_seq import export, layers
from keras_seq._internal.errors import InputError
from keras_seq.models import AuxiliaryTags, SequenceTagger
from keras_seq.text import choose_tokenizer
from keras_seq.text.encoder import TextEncoder
from keras_seq.text.tags import TagSet

TEXTS = ["Ada met Grace Hopper .", "in London Alan slept .", "nobody came .", "Grace ."]
SENTENCES = [text.split() for text in TEXTS]
TAGS = [
    ["S-PER", "O", "B-PER", "E-PER", "O"],
    ["O", "S-LOC", "S-PER", "O", "O"],
    ["O", "O", "O"],
    ["S-PER", "O"],
]
ENCODER = TextEncoder.from_examples(TEXTS)
LOWERCASE = TextEncoder.from_examples(TEXTS, lowercase=True)
NUM_TAGS = len(TagSet(["LOC", "PER"]))
PAIRS = [ENCODER.encode("Grace Hopper"), ENCODER.encode("in London")]


@keras.saving.register_keras_serializable(package="tests")
class IsUpper(keras.layers.Layer):
    """Custom feature: whether each of the first characters is a capital letter."""

    reads = "characters"

    def call(self, characters):
        upper = (characters >= ord("A")) & (characters <= ord("Z"))
        return ops.cast(upper[..., :3], self.compute_dtype)


@keras.saving.register_keras_serializable(package="tests")
class AverageCell(keras.layers.Layer):
    """Custom cell: a moving average of the outputs of a dense layer."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = self.output_size = units
        self.dense = keras.layers.Dense(units, "tanh")

    def build(self, input_shape):
        self.dense.build(input_shape)

    def call(self, inputs, states, training=False):
        output = 0.5 * (states[0] + self.dense(inputs))
        return output, [output]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def recurrent(cell="LSTM", **options):
    return layers.RNNStack(cell, 8, **{"bidirectional": True, **options})


def token_embedding(encoder=ENCODER):
    return layers.TokenEmbedding(encoder, 8)


VARIANTS = {
    "characters and bigrams": lambda: {
        "features": [
            token_embedding(),
            layers.CharEncoder(4),
            keras.Sequential([layers.BigramEmbedding(PAIRS, 4), keras.layers.Dropout(0.1)]),
        ]
    },
    "softmax, one-hot": lambda: {
        "features": [layers.OneHotTokens(ENCODER.vocab_size)],
        "stack": [recurrent("GRU", dropout=0.1), recurrent("GRU")],
        "crf": False,
    },
    "custom feature, lower case": lambda: {
        "encoder": LOWERCASE,
        "features": [token_embedding(LOWERCASE), IsUpper()],
    },
    "templates": lambda: {
        "experts": [layers.TemplateFeatures.from_examples(SENTENCES, NUM_TAGS, dropout=0.1)]
    },
    "custom cell": lambda: {"stack": recurrent(AverageCell, num_layers=2)},
}


def small(name=None, **options):
    keras.utils.set_random_seed(0)
    options = {**(VARIANTS[name]() if name else {}), **options}
    options = {"encoder": ENCODER, "features": [token_embedding()], "stack": recurrent(), **options}
    tagger = SequenceTagger(tag_set=TagSet(["LOC", "PER"]), **options)
    tagger.compile(keras.optimizers.Adam(0.05), jit_compile=False)
    return tagger


@functools.cache
def trained(name):
    """Return a trained tagger, which tests must not change."""
    tagger = small(name)
    tagger.fit(SENTENCES, TAGS, epochs=60, verbose=0)
    return tagger


QUICK = ["characters and bigrams", "custom feature, lower case", "templates"]


@pytest.mark.slow
@pytest.mark.parametrize("name", slow_but(QUICK, VARIANTS))
def test_training_and_tagging(name):
    tagger = trained(name)
    with eagerly():
        assert [tags for tags, _ in tagger.tag_tokens(SENTENCES)] == TAGS
        results = tagger.tag(["  Ada met Grace  Hopper.", "", "in London"])
    assert [(s.text, s.label, s.start, s.end) for s in results[0]] == [
        ("Ada", "PER", 2, 5),
        ("Grace  Hopper", "PER", 10, 23),
    ]
    assert results[1] == []
    assert [(s.text, s.label) for s in results[2]] == [("London", "LOC")]
    assert all(0.5 < s.score <= 1 for spans in results for s in spans)


@pytest.mark.usefixtures("eagerly")
def test_default_layers():
    tagger = SequenceTagger(LOWERCASE, TagSet(["LOC", "PER"]))
    tagger.compile()
    tagger.fit(TEXTS, TAGS, verbose=0)
    assert len(tagger.tag(TEXTS)) == 4
    assert isinstance(tagger.token_embedding, layers.TokenEmbedding)
    assert tagger.stack.units == 128 and tagger.stack.bidirectional


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("cell", ["SimpleRNN", "PeepholeLSTM", "DiagonalPeepholeLSTM"])
def test_other_cells(cell):
    tagger = small(stack=recurrent(cell))
    tagger.fit(TEXTS, TAGS, verbose=0)
    layer = tagger.stack.recurrent_layers[0].forward_layer
    assert cell in CELLS and type(layer).__name__ == cell


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
def test_auxiliary_tags():
    """They are a second target and do not change the tagging."""
    tagger = small(auxiliary=AuxiliaryTags(["noun", "verb"], dropout=0.0))
    parts_of_speech = [
        ["noun" if token[0].isupper() else "verb" for token in row] for row in SENTENCES
    ]
    targets = {"tags": TAGS, "auxiliary": parts_of_speech}
    history = tagger.fit(SENTENCES, targets, epochs=20, verbose=0).history
    assert history["auxiliary_loss"][-1] < 0.5 * history["auxiliary_loss"][0]
    assert [tags for tags, _ in tagger.tag_tokens(SENTENCES)] == TAGS
    targets = {"tags": [["O", "O"]], "auxiliary": [["x", "noun"]]}
    assert tagger.encode([["a", "b"]], targets).targets["auxiliary"].tolist() == [[1, 2]]
    with pytest.raises(InputError, match="must be a dict of 'tags' and 'auxiliary'"):
        tagger.fit(SENTENCES, TAGS)


@pytest.mark.slow
def test_batch_size_does_not_matter():
    tagger = trained("characters and bigrams")
    together = tagger.tag_tokens([*SENTENCES, []], batch_size=3)
    assert together[-1][0] == []
    for sentence, (tags, p) in zip(SENTENCES, together):
        [(tags_alone, p_alone)] = tagger.tag_tokens([sentence])
        assert tags == tags_alone
        np.testing.assert_allclose(p, p_alone, atol=1e-5)
    assert tagger.tag([]) == tagger.tag_tokens([]) == []


def test_unknown_characters_and_very_long_texts():
    encoder = TextEncoder("的一是", "char_nospace")
    tagger = SequenceTagger(encoder, TagSet(["PER"]), stack=recurrent())
    text = "\u9f98\u9f98 x"
    assert all(text[span.start : span.end] == span.text for span in tagger.tag([text])[0])
    half_length = 1_000 if BACKEND == "tensorflow" else 50
    [(tags, p)] = tagger.tag_tokens(["的一" * half_length])
    assert len(tags) == len(p) == 2 * half_length and set(tags) <= set(tagger.tag_set.tags)


@pytest.mark.slow
def test_the_mean_of_all_scores_gives_the_tags():
    tagger = small("templates")
    [expert] = tagger.experts
    expert.table.assign(np.random.default_rng(0).normal(size=expert.table.shape))
    inputs = tagger.encode(SENTENCES).inputs
    outputs = {name: to_numpy(scores) for name, scores in tagger(inputs).items()}
    assert {*outputs} == {"tags", "template_features"}
    expected = to_numpy(expert(inputs["characters"]))
    np.testing.assert_allclose(outputs["template_features"][0], expected[0], rtol=1e-5, atol=1e-5)
    for scores in outputs.values():
        assert np.isneginf(scores[3, 2:]).all() and np.isfinite(scores[3, :2]).all()
    mean = np.mean([*outputs.values()], axis=0)
    best = to_numpy(tagger.crf_layer.decode(mean)[0])
    tags = [tags for tags, _ in tagger.tag_tokens(SENTENCES)]
    assert tags == [tagger.tag_set.decode(row[: len(s)]) for row, s in zip(best, SENTENCES)]


def test_experts_need_names_of_their_own():
    expert = layers.TemplateFeatures([1], NUM_TAGS, name="tags")
    with pytest.raises(InputError, match="need different names other than 'tags'"):
        small(experts=[expert])


def test_features_read_the_original_case():
    inputs = small("custom feature, lower case").encode(["Ada met"]).inputs
    assert inputs["characters"][0, 0, :4].tolist() == [*map(ord, "Ada"), 0]
    assert inputs["tokens"].tolist() == [LOWERCASE.encode("ada met")]


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_saved_and_loaded(tmp_path, name):
    tagger = trained(name) if name in QUICK else small(name)
    tagger.save(tmp_path / "tagger.keras")
    # Another CRF of the same name must not be confused with that of the loaded tagger.
    small()
    loaded = keras.saving.load_model(tmp_path / "tagger.keras")
    with eagerly():
        assert loaded.tag(TEXTS) == tagger.tag(TEXTS)
        for key in ("encoder", "tag_set"):
            assert loaded.get_config()[key] == tagger.get_config()[key]
        before = loaded.evaluate(TEXTS, TAGS, verbose=0)
        assert before == pytest.approx(tagger.evaluate(TEXTS, TAGS, verbose=0), abs=1e-5)
        loaded.fit(TEXTS, TAGS, epochs=3, verbose=0)
        assert loaded.evaluate(TEXTS, TAGS, verbose=0) < before


@pytest.mark.usefixtures("eagerly")
def test_a_custom_loss_is_saved(tmp_path):
    tagger = small(crf=False)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    tagger.compile("sgd", loss, metrics=["accuracy"])
    tagger.save(tmp_path / "tagger.keras")
    config = keras.saving.load_model(tmp_path / "tagger.keras").get_compile_config()
    assert config["loss"]["class_name"] == "SparseCategoricalCrossentropy"
    assert config["metrics"] == ["accuracy"]


LOAD = """
import sys
import tensorflow as tf
loaded = tf.saved_model.load(sys.argv[1])
out = loaded.tag(tf.constant([sys.argv[2], "", sys.argv[3]]))
for tokens, tags, p in zip(*(out[name].numpy() for name in ("tokens", "tags", "probabilities"))):
    row = [(a.decode(), b.decode()) for a, b in zip(tokens, tags) if b]
    assert all((x > 0) == bool(b) for x, b in zip(p, tags))
    print(row)
"""


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="exports from TensorFlow")
@pytest.mark.parametrize("name", ["characters and bigrams", "templates"])
def test_savedmodel_tags_strings_without_this_package(tmp_path, name):
    tagger = trained(name)
    report = export.savedmodel(tagger, str(tmp_path / "saved"))
    assert report["endpoints"] == ["tag"] and report["max_abs_error"] < 1e-5
    # XLA would compile a program for every new shape.
    assert b"Xla" not in (tmp_path / "saved/saved_model.pb").read_bytes()
    texts = TEXTS[0], TEXTS[1].replace(" .", ".")
    out = run_script(LOAD, tmp_path / "saved", *texts, elsewhere=True)
    first, empty, second = out.splitlines()
    sentences = [tagger.encoder.tokenize(text) for text in texts]
    assert first == str(list(zip(sentences[0], TAGS[0])))
    assert empty == "[]"
    assert second == str(list(zip(sentences[1], TAGS[1])))


@pytest.mark.slow
def test_inputs_to_trace():
    tagger = trained("characters and bigrams")
    inputs, steps = tagger.trace_inputs("Ada met Grace.")
    assert steps == ["Ada", "met", "Grace", "."]
    assert {name: array.shape for name, array in inputs.items()} == {
        "tokens": (1, 4),
        "characters": (1, 4, 20),
    }
    assert to_numpy(tagger(inputs)).shape == (1, 4, len(tagger.tag_set))


def no_features():
    return SequenceTagger(ENCODER, TagSet(["X"]), features=[])


def last_step():
    return SequenceTagger(
        ENCODER, TagSet(["X"]), stack=layers.RNNStack("GRU", 2, return_state=True)
    )


MISTAKES = {
    "an empty text": (lambda t: t.encode([["a"], []]), "Text 2 is empty"),
    "too few tags": (lambda t: t.fit([["a", "b"]], [["O"]]), "has 2 tokens but 1 tags"),
    "too few lists": (lambda t: t.fit(["a", "b"], [["O"]]), "2 texts but 1 lists of tags"),
    "an unknown tag": (lambda t: t.encode(["a"], [["S-ORG"]]), "Text 1: There is no tag 'S-ORG'"),
    "one text": (lambda t: t.tag("Ada"), "takes a list of texts"),
    "lists of tokens": (lambda t: t.tag([["Ada"]]), r"For lists of tokens use tag_tokens\(\)"),
    "no features": (lambda t: no_features(), "at least one feature layer"),
    "not all steps": (lambda t: last_step(), "outputs of all time steps: set return_sequences"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named(mistake):
    call, message = MISTAKES[mistake]
    with pytest.raises(InputError, match=message):
        call(small())


def test_token_lists_that_the_tokenizer_does_not_reproduce():
    sentences = [["430", "webster", "st,"], ["palo", "alto,", "CA"]]
    tags = [["O"] * 3, ["O", "O", "S-LOC"]]
    tagger = SequenceTagger(TextEncoder.from_examples(sentences), TagSet(["LOC"]))
    with pytest.warns(
        UserWarning, match="words, reproduces 0.0% of 2 training sentences"
    ) as caught:
        tagger.encode(sentences, tags)
    assert "The tokenizer whitespace reproduces 100.0%." in str(caught[0].message)
    tagger.encode(sentences, tags)
    assert len(caught) == 1


def test_texts_in_place_of_lists():
    tagger = SequenceTagger(ENCODER, TagSet(["PER"]), auxiliary=AuxiliaryTags(["noun"]))
    for call in (
        lambda: tagger.encode("Ada"),
        lambda: tagger.encode("Ada", [["O"]]),
        lambda: tagger.tag_tokens("Ada"),
        lambda: tagger.auxiliary.encode("noun"),
        lambda: TextEncoder.from_examples("Ada met"),
        lambda: ENCODER.detokenize("Ada"),
        lambda: choose_tokenizer(["Ada met"]),
    ):
        with pytest.raises(InputError, match=r"Expected a list of \w+, got one \w+: '\w+"):
            call()
