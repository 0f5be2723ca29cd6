"""Sequence to sequence: what is written step by step is what is read at once; texts in and out."""

import functools
import gc
import weakref

import keras
import numpy as np
import pytest
import tiny_models
from helpers import BACKEND, ELSEWHERE, eagerly, run_script, to_numpy

from keras_seq import export, layers
from keras_seq._internal.errors import InputError
from keras_seq.export.signatures import adapter_for
from keras_seq.models import Seq2Seq
from keras_seq.models.seq2seq_search import Translator
from keras_seq.models.transfer import transfer
from keras_seq.text import TextEncoder

WORDS = ["abc", "cab", "bad", "dab", "add", "bcd", "ba", "cc", "dcba", "acca"]
# Backwards, each letter a word.
SAID = [" ".join(word[::-1].upper()) for word in WORDS]
TOKENIZERS = "char_nospace", "whitespace"


def small(source="abcd", target="ABCD", **options):
    keras.utils.set_random_seed(0)
    options = {"tokenizers": TOKENIZERS, "units": 8, "embedding": 6, **options}
    model = tiny_models.seq2seq(source, target, **options)
    # Larger weights than at the start, so that steps differ.
    model.set_weights([2 * np.asarray(to_numpy(w)) for w in model.weights])
    return model


plain = functools.cache(small)


@functools.cache
def learnt():
    keras.utils.set_random_seed(0)
    model = tiny_models.seq2seq("abcd", "ABCD", tokenizers=TOKENIZERS, units=24, embedding=12)
    model.compile(keras.optimizers.Adam(0.02))
    model.fit(WORDS, SAID, epochs=60, verbose=0)
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
    "additive": {"attention": "additive", "cell": "GRU", "tie_embeddings": True},
    "dot": {"attention": "dot", "bidirectional": False, "embedding": None, "cell": "PeepholeLSTM"},
    "without attention": {"attention": None, "tie_embeddings": True, "num_layers": 2},
    "n-grams": {"features": [layers.NgramFeatures(3, num_buckets=16, output_dim=3)]},
    "fed": {"input_feeding": True, "num_layers": 2, "recurrent_dropout": 0.1},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_what_is_written_step_by_step_is_what_is_read_at_once(eagerly, options):
    model = small(**options)
    [found] = model.translate_n_best(["abcd"], n_best=3, beam_width=3, max_length=5, min_length=2)
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


@pytest.mark.slow
def test_learns_and_says_it():
    model = learnt()
    assert model.translate(WORDS) == SAID
    [[best, second]] = model.translate_n_best(["dcba"], n_best=2, return_attention_scores=True)
    assert best.score > -0.5 > second.score
    assert best.attention.shape == (4, 5)
    np.testing.assert_allclose(best.attention.sum(axis=1), 1, atol=1e-5)
    assert model.translate_n_best([]) == model.translate([]) == []


def test_a_beam_where_it_is_not_certain_that_greedy_found_the_best(trained, monkeypatch):
    model, words, searched = trained, [*WORDS, "aabbccdd", "abababab", "aaaa", "dddddd"], []
    search = Translator.search

    def spied(self, dataset, options, *rest):
        searched.append((options.beam_width, len(dataset)))
        return search(self, dataset, options, *rest)

    penalty = {"length_penalty": 1.3}
    best = [best.text for best, _ in model.translate_n_best(words, n_best=2, **penalty)]
    monkeypatch.setattr(Translator, "search", spied)
    assert model.translate(words, **penalty) == best
    assert [beam for beam, _ in searched] == [1, 5]
    assert searched[0][1] == len(words) > searched[1][1] > 0


def test_alone_or_in_a_batch_is_the_same(trained):
    model, words = trained, ["", *WORDS, "abcdabcd"]
    together = model.translate_n_best(words, n_best=2, return_attention_scores=True, batch_size=4)
    for word, found in zip(words[::6], together[::6]):
        [alone] = model.translate_n_best([word], n_best=2, return_attention_scores=True)
        for one, other in zip(alone, found, strict=True):
            assert one.text == other.text and one.score == pytest.approx(other.score, abs=1e-4)
            np.testing.assert_allclose(one.attention, other.attention, atol=1e-4)


def test_unknown_words_are_copied_from_where_it_looks(eagerly):
    model = small(attention="general")
    # It writes `<UNK>`, and in the end nothing else.
    kernel, bias = model.decoder.output_layer.get_weights()
    bias[model.target_encoder.unk_id], bias[model.target_encoder.end_id] = 60, 55
    model.decoder.output_layer.set_weights([kernel, bias])
    how = {"max_length": 3, "beam_width": 1, "return_attention_scores": True}
    [[copied]] = model.translate_n_best(["xaby"], copy_unknown=True, **how)
    where = copied.attention[:, :-1].argmax(axis=1)
    assert copied.tokens == ["xaby"[n] for n in where]
    [[without]] = model.translate_n_best(["xaby"], **how)
    assert "<UNK>" not in without.tokens and without.tokens != copied.tokens


def test_coverage_and_length_count_as_they_say(eagerly):
    model = small()
    how = {"n_best": 3, "attention": True, "max_length": 6, "length_penalty": 1.0}
    [found] = model.translate_n_best(["abcd"], coverage_penalty=0.3, min_length=2, **how)
    logs = log_probs(model, "abcd", [one.tokens for one in found], longest=6)
    examples = model.encode(["abcd"] * 3, [one.tokens for one in found])
    state, memory = model.init_state(np.repeat(examples.inputs["source"][:1], 3, axis=0))
    weights = to_numpy(model.decoder.call_sequence(examples.inputs["target"], state, memory)[1])
    for one, scores, here in zip(found, logs, weights):
        assert len(one.tokens) >= 1
        # The last step, which wrote the end, looked too.
        looked = np.minimum(here[: len(scores), :5].sum(axis=0), 1)
        wanted = scores.sum() / ((5 + len(scores)) / 6) + 0.3 * np.log(looked).sum()
        assert one.score == pytest.approx(wanted, abs=1e-3)


def test_encoded_pairs():
    model = plain()
    examples = model.encode(["ab", "c"], [["A"], ["C", "B", "x"]])
    number = {token: n for n, token in enumerate(["", "?", "E", *"ABCD"])}
    target = [[number[c] for c in row] for row in (["E", "A"], ["E", "C", "B", "?"])]
    assert [row[row > 0].tolist() for row in examples.inputs["target"]] == target
    assert examples.targets.tolist() == [[3, 2, 0, 0], [5, 4, 1, 2]]
    assert examples.inputs["source"].shape == (2, 4) and examples.lengths.tolist() == [3, 4]
    assert model.encode(["ab"], ["A"]).targets.tolist() == examples.targets[:1, :3].tolist()


def test_inputs_to_trace(trained):
    inputs, steps = plain().trace_inputs("ab", "C")
    assert steps == ["a | <EOS>", "b | C", "<EOS> | <PAD>"]
    assert {side: ids.shape for side, ids in inputs.items()} == {"source": (1, 3), "target": (1, 3)}
    _, steps = trained.trace_inputs("ba")
    assert steps == ["b | <EOS>", "a | A", "<EOS> | B"]


def test_starts_from_what_another_model_has_learnt():
    model, other = small(), small(source="ab")
    assert transfer(model, other) == (2, True)
    [ours, theirs] = (
        dict(zip(one.encoder.tokens, to_numpy(one.token_embedding.embeddings)))
        for one in (model, other)
    )
    np.testing.assert_array_equal(ours["b"], theirs["b"])
    [ours, theirs] = (one.first_recurrent.cell.recurrent_kernel for one in (model, other))
    np.testing.assert_array_equal(to_numpy(ours), to_numpy(theirs))


@pytest.mark.slow
def test_compiled_searches_go_with_the_model():
    model = small()
    model.translate(["a"], max_length=1, beam_width=1)
    model.translate_n_best(["a"], max_length=1, beam_width=1, return_attention_scores=True)
    gone = weakref.ref(model)
    del model
    keras.utils.clear_session()
    gc.collect()
    assert gone() is None


def test_two_thousand_tokens_and_tokens_never_seen():
    [text] = learnt().translate(["abc\u9f98" * 500], max_length=4)
    assert set(text.split()) <= set("ABCD")


@pytest.mark.slow
def test_saved_and_loaded(trained, tmp_path):
    model = trained
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.translate(WORDS) == model.translate(WORDS)
    before = loaded.evaluate(WORDS, SAID, verbose=0)
    loaded.fit(WORDS, SAID, epochs=2, verbose=0)
    assert loaded.evaluate(WORDS, SAID, verbose=0) < 2 * before


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
    init, step, greedy = (endpoints[name] for name in ("init", "step", "greedy"))
    ids = model.encode(words).inputs["source"]
    names = [spec.name for spec in step.signature]
    attending = options["attention"] is not None
    assert names[0] == "token" and ({"keys", "values", "mask"} <= {*names}) == attending
    found, made = init.function(ids), to_numpy(greedy.function(ids)["target_tokens"])
    known = adapter.metadata()["target_tokens"]
    said = [
        " ".join(known[n] for n in row if n not in (0, model.target_encoder.end_id)) for row in made
    ]
    assert said == model.translate(words, beam_width=1)
    for tokens in made.T[:6]:
        given = [found.get(f"next_{name}", found.get(name)) for name in names]
        found |= step.function(*given)
        assert ("attention" in found) == attending
        best = 2 + to_numpy(found["log_probs"])[:, 2:].argmax(axis=1)
        assert ((best == tokens) | (tokens == 0)).all()
        found["next_token"] = tokens


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="exports from TensorFlow")
@ELSEWHERE
def test_exported_translates_raw_strings_without_this_package(tmp_path, elsewhere):
    pytest.importorskip("sentencepiece")
    keras.utils.set_random_seed(0)
    source = TextEncoder.from_examples(TEXTS[:2] * 9, "wordpiece", True, max_size=30, end=True)
    target = TextEncoder(["▁a", "▁the", "▁cat", "s", "."], "word_metaspace", end=True)
    model = Seq2Seq(
        source,
        target,
        features=[layers.TokenEmbedding(source, 6)],
        stack=layers.RNNStack("LSTM", 8, bidirectional=True, return_state=True),
        decoder=layers.Decoder(layers.TokenEmbedding(target, 6), "LSTM", 8, dropout=0.0),
    )
    model.set_weights([3 * w for w in model.get_weights()])
    # Slowly on some of its own, quickly on one token.
    report = export.savedmodel(model, tmp_path / "saved", None if elsewhere else [["▁a"]])
    assert report["endpoints"] == ["greedy", "translate"] and report["max_abs_error"] < 1e-4
    out = run_script(LOAD, tmp_path / "saved", *TEXTS, elsewhere=elsewhere)
    found = [line.rsplit("|", 1) for line in out.splitlines()]
    with eagerly():
        here = [model.translate_n_best(TEXTS, beam_width=width) for width in (5, 1)]
    wanted = [best for [best, *_] in here[0] + here[1]]
    assert [text for text, _ in found] == [one.text for one in wanted]
    assert any(one.text for one in wanted)
    for (_, score), one in zip(found, wanted):
        assert float(score) == pytest.approx(one.score, abs=2e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.translate(["a"], beam_width=0), "beam_width must be at least 1, got 0"),
        (lambda m: m.translate_n_best(["a"], n_best=6), "between 1 and beam_width, 5, got 6"),
        (lambda m: m.translate(["a"], max_length=0), "max_length must be at least 1, got 0"),
        (lambda m: m.translate("a"), "Expected a list of texts, got one text: 'a'"),
        (lambda m: m.encode(["a", ""], ["A", "B"]), "The source of pair 2 is empty"),
        (lambda m: m.encode(["a", "b"], ["A", ""]), "The target of pair 2 is empty"),
        (lambda m: m.encode(["a"], ["A", "B"]), "There are 1 sources but 2 targets"),
        (
            lambda m: small(attention=None).translate_n_best(["a"], return_attention_scores=True),
            "This model has no attention",
        ),
        (lambda m: small(label_smoothing=1.0).compile(), r"in \[0, 1\), got 1.0"),
        (lambda m: Seq2Seq(m.source_encoder, TextEncoder("a")), "target encoder .* needs an end"),
        (lambda m: Seq2Seq(TextEncoder("a"), m.target_encoder), "source encoder .* needs an end"),
        (
            lambda m: Seq2Seq(m.source_encoder, m.target_encoder, features=[]),
            "at least one feature layer",
        ),
        (
            lambda m: Seq2Seq(
                m.source_encoder, m.target_encoder, stack=layers.RNNStack("GRU", 2, name="mine")
            ),
            "The stack mine must return the outputs of all time steps and its states",
        ),
        (
            lambda m: Seq2Seq(
                m.source_encoder,
                m.target_encoder,
                decoder=layers.Decoder(layers.OneHotTokens(3), "GRU", 2),
            ),
            "The decoder has vocab_size=3, but the target encoder has 7",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call(plain())
