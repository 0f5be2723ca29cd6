"""Inputs that are drawn for a functional model, to compare what is exported on."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from keras_seq._internal.errors import InputError
from keras_seq._internal.export_target import exporting_to
from keras_seq._internal.keras_compat import flatten_layers
from keras_seq.tracing.hooks import patched_method

ROWS = 3
"""Number of examples, unless the model takes batches of another size."""

LENGTH = 16
"""Size of an axis that may have any, such as the number of time steps."""

# fmt: off
MOVING = {
    "BroadcastTo", "Cast", "EnsureShape", "ExpandDims", "GatherV2", "Identity", "Pad", "PadV2",
    "Reshape", "ReverseV2", "Slice", "SplitV", "Squeeze", "StopGradient", "StridedSlice", "Tile",
    "Transpose", "Unpack",
}
# fmt: on
"""Operations of TensorFlow that move the values of their first input without changing them."""

JOINING = {"ConcatV2": slice(0, -1), "Pack": slice(None), "SelectV2": slice(1, 3)}
"""Operations that move the values of several inputs, to these inputs."""


def draw_inputs(model: keras.Model) -> Any:
    """Return random inputs of a functional model.

    Floats are drawn from the standard normal distribution. Integers, and floats that an
    `Embedding` reads, are ids that it has; 0 is padding at the end if it masks zeros. Bools are
    True until a random step.

    Args:
        model: Functional `keras.Model`.

    Returns:
        Arrays in the structure of the model's input.

    Raises:
        InputError: If an input is of another kind, or the model fails or gives NaN for such inputs.
    """
    rng, limits = np.random.default_rng(0), _id_limits(model)
    arrays = [_draw(rng, model, i, limits.get(i.name)) for i in model.inputs]
    inputs = keras.tree.pack_sequence_as(model.input, arrays)
    try:
        with exporting_to("savedmodel"):
            outputs = keras.tree.flatten(model(inputs, training=False))
    except Exception as error:  # of any layer
        raise InputError(
            f"{model.name} fails for inputs that were drawn for it, of the shapes "
            f"{[a.shape for a in arrays]}: give examples, inputs of a batch."
        ) from error
    outputs = [keras.ops.convert_to_numpy(output) for output in outputs]
    if any(o.dtype.kind == "f" and np.isnan(o).any() for o in outputs):
        raise InputError(
            f"{model.name} gives NaN for inputs that were drawn for it: give examples, inputs of a "
            "batch."
        )
    return inputs


def _draw(
    rng: np.random.Generator, model: keras.Model, spec: Any, limit: tuple[int, bool] | None
) -> np.ndarray:
    """Return an array for one input.

    Args:
        rng: Source of random numbers.
        model: The model.
        spec: Its input.
        limit: Number of ids, and whether 0 is padding; None for an input that is no ids.
    """
    rows = next((i.shape[0] for i in model.inputs if i.shape[0] is not None), ROWS)
    shape = (rows, *(LENGTH if size is None else size for size in spec.shape[1:]))
    if limit is not None:
        num_ids, masks_zeros = limit
        first = 1 if masks_zeros and num_ids > 1 else 0
        ids = rng.integers(first, num_ids, shape)
        return np.where(_prefix(rng, shape) | (not masks_zeros), ids, 0).astype(spec.dtype)
    if spec.dtype == "bool":
        return _prefix(rng, shape)
    if "float" in spec.dtype:
        return rng.normal(size=shape).astype(spec.dtype)
    raise InputError(
        f"{model.name} cannot be exported without examples, since its input {spec.name!r} of "
        f"{spec.dtype} is read by no Embedding: give inputs of a batch."
    )


def _prefix(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return bools that are True until a random place of the second axis; in row 0 everywhere."""
    if len(shape) < 2:
        return rng.random(shape) < 0.5
    lengths = rng.integers(1, shape[1] + 1, shape[0])
    lengths[:1] = shape[1]
    mask = np.arange(shape[1]) < lengths[:, None]
    return np.broadcast_to(mask.reshape(mask.shape + (1,) * (len(shape) - 2)), shape).copy()


def _id_limits(model: keras.Model) -> dict[str, tuple[int, bool]]:
    """Return how many ids each input can have that an `Embedding` reads, and if 0 is padding.

    The model is traced. From what each Embedding reads the graph is followed back to the inputs,
    through operations that leave ids as they are.
    """
    import tensorflow as tf

    read: list[tuple[keras.layers.Embedding, Any]] = []

    def call(*arguments: Any) -> Any:
        return model(keras.tree.pack_sequence_as(model.input, arguments), training=False)

    if not any(isinstance(layer, keras.layers.Embedding) for layer in flatten_layers(model)):
        return {}
    specs = [tf.TensorSpec(i.shape, i.dtype) for i in model.inputs]
    with _watch_embeddings(model, read), exporting_to("savedmodel"):
        traced = tf.function(call, autograph=False, input_signature=specs)
        placeholders = traced.get_concrete_function().graph.inputs[: len(specs)]
    pairs = zip(placeholders, model.inputs, strict=True)
    names = {placeholder.op.name: i.name for placeholder, i in pairs}
    limits: dict[str, tuple[int, bool]] = {}
    for layer, ids in read:
        for operation in _sources(ids):
            if operation.name in names:
                name = names[operation.name]
                num_ids, masks_zeros = limits.get(name, (layer.input_dim, False))
                limits[name] = min(num_ids, layer.input_dim), masks_zeros or layer.mask_zero
    return limits


@contextlib.contextmanager
def _watch_embeddings(
    model: keras.Model, read: list[tuple[keras.layers.Embedding, Any]]
) -> Iterator[None]:
    """Append each Embedding of a model that is called, and what it reads, within a `with` block."""

    def watch(layer: keras.layers.Embedding) -> Callable[..., Any]:
        def make(call: Callable[..., Any]) -> Callable[..., Any]:
            def run(inputs: Any, *args: Any, **kwargs: Any) -> Any:
                if not (args or kwargs.get("reverse")):  # a ReversibleEmbedding back to ids
                    read.append((layer, inputs))
                return call(inputs, *args, **kwargs)

            return run

        return make

    with contextlib.ExitStack() as stack:
        for layer in flatten_layers(model):
            if isinstance(layer, keras.layers.Embedding):
                stack.enter_context(patched_method(layer, "call", watch(layer)))
        yield


def _sources(tensor: Any) -> Iterator[Any]:
    """Yield the operations that the values of a tensor come from, unchanged."""
    visited, waiting = set(), [tensor.op]
    while waiting:
        operation = waiting.pop()
        if operation.name not in visited:
            visited.add(operation.name)
            moved = slice(0, 1) if operation.type in MOVING else JOINING.get(operation.type)
            if moved is None:
                yield operation
            else:
                waiting += [tensor.op for tensor in operation.inputs[moved]]
