"""Random inputs of functional models, to verify exports on."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from keras_seq._internal.errors import InputError
from keras_seq._internal.export_target import exporting_to
from keras_seq._internal.keras_compat import flatten_layers
from keras_seq._internal.types import Array, Tensor
from keras_seq.tracing.hooks import patched_method

NUM_EXAMPLES = 3
"""Number of examples, unless the model has a fixed batch size."""

AXIS_SIZE = 16
"""Size of axes that the model leaves open, such as the time axis."""

# fmt: off
COPY_OPERATIONS = {
    "BroadcastTo", "Cast", "EnsureShape", "ExpandDims", "GatherV2", "Identity", "Pad", "PadV2",
    "Reshape", "ReverseV2", "Slice", "SplitV", "Squeeze", "StopGradient", "StridedSlice", "Tile",
    "Transpose", "Unpack",
}
# fmt: on
"""TensorFlow operations that copy the values of their first input unchanged."""

MERGE_OPERATIONS = {"ConcatV2": slice(0, -1), "Pack": slice(None), "SelectV2": slice(1, 3)}
"""TensorFlow operations that copy the values of several inputs, and the slice of these inputs."""


def draw_inputs(model: keras.Model) -> Any:
    """Return random inputs of a functional model.

    Floats are drawn from the standard normal distribution. Inputs of an `Embedding` are
    valid ids, padded with 0 at the end if the layer has `mask_zero=True`. Bools are masks, True up
    to a random step.

    Args:
        model: Functional model.

    Returns:
        Arrays in the structure of the model's inputs.

    Raises:
        InputError: If an input is of another kind, or the model fails or returns NaN.
    """
    rng, id_ranges = np.random.default_rng(0), _id_ranges(model)
    arrays = [_draw(rng, model, i, id_ranges.get(i.name)) for i in model.inputs]
    inputs = keras.tree.pack_sequence_as(model.input, arrays)
    try:
        with exporting_to("savedmodel"):
            outputs = keras.tree.flatten(model(inputs, training=False))
    except Exception as error:  # a layer can raise any exception
        raise InputError(
            f"{model.name} fails for random inputs of the shapes {[a.shape for a in arrays]}: "
            "pass a batch of inputs as examples."
        ) from error
    outputs = [keras.ops.convert_to_numpy(output) for output in outputs]
    if any(o.dtype.kind == "f" and np.isnan(o).any() for o in outputs):
        raise InputError(
            f"{model.name} returns NaN for random inputs: pass a batch of inputs as examples."
        )
    return inputs


def _draw(
    rng: np.random.Generator, model: keras.Model, spec: Any, id_range: tuple[int, bool] | None
) -> Array:
    """Return an array for one input.

    Args:
        rng: Random number generator.
        model: Functional model.
        spec: Symbolic input of the model.
        id_range: Number of ids, and whether 0 is masked; None if no `Embedding` reads the input.
    """
    num_rows = next((i.shape[0] for i in model.inputs if i.shape[0] is not None), NUM_EXAMPLES)
    shape = (num_rows, *(AXIS_SIZE if size is None else size for size in spec.shape[1:]))
    if id_range is not None:
        num_ids, masks_zeros = id_range
        min_id = 1 if masks_zeros and num_ids > 1 else 0
        ids = rng.integers(min_id, num_ids, shape)
        return np.where(_random_mask(rng, shape) | (not masks_zeros), ids, 0).astype(spec.dtype)
    if spec.dtype == "bool":
        return _random_mask(rng, shape)
    if "float" in spec.dtype:
        return rng.normal(size=shape).astype(spec.dtype)
    raise InputError(
        f"{model.name} cannot be exported without examples: no Embedding reads its input "
        f"{spec.name!r} of {spec.dtype}. Pass a batch of inputs as examples."
    )


def _random_mask(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Return a mask that is True up to a random step of axis 1; row 0 is all True."""
    if len(shape) < 2:
        return rng.random(shape) < 0.5
    lengths = rng.integers(1, shape[1] + 1, shape[0])
    lengths[:1] = shape[1]
    mask = np.arange(shape[1]) < lengths[:, None]
    return np.broadcast_to(mask.reshape(mask.shape + (1,) * (len(shape) - 2)), shape).copy()


def _id_ranges(model: keras.Model) -> dict[str, tuple[int, bool]]:
    """Return the number of ids of each input that an `Embedding` reads, and whether 0 is masked.

    Traces the model, and follows the graph backward from the inputs of each Embedding through
    operations that leave ids unchanged.
    """
    import tensorflow as tf

    if not any(isinstance(layer, keras.layers.Embedding) for layer in flatten_layers(model)):
        return {}

    def call(*arguments: Tensor) -> Any:
        return model(keras.tree.pack_sequence_as(model.input, arguments), training=False)

    calls: list[tuple[keras.layers.Embedding, Tensor]] = []
    specs = [tf.TensorSpec(i.shape, i.dtype) for i in model.inputs]
    with _record_embedding_calls(model, calls), exporting_to("savedmodel"):
        traced = tf.function(call, autograph=False, input_signature=specs)
        placeholders = traced.get_concrete_function().graph.inputs[: len(specs)]
    pairs = zip(placeholders, model.inputs, strict=True)
    names = {placeholder.op.name: i.name for placeholder, i in pairs}
    id_ranges: dict[str, tuple[int, bool]] = {}
    for layer, ids in calls:
        for operation in _sources(ids):
            if operation.name in names:
                name = names[operation.name]
                num_ids, masks_zeros = id_ranges.get(name, (layer.input_dim, False))
                id_ranges[name] = min(num_ids, layer.input_dim), masks_zeros or layer.mask_zero
    return id_ranges


@contextlib.contextmanager
def _record_embedding_calls(
    model: keras.Model, calls: list[tuple[keras.layers.Embedding, Tensor]]
) -> Iterator[None]:
    """Append each called Embedding and its inputs to a list, within a `with` block."""

    def record(layer: keras.layers.Embedding) -> Callable[..., Any]:
        def make(call: Callable[..., Any]) -> Callable[..., Any]:
            def run(inputs: Tensor, *args: Any, **kwargs: Any) -> Tensor:
                # A ReversibleEmbedding in reverse reads vectors, not ids.
                if not (args or kwargs.get("reverse")):
                    calls.append((layer, inputs))
                return call(inputs, *args, **kwargs)

            return run

        return make

    with contextlib.ExitStack() as stack:
        for layer in flatten_layers(model):
            if isinstance(layer, keras.layers.Embedding):
                stack.enter_context(patched_method(layer, "call", record(layer)))
        yield


def _sources(tensor: Any) -> Iterator[Any]:
    """Yield the operations from which the values of a TensorFlow tensor are copied."""
    visited, pending = set(), [tensor.op]
    while pending:
        operation = pending.pop()
        if operation.name not in visited:
            visited.add(operation.name)
            copied = MERGE_OPERATIONS.get(operation.type)
            if operation.type in COPY_OPERATIONS:
                copied = slice(0, 1)
            if copied is None:
                yield operation
            else:
                pending += [tensor.op for tensor in operation.inputs[copied]]
