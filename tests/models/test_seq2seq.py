"""Seq2Seq: searches against teacher forcing, encoding, saving and export."""

import functools
import gc
import weakref

import keras
import numpy as np
import pytest
import tiny_models
from helpers import BACKEND, eagerly, run_script, slow_but, to_numpy

from keras_seq import export, layers
from keras_seq._internal.errors import InputError
from keras_seq.export.signatures import adapter_for
from keras_seq.models import Seq2Seq
from keras_seq.models.seq2seq_search import Translator
from keras_seq.models.transfer import transfer
from keras_seq.text import TextEncoder

WORDS = ["abc", "cab", "bad", "dab", "add", "bcd", "ba", "cc", "dcba", "acca"]
# Each word backwards, one token per character.
TARGETS = [" ".join(word[::-1].upper()) for word in WORDS]
TOKENIZERS = "char_nospace", "whitespace"


def small(source="abcd", target="ABCD", **options):
    keras.utils.set_random_seed(0)
    options = {"tokenizers": TOKENIZERS, "units": 8, "embedding": 6, **options}
    model = tiny_models.seq2seq(source, target, **options)
    # Larger weights than initial ones make time steps differ more.
    model.set_weights([2 * np.asarray(to_numpy(w)) for w in model.weights])
    return model


plain = functools.cache(small)


@functools.cache
def trained_model():
    keras.utils.set_random_seed(0)
    model = tiny_models.seq2seq("abcd", "ABCD", tokenizers=TOKENIZERS, units=24, embedding=12)
    model.compile(keras.optimizers.Adam(0.02))
    model.fit(WORDS, TARGETS, epochs=60, verbose=0)
    return model


def log_probs(model, source, translations, longest):
    """Return the log probabilities of tokens and end of each translation, by teacher forcing."""
    examples = model.encode([source] * len(translations), translations)
    logits = to_numpy(model(examples.inputs)).astype("float64")
    scores = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    scores = np.take_along_axis(scores, examples.targets[:, :, None], 2)[:, :, 0]
    return [row[: min(len(tokens) + 1, longest)] for row, tokens in zip(scores, translations)]


OPTIONS = {
    "plain": {},
    "additive": {"attention": "additive", "cell": "GRU", "tie_embeddings": True},
    "dot": {"attention": "dot", "bidirectional": False, "embedding": None, "cell": "PeepholeLSTM"},
    "without attention": {"attention": None, "tie_embeddings": True, "num_layers": 2},
    "n-grams": {"features": [layers.NgramFeatures(3, num_buckets=16, output_dim=3)]},
    "fed": {"input_feeding": True, "num_layers": 2, "recurrent_dropout": 0.1},
}


@pytest.mark.parametrize("key", slow_but(["n-grams"], OPTIONS))
def test_beam_search_scores_equal_those_of_teacher_forcing(eagerly, key):
    model = small(**OPTIONS[key])
    [actual] = model.translate_n_best(["abcd"], n_best=3, beam_width=3, max_length=5, min_length=2)
    assert len({item.text for item in actual}) == len(actual) == 3
    expected = []
    for scores in log_probs(model, "abcd", [item.tokens for item in actual], longest=5):
        expected.append(scores.sum() / ((5 + len(scores)) / 6) ** 0.6)
    assert expected == sorted(expected, reverse=True)
    np.testing.assert_allclose([item.score for item in actual], expected, atol=1e-4)
    assert all(item.text == " ".join(item.tokens) for item in actual)
    # With n_best=1 a greedy search goes first.
    options = {"beam_width": 3, "max_length": 5, "min_length": 2}
    assert model.translate(["abcd"], **options) == [actual[0].text]
    assert actual[0].source == [*"abcd", "<EOS>"]


@pytest.fixture
def trained(request):
    """Return the trained model, which runs eagerly from now on."""
    model = trained_model()
    request.getfixturevalue("eagerly")
    return model


@pytest.mark.slow
def test_training_and_translation():
    model = trained_model()
    assert model.translate(WORDS) == TARGETS
    [[best, second]] = model.translate_n_best(["dcba"], n_best=2, return_attention_scores=True)
    assert best.score > -0.5 > second.score
    assert best.attention.shape == (4, 5)
    np.testing.assert_allclose(best.attention.sum(axis=1), 1, atol=1e-5)
    assert model.translate_n_best([]) == model.translate([]) == []


@pytest.mark.slow
def test_beam_search_runs_only_where_greedy_is_not_optimal(trained, monkeypatch):
    model, words, searched = trained, [*WORDS, "aabbccdd", "abababab", "aaaa", "dddddd"], []
    search = Translator.search

    def record(self, dataset, options, *rest):
        searched.append((options.beam_width, len(dataset)))
        return search(self, dataset, options, *rest)

    penalty = {"length_penalty": 1.3}
    best = [best.text for best, _ in model.translate_n_best(words, n_best=2, **penalty)]
    monkeypatch.setattr(Translator, "search", record)
    assert model.translate(words, **penalty) == best
    assert [beam for beam, _ in searched] == [1, 5]
    assert searched[0][1] == len(words) > searched[1][1] > 0


@pytest.mark.slow
def test_batch_size_does_not_matter(trained):
    model, words = trained, ["", *WORDS, "abcdabcd"]
    together = model.translate_n_best(words, n_best=2, return_attention_scores=True, batch_size=4)
    for word, actual in zip(words[::6], together[::6]):
        [alone] = model.translate_n_best([word], n_best=2, return_attention_scores=True)
        for a, b in zip(alone, actual, strict=True):
            assert a.text == b.text and a.score == pytest.approx(b.score, abs=1e-4)
            np.testing.assert_allclose(a.attention, b.attention, atol=1e-4)


def test_unknown_tokens_are_copied_from_the_most_attended(eagerly):
    model = small(attention="general")
    # With these biases the model generates `<UNK>` and the end token only.
    kernel, bias = model.decoder.output_layer.get_weights()
    bias[model.target_encoder.unk_id], bias[model.target_encoder.end_id] = 60, 55
    model.decoder.output_layer.set_weights([kernel, bias])
    options = {"max_length": 3, "beam_width": 1, "return_attention_scores": True}
    [[copied]] = model.translate_n_best(["xaby"], copy_unknown=True, **options)
    attended = copied.attention[:, :-1].argmax(axis=1)
    assert copied.tokens == ["xaby"[n] for n in attended]
    [[without]] = model.translate_n_best(["xaby"], **options)
    assert "<UNK>" not in without.tokens and without.tokens != copied.tokens


def test_coverage_and_length_penalty(eagerly):
    model = small()
    options = {"n_best": 3, "return_attention_scores": True, "max_length": 6, "length_penalty": 1.0}
    [actual] = model.translate_n_best(["abcd"], coverage_penalty=0.3, min_length=2, **options)
    logs = log_probs(model, "abcd", [item.tokens for item in actual], longest=6)
    examples = model.encode(["abcd"] * 3, [item.tokens for item in actual])
    state, memory = model.initial_state(np.repeat(examples.inputs["source"][:1], 3, axis=0))
    weights = to_numpy(model.decoder.call_sequence(examples.inputs["target"], state, memory)[1])
    for translation, scores, rows in zip(actual, logs, weights):
        assert len(translation.tokens) >= 1
        # The step that generates the end token counts too.
        attended = np.minimum(rows[: len(scores), :5].sum(axis=0), 1)
        expected = scores.sum() / ((5 + len(scores)) / 6) + 0.3 * np.log(attended).sum()
        assert translation.score == pytest.approx(expected, abs=1e-3)


def test_encoded_pairs():
    model = plain()
    examples = model.encode(["ab", "c"], [["A"], ["C", "B", "x"]])
    ids = {token: n for n, token in enumerate(["", "?", "E", *"ABCD"])}
    target = [[ids[c] for c in row] for row in (["E", "A"], ["E", "C", "B", "?"])]
    assert [row[row > 0].tolist() for row in examples.inputs["target"]] == target
    assert examples.targets.tolist() == [[3, 2, 0, 0], [5, 4, 1, 2]]
    assert examples.inputs["source"].shape == (2, 4) and examples.lengths.tolist() == [3, 4]
    assert model.encode(["ab"], ["A"]).targets.tolist() == examples.targets[:1, :3].tolist()


@pytest.mark.slow
def test_inputs_to_trace(trained):
    inputs, steps = plain().trace_inputs("ab", "C")
    assert steps == ["a | <EOS>", "b | C", "<EOS> | <PAD>"]
    assert {side: ids.shape for side, ids in inputs.items()} == {"source": (1, 3), "target": (1, 3)}
    _, steps = trained.trace_inputs("ba")
    assert steps == ["b | <EOS>", "a | A", "<EOS> | B"]


def test_transfer_copies_embeddings_and_recurrent_weights():
    model, other = small(), small(source="ab")
    assert transfer(model, other).copied == 3
    [ours, theirs] = (
        dict(zip(m.encoder.tokens, to_numpy(m.token_embedding.embeddings))) for m in (model, other)
    )
    np.testing.assert_array_equal(ours["b"], theirs["b"])
    [ours, theirs] = (m.first_recurrent.cell.recurrent_kernel for m in (model, other))
    np.testing.assert_array_equal(to_numpy(ours), to_numpy(theirs))


@pytest.mark.slow
def test_compiled_searches_are_freed_with_the_model():
    model = small()
    model.translate(["a"], max_length=1, beam_width=1)
    model.translate_n_best(["a"], max_length=1, beam_width=1, return_attention_scores=True)
    reference = weakref.ref(model)
    del model
    keras.utils.clear_session()
    gc.collect()
    assert reference() is None


@pytest.mark.slow
def test_two_thousand_tokens_and_unknown_tokens():
    [text] = trained_model().translate(["abc\u9f98" * 500], max_length=4)
    assert set(text.split()) <= set("ABCD")


@pytest.mark.slow
def test_saved_and_loaded(trained, tmp_path):
    model = trained
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.translate(WORDS) == model.translate(WORDS)
    before = loaded.evaluate(WORDS, TARGETS, verbose=0)
    loaded.fit(WORDS, TARGETS, epochs=2, verbose=0)
    assert loaded.evaluate(WORDS, TARGETS, verbose=0) < 2 * before


LOAD = """
import sys
import tensorflow as tf
loaded = tf.saved_model.load(sys.argv[1])
for endpoint in ("translate", "greedy"):
    outputs = getattr(loaded, endpoint)(tf.constant(sys.argv[2:]))
    for text, score in zip(outputs["texts"].numpy(), outputs["scores"].numpy()):
        print(f"{text.decode()}|{score:.3f}")
"""
TEXTS = ["A cat sat.", "the Cats (2)", "unknown wörds", ""]


@pytest.mark.skipif(BACKEND != "tensorflow", reason="exports from TensorFlow")
@pytest.mark.parametrize("options", [OPTIONS["dot"], OPTIONS["without attention"]])
def test_exported_steps_equal_a_greedy_translation(eagerly, options):
    model, words = small(**options), ["abcd", "b"]
    adapter = adapter_for(model)
    endpoints = adapter.tensor_signatures(words)
    init, step, greedy = (endpoints[name] for name in ("init", "step", "greedy"))
    ids = model.encode(words).inputs["source"]
    names = [spec.name for spec in step.signature]
    has_attention = options["attention"] is not None
    assert names[0] == "token" and ({"keys", "values", "mask"} <= {*names}) == has_attention
    outputs, target_ids = init.function(ids), to_numpy(greedy.function(ids)["target_tokens"])
    target_tokens = adapter.metadata()["target_tokens"]
    special = (0, model.target_encoder.end_id)
    texts = [" ".join(target_tokens[n] for n in row if n not in special) for row in target_ids]
    assert texts == model.translate(words, beam_width=1)
    for tokens in target_ids.T[:6]:
        outputs |= step.function(*(outputs.get(f"next_{n}", outputs.get(n)) for n in names))
        assert ("attention" in outputs) == has_attention
        best = 2 + to_numpy(outputs["log_probs"])[:, 2:].argmax(axis=1)
        assert ((best == tokens) | (tokens == 0)).all()
        outputs["next_token"] = tokens


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="exports from TensorFlow")
def test_savedmodel_translates_strings_without_this_package(tmp_path):
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
    # By default the export is verified on several examples, which is slow.
    report = export.savedmodel(model, tmp_path / "saved", [["▁a"]])
    assert report["endpoints"] == ["greedy", "translate"] and report["max_abs_error"] < 1e-4
    out = run_script(LOAD, tmp_path / "saved", *TEXTS, elsewhere=True)
    actual = [line.rsplit("|", 1) for line in out.splitlines()]
    with eagerly():
        beam, greedy = (model.translate_n_best(TEXTS, beam_width=width) for width in (5, 1))
    expected = [best for [best, *_] in beam + greedy]
    assert [text for text, _ in actual] == [item.text for item in expected]
    assert any(item.text for item in expected)
    for (_, score), item in zip(actual, expected):
        assert float(score) == pytest.approx(item.score, abs=2e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda m: m.translate(["a"], beam_width=0),
            "beam_width must be an integer of at least 1",
        ),
        (lambda m: m.translate_n_best(["a"], n_best=6), "at most beam_width, 5, got 6"),
        (
            lambda m: m.translate(["a"], max_length=0),
            "max_length must be an integer of at least 1",
        ),
        (lambda m: m.translate("a"), "Expected a list of texts, got one text: 'a'"),
        (lambda m: m.encode(["a", ""], ["A", "B"]), "The source of pair 2 is empty"),
        (lambda m: m.encode(["a", "b"], ["A", ""]), "The target of pair 2 is empty"),
        (lambda m: m.encode(["a"], ["A", "B"]), "There are 1 sources but 2 targets"),
        (
            lambda m: small(attention=None).translate_n_best(["a"], return_attention_scores=True),
            "This model has no attention",
        ),
        (lambda m: small(label_smoothing=1.0).compile(), "at least 0 and below 1, got 1"),
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
