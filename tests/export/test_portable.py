"""Portable ONNX graphs are right in OpenVINO and onnx.reference; others come with a warning."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_seq import export, layers

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exports from TensorFlow"
)

X = np.random.default_rng(0).normal(size=(6, 5, 2)).astype("float32")
STATES = np.random.default_rng(1).normal(size=(2, 6, 4)).astype("float32")
# Padded right, padded left, with holes, and with nothing to see.
MASK = np.array(
    [
        [1, 1, 1, 1, 1],
        [1, 1, 1, 0, 0],
        [0, 0, 1, 1, 1],
        [0, 1, 0, 1, 1],
        [1, 0, 1, 1, 0],
        [0, 0, 0, 0, 0],
    ],
    bool,
)
ALL = {"return_sequences": True, "return_state": True}


def model_of(*recurrent):
    """A model of a sequence, a mask and states, with all that each layer can return."""
    inputs = [keras.Input((None, 2), name="x"), keras.Input((None,), dtype="bool", name="mask")]
    inputs += [keras.Input((4,), name=name) for name in "hc"]
    outputs = {}
    for number, layer in enumerate(recurrent):
        given = {"mask": inputs[1]}
        if not isinstance(layer, keras.layers.Bidirectional):
            given["initial_state"] = inputs[2 : 2 + len(layer.state_size)]
        for place, output in enumerate(keras.tree.flatten(layer(inputs[0], **given))):
            outputs[f"{number}_{place}"] = output
    return randomized(keras.Model(inputs, outputs))


def randomized(model):
    rng = np.random.default_rng(2)
    model.set_weights([rng.normal(size=w.shape) * 0.5 for w in model.get_weights()])
    return model


def in_openvino(file, given):
    openvino = pytest.importorskip("openvino")
    # Without the hint, some processors compute in bfloat16.
    precision = {"INFERENCE_PRECISION_HINT": "f32"}
    results = openvino.Core().compile_model(str(file), "CPU", precision)(given)
    return {next(iter(output.names)): values for output, values in results.items()}


def in_onnx_reference(file, given):
    evaluator = pytest.importorskip("onnx.reference").ReferenceEvaluator(str(file))
    return dict(zip(evaluator.output_names, evaluator.run(None, given)))


GIVEN = {"x": X, "mask": MASK, "h": STATES[0], "c": STATES[1]}


@pytest.fixture(scope="module")
def portable(tmp_path_factory):
    """The file of a portable graph, and what the model itself gives by name."""
    model = model_of(
        layers.SimpleRNN(4, **ALL),
        layers.GRU(4, go_backwards=True, **ALL),
        layers.LSTM(4, **ALL),
        layers.LSTM(4, activation="relu", zero_output_for_mask=True, **ALL),
        layers.DiagonalPeepholeLSTM(4, go_backwards=True, **ALL),
        layers.PeepholeLSTM(4, **ALL),
        keras.layers.LSTM(4, **ALL),
        keras.layers.Bidirectional(layers.GRU(4, return_sequences=True)),
    )
    folder = tmp_path_factory.mktemp("portable") / "it"
    report = export.onnx(model, folder, list(GIVEN.values()), portable=True)
    assert report["warnings"] == []
    wanted = {name: ops.convert_to_numpy(y) for name, y in model(list(GIVEN.values())).items()}
    return folder / "predict.onnx", wanted


@pytest.mark.slow
@pytest.mark.parametrize("run", [in_openvino, in_onnx_reference])
def test_layers_under_every_kind_of_mask(portable, run):
    file, wanted = portable
    results = run(file, GIVEN)
    assert set(results) == set(wanted)
    for name, expected in wanted.items():
        np.testing.assert_allclose(results[name], expected, atol=1e-5, err_msg=name)


def test_what_is_not_portable_is_in_the_report(tmp_path):
    layer = layers.DiagonalPeepholeLSTM(4, activation="relu", **ALL)
    report = export.onnx(model_of(layer), tmp_path / "it", list(GIVEN.values()))
    found = sorted(warning.split(": ")[0] for warning in report["warnings"])
    assert found == [
        "OpenVINO and onnx.reference ignore `sequence_lens` where the graph computes them",
        "OpenVINO computes peepholes wrongly",
        "onnx.reference ignores `activations`",
    ]


def test_without_masks_the_operators_are_portable(tmp_path):
    inputs = keras.Input((5, 2))
    model = keras.Model(inputs, keras.layers.Bidirectional(layers.LSTM(4))(inputs))
    assert export.onnx(model, tmp_path / "it", X)["warnings"] == []
