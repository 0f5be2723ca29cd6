"""Recurrent layers from their name, their class, or a function that makes a cell."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
from keras import tree

from keras_seq._internal.errors import InputError, unknown_name
from keras_seq._internal.keras_compat import without_sharing
from keras_seq._internal.serialization import serialize_nested
from keras_seq._internal.types import Config, Shape, States, Tensor
from keras_seq.layers.recurrent.cell_layers import (
    GRU,
    LSTM,
    DiagonalPeepholeLSTM,
    PeepholeLSTM,
    SimpleRNN,
)
from keras_seq.layers.recurrent.rnn import RNN

LAYERS = {cls.__name__: cls for cls in (SimpleRNN, GRU, LSTM, PeepholeLSTM, DiagonalPeepholeLSTM)}
"""Layers by name."""
RNN_OPTIONS = {"checkpoint", "go_backwards", "stateful", "unroll", "zero_output_for_mask"}
"""Options that belong to `RNN`; all others belong to the cell that it runs."""

Cell = str | type | Callable[[int], Any]
"""Name of a layer, class of a layer or of a cell, or function from units to a new cell."""


class SavedLayers:
    """Recurrent layers of a loaded model, which `make_layer` returns one after the other.

    Args:
        layers: Forward layers.
    """

    def __init__(self, layers: list[keras.layers.RNN]) -> None:
        self.layers: Iterator[keras.layers.RNN] = iter(layers)


def serialize_layer(layer: keras.layers.Layer) -> Config | None:
    """Return the configuration of a recurrent layer for `SavedLayers`, without its build state."""
    return serialize_nested(directions(layer)[0])


def layer_name(cell: Cell | SavedLayers) -> str | None:
    """Return the name of a layer of this package, None for any other layer or cell.

    Args:
        cell: As in `make_layer`.
    """
    return next((name for name, cls in LAYERS.items() if cell in (name, cls)), None)


def make_layer(
    cell: Cell | SavedLayers,
    units: int,
    recurrent_dropout: float,
    options: Mapping[str, Any],
    bidirectional: bool = False,
    **rnn_arguments: Any,
) -> keras.layers.Layer:
    """Return a new recurrent layer.

    Args:
        cell: Name of a layer of `keras_seq.layers`, class of a recurrent layer, class of a cell, or
            function from units to a new cell.
        units: Number of hidden units.
        recurrent_dropout: Fraction of the state to drop between time steps in training.
        options: Further arguments of the layer or its cell.
        bidirectional: Whether the layer reads the sequence in both directions.
        **rnn_arguments: Arguments of `keras.layers.RNN`, including `name` and `dtype`.

    Raises:
        InputError: If `cell` is none of these, or if it is a function and `options` contains
            arguments of the cell.
    """
    if isinstance(cell, SavedLayers):
        layer = next(cell.layers)
    else:
        layer = _one_direction(cell, units, recurrent_dropout, dict(options), rnn_arguments)
    if not bidirectional:
        return layer
    name = rnn_arguments["name"].replace("recurrent", "bidirectional")
    with without_sharing():
        return keras.layers.Bidirectional(layer, dtype=rnn_arguments["dtype"], name=name)


def _one_direction(
    cell: Cell, units: int, recurrent_dropout: float, options: Config, rnn_arguments: Config
) -> keras.layers.RNN:
    """Return a new layer that reads the sequence forwards."""
    if isinstance(cell, str) and cell not in LAYERS:
        raise unknown_name("recurrent layer", cell, LAYERS)
    if (not callable(cell) and not isinstance(cell, str)) or isinstance(cell, keras.layers.Layer):
        raise InputError(
            f"`cell` must be the name of a layer ({', '.join(LAYERS)}), the class of a layer or a "
            "cell, or a function from units to a new cell, since each layer needs a cell of its "
            f"own; got {cell!r}."
        )
    make: Any = LAYERS[cell] if isinstance(cell, str) else cell
    if recurrent_dropout:
        options["recurrent_dropout"] = recurrent_dropout
    if isinstance(make, type) and issubclass(make, keras.layers.RNN):
        return make(units, **options, **rnn_arguments)
    rnn_options = {name: options.pop(name) for name in RNN_OPTIONS & set(options)}
    if isinstance(make, type):
        new_cell = make(units, dtype=rnn_arguments["dtype"], **options)
        return RNN(new_cell, **rnn_options, **rnn_arguments)
    if options:
        raise InputError(
            f"{', '.join(sorted(options))} must be set by the function that makes the cell: "
            f"{make!r} gets only the number of units."
        )
    return RNN(make(units), **rnn_options, **rnn_arguments)


def broadcast_argument(name: str, value: float | Sequence[float], count: int) -> list[Any]:
    """Return a list of values: the given list, or the given number repeated.

    Args:
        name: Name of the argument.
        value: Number, or a list of numbers.
        count: Number of values.

    Raises:
        InputError: If the list has another length.
    """
    if not isinstance(value, (list, tuple)):
        return [value] * count
    if len(value) != count:
        raise InputError(
            f"RNNStack: `{name}` must be a number or a list of length {count}, got {value!r}."
        )
    return list(value)


def check_states(
    states: Sequence[Sequence[Tensor]] | None, sizes: Sequence[Sequence[int]]
) -> Sequence[Any]:
    """Return one list of states per layer, or one None per layer if no states are given.

    Args:
        states: States of all layers, or None.
        sizes: Widths of the states of each layer.

    Raises:
        InputError: If the number of lists, or of tensors in a list, is wrong.
    """
    if states is None:
        return [None] * len(sizes)
    expected = [len(layer_sizes) for layer_sizes in sizes]
    counts = [len(s) if isinstance(s, (list, tuple)) else 0 for s in states]
    if counts != expected:
        raise InputError(
            "RNNStack: the states must be one list of tensors per layer, with "
            f"{expected} tensors, got {counts}."
        )
    return states


def directions(layer: keras.layers.Layer) -> list[keras.layers.RNN]:
    """Return the forward layer, and the backward layer if there is one."""
    if isinstance(layer, keras.layers.Bidirectional):
        return [layer.forward_layer, layer.backward_layer]
    return [layer]


def state_sizes(layer: keras.layers.Layer) -> list[int]:
    """Return the widths of the states of a recurrent layer, forward states first."""
    return [size for direction in directions(layer) for size in tree.flatten(direction.state_size)]


def initial_states(layer: keras.layers.Layer, batch_size: int | Tensor) -> States:
    """Return the initial states of a recurrent layer, forward states first."""
    return [
        state
        for direction in directions(layer)
        for state in direction.get_initial_state(batch_size)
    ]


def output_shape(layer: keras.layers.Layer, shape: Shape) -> Shape:
    """Return the shape of the outputs of a recurrent layer, without the states."""
    shapes = layer.compute_output_shape(shape)
    return tuple(shapes[0] if layer.return_state else shapes)
