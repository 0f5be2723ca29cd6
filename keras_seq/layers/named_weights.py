"""Declaration of weights whose axes are indexed by tokens, labels or other names."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import keras


class AxisNames(NamedTuple):
    """Names of the entries of a weight along one axis.

    >>> AxisNames("labels", ["bad", "good"]).kind
    'labels'
    """

    kind: str
    """Plural noun for the entries, such as "tokens"."""
    names: Sequence[Hashable]
    """Name of each entry, all different."""


class NamedWeight(NamedTuple):
    """Weight with the names of its axes, by which a new model starts from a trained one.

    A layer that has such weights lists them in a method `named_weights(tokens)`, where `tokens` are
    the `AxisNames` of the ids that it reads.

    >>> import keras
    >>> tokens = AxisNames("tokens", ["<PAD>", "<UNK>", "a"])
    >>> weight = NamedWeight(keras.Variable([[0.0], [0.1], [0.2]]), (tokens, None))
    >>> weight.axes[0].names
    ['<PAD>', '<UNK>', 'a']
    """

    variable: keras.Variable
    """Weight."""
    axes: tuple[AxisNames | None, ...]
    """Names along each axis; None for an axis whose size the configuration of the layer sets."""
    hashed: tuple[AxisNames, ...] = ()
    """Names by whose ids the entries are hashed. The entries keep their meaning only as long as
    each name keeps its id."""


def dense_weights(layer: keras.layers.Layer, names: AxisNames) -> list[NamedWeight]:
    """Return the weights of an output layer; none if it is not a `keras.layers.Dense`.

    Args:
        layer: Output layer.
        names: Name of each output.
    """
    if not isinstance(layer, keras.layers.Dense):
        return []
    weights = [NamedWeight(layer.kernel, (None, names))]
    return weights if layer.bias is None else [*weights, NamedWeight(layer.bias, (names,))]
