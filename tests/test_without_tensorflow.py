"""JAX and torch in an environment that does not have TensorFlow."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import without_tensorflow

TESTS = Path(__file__).parent

LAYERS = """
import keras, numpy as np, sys
import keras_seq
from keras_seq import layers

x = np.ones((8, 5, 3), "float32")
names = ["SimpleRNN", "GRU", "LSTM", "PeepholeLSTM", "DiagonalPeepholeLSTM"]
stack = [getattr(layers, name)(4, return_sequences=True) for name in names]
crf = layers.CRF(3)
model = keras.Sequential([keras.Input((5, 3)), *stack, crf])
model.compile("adam", crf.loss)
model.fit(x, np.ones((8, 5), "int32"), batch_size=4, verbose=0)
assert model.predict(x, verbose=0).shape == (8, 5, 3)
trace = keras_seq.trace(model, x[:1])
assert set(trace["lstm"].gates) == {"input", "forget", "candidate", "output"}
"""

TEXTS = """
import sys
from keras_seq import layers
from keras_seq.models import SequenceClassifier, SequenceTagger
from keras_seq.text import TagSet, TextEncoder

texts = ["Ada lived in London .", "Bob saw Ada ."]
tags = [["S-PER", "O", "O", "S-LOC", "O"], ["S-PER", "O", "S-PER", "O"]]
for tokenizer in ("word", "char", "whitespace", "word_metaspace"):
    encoder = TextEncoder.from_examples(texts, tokenizer, lowercase=True)
    assert len(encoder.encode(texts[1])) >= 4
encoder = TextEncoder.from_examples(texts, "whitespace", lowercase=True)
features = [layers.TokenEmbedding(encoder, 8), layers.CharEncoder(4)]
stack = layers.RNNStack("LSTM", 8, bidirectional=True)
tagger = SequenceTagger(encoder, TagSet(["PER", "LOC"]), features=features, stack=stack)
tagger.compile("adam")
tagger.fit(texts, tags, epochs=2, verbose=0)
assert len(tagger.tag_tokens(texts)) == 2
tagger.save("tagger.keras")
classifier = SequenceClassifier(encoder, ["good", "bad"], stack=layers.RNNStack("GRU", 8))
classifier.compile("adam")
classifier.fit(texts, ["good", "bad"], verbose=0)
assert len(classifier.classify(texts)) == 2
"""


def run(code, backend, folder):
    code += "\nassert 'tensorflow' not in sys.modules\n"
    script = folder / "script.py"
    script.write_text(code)
    return subprocess.run(
        [sys.executable, str(TESTS / "without_tensorflow.py"), str(script)],
        env={**os.environ, "KERAS_BACKEND": backend},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.parametrize("code", [LAYERS, TEXTS], ids=["layers", "texts"])
def test_layers_and_models(code, backend, tmp_path):
    result = run(code, backend, tmp_path)
    assert result.returncode == 0, result.stderr[-2000:]


def test_packages_are_hidden(tmp_path):
    without_tensorflow.install(tmp_path)
    code = (
        "import importlib.util as u; print(u.find_spec('tensorflow'), bool(u.find_spec('keras')))"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", code]
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert output.stdout.split() == ["None", "True"]
