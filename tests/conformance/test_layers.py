"""Conformance tests of every exported layer and cell, on each backend.

Keras puts its own layers through `run_layer_test`: configuration, weights, losses, symbolic and
eager calls, a compiled training step and mixed precision. It is not a public name of Keras, yet no
other check says what a layer must do. The second test saves each layer in a model.
"""

import itertools
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
from helpers import assert_close, slow_but, to_numpy
from keras.src.testing import TestCase
from tiny_models import tiny_application

from keras_seq import cells, layers
from keras_seq.layers import frame_encoders
from keras_seq.layers.text.ngram_trie import NgramTrie
from keras_seq.text.encoder import TextEncoder

# Keras's check feeds a generator, and its own `fit` then warns that it cannot shuffle.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*shuffle=True"),
    pytest.mark.filterwarnings("ignore:The model does not have any trainable weights"),
    pytest.mark.filterwarnings("ignore:Gradients do not exist for variables .*transitions"),
    pytest.mark.filterwarnings("ignore:.*does not apply to tf.data functions"),
]

BATCH, STEPS, FEATURES, UNITS = 2, 4, 5, 3
SEQUENCES = {"inputs": ((BATCH, STEPS, FEATURES), "float32")}
IDS = {"inputs": ((BATCH, STEPS), "int32")}
"""Keras's check draws numbers from 0 to 2."""
BARS = {"durations": [[0, 1, 2]], "bar_ends": [0], "bar_lengths": {1: 2}}


class Case(NamedTuple):
    """Arguments of a layer and of its call, and the expected results."""

    arguments: dict
    """Arguments of the constructor."""
    inputs: dict = SEQUENCES
    """Name of each call argument to its shape and dtype."""
    output: tuple = (BATCH, STEPS, UNITS)
    """Shape of the output."""
    weights: tuple = (0, 0)
    """Number of weights that are trained, and that are not."""
    call: dict = {}
    """Further call arguments."""
    losses: int = 0
    """Number of losses that a call adds."""
    masking: bool = False
    """Whether the layer supports masking."""
    trains: bool = True
    """Whether Keras's check can train it: outputs have gradients, and the input is one array."""
    cls: Any = None
    """Class to test; by default the exported one of that name."""


@keras.saving.register_keras_serializable(package="tests")
class SelfDecoder(keras.layers.Layer):
    """Recurrent layer of a cell whose memory is the inputs."""

    def __init__(self, cell, **kwargs):
        super().__init__(**kwargs)
        self.rnn = layers.RNN(cell, return_sequences=True)

    def build(self, input_shape):
        self.rnn.build(input_shape)

    def call(self, inputs):
        return self.rnn(inputs, initial_state=self.rnn.cell.initial_state(inputs))

    def compute_output_spec(self, inputs):
        return self.rnn.compute_output_spec(inputs)

    def get_config(self):
        cell = keras.saving.serialize_keras_object(self.rnn.cell)
        return {**super().get_config(), "cell": cell}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "cell": keras.saving.deserialize_keras_object(config["cell"])})


@keras.saving.register_keras_serializable(package="tests")
class NoiseWithTracks(layers.BackgroundNoise):
    """The layer with tracks, which are not saved."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.set_noise([[1.0, 2.0, -1.0], [3.0, 0.0, 1.0]])


@keras.saving.register_keras_serializable(package="tests")
class FrontEndFeatures(layers.FrontEnd):
    """The front end without the mask in its results."""

    def call(self, samples, lengths, training=False):
        return super().call(samples, lengths, training)[0]

    def compute_output_spec(self, samples, lengths, training=False):
        return super().compute_output_spec(samples, lengths, training)[0]


@pytest.fixture(autouse=True)
def tiny_applications(monkeypatch):
    """Replace the models of `keras.applications` by a small one."""
    monkeypatch.setattr(
        frame_encoders, "_applications", lambda: {"Tiny": (tiny_application, lambda x: x)}
    )


@keras.saving.register_keras_serializable(package="tests")
class OneWordEmbedding(layers.TokenEmbedding):
    """The layer with an encoder of one word."""

    def __init__(self, encoder=None, output_dim=UNITS, **kwargs):
        super().__init__(encoder or TextEncoder(["a"]), output_dim, **kwargs)


@keras.saving.register_keras_serializable(package="tests")
class DecodeLast(layers.Decoder):
    """The decoder whose summary is the last time step of its memory."""

    def build(self, ids_shape, memory_shape):
        super().build(ids_shape, memory_shape, (memory_shape[0], memory_shape[-1]))

    def call(self, ids, memory, training=False):
        return super().call(ids, memory, memory[:, -1], training=training)


@keras.saving.register_keras_serializable(package="tests")
class SelfMixture(layers.LogitMixture):
    """The layer on a list with its input twice."""

    def call(self, inputs):
        return super().call([inputs, inputs])

    def compute_output_shape(self, inputs_shape):
        return inputs_shape


# As Keras's own `test_basics` of its LSTM.
RECURRENT = {
    "dropout": {"arguments": {"dropout": 0.5}, "call": {"training": True}},
    "both dropouts": {
        "arguments": {"dropout": 0.5, "recurrent_dropout": 0.5},
        "call": {"training": True},
    },
    "regularizers": {
        "arguments": {
            "return_sequences": True,
            "bias_regularizer": "l1",
            "kernel_regularizer": "l2",
            "recurrent_regularizer": "l2",
        },
        "output": (BATCH, STEPS, UNITS),
        "losses": 3,
    },
    "backwards": {
        "arguments": {
            "go_backwards": True,
            "return_sequences": True,
            "zero_output_for_mask": True,
        },
        "output": (BATCH, STEPS, UNITS),
    },
}


def recurrent(num_weights):
    """Return the cases of a recurrent layer by name."""
    common = {"output": (BATCH, UNITS), "weights": (num_weights, 0), "masking": True}
    return {
        name: Case(**{**common, **case, "arguments": {"units": UNITS, **case["arguments"]}})
        for name, case in RECURRENT.items()
    }


def in_rnn(cell, num_weights):
    """Return the case of a cell, or of a list of cells, that `RNN` runs."""
    return Case(
        {"cell": cell},
        output=(BATCH, UNITS),
        weights=(num_weights, 0),
        masking=True,
        cls=layers.RNN,
    )


TRIE = NgramTrie([[2, 0, 1, 2], [2, 1, 2]], order=2, vocab_size=FEATURES, discount=0.9)

CASES = {
    "SimpleRNN": recurrent(3),
    "GRU": recurrent(3),
    "LSTM": recurrent(3),
    "PeepholeLSTM": recurrent(3),
    "DiagonalPeepholeLSTM": recurrent(6),
    "RNN": in_rnn([cells.GRUCell(4), cells.LSTMCell(UNITS)], 6),
    "SimpleRNNCell": in_rnn(cells.SimpleRNNCell(UNITS), 3),
    "GRUCell": in_rnn(cells.GRUCell(UNITS), 3),
    "LSTMCell": in_rnn(cells.LSTMCell(UNITS), 3),
    "PeepholeLSTMCell": in_rnn(cells.PeepholeLSTMCell(UNITS), 3),
    "DiagonalPeepholeLSTMCell": in_rnn(cells.DiagonalPeepholeLSTMCell(UNITS), 6),
    "AttentionDecoderCell": Case(
        {
            "cell": layers.AttentionDecoderCell(
                cells.GRUCell(UNITS), "additive", key_units=FEATURES, memory_units=FEATURES
            )
        },
        weights=(6, 0),
        cls=SelfDecoder,
    ),
    "AttentionPooling": Case(
        {"units": UNITS}, output=(BATCH, FEATURES), weights=(3, 0), masking=True
    ),
    "BackgroundNoise": Case(
        {"clean_prob": 0.1},
        {"samples": ((BATCH, 9), "float32")},
        output=(BATCH, 9),
        call={"training": True},
        cls=NoiseWithTracks,
    ),
    "BigramEmbedding": Case(
        {"pairs": [(1, 2), (2, 0)], "output_dim": 3}, IDS, (BATCH, STEPS, 6), (1, 0)
    ),
    "BigramLookup": Case({"pairs": [(1, 2), (2, 0)]}, IDS, (BATCH, STEPS + 1), trains=False),
    "CausalNgramFeatures": Case(
        {"max_n": 3, "num_buckets": 8, "output_dim": 2, "dropout": 0.5},
        {"ids": IDS["inputs"]},
        (BATCH, STEPS, 4),
        (1, 0),
        {"training": True},
    ),
    "CharEncoder": Case(
        {"units": UNITS, "cell": "SimpleRNN", "num_buckets": 3},
        {"inputs": ((BATCH, STEPS, 2), "int32")},
        (BATCH, STEPS, 2 * UNITS),
        (7, 0),
    ),
    "CRF": Case({"units": UNITS}, weights=(5, 0), masking=True),
    "FlattenTime": Case({"layer": keras.layers.Dense(UNITS)}, weights=(2, 0), masking=True),
    "JointNgramModel": Case(
        {
            "source_vocab_size": FEATURES,
            "target_vocab_size": FEATURES,
            "order": 2,
            "counts_shape": [FEATURES, 2, *TRIE.shape],
        },
        {"source": IDS["inputs"], "target": IDS["inputs"]},
        (BATCH,),
        (0, 8),
        trains=False,
    ),
    "KneserNey": Case(
        {"vocab_size": FEATURES, "order": 2, "trie_shape": TRIE.shape},
        {"logits": SEQUENCES["inputs"], "ids": IDS["inputs"]},
        SEQUENCES["inputs"][0],
        (0, 5),
        masking=True,
        trains=False,
    ),
    "ApplicationFrameEncoder": Case(
        {"application": "Tiny", "features": 3},
        {"clips": ((BATCH, STEPS, 6, 6, 1), "float32")},
        weights=(3, 0),
    ),
    "BandConvolution": Case(
        {"num_frames": 2, "filters": 3},
        {"steps": ((BATCH, STEPS, 2 * 10), "float32")},
        weights=(2, 0),
    ),
    "FrontEnd": Case(
        {
            "log_mel": layers.LogMelSpectrogram(
                4_000, frame_length=64, frame_step=32, num_mel_bins=6
            ),
            "frame_stack": 2,
            "mean_normalize": True,
        },
        {"samples": ((BATCH, 256), "float32"), "lengths": ((BATCH,), "int32")},
        (BATCH, 4, 12),
        (0, 2),
        trains=False,
        cls=FrontEndFeatures,
    ),
    "RNNStack": Case({"cell": "GRU", "units": UNITS}, weights=(3, 0), masking=True),
    "SmallFrameEncoder": Case(
        {"channels": 2, "features": 3},
        {"clips": ((BATCH, STEPS, 6, 6, 1), "float32")},
        weights=(4, 0),
    ),
    "LogMelSpectrogram": Case(
        {"sample_rate": 4_000, "frame_length": 64, "frame_step": 32, "num_mel_bins": 6},
        {"samples": ((BATCH, 128), "float32")},
        (BATCH, 3, 6),
    ),
    "LogitMixture": Case({"mode": "mean"}, output=SEQUENCES["inputs"][0], cls=SelfMixture),
    "MaskedConv1D": Case(
        {"filters": UNITS, "kernel_size": 3, "strides": 2},
        {"sequences": SEQUENCES["inputs"]},
        (BATCH, 2, UNITS),
        (2, 0),
        masking=True,
    ),
    "Decoder": Case(
        {"embedding": OneWordEmbedding(), "units": UNITS},
        {"ids": IDS["inputs"], "memory": SEQUENCES["inputs"]},
        (BATCH, STEPS, 3),
        (12, 0),
        trains=False,
        cls=DecodeLast,
    ),
    "MaxPooling": Case({}, {"sequences": SEQUENCES["inputs"]}, (BATCH, FEATURES), masking=True),
    "MiddlePooling": Case(
        {}, {"sequences": ((BATCH, STEPS, 6), "float32")}, (BATCH, 6), masking=True
    ),
    "CharNgramExpert": Case(
        {"num_labels": 2, "num_buckets": 16},
        {"inputs": ((BATCH, STEPS, 2), "int32")},
        (BATCH, 2),
        (1, 1),
    ),
    "NaiveBayes": Case({"num_features": 2, "num_labels": 2}, IDS, (BATCH, 2), (1, 1)),
    "NaiveBayesExpert": Case(
        {"vocab_size": 3, "num_labels": 2, "pairs": [(1, 2), (2, 0)]},
        {"ids": IDS["inputs"]},
        (BATCH, 2),
        (1, 1),
    ),
    "HashedNgramEmbedding": Case(
        {"max_n": STEPS, "num_buckets": 8, "output_dim": 2, "dropout": 0.5},
        IDS,
        (BATCH, 6),
        (1, 0),
        {"training": True},
    ),
    "NgramFeatures": Case(
        {"max_n": 3, "num_buckets": 8, "output_dim": 2},
        {"ids": IDS["inputs"]},
        (BATCH, STEPS, 8),
        (2, 0),
        {"training": True},
    ),
    "OneHotTokens": Case({"vocab_size": 3}, IDS, (BATCH, STEPS, 3), trains=False),
    "LongestMatchEmbedding": Case(
        {"vocab_size": 3, "output_dim": 2}, {"inputs": ((BATCH, 9), "int32")}, (BATCH, 9, 2), (1, 0)
    ),
    "BarPositionEmbedding": Case(
        {**BARS, "output_dim": 2, "max_time": 4, "num_bars": 2}, IDS, (BATCH, STEPS, 2), (3, 0)
    ),
    "EarlierBarsEmbedding": Case(
        {**BARS, "output_dim": 2, "distances": [1]}, IDS, (BATCH, STEPS, 2), (1, 0)
    ),
    "ScheduledSampling": Case(
        {"rate": 0.5},
        {"ids": IDS["inputs"], "predicted": IDS["inputs"]},
        (BATCH, STEPS),
        (0, 1),
        {"training": True},
        trains=False,
    ),
    "SpecAugment": Case(
        {"num_masks": 1, "freq_mask_width": 2, "time_mask_width": 2},
        output=SEQUENCES["inputs"][0],
        call={"training": True},
    ),
    "TelephoneChannel": Case({}, output=SEQUENCES["inputs"][0], call={"training": True}),
    "VocalTractLengthPerturbation": Case(
        {}, output=SEQUENCES["inputs"][0], call={"training": True}
    ),
    "TemplateFeatures": Case(
        {"keys": [1, 10636835], "output_dim": UNITS, "templates": ["bias", "lower[0]"]},
        {"inputs": ((BATCH, STEPS, 2), "int32")},
        weights=(1, 0),
    ),
    "TimeDistributed": Case({"layer": keras.layers.Dense(UNITS)}, weights=(2, 0), masking=True),
    "WordDropout": Case({"rate": 0.5}, IDS, (BATCH, STEPS), call={"training": True}, trains=False),
    "TokenEmbedding": Case({}, IDS, (BATCH, STEPS, UNITS), (1, 0), cls=OneWordEmbedding),
    "WeightArrayModel": Case(
        {"num_labels": 2, "order": 2, "window": 4},
        {"symbols": SEQUENCES["inputs"], "mask": IDS["inputs"]},
        (BATCH, 2),
        (1, 1),
        masking=True,
        trains=False,
    ),
    "WeightArrayExpert": Case(
        {"symbols": [[0.0, 0.0], [1.0, 0.0], [0.5, 0.5]], "num_labels": 2, "order": 2, "window": 4},
        {"ids": IDS["inputs"]},
        (BATCH, 2),
        (1, 1),
    ),
}
"""Exported name to its case, or to its cases by name."""

NOT_LAYERS = {"IncrementalLayer", "RecurrentCell", "Step"}
"""Exported names that are not layers or cells: base classes, and the result of a step."""


def test_every_exported_layer_and_cell_has_a_case():
    assert set(CASES) == {*layers.__all__, *cells.__all__} - NOT_LAYERS


EVERY = {
    f"{name}-{case}" if case else name: (name, one)
    for name, those in CASES.items()
    for case, one in (those.items() if isinstance(those, dict) else [("", those)])
}


def quick():
    """Return the keys of each layer once, and of each case of the recurrent layers once.

    A cell alone in `RNN` is slow: the layer of its name runs it too.
    """
    names = itertools.cycle(RECURRENT)
    for name, those in CASES.items():
        if isinstance(those, dict):
            yield f"{name}-{next(names)}"
        elif name not in cells.__all__:
            yield name


QUICK = [*quick()]
COMPILED = [key for key in QUICK if isinstance(CASES[EVERY[key][0]], dict)]
"""Recurrent layers that the quick tests check. Keras's check compiles models, which takes long."""


def make(key):
    """Return a new layer of a case."""
    keras.utils.set_random_seed(0)  # dropout may drop all of a small case by chance
    name, case = EVERY[key]
    config = keras.saving.serialize_keras_object(case.arguments)
    return (case.cls or getattr(layers, name))(**keras.saving.deserialize_keras_object(config))


@pytest.fixture
def check():
    case = TestCase()
    case.setUp()
    yield case.run_layer_test
    case.doCleanups()


@pytest.mark.parametrize("key", slow_but(COMPILED, EVERY))
def test_conforms(check, key):
    name, case = EVERY[key]
    shapes = {f"{one}_shape": shape for one, (shape, _) in case.inputs.items()}
    dtypes = {f"{one}_shape": dtype for one, (_, dtype) in case.inputs.items()}
    if len(shapes) == 1:
        [shapes], [dtypes] = shapes.values(), dtypes.values()
    check(
        case.cls or getattr(layers, name),
        init_kwargs=case.arguments,
        input_shape=shapes,
        input_dtype=dtypes,
        call_kwargs=case.call,
        expected_output_shape=case.output,
        expected_num_losses=case.losses,
        expected_num_trainable_weights=case.weights[0],
        expected_num_non_trainable_weights=case.weights[1],
        supports_masking=case.masking,
        run_training_check=case.trains,
    )


def numbers(shape, dtype):
    """Return an input of a case: random floats, or repeated integers 0, 1, 2."""
    if dtype == "int32":
        return np.resize(np.arange(3, dtype=dtype), shape)
    return np.random.default_rng(0).random(shape, dtype)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("key", slow_but(QUICK, EVERY))
def test_training_and_saving(key, tmp_path):
    """With unknown batch size and number of time steps."""
    case, layer = EVERY[key][1], make(key)
    x = {name: numbers(*spec) for name, spec in case.inputs.items()}
    inputs = {
        name: keras.Input((None, *shape[2:])[: len(shape) - 1], dtype=dtype, name=name)
        for name, (shape, dtype) in case.inputs.items()
    }
    model = keras.Model(inputs, layer(*inputs.values()))
    for weight in layer.weights:
        if keras.backend.is_float_dtype(weight.dtype):
            weight.assign(numbers(weight.shape, "float32"))
    if case.weights[0]:
        before = layer.get_weights()
        model.compile(keras.optimizers.SGD(0.1), "mse")
        model.fit(x, np.ones(case.output), verbose=0)
        assert any((now != then).any() for now, then in zip(layer.get_weights(), before))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    outputs = to_numpy(model(x))
    assert outputs.shape == case.output and np.isfinite(outputs).all()
    assert_close([to_numpy(loaded(x))], [outputs], tolerance=0)
