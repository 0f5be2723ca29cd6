"""The sequence tagger: learns, tags texts, is saved, loaded and exported."""

import functools

import keras
import numpy as np
import pytest
from helpers import BACKEND, CELLS, eagerly, run_script, slow_but

from keras_seq import export
from keras_seq._internal.errors import InputError
from keras_seq.models import SequenceTagger
from keras_seq.text.vocabulary import frequent

TEXTS = ["Ada met Grace Hopper .", "in London Alan slept .", "nobody came .", "Grace ."]
SENTENCES = [text.split() for text in TEXTS]
TAGS = [
    ["S-PER", "O", "B-PER", "E-PER", "O"],
    ["O", "S-LOC", "S-PER", "O", "O"],
    ["O", "O", "O"],
    ["S-PER", "O"],
]


def small(**options):
    keras.utils.set_random_seed(0)
    options = {"split": "words", "embedding": 8, "units": 8, "dropout": 0.0, **options}
    vocabulary = frequent(token for sentence in SENTENCES for token in sentence)
    tagger = SequenceTagger(vocabulary, ["LOC", "PER"], **options)
    if "auxiliary" not in options:
        optimizer, metrics = keras.optimizers.Adam(0.05), [tagger.crf.accuracy]
        tagger.compile(optimizer, loss=tagger.crf.loss, metrics=metrics)
    return tagger


LETTERS = {"letters": frequent("AdaGraceAlanHopperLondon"), "letter_units": 4}
BIGRAMS = {"bigrams": [("Grace", "Hopper"), ("in", "London")], "bigram_embedding": 4}
SOFTMAX = {"crf": False, "bidirectional": True, "cell": "GRU"}
ONE_HOT = {"embedding": None, "depth": 2, "dropout": 0.1}


@functools.cache
def learnt(name):
    """A tagger that has learnt the sentences, for tests that only read it."""
    tagger = small(**OPTIONS[name])
    examples = tagger.encode(SENTENCES, TAGS)
    tagger.fit(examples.inputs, examples.targets, epochs=60, verbose=0)
    return tagger


OPTIONS = {
    "letters and bigrams": LETTERS | BIGRAMS,
    "softmax, one-hot": SOFTMAX | ONE_HOT,
    "plain": {},
    "letters": LETTERS,
    "softmax": SOFTMAX,
    "one-hot": ONE_HOT,
    "bigrams": BIGRAMS,
}


@pytest.mark.parametrize("name", slow_but([*OPTIONS][:2], OPTIONS))
def test_learns_and_finds_spans(name):
    tagger = learnt(name)
    with eagerly():
        assert [tags for tags, _ in tagger.tag_tokens(SENTENCES)] == TAGS
        found = tagger.tag(["  Ada met Grace  Hopper.", "", "in London"])
    assert [(s.text, s.label, s.start, s.end) for s in found[0]] == [
        ("Ada", "PER", 2, 5),
        ("Grace  Hopper", "PER", 10, 23),
    ]
    assert found[1] == []
    assert [(s.text, s.label) for s in found[2]] == [("London", "LOC")]
    assert all(0.5 < s.score <= 1 for spans in found for s in spans)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("cell", ["SimpleRNN", "PeepholeLSTM", "DiagonalPeepholeLSTM"])
def test_takes_any_cell(cell):
    assert cell in CELLS
    tagger = small(cell=cell)
    examples = tagger.encode(SENTENCES, TAGS)
    tagger.fit(examples.inputs, examples.targets, verbose=0)
    assert type(tagger.get_layer("bidirectional_0").forward_layer).__name__ == cell


def test_what_is_learnt_beside():
    """Tags of another kind are a second target; tagging is as without them."""
    tagger = small(auxiliary=["noun", "verb"])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)
    tagger.compile(keras.optimizers.Adam(0.05), loss={"tags": tagger.crf.loss, "auxiliary": loss})
    words = [["noun" if token[0].isupper() else "verb" for token in row] for row in SENTENCES]
    examples = tagger.encode(SENTENCES, TAGS, words)
    history = tagger.fit(examples.inputs, examples.targets, epochs=60, verbose=0).history
    assert history["auxiliary_loss"][-1] < 0.3 * history["auxiliary_loss"][0]
    assert [tags for tags, _ in tagger.tag_tokens(SENTENCES)] == TAGS


def test_alone_or_in_a_batch_is_the_same():
    tagger = learnt("letters and bigrams")
    together = tagger.tag_tokens([*SENTENCES, []], batch_size=3)
    assert together[-1][0] == []
    for sentence, (tags, p) in zip(SENTENCES, together):
        [(tags_alone, p_alone)] = tagger.tag_tokens([sentence])
        assert tags == tags_alone
        np.testing.assert_allclose(p, p_alone, atol=1e-5)


def test_characters_never_seen_and_very_long_texts():
    tagger = SequenceTagger("的一是", ["PER"], units=4, embedding=4)
    text = "\u9f98\u9f98 x"
    assert all(text[span.start : span.end] == span.text for span in tagger.tag([text])[0])
    count = 5_000 if BACKEND == "tensorflow" else 50
    [(tags, p)] = tagger.tag_tokens(["的一" * count])
    assert len(tags) == len(p) == 2 * count and set(tags) <= set(tagger.tags)


def test_saved_and_loaded(tmp_path):
    tagger = learnt("letters and bigrams")
    tagger.save(tmp_path / "tagger.keras")
    loaded = keras.saving.load_model(tmp_path / "tagger.keras")
    with eagerly():
        assert loaded.tag(TEXTS) == tagger.tag(TEXTS)
        examples = loaded.encode(SENTENCES, TAGS)
        before = loaded.evaluate(examples.inputs, examples.targets, verbose=0)[0]
        loaded.fit(examples.inputs, examples.targets, epochs=3, verbose=0)
        assert loaded.evaluate(examples.inputs, examples.targets, verbose=0)[0] < before


LOAD = """
import sys
import tensorflow as tf
loaded = tf.saved_model.load(sys.argv[1])
found = loaded.tag(tf.constant([sys.argv[2], "", sys.argv[3]]))
for tokens, tags, p in zip(*(found[name].numpy() for name in ("tokens", "tags", "probabilities"))):
    row = [(a.decode(), b.decode()) for a, b in zip(tokens, tags) if b]
    assert all((x > 0) == bool(b) for x, b in zip(p, tags))
    print(row)
"""


@pytest.mark.skipif(BACKEND != "tensorflow", reason="exports from TensorFlow")
@pytest.mark.parametrize(
    "name", slow_but(["letters and bigrams"], ["letters and bigrams", "plain"])
)
def test_exported_tags_raw_strings_without_this_package(tmp_path, name):
    report = export.savedmodel(learnt(name), str(tmp_path / "saved"))
    assert report["endpoints"] == ["tag"] and report["largest difference"] < 1e-5
    # Operations of XLA are compiled for every shape that they meet.
    assert b"Xla" not in (tmp_path / "saved/saved_model.pb").read_bytes()
    texts = TEXTS[0], TEXTS[1].replace(" .", ".")
    out = run_script(LOAD, tmp_path / "saved", *texts, elsewhere=True)
    first, empty, second = out.splitlines()
    assert first == str(list(zip(SENTENCES[0], TAGS[0])))
    assert empty == "[]"
    assert second == str(list(zip(SENTENCES[1], TAGS[1])))


def test_vectors_start_the_embedding(tmp_path):
    (tmp_path / "word2vec.txt").write_text(
        "3 8\n"
        + "\n".join(
            f"{name} " + " ".join([str(i)] * 8) for i, name in enumerate(("Ada", "grace", "x"), 1)
        )
    )
    tagger = small()
    assert tagger.load_vectors(tmp_path / "word2vec.txt") == 2
    table = keras.ops.convert_to_numpy(tagger.get_layer("embedding").embeddings)
    np.testing.assert_array_equal(table[tagger._tokens.number("Ada")], np.ones(8))
    (tmp_path / "narrow.txt").write_text("Ada 1 2 3\n")
    with pytest.raises(InputError, match="vectors of 3 numbers, but the embedding has 8"):
        tagger.load_vectors(tmp_path / "narrow.txt")


MISTAKES = {
    "an empty sentence": (lambda t: t.encode([["a"], []]), "Sentence 2 is empty"),
    "too few tags": (lambda t: t.encode([["a", "b"]], [["O"]]), "has 2 tokens but 1 tags"),
    "an unknown tag": (lambda t: t.encode([["a"]], [["S-ORG"]]), r"tag \(sentence 1\) 'S-ORG'"),
    "one text": (lambda t: t.tag("Ada"), "takes a list of texts"),
    "an unknown split": (lambda t: SequenceTagger("a", ["X"], split="bytes"), "'bytes'"),
    "no vocabulary": (lambda t: SequenceTagger([], ["X"]), "at least one known token"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named(mistake):
    call, message = MISTAKES[mistake]
    with pytest.raises(InputError, match=message):
        call(small())
