"""Exports in LiteRT's interpreter, compared with the models."""

import json

import keras
import numpy as np
import pytest

from keras_seq import export, layers
from keras_seq.models import SequenceClassifier, SequenceGenerator, SequenceTagger
from keras_seq.text.code_points import token_code_points
from keras_seq.text.encoder import TextEncoder
from keras_seq.text.tags import TagSet

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exports from TensorFlow"
)


def runner(file):
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(str(file)).get_signature_runner()


def test_rows_of_pixels(tmp_path):
    inputs = keras.Input((5, 2), name="x")
    both = keras.layers.Bidirectional(layers.DiagonalPeepholeLSTM(3))
    model = keras.Model(inputs, keras.layers.Dense(4, name="digit")(both(inputs)))
    x = np.random.default_rng(0).normal(size=(3, 5, 2)).astype("float32")
    report = export.litert(model, tmp_path / "it", x)
    assert report["endpoints"] == ["predict"] and report["max_abs_error"] < 1e-5
    outputs = runner(tmp_path / "it/predict.tflite")(x=x[:1])["digit"]
    np.testing.assert_allclose(outputs, model(x[:1]), atol=1e-5)


@pytest.mark.slow
def test_a_tagger_of_any_length(tmp_path):
    encoder = TextEncoder("abcdefg", "char_nospace")
    pairs = [encoder.encode(pair) for pair in ("ab", "bc")]
    tagger = SequenceTagger(
        encoder,
        TagSet(["PER"]),
        features=[layers.TokenEmbedding(encoder, 3), layers.BigramEmbedding(pairs, 2)],
        stack=layers.RNNStack("LSTM", 3, bidirectional=True),
    )
    report = export.litert(tagger, tmp_path / "it")
    assert report["max_abs_error"] <= 1e-5
    metadata = json.loads((tmp_path / "it/metadata.json").read_text())
    tag = runner(tmp_path / "it/tag.tflite")
    for text in ("abcab", "g"):
        ids = np.int32([[metadata["tokens"].index(c) for c in text]])
        outputs = tag(tokens=ids)
        ((names, chances),) = tagger.tag_tokens([text])
        assert [metadata["tags"][n] for n in outputs["tags"][0]] == names
        np.testing.assert_allclose(outputs["probabilities"][0], chances, atol=1e-5)


@pytest.mark.slow
def test_a_classifier(tmp_path):
    encoder = TextEncoder(["good", "bad"])
    model = SequenceClassifier(
        encoder,
        ["no", "yes"],
        features=[layers.TokenEmbedding(encoder, 3)],
        stack=layers.RNNStack("PeepholeLSTM", 3, bidirectional=True),
        experts=[layers.CharNgramExpert(2, num_buckets=256)],
    )
    model.adapt_experts(["good good", "so bad"], ["yes", "no"])
    assert export.litert(model, tmp_path / "it")["max_abs_error"] <= 1e-5
    outputs = runner(tmp_path / "it/classify.tflite")(
        tokens=np.int32([[3, 2, 1]]),
        characters=token_code_points([["bad", "good", "Goodness"]], 20),
    )
    (ours,) = model.classify(["bad good Goodness"])
    assert outputs["probabilities"][0, 1] == pytest.approx(ours.probabilities["yes"], abs=1e-5)


@pytest.mark.slow
def test_a_generator(tmp_path):
    encoder = TextEncoder("abc", "char", end=True)
    counts = layers.KneserNey(encoder.vocab_size, 2)
    counts.adapt(encoder.encode_batch(["abca", "bcc"], start=True, end=True).ids)
    model = SequenceGenerator(
        encoder,
        stack=layers.RNNStack("LSTM", 4, return_state=True),
        features=[layers.CausalNgramFeatures(2, 8)],
        count_model=counts,
    )
    (ours,) = model.generate_tokens(["ab"], max_length=5, temperature=0)
    assert export.litert(model, tmp_path / "it")["max_abs_error"] <= 1e-5
    init, step = (runner(tmp_path / f"it/{name}.tflite") for name in ("init", "step"))
    state, generated = init(tokens=np.int32([[encoder.end_id, 3, 4]])), []
    while len(generated) < 5:
        state = step(**{name.removeprefix("next_"): array for name, array in state.items()})
        token = int(state.pop("log_probs").argmax())
        if token == encoder.end_id:
            break
        generated.append(encoder.tokens[token])
        state["token"] = np.int32([token])
    assert generated == ours.tokens
