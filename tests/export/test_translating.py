"""Exported sequence-to-sequence models, decoded by the code of docs/export.md."""

import functools
import json
import re
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from tiny_models import seq2seq

from keras_seq import export, layers, scan
from keras_seq.models import seq2seq_search
from keras_seq.text.subwords import wordpiece_tokenizer
from keras_seq.text.vocabulary import Vocabulary

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exports from TensorFlow"
)

PAGE = (Path(__file__).parents[2] / "docs/export.md").read_text("utf-8")
SECTIONS = PAGE.split("## Decoding without this package")[1]
WITH_ONNX, WITH_LITERT, WORDPIECE, *_ = re.findall(r"```python\n(.*?)```", SECTIONS, re.S)

EXAMPLES = ["abcd", "ba"]
"""Examples to verify the export on."""

WORDS = ["", "a", "cab", "xa bc", "acbdabca", "bad" * 7]


@pytest.fixture(autouse=True)
def uncompiled(monkeypatch):
    """Avoid XLA, which takes longer to compile than a few calls take to run."""
    monkeypatch.setattr(
        seq2seq_search, "compile_for_any_length", lambda function, *shapes: function
    )
    with scan.general_only():
        yield


def random_seq2seq(**options):
    """Return a model with random weights, so that outputs differ between words."""
    tokenizers = "char_nospace", "whitespace"
    model = seq2seq("abcd", "ABCDEF", tokenizers=tokenizers, units=6, embedding=5, **options)
    rng = np.random.default_rng(5)
    for weight in model.trainable_variables:
        weight.assign(rng.normal(size=weight.shape))
    return model


def run(session, arrays):
    """Return the outputs of a session by name, for inputs by name."""
    names = [value.name for value in session.get_outputs()]
    inputs = {value.name: arrays[value.name] for value in session.get_inputs()}
    return dict(zip(names, session.run(names, inputs)))


def operators(file):
    return [node.op_type for node in onnx.load(file).graph.node]


@pytest.mark.slow
def test_decoding_by_the_documentation(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    model = random_seq2seq(features=[layers.NgramFeatures(3, num_buckets=16, output_dim=2)])
    expected = model.translate(WORDS, beam_width=1)
    assert len(set(expected)) > 4
    page = {}
    # The second example of the page continues the first.
    for format, lines in (("onnx", WITH_ONNX), ("litert", WITH_LITERT)):
        folder = Path("runs/spelling/default") / format
        folder.parent.mkdir(parents=True, exist_ok=True)
        report = export.FORMATS[format](model, folder, EXAMPLES)
        assert report["endpoints"] == ["greedy", "init", "step"]
        assert report["max_abs_error"] <= 1e-5
        exec(lines, page)
        assert [
            " ".join(page["translate"](model.encoder.tokenize(word))) for word in WORDS
        ] == expected
    [[hypothesis]] = model.translate_n_best(["attention"], beam_width=1)
    assert capsys.readouterr().out == f"{hypothesis.tokens}\n"
    # Both directions become one operator, and a step has no loop.
    assert operators("runs/spelling/default/onnx/init.onnx").count("LSTM") == 1
    assert not {"Loop", "Scan"} & {*operators("runs/spelling/default/onnx/step.onnx")}


@pytest.mark.slow
def test_a_batch_of_different_lengths(tmp_path):
    model = random_seq2seq(attention="additive", cell="GRU", input_feeding=True, num_layers=2)
    assert export.onnx(model, tmp_path / "it", EXAMPLES)["max_abs_error"] <= 1e-5
    types = operators(tmp_path / "it/init.onnx")
    assert types.count("GRU") == 2 and not {"Loop", "Scan"} & {*types}
    init, step, greedy = (
        functools.partial(run, onnxruntime.InferenceSession(tmp_path / f"it/{name}.onnx"))
        for name in ("init", "step", "greedy")
    )
    metadata = json.loads((tmp_path / "it/metadata.json").read_text())
    ids = np.zeros((len(WORDS), 30), "int32")
    for row, word in zip(ids, WORDS):
        source = [*model.encoder.tokenize(word), "<EOS>"]
        row[: len(source)] = [metadata["tokens"].index(t) if t != "x" else 1 for t in source]
    outputs = greedy({"tokens": ids})
    sequences = [
        [metadata["target_tokens"][n] for n in row if n] for row in outputs["target_tokens"]
    ]
    expected = model.translate(WORDS, beam_width=1)
    assert [" ".join(t for t in tokens if t != "<EOS>") for tokens in sequences] == expected
    assert (
        len({len(tokens) for tokens in sequences}) > 2
    )  # some end, others reach the maximum length
    # The same by steps, with two rows per source.
    state = {name.removeprefix("next_"): array for name, array in init({"tokens": ids}).items()}
    memory = {name: state.pop(name) for name in ("keys", "values", "mask")}
    state = {name: np.repeat(array, 2, axis=0) for name, array in state.items()}
    for tokens, log_probs in list(zip(outputs["target_tokens"].T, outputs["log_probs"].T))[:20]:
        step_outputs = step(state | memory)
        chosen = np.take_along_axis(
            step_outputs["log_probs"], np.repeat(tokens, 2)[:, None], axis=1
        )
        alive = np.repeat(tokens > 0, 2)
        np.testing.assert_allclose(chosen[alive, 0], np.repeat(log_probs, 2)[alive], atol=1e-4)
        state = {name: step_outputs[f"next_{name}"] for name in state if name != "token"}
        state["token"] = np.repeat(tokens, 2)


def test_wordpiece_of_the_documentation():
    known = Vocabulary(["▁", "▁ab", "ab", "abc", "c", "▁d_", "_", "▁.", "é"])
    page = {"metadata": {"tokens": known.tokens}}
    exec(WORDPIECE, page)
    split = wordpiece_tokenizer(known.tokens)
    for text in ("", "abc ab", "abcab. d_e", "▁ab\u3000\tcé é", " . x1 "):
        assert page["wordpiece"](text) == [token for token, _, _ in split(text)]
