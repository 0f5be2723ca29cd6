"""Models as TensorFlow saves them: they need nothing but TensorFlow."""

from pathlib import Path
from typing import Any

import keras

from keras_seq._internal.export_target import exporting_to
from keras_seq._internal.files import atomic_write
from keras_seq.export.checks import require_free, require_tensorflow
from keras_seq.export.signatures import adapter_for
from keras_seq.export.verification import Runner, verify


def savedmodel(model: keras.Model, path: str | Path, examples: Any = None) -> dict[str, Any]:
    """Export a model of `keras_seq.models` with raw inputs and readable answers.

    `tf.saved_model.load(path)` loads it, without this package. Its endpoints are described in
    `keras_seq.export.signatures`; keep a reference to what is loaded while you use them. Any other
    functional `keras.Model` has one endpoint, `predict`.

    Args:
        model, path, examples: As of `keras_seq.export.onnx`.

    Returns:
        Report: the endpoints by name, the largest difference seen between the numbers that the
        exported and the original model give, and the milliseconds that one example takes.

    Raises:
        InputError: If the backend is not TensorFlow, the path exists, the model cannot be exported,
            or what was exported gives other numbers.
    """
    require_tensorflow("A saved model")
    import tensorflow as tf

    require_free(path)
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

        def runner(name: str) -> Runner:
            def run(*arguments: Any) -> dict[str, Any]:
                outputs = getattr(loaded, name)(*map(tf.convert_to_tensor, arguments))
                return {key: value.numpy() for key, value in outputs.items()}

            return run

        return verify(endpoints, {name: runner(name) for name in endpoints})
