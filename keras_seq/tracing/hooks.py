"""Which layers of a model can be looked into, and how to be there when they run."""

import contextlib
import dataclasses
from typing import Any

import keras
from keras import ops, tree

from keras_seq import layers as keras_seq_layers
from keras_seq._internal.errors import InputError
from keras_seq._internal.keras_compat import FUSED_METHODS, child_layers, flatten_layers
from keras_seq.tracing.stepping import cell_steppers, steps

RECURRENT = keras.layers.RNN
"""The base of all recurrent layers: ours and Keras's."""

TRACEABLE = (RECURRENT, keras_seq_layers.AttentionPooling, keras_seq_layers.CRF)


def traceable_layers(model):
    """The layers of a model that can be looked into, by the path of their names.

    Args:
        model: A built model or layer.

    Returns:
        Dict of path to layer: `lstm`, `encoder/lstm` in the model or layer `encoder`,
        `both/forward` and `both/backward` in the Bidirectional layer `both`.
    """
    found, visited = {}, set()

    def visit(layer, path):
        if id(layer) in visited:
            return
        visited.add(id(layer))
        if isinstance(layer, TRACEABLE):
            found[unique_name(path, found)] = layer
        elif isinstance(layer, keras.layers.Bidirectional):
            visit(layer.forward_layer, f"{path}/forward")
            visit(layer.backward_layer, f"{path}/backward")
        else:
            for below in child_layers(layer):
                visit(below, f"{path}/{below.name}".lstrip("/"))

    visit(model, "" if isinstance(model, keras.Model) else model.name)
    return found


def unique_name(name, taken):
    """The name, with a number if it is taken."""
    number, wanted = 1, name
    while name in taken:
        number += 1
        name = f"{wanted}#{number}"
    return name


def select_layers(model, names):
    """The recurrent layers of those names, and the layers that give attention or marginals.

    Args:
        model: A built model or layer.
        names: Paths, or beginnings of paths; None for all.

    Raises:
        InputError: The model has no recurrent layer, or none of such a name.
    """
    found = traceable_layers(model)
    recurrent = {path: layer for path, layer in found.items() if isinstance(layer, RECURRENT)}
    others = {path: layer for path, layer in found.items() if path not in recurrent}
    if not recurrent:
        raise InputError(f"The model {model.name!r} has no recurrent layer to look into.")
    if names is None:
        return recurrent, others
    for name in names:
        if not any(_within(path, name) for path in recurrent):
            raise InputError(
                f"There is no recurrent layer {name!r} in the model {model.name!r}; there are "
                f"{', '.join(recurrent)}."
            )
    within = {p: layer for p, layer in recurrent.items() if any(_within(p, n) for n in names)}
    return within, others


def _within(path, name):
    return path == name or path.startswith(f"{name}/")


@dataclasses.dataclass(frozen=True)
class Call:
    """One run of a recurrent layer over a batch."""

    names: list
    """Of its parts, see `keras_seq.tracing.stepping`: the layer's path, with a number for each of
    several parts, and with `#2` when the layer runs a second time."""
    parts: list
    layer: Any
    inner_loop: Any
    """What the layer itself would do."""
    sequences: Any
    """`(batch, timesteps, features)`."""
    initial_state: Any
    """Nest of tensors, as the cell has them."""
    mask: Any
    """Bools `(batch, timesteps)`, or None."""

    def run_original(self):
        """The last output, all outputs in the order computed, and the final states."""
        return self.inner_loop(
            sequences=self.sequences,
            initial_state=self.initial_state,
            mask=self.mask,
            training=False,
        )

    @property
    def times(self):
        """The numbers of the time steps in the order computed."""
        forwards = range(self.sequences.shape[1])
        return forwards[::-1] if self.layer.go_backwards else forwards

    def repeat_sequence(self, row, copies):
        """As if the batch had been copies of one sequence."""

        def copied(tensor):
            return ops.repeat(tensor[row : row + 1], copies, axis=0)

        mask = None if self.mask is None else copied(self.mask)
        initial_state = tree.map_structure(copied, self.initial_state)
        sequences = copied(self.sequences)
        return dataclasses.replace(
            self, sequences=sequences, initial_state=initial_state, mask=mask
        )

    def steps(self, moves=None):
        """The layer step by step, see `keras_seq.tracing.stepping.steps`."""
        inputs = (self.sequences[:, t] for t in self.times)
        if moves is not None:
            # Apart at once: the gradient of each slice would be as long as the sequence. Else one
            # by one, so that there is no copy of the whole.
            apart = ops.unstack(self.sequences, len(self.times), axis=1)
            inputs = (apart[t] for t in self.times)
        return steps(
            self.parts,
            inputs,
            tree.flatten(self.initial_state),
            None if self.mask is None else [self.mask[:, t] for t in self.times],
            self.layer.zero_output_for_mask,
            moves,
        )


def call_with_hooks(model, inputs, recurrent, on_call, others=()):
    """Calls a model, with somebody there when its recurrent layers run; changes nothing in it.

    Args:
        model: Built.
        inputs: What it takes.
        recurrent: Dict of path to recurrent layer.
        on_call: Takes a `Call`, and returns what `Call.run_original` does.
        others: Context managers to hold for that time.

    Returns:
        The outputs of the model.
    """
    called = set()

    def hook(path, layer):
        parts = cell_steppers(layer.cell)

        def make(inner_loop):
            def watched(sequences, initial_state, mask, training=False):
                name = unique_name(path, called)
                called.add(name)
                names = [name] if len(parts) == 1 else [f"{name}/{n}" for n in range(len(parts))]
                mask = None if mask is None else ops.cast(tree.flatten(mask)[0], "bool")
                call = Call(names, parts, layer, inner_loop, sequences, initial_state, mask)
                return on_call(call)

            return watched

        return patched_method(layer, "inner_loop", make)

    with contextlib.ExitStack() as stack:
        stack.enter_context(keras.StatelessScope())
        for context in (
            _unfused_bidirectional(model),
            *others,
            *map(hook, recurrent, recurrent.values()),
        ):
            stack.enter_context(context)
        return model(inputs, training=False)


@contextlib.contextmanager
def patched_method(layer, method, make):
    """Within this context a method of one layer is another: `make` of the one it has.

    The layer does not know, since its `__setattr__` is not asked.
    """
    before = vars(layer).get(method)
    object.__setattr__(layer, method, make(getattr(layer, method)))
    try:
        yield
    finally:
        object.__delattr__(layer, method)
        if before is not None:
            object.__setattr__(layer, method, before)


@contextlib.contextmanager
def _unfused_bidirectional(model):
    """Within this context the halves of all Bidirectional layers run one by one.

    On a GPU, Keras may run both by one call of cuDNN, and neither layer would be asked.
    """
    with contextlib.ExitStack() as stack:
        for layer in flatten_layers(model):
            if isinstance(layer, keras.layers.Bidirectional):
                for method in FUSED_METHODS:
                    if hasattr(layer, method):
                        stack.enter_context(patched_method(layer, method, lambda _: _return_false))
        yield


def _return_false(*args, **kwargs):
    return False
