"""Saved models that need nothing but TensorFlow."""

import keras

from keras_seq.errors import InputError


def savedmodel(model, path):
    """Exports a model of `keras_seq.models` with raw inputs and readable answers.

    `tf.saved_model.load(path)` loads it, without this package. Its endpoints are described with
    the model; keep a reference to what is loaded while you use them.

    Args:
        model: Has `endpoints()`, a dict of name to a function and its input signature.
        path: Folder to write.

    Returns:
        Report: the endpoints by name, and the largest difference seen between the numbers that the
        exported and the original model give for `model.samples()`.

    Raises:
        InputError: The backend is not TensorFlow, or the model has no endpoints.
    """
    if not hasattr(model, "endpoints"):
        raise InputError(
            f"{model.name} has no endpoints(): it is no model of keras_seq.models, export it with "
            "Keras's own model.export()."
        )
    if keras.backend.backend() != "tensorflow":
        raise InputError(
            "A saved model is exported from the TensorFlow backend, not from "
            f"{keras.backend.backend()}: save the model, and load it with KERAS_BACKEND=tensorflow."
        )
    import tensorflow as tf

    archive = keras.export.ExportArchive()
    archive.track(model)
    endpoints = model.endpoints()
    for name, (function, signature) in endpoints.items():
        archive.add_endpoint(name, function, signature)
    archive.write_out(path, verbose=False)
    loaded, largest = tf.saved_model.load(path), 0.0
    for name, samples in model.samples().items():
        there, here = getattr(loaded, name)(*samples), endpoints[name][0](*samples)
        for key, value in here.items():
            if value.dtype.is_floating:
                difference = tf.reduce_max(tf.abs(value - there[key]))
                largest = max(largest, float(difference))
    return {"endpoints": sorted(endpoints), "largest difference": largest}
