"""Models as graphs of ONNX, in which recurrent layers are its own recurrent operators."""

import functools

import keras

from keras_seq.export import verification as ends
from keras_seq.scan import compiled


def onnx(model, path, examples=None, portable: bool = False):
    """Exports a model from numbers to numbers as ONNX, each endpoint a file `NAME.onnx`.

    LSTMs with and without diagonal peepholes, GRUs and simple recurrent layers become the operators
    `LSTM`, `GRU` and `RNN`, both halves of a Bidirectional layer one of them; all other cells and
    the CRF become `Scan`. Masks may be False anywhere. `tables.json` beside them has what a text
    becomes numbers by, and numbers become words by.

    Args:
        model: Of `keras_seq.models`, or any functional `keras.Model`.
        path: Folder to write.
        examples: What to compare the exported with the original on: lists of tokens, or for other
            models inputs, a batch.
        portable: Whether to avoid what OpenVINO or onnx.reference compute wrongly: layers with
            masks, peepholes or other activations than the default become `Scan` then, which is
            slower.

    Returns:
        Report: the endpoints by name, the largest difference seen, the milliseconds that ONNX
        Runtime takes for one example, and warnings: a sentence for each thing that another
        runtime is known to compute wrongly.
        For a model in mixed precision also "precision": what is exported computes in float32, and
        is compared with the model in float32.

    Raises:
        InputError: The backend is not TensorFlow, there is something at the path, the model cannot
            be exported, or what was exported does not give the same.
    """
    ends.check_backend("ONNX")
    ends.imported("onnxruntime")
    warnings: set[str] = set()
    write = functools.partial(_write, portable=portable, warnings=warnings)
    report = ends.written(model, path, examples, write)
    return report | {"warnings": sorted(warnings)}


def _write(model, endpoint, path, portable, warnings):
    """Writes an endpoint, adds to the warnings; returns what runs it in ONNX Runtime."""
    import onnxruntime

    file = path.with_suffix(".onnx")
    graph, found = _graph(model, endpoint, portable)
    warnings |= found
    file.write_bytes(graph.SerializeToString())
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    known = {value.name for value in session.get_inputs()}

    def run(*arguments):
        pairs = zip(endpoint.signature, arguments, strict=True)
        # What an answer does not depend on is no input of the graph.
        given = {
            spec.name: keras.ops.convert_to_numpy(a) for spec, a in pairs if spec.name in known
        }
        return dict(zip(names, session.run(names, given)))

    return run


def _graph(model, endpoint, portable):
    """An endpoint as a model of ONNX, and what to be warned of."""
    ends.imported("onnx")
    import tensorflow as tf
    from onnx import checker

    from keras_seq.export.onnx.operators import converted, in_place, operators, warnings_of

    function = tf.function(ends.with_constants(model, endpoint.function), autograph=False)
    with compiled.portable(), ends.plain_argmax(), operators(model, portable) as marks:
        made = in_place(converted("from_function", function, endpoint.signature), marks)
    checker.check_model(made)
    return made, warnings_of(marks)
