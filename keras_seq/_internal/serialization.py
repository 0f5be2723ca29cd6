"""Configurations of layers and other parts inside that of a layer or model."""

from typing import Any

import keras


def serialize_nested(part: Any) -> Any:
    """Return the configuration of a part; of a layer as if it were not built.

    The constructor that gets it back builds it.

    Args:
        part: Layer, encoder, tag set, plain value, None, or a list of these.
    """
    if isinstance(part, (list, tuple)):
        return [serialize_nested(item) for item in part]
    config = keras.saving.serialize_keras_object(part)
    if isinstance(config, dict):
        config = {name: value for name, value in config.items() if name != "build_config"}
    return config
