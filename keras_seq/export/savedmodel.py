"""Export to TensorFlow's SavedModel."""

import os
from typing import Any

import keras

from keras_seq._internal.export_target import exporting_to
from keras_seq._internal.files import atomic_write
from keras_seq._internal.types import Array
from keras_seq.export.checks import require_new_path, require_tensorflow
from keras_seq.export.signatures import adapter_for
from keras_seq.export.verification import Runner, verify


def savedmodel(
    model: keras.Model, path: str | os.PathLike[str], examples: Any = None
) -> dict[str, Any]:
    """Export the text signatures of a model to a SavedModel.

    `tf.saved_model.load(path)` loads it without this package. Keep a reference to the result while
    you call its endpoints. The adapters in `keras_seq.export.signatures` document the endpoints of
    each class of models. Other functional models have one endpoint, `predict`.

    Args:
        model: Built model, see `keras_seq.export.onnx`.
        path: Folder to write.
        examples: Examples to verify the export on, see `keras_seq.export.onnx`.

    Returns:
        Report with the keys "endpoints" (sorted names), "max_abs_error" (largest difference from
        the model), and "latency_ms" (milliseconds for one example, by endpoint).

    Raises:
        InputError: If the backend is not TensorFlow, the path exists, the model cannot be exported,
            or the export differs from the model.
    """
    require_tensorflow("SavedModel")
    import tensorflow as tf

    require_new_path(path)
    adapter = adapter_for(model)
    endpoints = adapter.text_signatures(adapter.example_inputs() if examples is None else examples)
    archive = keras.export.ExportArchive()
    archive.track(model)
    for name, endpoint in endpoints.items():
        for resource in endpoint.resources:
            archive.track(resource)
        archive.add_endpoint(name, endpoint.function, endpoint.signature)
    with atomic_write(path) as folder:
        with exporting_to("savedmodel"):
            archive.write_out(folder, verbose=False)
        loaded = tf.saved_model.load(folder)

        def make_runner(name: str) -> Runner:
            def run(*arguments: Any) -> dict[str, Array]:
                outputs = getattr(loaded, name)(*map(tf.convert_to_tensor, arguments))
                return {key: value.numpy() for key, value in outputs.items()}

            return run

        return verify(endpoints, {name: make_runner(name) for name in endpoints})
