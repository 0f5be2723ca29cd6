"""Recurrent layers from what a user names them by: a name, a class, or a function."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
from keras import tree

from keras_seq._internal.errors import InputError, unknown_name
from keras_seq._internal.serialization import serialize_nested
from keras_seq.layers.recurrent.cell_layers import (
    GRU,
    LSTM,
    DiagonalPeepholeLSTM,
    PeepholeLSTM,
    SimpleRNN,
)
from keras_seq.layers.recurrent.rnn import RNN

LAYERS = {cls.__name__: cls for cls in (SimpleRNN, GRU, LSTM, PeepholeLSTM, DiagonalPeepholeLSTM)}
"""The layers that are known by their names."""
RNN_OPTIONS = {"checkpoint", "go_backwards", "stateful", "unroll", "zero_output_for_mask"}
"""Options that belong to `RNN`; all others belong to the cell that it runs."""

Cell = str | type | Callable[[int], Any]
"""Name of a layer, class of a layer or of a cell, or function from units to a new cell."""


class SavedLayers:
    """The recurrent layers of a saved stack, which `make_layer` returns one after the other.

    Args:
        layers: Layers of one direction.
    """

    def __init__(self, layers: list[keras.layers.RNN]) -> None:
        self.layers: Iterator[keras.layers.RNN] = iter(layers)


def serialize_layer(layer: Any) -> dict[str, Any] | None:
    """Return the configuration of a recurrent layer for `SavedLayers`, as if it were not built."""
    return serialize_nested(directions(layer)[0])


def layer_name(cell: Cell | SavedLayers) -> str | None:
    """Return the name of a layer that has one, None for a layer or cell of one's own.

    Args:
        cell: As `make_layer` takes it.
    """
    return next((name for name, cls in LAYERS.items() if cell in (name, cls)), None)


def make_layer(
    cell: Cell | SavedLayers,
    units: int,
    recurrent_dropout: float,
    options: Mapping[str, Any],
    bidirectional: bool = False,
    **named: Any,
) -> keras.layers.Layer:
    """Return a new recurrent layer.

    Args:
        cell: Name of a layer of `keras_seq.layers`, class of a recurrent layer, class of a cell, or
            function from units to a new cell.
        units: Number of hidden units.
        recurrent_dropout: Fraction of the state that is dropped from step to step.
        options: Further arguments of the layer or its cell.
        bidirectional: Whether the layer reads the sequence in both directions.
        **named: Arguments of every `keras.layers.RNN`, its name and its dtype among them.

    Raises:
        InputError: If no layer is known by the name, if it is none of these, or if an option cannot
            reach a cell because a function makes it.
    """
    if isinstance(cell, SavedLayers):
        layer = next(cell.layers)
    else:
        layer = _one_direction(cell, units, recurrent_dropout, dict(options), named)
    if not bidirectional:
        return layer
    name = named["name"].replace("recurrent", "bidirectional")
    return keras.layers.Bidirectional(layer, dtype=named["dtype"], name=name)


def _one_direction(
    cell: Cell, units: int, recurrent_dropout: float, options: dict, named: dict
) -> keras.layers.RNN:
    if isinstance(cell, str) and cell not in LAYERS:
        raise unknown_name("recurrent layer", cell, LAYERS)
    if (not callable(cell) and not isinstance(cell, str)) or isinstance(cell, keras.layers.Layer):
        raise InputError(
            f"`cell` must be the name of a layer ({', '.join(LAYERS)}), the class of a layer or a "
            "cell, or a function from units to a new cell, since each layer needs a cell of its "
            f"own; got {cell!r}."
        )
    kind: Any = LAYERS[cell] if isinstance(cell, str) else cell
    if recurrent_dropout:
        options["recurrent_dropout"] = recurrent_dropout
    if isinstance(kind, type) and issubclass(kind, keras.layers.RNN):
        return kind(units, **options, **named)
    rnn_options = {name: options.pop(name) for name in RNN_OPTIONS & set(options)}
    if isinstance(kind, type):
        return RNN(kind(units, dtype=named["dtype"], **options), **rnn_options, **named)
    if options:
        raise InputError(
            f"{', '.join(sorted(options))} must be set by the function that makes the cell: "
            f"{kind!r} is given the number of units only."
        )
    return RNN(kind(units), **rnn_options, **named)


def broadcast_argument(name: str, value: Any, count: int) -> list:
    """Return one value per place, of one value for all places or a list of values.

    Args:
        name: Name of the argument.
        value: Number, or a list of numbers.
        count: Number of places, at least 1.

    Raises:
        InputError: If the list has another length, or there are no places.
    """
    if not isinstance(count, int) or count < 1:
        raise InputError(f"RNNStack: `num_layers` must be at least 1, got {count!r}.")
    if not isinstance(value, (list, tuple)):
        return [value] * count
    if len(value) != count:
        raise InputError(f"RNNStack: `{name}` must be one number or {count}, got {value!r}.")
    return list(value)


def check_states(states: Any, sizes: list[list[int]]) -> list:
    """Return one list of states per layer, or one None per layer if no states are given.

    Args:
        states: States of all layers, or None.
        sizes: Widths of the states of each layer.

    Raises:
        InputError: If there are more or fewer lists or tensors.
    """
    if states is None:
        return [None] * len(sizes)
    wanted = [len(of_layer) for of_layer in sizes]
    counts = [len(s) if isinstance(s, (list, tuple)) else 0 for s in states]
    if counts != wanted:
        raise InputError(
            f"RNNStack: the states must be one list of tensors per layer, {wanted} of them, "
            f"got {counts}."
        )
    return states


def directions(layer: Any) -> list[keras.layers.RNN]:
    """Return the layers of one direction, forward first."""
    if isinstance(layer, keras.layers.Bidirectional):
        return [layer.forward_layer, layer.backward_layer]
    return [layer]


def state_sizes(layer: Any) -> list[int]:
    """Return the widths of the states of a recurrent layer, forward half first."""
    return [size for direction in directions(layer) for size in tree.flatten(direction.state_size)]


def initial_states(layer: Any, batch_size: Any) -> list:
    """Return the states of a recurrent layer before the first step, forward half first."""
    return [
        state
        for direction in directions(layer)
        for state in direction.get_initial_state(batch_size)
    ]


def output_shape(layer: Any, shape: tuple) -> tuple:
    """Return the shape of the outputs of a recurrent layer, without those of its states."""
    shapes = layer.compute_output_shape(shape)
    return tuple(shapes[0] if layer.return_state else shapes)
