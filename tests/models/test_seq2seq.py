"""Sequence to sequence: what is written step by step is what is read at once; texts in and out."""

import functools

import keras
import numpy as np
import pytest
from helpers import BACKEND, ELSEWHERE, eagerly, run_script, to_numpy

from keras_seq import export
from keras_seq._internal.errors import InputError
from keras_seq.export.signatures import adapter_for
from keras_seq.models import Seq2Seq
from keras_seq.models.seq2seq import TokenCrossentropy
from keras_seq.text.subwords import learn_pieces
from keras_seq.text.vocabulary import frequent

WORDS = ["abc", "cab", "bad", "dab", "add", "bcd", "ba", "cc", "dcba", "acca"]
# Backwards, each letter a word.
SAID = [[letter.upper() for letter in word[::-1]] for word in WORDS]
SMALL = {"units": 8, "embedding": 6, "dropout": 0.0}


def small(**arguments):
    keras.utils.set_random_seed(0)
    model = Seq2Seq(
        frequent("".join(WORDS)),
        list("ABCD"),
        **{"split": "characters", "target_split": "spaced", **SMALL, **arguments},
    )
    # Larger weights than at the start, so that steps differ.
    model.set_weights([2 * np.asarray(to_numpy(w)) for w in model.weights])
    return model


plain = functools.cache(small)


@functools.cache
def learnt():
    keras.utils.set_random_seed(0)
    options = {"split": "characters", "target_split": "spaced", "units": 24, "embedding": 12}
    model = Seq2Seq(frequent("".join(WORDS)), list("ABCD"), dropout=0.0, **options)
    model.compile(keras.optimizers.Adam(0.02), loss=model.loss_of_tokens)
    examples = model.encode(WORDS, SAID)
    model.fit(examples.inputs, examples.targets, epochs=60, verbose=0)
    return model


def log_probs(model, source, translations, longest):
    """Of the tokens of each translation and of its end, by reading all of it at once."""
    examples = model.encode([source] * len(translations), translations)
    logits = to_numpy(model(examples.inputs)).astype("float64")
    scores = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    scores = np.take_along_axis(scores, examples.targets[:, :, None], 2)[:, :, 0]
    return [row[: min(len(one) + 1, longest)] for row, one in zip(scores, translations)]


OPTIONS = {
    "plain": {},
    "additive": {"attention": "additive", "cell": "GRU", "tied": True},
    "dot": {"attention": "dot", "bidirectional": False, "embedding": None, "cell": "PeepholeLSTM"},
    "without attention": {"attention": None, "tied": True, "decoder_depth": 2},
    "runs": {"ngrams": 3, "ngram_rows": 16, "ngram_embedding": 3},
    "fed": {"input_feeding": True, "decoder_depth": 2, "depth": 2, "recurrent_dropout": 0.1},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_what_is_written_step_by_step_is_what_is_read_at_once(eagerly, options):
    model = small(**options)
    [found] = model.translations(["abcd"], n_best=3, beam_width=3, max_length=5, min_length=2)
    assert len({one.text for one in found}) == len(found) == 3
    wanted = []
    for scores in log_probs(model, "abcd", [one.tokens for one in found], longest=5):
        wanted.append(scores.sum() / ((5 + len(scores)) / 6) ** 0.6)
    assert wanted == sorted(wanted, reverse=True)
    np.testing.assert_allclose([one.score for one in found], wanted, atol=1e-4)
    assert all(one.text == " ".join(one.tokens) for one in found)
    # If one is enough, it is the same, come by in another way.
    how = {"beam_width": 3, "max_length": 5, "min_length": 2}
    assert model.translate(["abcd"], **how) == [found[0].text]
    assert found[0].source == [*"abcd", "<EOS>"]


@pytest.fixture
def trained(request):
    """The model that has learnt the words, from now on run eagerly."""
    model = learnt()
    request.getfixturevalue("eagerly")
    return model


def test_learns_and_says_it():
    model = learnt()
    assert model.translate(WORDS) == [" ".join(said) for said in SAID]
    [[best, second]] = model.translations(["dcba"], n_best=2, attention=True)
    assert best.score > -0.5 > second.score
    assert best.attention.shape == (4, 5)
    np.testing.assert_allclose(best.attention.sum(axis=1), 1, atol=1e-5)
    assert model.translations([]) == model.translate([]) == []


def test_a_beam_where_it_is_not_certain_that_greedy_found_the_best(trained, monkeypatch):
    model, words, searched = trained, [*WORDS, "abcdabcd"], []
    found = Seq2Seq._found

    def spied(self, sources, batch_size, max_length, attention, copy_unknown, beam, *how):
        searched.append((beam, ["".join(source) for source in sources]))
        return found(self, sources, batch_size, max_length, attention, copy_unknown, beam, *how)

    best = [best.text for best, _ in model.translations(words, n_best=2)]
    monkeypatch.setattr(Seq2Seq, "_found", spied)
    assert model.translate(words) == best
    assert searched == [(1, words), (5, ["abcdabcd"])]


def test_alone_or_in_a_batch_is_the_same(trained):
    model, words = trained, ["", *WORDS, "abcdabcd"]
    together = model.translations(words, n_best=2, attention=True, batch_size=4)
    for word, found in zip(words[::6], together[::6]):
        [alone] = model.translations([word], n_best=2, attention=True)
        for one, other in zip(alone, found, strict=True):
            assert one.text == other.text and one.score == pytest.approx(other.score, abs=1e-4)
            np.testing.assert_allclose(one.attention, other.attention, atol=1e-4)


def test_runs_of_tokens_are_read_from_either_side():
    model = small(ngrams=3, ngram_rows=2**12, ngram_embedding=3)
    before, after = (model.get_layer(f"ngrams_{side}") for side in ("before", "after"))
    after.tables.assign(before.tables)
    read = keras.Model(model.input["source"], model.get_layer("dropout_0").input)
    # Runs of two and of three tokens that end with each, then those that it begins.
    there, back = to_numpy(read(np.array([[3, 4, 5, 6, 0, 0], [6, 5, 4, 3, 0, 0]])))[:, :4, -12:]
    np.testing.assert_array_equal(there[:, :6], back[::-1, 6:])
    np.testing.assert_array_equal(there[:, 6:], back[::-1, :6])
    rows = {tuple(row) for row in to_numpy(before.tables)}
    assert all(tuple(vector) in rows for vector in there.reshape(-1, 3))
    # Two words that begin alike are alike until the difference comes within three letters.
    one, other = to_numpy(read(np.array([[3, 4, 5, 6, 5], [3, 4, 5, 6, 3]])))
    np.testing.assert_array_equal(one[:2], other[:2])
    assert (one[2] != other[2]).any()


def test_unknown_words_are_copied_from_where_it_looks(eagerly):
    model = small(attention="general")
    # The logits are the last weights: here they say `<UNK>`, and in the end nothing else.
    *_, kernel, bias = model.get_weights()
    bias[1], bias[model.end] = 60, 55
    model.set_weights([*model.get_weights()[:-2], kernel, bias])
    how = {"max_length": 3, "beam_width": 1, "attention": True}
    [[copied]] = model.translations(["xaby"], copy_unknown=True, **how)
    where = copied.attention[:, :-1].argmax(axis=1)
    assert copied.tokens == ["xaby"[n] for n in where]
    [[without]] = model.translations(["xaby"], **how)
    assert "<UNK>" not in without.tokens and without.tokens != copied.tokens


def test_coverage_and_length_count_as_they_say(eagerly):
    model = small()
    how = {"n_best": 3, "attention": True, "max_length": 6, "length_penalty": 1.0}
    [found] = model.translations(["abcd"], coverage_penalty=0.3, min_length=2, **how)
    logs = log_probs(model, "abcd", [one.tokens for one in found], longest=6)
    examples = model.encode(["abcd"] * 3, [one.tokens for one in found])
    weights = model._weights(examples.inputs["source"][:1], examples.targets[None])[0]
    for one, scores, here in zip(found, logs, weights):
        assert len(one.tokens) >= 1
        # The last step, which wrote the end, looked too.
        looked = np.minimum(here[: len(scores), :5].sum(axis=0), 1)
        wanted = scores.sum() / ((5 + len(scores)) / 6) + 0.3 * np.log(looked).sum()
        assert one.score == pytest.approx(wanted, abs=1e-3)


def test_scheduled_sampling(eagerly):
    """In training, the share of its own tokens grows; these are what it held likeliest."""
    model = small(scheduled_sampling=1.0, sampling_updates=2)
    inputs = model.encode(WORDS, SAID).inputs
    plain = to_numpy(model(inputs))
    own = inputs["target"].copy()
    own[:, 1:] = plain.argmax(axis=-1)[:, :-1]
    own[inputs["target"] == 0] = 0
    wanted = to_numpy(model({**inputs, "target": own}))
    half, whole = (to_numpy(model(inputs, training=True)) for _ in range(2))
    np.testing.assert_allclose(whole, wanted, atol=1e-5)
    assert min(np.abs(half - other).max() for other in (plain, whole)) > 1e-3
    np.testing.assert_allclose(to_numpy(model(inputs)), plain, atol=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_is_that_of_keras_on_what_is_no_padding(smoothing):
    rng = np.random.default_rng(0)
    targets, logits = np.array([[3, 1, 2, 0], [4, 0, 0, 0]]), rng.normal(size=(2, 4, 5))
    seen = targets > 0
    wanted = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)(
        np.eye(5)[targets[seen]], logits[seen]
    )
    found = TokenCrossentropy(smoothing)(targets, logits)
    np.testing.assert_allclose(to_numpy(found), to_numpy(wanted), rtol=1e-5)
    # With weights, as `fit` gives them.
    weights = np.array([1.0, 0.0])
    alone = TokenCrossentropy(smoothing)(targets, logits, sample_weight=weights[:, None])
    assert 0 < to_numpy(alone) < to_numpy(found) * 2


def test_encoded_pairs():
    model = plain()
    examples = model.encode(["ab", "c"], [["A"], ["C", "B", "x"]])
    number = {token: n for n, token in enumerate(["", "?", "E", *"ABCD"])}
    target = [[number[c] for c in row] for row in (["E", "A"], ["E", "C", "B", "?"])]
    assert [row[row > 0].tolist() for row in examples.inputs["target"]] == target
    assert examples.targets.tolist() == [[3, 2, 0, 0], [5, 4, 1, 2]]
    assert examples.inputs["source"].shape == (2, 4) and examples.lengths.tolist() == [3, 4]
    assert small(lower=True).encode(["AB"]).inputs["source"].tolist() == (
        model.encode(["ab"]).inputs["source"].tolist()
    )


def test_side_by_side(trained):
    inputs, steps = plain().side_by_side("ab", "C")
    assert steps == ["a | <EOS>", "b | C", "<EOS> | <PAD>"]
    assert {side: ids.shape for side, ids in inputs.items()} == {"source": (1, 3), "target": (1, 3)}
    _, steps = trained.side_by_side("ba")
    assert steps == ["b | <EOS>", "a | A", "<EOS> | B"]


def test_starts_from_vectors(tmp_path):
    model = small()
    (tmp_path / "vectors.txt").write_text("a 1 2 3 4 5 6\nx 6 5 4 3 2 1\n")
    assert model.load_vectors(tmp_path / "vectors.txt") == 1
    table = to_numpy(model.get_layer("embedding").embeddings)
    np.testing.assert_array_equal(table[model.encode(["a"]).inputs["source"][0, 0]], range(1, 7))


def test_two_thousand_tokens_and_tokens_never_seen():
    [text] = learnt().translate(["abc\u9f98" * 500], max_length=4)
    assert set(text.split()) <= set("ABCD")


def test_saved_and_loaded(trained, tmp_path):
    model = trained
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.translate(WORDS) == model.translate(WORDS)
    examples = loaded.encode(WORDS, SAID)
    before = loaded.evaluate(examples.inputs, examples.targets, verbose=0)
    loaded.fit(examples.inputs, examples.targets, epochs=2, verbose=0)
    assert loaded.evaluate(examples.inputs, examples.targets, verbose=0) < 2 * before


LOAD = """
import sys
import tensorflow as tf
loaded = tf.saved_model.load(sys.argv[1])
for endpoint in ("translate", "greedy"):
    found = getattr(loaded, endpoint)(tf.constant(sys.argv[2:]))
    for text, score in zip(found["texts"].numpy(), found["scores"].numpy()):
        print(f"{text.decode()}|{score:.3f}")
"""
TEXTS = ["A cat sat.", "the Cats (2)", "unknown wörds", ""]


@pytest.mark.skipif(BACKEND != "tensorflow", reason="exports from TensorFlow")
@pytest.mark.parametrize("options", [OPTIONS["dot"], OPTIONS["without attention"]])
def test_steps_from_numbers_to_numbers(eagerly, options):
    model, words = small(**options), ["abcd", "b"]
    adapter = adapter_for(model)
    endpoints = adapter.tensor_signatures(words)
    begin, step, greedy = (endpoints[name] for name in ("begin", "step", "greedy"))
    ids = model.encode(words).inputs["source"]
    names = [spec.name for spec in step.signature]
    attending = options["attention"] is not None
    assert names[0] == "token" and ({"keys", "values", "mask"} <= {*names}) == attending
    found, made = begin.function(ids), to_numpy(greedy.function(ids)["target_tokens"])
    known = adapter.metadata()["target_tokens"]
    said = [" ".join(known[n] for n in row if n not in (0, model.end)) for row in made]
    assert said == model.translate(words, beam_width=1)
    for tokens in made.T[:6]:
        given = [found.get(f"next_{name}", found.get(name)) for name in names]
        found |= step.function(*given)
        assert ("attention" in found) == attending
        best = 2 + to_numpy(found["log_probs"])[:, 2:].argmax(axis=1)
        assert ((best == tokens) | (tokens == 0)).all()
        found["next_token"] = tokens


@pytest.mark.skipif(BACKEND != "tensorflow", reason="exports from TensorFlow")
@ELSEWHERE
def test_exported_translates_raw_strings_without_this_package(tmp_path, elsewhere):
    pytest.importorskip("sentencepiece")
    keras.utils.set_random_seed(0)
    pieces = learn_pieces([text.lower() for text in TEXTS[:2]] * 9, 30)
    words = ["▁a", "▁the", "▁cat", "s", "."]
    model = Seq2Seq(pieces, words, split="pieces", target_split="marked", lower=True, **SMALL)
    model.set_weights([3 * w for w in model.get_weights()])
    # Slowly on some of its own, quickly on one token.
    report = export.savedmodel(model, tmp_path / "saved", None if elsewhere else [["▁a"]])
    assert report["endpoints"] == ["greedy", "translate"] and report["largest difference"] < 1e-4
    out = run_script(LOAD, tmp_path / "saved", *TEXTS, elsewhere=elsewhere)
    found = [line.rsplit("|", 1) for line in out.splitlines()]
    with eagerly():
        here = [model.translations(TEXTS, beam_width=width) for width in (5, 1)]
    wanted = [best for [best, *_] in here[0] + here[1]]
    assert [text for text, _ in found] == [one.text for one in wanted]
    assert any(one.text for one in wanted)
    for (_, score), one in zip(found, wanted):
        assert float(score) == pytest.approx(one.score, abs=2e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.translate(["a"], beam_width=0), "beam_width must be at least 1, got 0"),
        (lambda m: m.translations(["a"], n_best=6), "between 1 and beam_width, 5, got 6"),
        (lambda m: m.translate(["a"], max_length=0), "max_length must be at least 1, got 0"),
        (lambda m: m.translate("a"), "takes a list of texts, not one text alone"),
        (lambda m: m.encode(["a", ""], ["A", "B"]), "The source of pair 2 is empty"),
        (lambda m: m.encode(["a", "b"], ["A", ""]), "The target of pair 2 is empty"),
        (lambda m: m.encode(["a"], ["A", "B"]), "There are 1 sources but 2 targets"),
        (lambda m: small(split="lines"), "There is no tokenizer 'lines'"),
        (lambda m: small(attention="Luong"), "There is no attention 'Luong'"),
        (lambda m: small(attention="dot"), "an encoder as wide as the decoder"),
        (lambda m: small(tied=True, embedding=None), "A tied output needs an embedding"),
        (lambda m: small(attention=None, input_feeding=True), "there is nothing to feed"),
        (lambda m: small(label_smoothing=1.0), r"label_smoothing must be in \[0, 1\), got 1.0"),
        (
            lambda m: small(attention=None).translations(["a"], attention=True),
            "This model has no attention",
        ),
        (lambda m: Seq2Seq([], ["a"]), "at least one known token on either side"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call(plain())
