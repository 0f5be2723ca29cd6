"""What a model answers when it is exported."""

from typing import Any, NamedTuple


class Endpoint(NamedTuple):
    """A function of a model that is exported."""

    function: Any
    """Takes tensors, returns a dict of tensors by name."""
    signature: list
    """A `tf.TensorSpec` with a name for each argument."""
    examples: list
    """Lists of arguments to compare the exported function on; the first has one row."""
