"""Configurations of layers inside that of a layer or model."""

from typing import Any

import keras


def serialize_unbuilt(layer: keras.layers.Layer | None) -> dict[str, Any] | None:
    """Return the configuration of a layer, as if it were not built; None for None.

    The constructor that gets it back builds it.
    """
    if layer is None:
        return None
    config = keras.saving.serialize_keras_object(layer)
    return {name: value for name, value in config.items() if name != "build_config"}
