"""Conversion of Keras's own recurrent layers to operators of ONNX.

Layers of this package read the export target. Keras's layers do not, so one method of each is
replaced while the model is traced.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
from keras import tree

from keras_seq import layers, scan
from keras_seq._internal.export_target import exporting_to
from keras_seq._internal.keras_compat import flatten_layers
from keras_seq.export.onnx.native import NativeOperator, native_operator
from keras_seq.export.onnx.placeholders import Placeholders, placeholders
from keras_seq.export.onnx.recurrent import (
    Direction,
    is_allowed,
    merge_outputs,
    run_directions,
    scan_steps,
)
from keras_seq.tracing.hooks import patched_method
from keras_seq.tracing.stepping import CellStepper


@contextlib.contextmanager
def onnx_operators(model: keras.Model, portable: bool) -> Iterator[Placeholders]:
    """Insert placeholders for recurrent layers and loops, within a `with` block.

    Args:
        model: Built model.
        portable: If True, avoid operators that other runtimes compute wrongly.

    Yields:
        The inserted placeholders.
    """
    with placeholders(portable) as inserted, exporting_to("onnx"), contextlib.ExitStack() as stack:
        for layer in flatten_layers(model):
            if isinstance(layer, keras.layers.Bidirectional):
                stack.enter_context(patched_method(layer, "call", _convert_bidirectional(layer)))
            elif isinstance(layer, keras.layers.RNN) and not _reads_target(layer):
                stack.enter_context(patched_method(layer, "inner_loop", _convert_layer(layer)))
        yield inserted


def _reads_target(layer: keras.layers.RNN) -> bool:
    """Return whether a layer calls `keras_seq.scan.scan`, which reads the export target."""
    return isinstance(layer, layers.RNN) and scan.has_projection(layer.cell)


def _convert_layer(layer: keras.layers.RNN) -> Callable[..., Any]:
    """Return a function from the `inner_loop` of a layer to its replacement."""
    native = native_operator(layer.cell)

    def make(inner_loop: Callable[..., Any]) -> Callable[..., Any]:
        def run(sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
            if native is None and not scan.has_projection(layer.cell):
                return inner_loop(sequences, initial_state, mask, training)
            states, mask = list(initial_state), tree.flatten(mask)[0]
            if native is not None and is_allowed(native, mask):
                return run_directions([_direction(layer, native)], sequences, states, mask)[0]
            options = layer.go_backwards, layer.zero_output_for_mask
            return scan_steps(CellStepper(layer.cell).cell, sequences, states, mask, *options)

        return run

    return make


def _direction(layer: keras.layers.RNN, native: NativeOperator) -> Direction:
    options = layer.go_backwards, layer.zero_output_for_mask, layer.compute_dtype
    return Direction(native, layer.cell.units, *options)


def _convert_bidirectional(layer: keras.layers.Bidirectional) -> Callable[..., Any]:
    """Return a function from the `call` of a Bidirectional layer to its replacement."""
    halves = layer.forward_layer, layer.backward_layer
    natives = [native for half in halves if (native := native_operator(half.cell)) is not None]
    can_merge = _can_merge(halves, natives)

    def make(call: Callable[..., Any]) -> Callable[..., Any]:
        def run(
            sequences: Any, initial_state: Any = None, mask: Any = None, training: Any = None
        ) -> Any:
            steps_mask = tree.flatten(mask)[0]
            is_portable = all(is_allowed(native, steps_mask) for native in natives)
            if not can_merge or not is_portable or initial_state is not None:
                return call(sequences, initial_state, mask, training)
            directions = [_direction(*pair) for pair in zip(halves, natives, strict=True)]
            if _is_plain(layer, steps_mask):
                return merge_outputs(directions, sequences, steps_mask)
            results = run_directions(directions, sequences, None, steps_mask)
            with contextlib.ExitStack() as stack:
                for half, result in zip(halves, results, strict=True):
                    stack.enter_context(patched_method(half, "inner_loop", _constant(result)))
                return call(sequences, mask=mask, training=training)

        return run

    return make


def _constant(result: Any) -> Callable[..., Any]:
    """Return a function that replaces any method by one that returns a computed result."""
    return lambda _: lambda **_: result


def _can_merge(halves: tuple[Any, Any], natives: list[NativeOperator]) -> bool:
    """Return whether both halves of a Bidirectional layer can become one operator."""
    if len(natives) < 2 or [half.go_backwards for half in halves] != [False, True]:
        return False
    forward, backward = (
        (native.type, native.attributes, [weight.shape for weight in native.weights])
        for native in natives
    )
    return forward == backward


def _is_plain(layer: keras.layers.Bidirectional, mask: Any) -> bool:
    """Return whether a Bidirectional layer returns the outputs of the operator unchanged.

    Masked steps may be zeros.
    """
    halves = layer.forward_layer, layer.backward_layer
    has_zeros = mask is None or all(half.zero_output_for_mask for half in halves)
    only_sequences = layer.return_sequences and not layer.return_state
    return (
        has_zeros
        and only_sequences
        and (layer.merge_mode, layer.compute_dtype) == ("concat", "float32")
    )
