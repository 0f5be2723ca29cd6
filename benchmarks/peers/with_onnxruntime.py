"""ONNX Runtime's recurrent operators, forward only."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

Task = dict[str, Any]

GATES = {"SimpleRNN": ("RNN", 1), "GRU": ("GRU", 3)}


def build(task: Task) -> Callable[[], object]:
    """Return a function that runs the task once."""
    if task["mode"] != "forward":
        raise ValueError("ONNX Runtime supports the mode 'forward' only.")
    batch, timesteps, features, units = task["shape"]
    operator, gates = GATES.get(task["cell"], ("LSTM", 4))
    rng = np.random.default_rng(0)
    shapes = {
        "W": (1, gates * units, features),
        "R": (1, gates * units, units),
        "B": (1, 2 * gates * units),
    }
    if task["cell"] == "DiagonalPeepholeLSTM":
        shapes["P"] = (1, 3 * units)
    weights = [
        numpy_helper.from_array(rng.standard_normal(shape).astype("float32") * 0.1, name)
        for name, shape in shapes.items()
    ]
    inputs = ["x", "W", "R", "B"] + (["", "", "", "P"] if "P" in shapes else [])
    extra: dict[str, Any] = {"linear_before_reset": 1} if operator == "GRU" else {}
    node = helper.make_node(operator, inputs, ["y"], hidden_size=units, **extra)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (timesteps, batch, features))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, (timesteps, 1, batch, units))
    graph = helper.make_graph([node], "layer", [x], [y], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    values = rng.standard_normal((timesteps, batch, features)).astype("float32")
    return lambda: session.run(None, {"x": values})
