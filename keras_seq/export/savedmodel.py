"""Models as TensorFlow saves them: they need nothing but TensorFlow."""

import keras

from keras_seq._internal.files import atomic_write
from keras_seq.export.signatures import adapter_for
from keras_seq.export.verification import check_backend, check_free, compared


def savedmodel(model, path, examples=None):
    """Exports a model of `keras_seq.models` with raw inputs and readable answers.

    `tf.saved_model.load(path)` loads it, without this package. Its endpoints are described in
    `keras_seq.export.signatures`; keep a reference to what is loaded while you use them. Any other
    functional `keras.Model` has one endpoint, `predict`.

    Args:
        model: Of `keras_seq.models`, any functional `keras.Model`, or a model of a class that has
            an adapter, see `register`.
        path: Folder to write.
        examples: What to compare the exported with the original on: lists of tokens, or for other
            models inputs, a batch.

    Returns:
        Report: the endpoints by name, the largest difference seen between the numbers that the
        exported and the original model give, and the milliseconds that one example takes.

    Raises:
        InputError: The backend is not TensorFlow, there is something at the path, or what was
            exported does not give the same.
    """
    check_backend("A saved model")
    import tensorflow as tf

    check_free(path)
    adapter = adapter_for(model)
    endpoints = adapter.text_signatures(adapter.example_inputs() if examples is None else examples)
    archive = keras.export.ExportArchive()
    archive.track(model)
    for name, endpoint in endpoints.items():
        for resource in endpoint.resources:
            archive.track(resource)
        archive.add_endpoint(name, endpoint.function, endpoint.signature)
    with atomic_write(path) as folder:
        archive.write_out(folder, verbose=False)
        loaded = tf.saved_model.load(folder)

        def runner(name):
            def run(*arguments):
                found = getattr(loaded, name)(*map(tf.convert_to_tensor, arguments))
                return {key: value.numpy() for key, value in found.items()}

            return run

        return compared(endpoints, {name: runner(name) for name in endpoints})
