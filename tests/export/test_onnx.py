"""Recurrent layers in ONNX Runtime, by its own operators, against the layers themselves."""

import collections
import json

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from helpers import slow_but
from keras import ops

from keras_seq import export, layers
from keras_seq.cells import RecurrentCell, Step
from keras_seq.models import (
    AuxiliaryTags,
    SequenceClassifier,
    SequenceGenerator,
    SequenceTagger,
)
from keras_seq.scan import general_only
from keras_seq.text.encoder import TextEncoder
from keras_seq.text.tags import TagSet

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exports from TensorFlow"
)

RIGHT = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0]], bool)
ANY = np.array([[0, 1, 0, 1, 1], [1, 0, 1, 1, 0], [0, 0, 0, 0, 0]], bool)
X = np.random.default_rng(0).normal(size=(3, 5, 2)).astype("float32")
STATES = np.random.default_rng(1).normal(size=(2, 3, 4)).astype("float32")


def with_mask(*ours):
    """A model of a sequence, a mask and states, with all that each layer can return."""
    inputs = [
        keras.Input((None, 2), name="x"),
        keras.Input((None,), dtype="bool", name="mask"),
        *(keras.Input((4,), name=name) for name in "hc"),
    ]
    outputs = {}
    for number, layer in enumerate(ours):
        given = {"mask": inputs[1]}
        if not isinstance(layer, keras.layers.Bidirectional):
            given["initial_state"] = inputs[2 : 2 + len(layer.state_size)]
        found = layer(inputs[0], **given)
        found = found if isinstance(found, (list, tuple)) else [found]
        outputs |= {f"{number}_{place}": output for place, output in enumerate(found)}
    model = keras.Model(inputs, outputs)
    rng = np.random.default_rng(2)
    model.set_weights([rng.normal(size=w.shape) * 0.5 for w in model.get_weights()])
    return model


def operators(graph):
    """How often each operator is in a graph, loops and all."""
    found = collections.Counter()
    for node in graph.node:
        found[node.op_type] += 1
        for attribute in node.attribute:
            found += operators(attribute.g)
    return found


def exported(model, folder, examples=None, name="predict"):
    """The report, how often each operator is there, and a session."""
    report = export.onnx(model, folder, examples)
    file = folder / f"{name}.onnx"
    return report, operators(onnx.load(file).graph), onnxruntime.InferenceSession(file)


def check(model, folder, masks=(ANY, RIGHT)):
    """Exports, and compares on masks; returns how often each operator is there."""
    given = [np.concatenate([X] * len(masks)), np.concatenate(masks)]
    given += [np.concatenate([state] * len(masks)) for state in STATES]
    report, found, session = exported(model, folder, given)
    assert report["max_abs_error"] < 1e-5
    with general_only():
        wanted = model(given)
    known = {value.name for value in session.get_inputs()}
    named = {n: a for n, a in zip(["x", "mask", "h", "c"], given) if n in known}
    names = [output.name for output in session.get_outputs()]
    assert set(names) == set(wanted)
    for name, theirs in zip(names, session.run(names, named)):
        np.testing.assert_allclose(theirs, ops.convert_to_numpy(wanted[name]), atol=1e-5)
    return found


ALL = {"return_sequences": True, "return_state": True}


OPERATORS = {"SimpleRNN": "RNN", "GRU": "GRU", "LSTM": "LSTM", "DiagonalPeepholeLSTM": "LSTM"}


@pytest.mark.parametrize("cls", slow_but(["GRU", "DiagonalPeepholeLSTM"], OPERATORS))
def test_each_layer_is_its_operator(tmp_path, cls):
    make = getattr(layers, cls)
    found = check(
        with_mask(
            make(4, **ALL),
            make(4, go_backwards=True, **ALL),
            make(4, zero_output_for_mask=True, **ALL),
            make(4, use_bias=False),
            keras.layers.Bidirectional(make(4, return_sequences=True)),
            keras.layers.Bidirectional(make(4)),
        ),
        tmp_path / "it",
    )
    assert found[OPERATORS[cls]] == 6 and not found["Loop"] and not found["Scan"]


def test_what_else_an_operator_can_be(tmp_path):
    both = keras.layers.Bidirectional(
        layers.LSTM(4, activation="relu", return_sequences=True),
        backward_layer=layers.LSTM(
            4, activation="softsign", go_backwards=True, return_sequences=True
        ),
        merge_mode="sum",
    )
    found = check(
        with_mask(layers.GRU(4, reset_after=False, **ALL), both, keras.layers.LSTM(4, **ALL)),
        tmp_path / "it",
    )
    assert found["GRU"] == 1 and found["LSTM"] == 2 and not found["Loop"]


@keras.saving.register_keras_serializable(package="tests")
class LeakyCell(RecurrentCell):
    """A cell that ONNX has no operator for."""

    def build(self, input_shape):
        self.kernel = self.add_kernel(input_shape[-1], self.units)

    def project(self, inputs):
        return ops.matmul(inputs, self.kernel)

    def step(self, projected, states):
        h = 0.9 * states[0] + 0.1 * self.activation(projected)
        return Step(h, [h], {})


@pytest.mark.parametrize("options", [{}, {"go_backwards": True}, {"zero_output_for_mask": True}])
def test_any_other_cell_is_a_scan(tmp_path, options):
    found = check(
        with_mask(
            layers.PeepholeLSTM(4, **ALL, **options), layers.RNN(LeakyCell(4), **ALL, **options)
        ),
        tmp_path / "it",
    )
    assert found["Scan"] == 2 and not found["Loop"]


def test_without_a_mask_an_operator_has_no_lengths(tmp_path):
    inputs = keras.Input((5, 2), name="x")
    model = keras.Model(inputs, keras.layers.Dense(3)(layers.GRU(4)(inputs)))
    report, found, _ = exported(model, tmp_path / "it", X)
    assert report["max_abs_error"] < 1e-5
    (node,) = (n for n in onnx.load(tmp_path / "it/predict.onnx").graph.node if n.op_type == "GRU")
    assert len(node.input) == 6 and node.input[4] == ""
    assert not found["TopK"]


def test_a_tagger_tags(tmp_path):
    encoder = TextEncoder(["ab", "cd", "efg"])
    pairs = layers.BigramEmbedding([encoder.encode("ab cd")], 2)
    tagger = SequenceTagger(
        encoder,
        TagSet(["PER"]),
        features=[
            layers.TokenEmbedding(encoder, 3),
            keras.Sequential([pairs, keras.layers.Dropout(0.5)]),
            layers.CharEncoder(2),
        ],
        stack=layers.RNNStack("LSTM", 3, bidirectional=True),
        auxiliary=AuxiliaryTags(["n"]),
    )
    shaken(tagger)
    report, found, session = exported(tagger, tmp_path / "it", name="tag")
    assert report["endpoints"] == ["tag"] and report["max_abs_error"] <= 1e-5
    # The letters and the tokens; of the CRF, one pass for all that recurs and one for the tags.
    assert found["LSTM"] == 2 and not found["Loop"] and found["Scan"] == 2
    metadata = json.loads((tmp_path / "it/metadata.json").read_text())
    sentences = [["ab", "cd", "h", "efg"], ["cd"]]
    ids = [
        [metadata["tokens"].index(t) if t in metadata["tokens"] else 1 for t in s]
        for s in sentences
    ]
    spelled = [
        [[ord(c) for c in t] + [0] * (metadata["max_characters"] - len(t)) for t in s]
        for s in sentences
    ]
    ids[1] += [0] * 3
    spelled[1] += [[0] * 20] * 3
    tags, probabilities = session.run(
        ["tags", "probabilities"], {"tokens": np.int32(ids), "characters": np.int32(spelled)}
    )
    for row, (names, chances) in enumerate(tagger.tag_tokens(sentences)):
        assert [metadata["tags"][n] for n in tags[row, : len(names)]] == names
        np.testing.assert_allclose(probabilities[row, : len(names)], chances, atol=1e-5)
    assert not tags[1, 1:].any() and not probabilities[1, 1:].any()


def test_a_classifier_classifies(tmp_path):
    encoder = TextEncoder(["good", "bad", "film"])
    pairs = [encoder.encode("bad film")]
    model = SequenceClassifier(
        encoder,
        ["no", "yes"],
        features=[layers.TokenEmbedding(encoder, 3), layers.BigramEmbedding(pairs, 2)],
        stack=layers.RNNStack("DiagonalPeepholeLSTM", 3, bidirectional=True),
        experts=[layers.NaiveBayesExpert(encoder.vocab_size, 2, pairs)],
    )
    shaken(model)
    report, found, session = exported(model, tmp_path / "it", name="classify")
    assert report["max_abs_error"] <= 1e-5
    assert found["LSTM"] == 1 and not found["Loop"] and not found["Scan"]
    (ours,) = model.classify(["bad film"])
    probabilities, weights = session.run(
        ["probabilities", "weights"], {"tokens": np.int32([[3, 4, 0]])}
    )
    assert probabilities[0, 1] == pytest.approx(ours.probabilities["yes"], abs=1e-5)
    np.testing.assert_allclose(weights[0], [*(w for _, w in ours.token_weights), 0], atol=1e-5)


@pytest.mark.parametrize("styles", [None, pytest.param(["a", "b"], marks=pytest.mark.slow)])
def test_a_generator_goes_on(tmp_path, styles):
    encoder = TextEncoder("abc", "char", end=True)
    if styles is None:
        cell, counts = "PeepholeLSTM", layers.KneserNey(encoder.vocab_size, 3)
        counts.adapt(encoder.encode_batch(["abca", "bcc"], start=True, end=True).ids)
        parts = {"count_model": counts}
    else:
        cell, ngrams = "LSTM", layers.CausalNgramFeatures(3, 16, 2, max_style_n=3)
        parts = {"features": [ngrams, layers.LongestMatchEmbedding(encoder.vocab_size, 2)]}
    stack = layers.RNNStack(cell, 4, return_state=True)
    model = SequenceGenerator(encoder, styles=styles, stack=stack, **parts)
    shaken(model)
    (ours,) = model.generate_tokens(["ab"], styles and [1], max_length=6, temperature=0)
    report = export.onnx(model, tmp_path / "it")
    assert report["endpoints"] == ["init", "step"] and report["max_abs_error"] <= 1e-5
    init, step = (
        onnxruntime.InferenceSession(tmp_path / f"it/{name}.onnx") for name in ("init", "step")
    )
    names = {"history_window", "style", "history", "position"} if styles else {"contexts"}
    names |= {"layer_0_h", "layer_0_c", "token"}
    assert {value.name for value in step.get_inputs()} == names
    tokens = json.loads((tmp_path / "it/metadata.json").read_text())["tokens"]
    given = {
        "tokens": np.int32([[2, 3, 4]]),
        "max_length": np.array(6, "int32"),
        "style": np.int32([1]),
    }
    state, made = run(init, given), []
    while len(made) < 6:
        state = run(step, {name.removeprefix("next_"): array for name, array in state.items()})
        token = int(state["log_probs"].argmax())
        if tokens[token] == "<EOS>":
            break
        made.append(tokens[token])
        state["token"] = np.int32([token])
    assert made == ours.tokens


def run(session, given):
    """What a session answers, by name, of what it takes."""
    names = [value.name for value in session.get_outputs()]
    inputs = {value.name: given[value.name] for value in session.get_inputs()}
    return dict(zip(names, session.run(names, inputs)))


def shaken(model):
    """The model with weights that nothing is symmetric in."""
    rng = np.random.default_rng(3)
    for weight in model.trainable_variables:
        weight.assign(rng.normal(size=weight.shape) * 0.7)
