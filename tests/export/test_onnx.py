"""Recurrent layers as operators of ONNX, compared with the layers in Keras."""

import collections
import json

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from helpers import slow, slow_but
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
from keras_seq.text.code_points import token_code_points
from keras_seq.text.encoder import TextEncoder
from keras_seq.text.tags import TagSet

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exports from TensorFlow"
)

RIGHT_PADDED = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0]], bool)
ARBITRARY = np.array([[0, 1, 0, 1, 1], [1, 0, 1, 1, 0], [0, 0, 0, 0, 0]], bool)
X = np.random.default_rng(0).normal(size=(3, 5, 2)).astype("float32")
STATES = np.random.default_rng(1).normal(size=(2, 3, 4)).astype("float32")


def with_mask(*ours):
    """Return a model of a sequence, a mask and states that returns all outputs of each layer."""
    inputs = [
        keras.Input((None, 2), name="x"),
        keras.Input((None,), dtype="bool", name="mask"),
        *(keras.Input((4,), name=name) for name in "hc"),
    ]
    outputs = {}
    for number, layer in enumerate(ours):
        options = {"mask": inputs[1]}
        if not isinstance(layer, keras.layers.Bidirectional):
            options["initial_state"] = inputs[2 : 2 + len(layer.state_size)]
        results = layer(inputs[0], **options)
        results = results if isinstance(results, (list, tuple)) else [results]
        outputs |= {f"{number}_{place}": output for place, output in enumerate(results)}
    model = keras.Model(inputs, outputs)
    rng = np.random.default_rng(2)
    model.set_weights([rng.normal(size=w.shape) * 0.5 for w in model.get_weights()])
    return model


def operators(graph):
    """Return the count of each operator in a graph, including the bodies of loops."""
    counts = collections.Counter()
    for node in graph.node:
        counts[node.op_type] += 1
        for attribute in node.attribute:
            counts += operators(attribute.g)
    return counts


def exported(model, folder, examples=None, name="predict"):
    """Return the report, the count of each operator, and a session."""
    report = export.onnx(model, folder, examples)
    file = folder / f"{name}.onnx"
    return report, operators(onnx.load(file).graph), onnxruntime.InferenceSession(file)


def check(model, folder, masks=(ARBITRARY, RIGHT_PADDED)):
    """Export, compare for each mask, and return the count of each operator."""
    arrays = [np.concatenate([X] * len(masks)), np.concatenate(masks)]
    arrays += [np.concatenate([state] * len(masks)) for state in STATES]
    report, counts, session = exported(model, folder, arrays)
    assert report["max_abs_error"] < 1e-5
    with general_only():
        expected = model(arrays)
    known = {value.name for value in session.get_inputs()}
    inputs = {n: a for n, a in zip(["x", "mask", "h", "c"], arrays) if n in known}
    names = [output.name for output in session.get_outputs()]
    assert set(names) == set(expected)
    for name, theirs in zip(names, session.run(names, inputs)):
        np.testing.assert_allclose(theirs, ops.convert_to_numpy(expected[name]), atol=1e-5)
    return counts


ALL = {"return_sequences": True, "return_state": True}


OPERATORS = {"SimpleRNN": "RNN", "GRU": "GRU", "LSTM": "LSTM", "DiagonalPeepholeLSTM": "LSTM"}


@pytest.mark.parametrize("cls", slow_but(["DiagonalPeepholeLSTM"], OPERATORS))
def test_layers_become_their_operators(tmp_path, cls):
    make = getattr(layers, cls)
    counts = check(
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
    assert counts[OPERATORS[cls]] == 6 and not counts["Loop"] and not counts["Scan"]


def test_options_of_layers_become_attributes(tmp_path):
    both = keras.layers.Bidirectional(
        layers.LSTM(4, activation="relu", return_sequences=True),
        backward_layer=layers.LSTM(
            4, activation="softsign", go_backwards=True, return_sequences=True
        ),
        merge_mode="sum",
    )
    counts = check(
        with_mask(layers.GRU(4, reset_after=False, **ALL), both, keras.layers.LSTM(4, **ALL)),
        tmp_path / "it",
    )
    assert counts["GRU"] == 1 and counts["LSTM"] == 2 and not counts["Loop"]


@keras.saving.register_keras_serializable(package="tests")
class LeakyCell(RecurrentCell):
    """Cell without an operator in ONNX."""

    def build(self, input_shape):
        self.kernel = self.add_kernel(input_shape[-1], self.units)

    def project(self, inputs):
        return ops.matmul(inputs, self.kernel)

    def step(self, projected, states):
        h = 0.9 * states[0] + 0.1 * self.activation(projected)
        return Step(h, [h], {})


@pytest.mark.parametrize(
    "options", [{"go_backwards": True}, slow({}), slow({"zero_output_for_mask": True})]
)
def test_other_cells_become_scan(tmp_path, options):
    counts = check(
        with_mask(
            layers.PeepholeLSTM(4, **ALL, **options), layers.RNN(LeakyCell(4), **ALL, **options)
        ),
        tmp_path / "it",
    )
    assert counts["Scan"] == 2 and not counts["Loop"]


def test_without_a_mask_there_are_no_sequence_lengths(tmp_path):
    inputs = keras.Input((5, 2), name="x")
    model = keras.Model(inputs, keras.layers.Dense(3)(layers.GRU(4)(inputs)))
    report, counts, _ = exported(model, tmp_path / "it", X)
    assert report["max_abs_error"] < 1e-5
    (node,) = (n for n in onnx.load(tmp_path / "it/predict.onnx").graph.node if n.op_type == "GRU")
    assert len(node.input) == 6 and node.input[4] == ""
    assert not counts["TopK"]


@pytest.mark.slow
def test_a_tagger(tmp_path):
    encoder = TextEncoder(["ab", "cd", "efg"])
    pairs, tag_set = layers.BigramEmbedding([encoder.encode("ab cd")], 2), TagSet(["PER"])
    tagger = SequenceTagger(
        encoder,
        tag_set,
        features=[
            layers.TokenEmbedding(encoder, 3),
            keras.Sequential([pairs, keras.layers.Dropout(0.5)]),
            layers.CharEncoder(2),
        ],
        stack=layers.RNNStack("LSTM", 3, bidirectional=True),
        experts=[layers.TemplateFeatures.from_examples([["ab", "cd"], ["efg"]], len(tag_set))],
        auxiliary=AuxiliaryTags(["n"]),
    )
    randomized(tagger)
    report, counts, session = exported(tagger, tmp_path / "it", name="tag")
    assert report["endpoints"] == ["tag"] and report["max_abs_error"] <= 1e-5
    # Two for the characters and the tokens. The CRF has one forward pass and one for the tags.
    assert counts["LSTM"] == 2 and not counts["Loop"] and counts["Scan"] == 2
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


@pytest.mark.slow
def test_a_classifier(tmp_path):
    encoder = TextEncoder(["good", "bad", "film"])
    pairs = [encoder.encode("bad film")]
    model = SequenceClassifier(
        encoder,
        ["no", "yes"],
        features=[layers.TokenEmbedding(encoder, 3), layers.BigramEmbedding(pairs, 2)],
        stack=layers.RNNStack("DiagonalPeepholeLSTM", 3, bidirectional=True),
        experts=[
            layers.NaiveBayesExpert(encoder.vocab_size, 2, pairs),
            layers.CharNgramExpert(2, num_buckets=1024),
        ],
    )
    randomized(model)
    report, counts, session = exported(model, tmp_path / "it", name="classify")
    assert report["max_abs_error"] <= 1e-5
    assert counts["LSTM"] == 1 and not counts["Loop"] and not counts["Scan"]
    (ours,) = model.classify(["bad film"])
    metadata = json.loads((tmp_path / "it/metadata.json").read_text())
    characters = token_code_points([["bad", "film", ""]], metadata["max_characters"])
    probabilities, weights = session.run(
        ["probabilities", "weights"],
        {"tokens": np.int32([[3, 4, 0]]), "characters": characters},
    )
    assert probabilities[0, 1] == pytest.approx(ours.probabilities["yes"], abs=1e-5)
    np.testing.assert_allclose(weights[0], [*(w for _, w in ours.token_weights), 0], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("styles", [None, ["a", "b"]])
def test_a_generator(tmp_path, styles):
    encoder = TextEncoder("abc", "char", end=True)
    if styles is None:
        cell, counts = "PeepholeLSTM", layers.KneserNey(encoder.vocab_size, 3)
        counts.adapt(encoder.encode_batch(["abca", "bcc"], start=True, end=True).ids)
        parts = {"count_model": counts}
    else:
        cell, ngrams = "LSTM", layers.CausalNgramFeatures(3, 16, 2, max_style_n=3)
        bars = [[0, 0, *([1] * (encoder.vocab_size - 2))]], [1], {encoder.vocab_size - 1: 2}, 2
        parts = {
            "features": [
                ngrams,
                layers.LongestMatchEmbedding(encoder.vocab_size, 2),
                layers.BarPositionEmbedding(*bars, name="place"),
                layers.EarlierBarsEmbedding(*bars, name="earlier"),
            ]
        }
    stack = layers.RNNStack(cell, 4, return_state=True)
    model = SequenceGenerator(encoder, styles=styles, stack=stack, **parts)
    randomized(model)
    (ours,) = model.generate_tokens(["ab"], styles and [1], max_length=6, temperature=0)
    report = export.onnx(model, tmp_path / "it")
    assert report["endpoints"] == ["init", "step"] and report["max_abs_error"] <= 1e-5
    init, step = (
        onnxruntime.InferenceSession(tmp_path / f"it/{name}.onnx") for name in ("init", "step")
    )
    names = {"contexts"}
    if styles is not None:
        histories = {"history", "position"}
        names = {"history_window", "style"} | histories
        names |= {f"{layer}_{name}" for layer in ("place", "earlier") for name in histories}
    names |= {"layer_0_h", "layer_0_c", "token"}
    assert {value.name for value in step.get_inputs()} == names
    tokens = json.loads((tmp_path / "it/metadata.json").read_text())["tokens"]
    inputs = {
        "tokens": np.int32([[2, 3, 4]]),
        "max_length": np.array(6, "int32"),
        "style": np.int32([1]),
    }
    state, generated = run(init, inputs), []
    while len(generated) < 6:
        state = run(step, {name.removeprefix("next_"): array for name, array in state.items()})
        token = int(state["log_probs"].argmax())
        if tokens[token] == "<EOS>":
            break
        generated.append(tokens[token])
        state["token"] = np.int32([token])
    assert generated == ours.tokens


def run(session, arrays):
    """Return the outputs of a session by name, for inputs by name."""
    names = [value.name for value in session.get_outputs()]
    inputs = {value.name: arrays[value.name] for value in session.get_inputs()}
    return dict(zip(names, session.run(names, inputs)))


def randomized(model):
    """Return the model with random weights, so that no two units are equal."""
    rng = np.random.default_rng(3)
    for weight in model.trainable_variables:
        weight.assign(rng.normal(size=weight.shape) * 0.7)
