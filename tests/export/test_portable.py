"""Portable ONNX graphs in OpenVINO and onnx.reference, and warnings about other graphs."""

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
# Right padding, left padding, holes, and all steps masked.
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
    """Return a model of a sequence, a mask and states that returns all outputs of each layer."""
    inputs = [keras.Input((None, 2), name="x"), keras.Input((None,), dtype="bool", name="mask")]
    inputs += [keras.Input((4,), name=name) for name in "hc"]
    outputs = {}
    for number, layer in enumerate(recurrent):
        options = {"mask": inputs[1]}
        if not isinstance(layer, keras.layers.Bidirectional):
            options["initial_state"] = inputs[2 : 2 + len(layer.state_size)]
        for place, output in enumerate(keras.tree.flatten(layer(inputs[0], **options))):
            outputs[f"{number}_{place}"] = output
    return randomized(keras.Model(inputs, outputs))


def randomized(model):
    rng = np.random.default_rng(2)
    model.set_weights([rng.normal(size=w.shape) * 0.5 for w in model.get_weights()])
    return model


def in_openvino(file, inputs):
    openvino = pytest.importorskip("openvino")
    # Without the hint, some processors compute in bfloat16.
    precision = {"INFERENCE_PRECISION_HINT": "f32"}
    results = openvino.Core().compile_model(str(file), "CPU", precision)(inputs)
    return {next(iter(output.names)): values for output, values in results.items()}


def in_onnx_reference(file, inputs):
    evaluator = pytest.importorskip("onnx.reference").ReferenceEvaluator(str(file))
    return dict(zip(evaluator.output_names, evaluator.run(None, inputs)))


INPUTS = {"x": X, "mask": MASK, "h": STATES[0], "c": STATES[1]}


@pytest.fixture(scope="module")
def portable(tmp_path_factory):
    """Return the file of a portable graph, and the outputs of the model by name."""
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
    report = export.onnx(model, folder, list(INPUTS.values()), portable=True)
    assert report["warnings"] == []
    outputs = {name: ops.convert_to_numpy(y) for name, y in model(list(INPUTS.values())).items()}
    return folder / "predict.onnx", outputs


@pytest.mark.slow
@pytest.mark.parametrize("run", [in_openvino, in_onnx_reference])
def test_layers_under_every_kind_of_mask(portable, run):
    file, outputs = portable
    results = run(file, INPUTS)
    assert set(results) == set(outputs)
    for name, expected in outputs.items():
        np.testing.assert_allclose(results[name], expected, atol=1e-5, err_msg=name)


def test_nonportable_operators_are_reported(tmp_path):
    layer = layers.DiagonalPeepholeLSTM(4, activation="relu", **ALL)
    report = export.onnx(model_of(layer), tmp_path / "it", list(INPUTS.values()))
    kinds = sorted(warning.split(": ")[0] for warning in report["warnings"])
    assert kinds == [
        "OpenVINO and onnx.reference ignore `sequence_lens` where the graph computes them",
        "OpenVINO computes peepholes wrongly",
        "onnx.reference ignores `activations`",
    ]


def test_without_masks_the_operators_are_portable(tmp_path):
    inputs = keras.Input((5, 2))
    model = keras.Model(inputs, keras.layers.Bidirectional(layers.LSTM(4))(inputs))
    assert export.onnx(model, tmp_path / "it", X)["warnings"] == []
