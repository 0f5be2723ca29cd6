"""Configurations of layers and other objects within that of a layer or model."""

from typing import Any

import keras


def serialize_nested(value: Any) -> Any:
    """Return the configuration of a constructor argument.

    That of a layer omits its build configuration, because the constructor builds it.

    Args:
        value: Layer, encoder, tag set, plain value, None, or a list of these.
    """
    if isinstance(value, (list, tuple)):
        return [serialize_nested(item) for item in value]
    config = keras.saving.serialize_keras_object(value)
    if isinstance(config, dict):
        config = {name: value for name, value in config.items() if name != "build_config"}
    return config
