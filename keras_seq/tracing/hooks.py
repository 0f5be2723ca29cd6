"""Hooks into the recurrent layers of a model."""

import contextlib
import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
from keras import ops, tree

from keras_seq import layers as keras_seq_layers
from keras_seq._internal.errors import InputError
from keras_seq._internal.keras_compat import FUSED_METHODS, child_layers, flatten_layers
from keras_seq._internal.types import States, Tensor
from keras_seq.cells import Step
from keras_seq.tracing.stepping import CellStepper, cell_steppers, run_steps

RECURRENT = keras.layers.RNN
"""Base class of all recurrent layers, of Keras and of keras-seq."""
TRACEABLE = (RECURRENT, keras_seq_layers.AttentionPooling, keras_seq_layers.CRF)

Layers = dict[str, keras.layers.Layer]
"""Layers by path."""
OnCall = Callable[["Call"], tuple[Tensor, Tensor, Any]]
"""Function that takes a `Call` and returns the result of `Call.run_original`."""


def traceable_layers(model: keras.layers.Layer) -> Layers:
    """Return the layers of a model that can be traced, by their path.

    Args:
        model: Built model or layer.

    Returns:
        Path to layer: `lstm`; `encoder/lstm` within the model or layer `encoder`; `both/forward`
        and `both/backward` within the Bidirectional layer `both`.
    """
    layers: Layers = {}
    visited: set[int] = set()

    def visit(layer: Any, path: str) -> None:
        if id(layer) in visited:
            return
        visited.add(id(layer))
        if isinstance(layer, TRACEABLE):
            layers[unique_name(path, layers)] = layer
        elif isinstance(layer, keras.layers.Bidirectional):
            visit(layer.forward_layer, f"{path}/forward")
            visit(layer.backward_layer, f"{path}/backward")
        else:
            for child in child_layers(layer):
                visit(child, f"{path}/{child.name}".lstrip("/"))

    visit(model, "" if isinstance(model, keras.Model) else model.name)
    return layers


def unique_name(name: str, existing: Collection[str]) -> str:
    """Return a name, with a suffix such as `#2` if it exists already."""
    number, unique = 1, name
    while unique in existing:
        number += 1
        unique = f"{name}#{number}"
    return unique


def select_layers(model: keras.layers.Layer, names: Iterable[str] | None) -> tuple[Layers, Layers]:
    """Return the named recurrent layers, and all attention pooling and CRF layers.

    Args:
        model: Built model or layer.
        names: Paths, or their beginnings before a slash. Default: all recurrent layers.

    Raises:
        InputError: If the model has no recurrent layer, or none with one of the names.
    """
    layers = traceable_layers(model)
    recurrent = {path: layer for path, layer in layers.items() if isinstance(layer, RECURRENT)}
    others = {path: layer for path, layer in layers.items() if path not in recurrent}
    if not recurrent:
        raise InputError(f"The model {model.name!r} has no recurrent layer.")
    if names is None:
        return recurrent, others
    names = list(names)
    for name in names:
        if not any(_is_within(path, name) for path in recurrent):
            raise InputError(
                f"The model {model.name!r} has no recurrent layer {name!r}. It has "
                f"{', '.join(recurrent)}."
            )
    selected = {
        path: layer
        for path, layer in recurrent.items()
        if any(_is_within(path, name) for name in names)
    }
    return selected, others


def _is_within(path: str, name: str) -> bool:
    return path == name or path.startswith(f"{name}/")


@dataclasses.dataclass(frozen=True)
class Call:
    """Call of a recurrent layer on a batch."""

    names: list[str]
    """Name of each cell: the path of the layer, with an index if it stacks several cells, and with
    `#2` if the layer runs a second time."""
    steppers: list[CellStepper]
    """Steppers of the cells."""
    layer: Any
    """Recurrent layer."""
    inner_loop: Callable[..., tuple[Tensor, Tensor, Any]]
    """Original `inner_loop` of the layer."""
    sequences: Tensor
    """Inputs `(batch, timesteps, features)`."""
    initial_state: Any
    """Nested tensors, in the structure of the cell's states."""
    mask: Tensor | None
    """Bools `(batch, timesteps)`, or None."""

    def run_original(self) -> tuple[Tensor, Tensor, Any]:
        """Return the last output, all outputs in the order computed, and the final states."""
        return self.inner_loop(
            sequences=self.sequences,
            initial_state=self.initial_state,
            mask=self.mask,
            training=False,
        )

    @property
    def step_order(self) -> range:
        """Indices of the time steps in the order computed."""
        forwards = range(self.sequences.shape[1])
        return forwards[::-1] if self.layer.go_backwards else forwards

    def repeat_sequence(self, index: int, copies: int) -> "Call":
        """Return a call whose batch consists of copies of one sequence."""

        def repeat(tensor: Tensor) -> Tensor:
            return ops.repeat(tensor[index : index + 1], copies, axis=0)

        return dataclasses.replace(
            self,
            sequences=repeat(self.sequences),
            initial_state=tree.map_structure(repeat, self.initial_state),
            mask=None if self.mask is None else repeat(self.mask),
        )

    def run_steps(self, perturbations: Sequence[States] | None = None) -> Iterator[list[Step]]:
        """Run the layer one time step at a time, see `keras_seq.tracing.stepping.run_steps`."""
        inputs = (self.sequences[:, t] for t in self.step_order)
        if perturbations is not None:
            # Unstacked at once, because the gradient of each slice is as long as the sequence.
            # Without gradients, slices avoid a copy of the whole sequence.
            unstacked = ops.unstack(self.sequences, len(self.step_order), axis=1)
            inputs = (unstacked[t] for t in self.step_order)
        return run_steps(
            self.steppers,
            inputs,
            tree.flatten(self.initial_state),
            None if self.mask is None else [self.mask[:, t] for t in self.step_order],
            self.layer.zero_output_for_mask,
            perturbations,
        )


def call_with_hooks(
    model: keras.layers.Layer,
    inputs: Any,
    recurrent: Mapping[str, keras.layers.Layer],
    on_call: OnCall,
    others: Iterable[contextlib.AbstractContextManager[Any]] = (),
) -> Any:
    """Call a model with a hook in its recurrent layers. The model does not change.

    Args:
        model: Built model or layer.
        inputs: Inputs of the model.
        recurrent: Recurrent layers by path.
        on_call: Function that runs instead of each layer's loop.
        others: Context managers to enter during the call.

    Returns:
        Outputs of the model.
    """
    called: set[str] = set()

    def hook(path: str, layer: Any) -> contextlib.AbstractContextManager[None]:
        steppers = cell_steppers(layer.cell)

        def make(inner_loop: Callable[..., Any]) -> Callable[..., Any]:
            def hooked(
                sequences: Tensor, initial_state: Any, mask: Any, **_options: Any
            ) -> tuple[Tensor, Tensor, Any]:
                name = unique_name(path, called)
                called.add(name)
                count = len(steppers)
                names = [name] if count == 1 else [f"{name}/{n}" for n in range(count)]
                mask = None if mask is None else ops.cast(tree.flatten(mask)[0], "bool")
                return on_call(
                    Call(names, steppers, layer, inner_loop, sequences, initial_state, mask)
                )

            return hooked

        return patched_method(layer, "inner_loop", make)

    with contextlib.ExitStack() as stack:
        stack.enter_context(keras.StatelessScope())
        stack.enter_context(_unfused_bidirectional(model))
        for context in (*others, *map(hook, recurrent, recurrent.values())):
            stack.enter_context(context)
        return model(inputs, training=False)


@contextlib.contextmanager
def patched_method(
    layer: Any, method: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> Iterator[None]:
    """Replace a method of one layer within the context.

    Args:
        layer: Layer.
        method: Name of the method.
        make: Function from the original method to the new one.
    """
    previous = vars(layer).get(method)
    # `setattr` would make Keras track the method.
    object.__setattr__(layer, method, make(getattr(layer, method)))
    try:
        yield
    finally:
        object.__delattr__(layer, method)
        if previous is not None:
            object.__setattr__(layer, method, previous)


@contextlib.contextmanager
def _unfused_bidirectional(model: keras.layers.Layer) -> Iterator[None]:
    """Run the halves of all Bidirectional layers separately within the context.

    On a GPU, Keras may run both halves in one call of cuDNN, without calling their layers.
    """
    with contextlib.ExitStack() as stack:
        for layer in flatten_layers(model):
            if isinstance(layer, keras.layers.Bidirectional):
                for method in FUSED_METHODS:
                    if hasattr(layer, method):
                        stack.enter_context(patched_method(layer, method, lambda _: _return_false))
        yield


def _return_false(*_args: Any, **_kwargs: Any) -> bool:
    return False
