"""Keras's own recurrent layers as operators of ONNX.

Ours read the target of an export. Keras's do not know it, so that a method of each is replaced
while the model is traced.
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
    """Let the recurrent layers and loops of a model insert placeholders, within a `with` block.

    Args:
        model: Built model.
        portable: Whether to avoid operators that other runtimes compute wrongly.

    Yields:
        The placeholders.
    """
    with placeholders(portable) as inserted, exporting_to("onnx"), contextlib.ExitStack() as stack:
        for layer in flatten_layers(model):
            if isinstance(layer, keras.layers.Bidirectional):
                stack.enter_context(patched_method(layer, "call", _convert_bidirectional(layer)))
            elif isinstance(layer, keras.layers.RNN) and not _reads_target(layer):
                stack.enter_context(patched_method(layer, "inner_loop", _convert_layer(layer)))
        yield inserted


def _reads_target(layer: keras.layers.RNN) -> bool:
    return isinstance(layer, layers.RNN) and scan.has_projection(layer.cell)


def _convert_layer(layer: keras.layers.RNN) -> Callable[..., Any]:
    """Return what makes the `inner_loop` of a layer that does not read the target."""
    native = native_operator(layer.cell)

    def make(inner_loop: Callable[..., Any]) -> Callable[..., Any]:
        def run(sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
            if native is None and not scan.has_projection(layer.cell):
                return inner_loop(sequences, initial_state, mask, training)
            states, mask = list(initial_state), tree.flatten(mask)[0]
            if native is not None and is_allowed(native, mask):
                return run_directions([_direction(layer, native)], sequences, states, mask)[0]
            rest = layer.go_backwards, layer.zero_output_for_mask
            return scan_steps(CellStepper(layer.cell).cell, sequences, states, mask, *rest)

        return run

    return make


def _direction(layer: keras.layers.RNN, native: NativeOperator) -> Direction:
    rest = layer.go_backwards, layer.zero_output_for_mask, layer.compute_dtype
    return Direction(native, layer.cell.units, *rest)


def _convert_bidirectional(layer: keras.layers.Bidirectional) -> Callable[..., Any]:
    """Return what makes the `call` of a Bidirectional layer: one operator for both halves."""
    halves = layer.forward_layer, layer.backward_layer
    natives = [native for half in halves if (native := native_operator(half.cell)) is not None]
    can_merge = _can_merge(halves, natives)

    def make(call: Callable[..., Any]) -> Callable[..., Any]:
        def run(
            sequences: Any, initial_state: Any = None, mask: Any = None, training: Any = None
        ) -> Any:
            mask_of_sequences = tree.flatten(mask)[0]
            is_portable = all(is_allowed(native, mask_of_sequences) for native in natives)
            if not can_merge or not is_portable or initial_state is not None:
                return call(sequences, initial_state, mask, training)
            directions = [_direction(*pair) for pair in zip(halves, natives, strict=True)]
            if _is_plain(layer, mask_of_sequences):
                return merge_outputs(directions, sequences, mask_of_sequences)
            results = run_directions(directions, sequences, None, mask_of_sequences)
            with contextlib.ExitStack() as stack:
                for half, result in zip(halves, results, strict=True):
                    known = patched_method(half, "inner_loop", lambda _, r=result: lambda **_: r)
                    stack.enter_context(known)
                return call(sequences, mask=mask, training=training)

        return run

    return make


def _can_merge(halves: tuple[Any, Any], natives: list[NativeOperator]) -> bool:
    """Return whether the halves of a Bidirectional layer can be one operator."""
    if len(natives) < 2 or [half.go_backwards for half in halves] != [False, True]:
        return False
    forward, backward = (
        (native.type, native.attributes, [weight.shape for weight in native.weights])
        for native in natives
    )
    return forward == backward


def _is_plain(layer: keras.layers.Bidirectional, mask: Any) -> bool:
    """Return whether a Bidirectional layer gives both outputs of the operator, or zeros."""
    halves = layer.forward_layer, layer.backward_layer
    zeros = mask is None or all(half.zero_output_for_mask for half in halves)
    whole = layer.return_sequences and not layer.return_state
    return zeros and whole and (layer.merge_mode, layer.compute_dtype) == ("concat", "float32")
