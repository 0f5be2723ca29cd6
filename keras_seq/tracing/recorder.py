"""Takes down what the layers of a model compute while it runs."""

import dataclasses

import numpy as np
from keras import ops, tree

from keras_seq import layers
from keras_seq._internal.errors import InputError
from keras_seq.tracing.hooks import patched_method, unique_name


@dataclasses.dataclass(frozen=True)
class LayerTrace:
    """What a recurrent layer computed: NumPy arrays, in the order of its input's time.

    A layer that goes backwards starts at the last time step: its states at step t are those after
    it has read the last steps down to t. Numbers are float32 at least.
    """

    gates: dict
    """Gate name to `(batch, timesteps, units)`; where masked, what the gate would have been."""
    states: dict
    """"h", and "c" if the cell has it, to `(batch, timesteps, units)`, after each time step."""
    outputs: np.ndarray
    """`(batch, timesteps, units)`: the layer's own, as far as it returns them."""
    mask: np.ndarray | None
    """Bools `(batch, timesteps)`, False where a time step was skipped; None if there is none."""
    initial_states: dict
    """As `states`, before the first time step: `(batch, units)`."""
    go_backwards: bool
    """Whether the layer started at the last time step."""
    max_abs_error: float
    """The largest between an output of the layer and the same computed step by step: rounding,
    unless the `call` of a cell of your own is more than its `project` and `step`."""

    @property
    def unmasked(self):
        """The mask, all True if there is none."""
        return np.ones(self.outputs.shape[:2], bool) if self.mask is None else self.mask


class Recorder:
    """Fills a trace while the model runs; takes one `keras_seq.tracing.hooks.Call` each.

    Args:
        trace: A `keras_seq.tracing.Trace`.
        max_bytes: Bytes; once they are passed, nothing is kept, but what is needed still counted.
    """

    def __init__(self, trace, max_bytes):
        self.trace, self.max_bytes = trace, max_bytes
        self.needed, self.ran, self.hidden = 0, set(), []

    def __call__(self, call):
        self.ran.add(id(call.layer))
        result = call.run_original()
        last, own, _ = result
        if not _has_values(last):
            self.hidden += call.names
            return result
        found = None
        for t, new in zip(call.times, call.steps()):
            if found is None:
                arrays = [v for step in new for v in (*step.gates.values(), *step.states)]
                arrays += [step.output for step in new]
                self.needed += len(call.times) * sum(as_numpy(array).nbytes for array in arrays)
                if self.needed > self.max_bytes:
                    self.trace.clear()
                    return result
                found = [_empty(call, *pair) for pair in zip(call.parts, new)]
            for layer, step in zip(found, new):
                for name, gate in step.gates.items():
                    layer.gates[name][:, t] = as_numpy(gate)
                for array, state in zip(layer.states.values(), step.states):
                    array[:, t] = as_numpy(state)
                layer.outputs[:, t] = as_numpy(step.output)
        _check_numbers(call, found)
        # What the layer gave itself, in place of the same computed step by step.
        place = slice(None)
        if not call.layer.return_sequences:
            own, place = last[:, None], slice(call.times[-1], call.times[-1] + 1)
        own = as_numpy(own)
        own = own[:, ::-1] if call.layer.go_backwards else own
        outputs, seen = found[-1].outputs[:, place], found[-1].unmasked[:, place]
        max_abs_error = float(np.abs(own - outputs)[seen].max(initial=0))
        outputs[:] = own
        before = [as_numpy(state) for state in tree.flatten(call.initial_state)]
        for name, part, layer in zip(call.names, call.parts, found):
            initial = {state: before.pop(0) for state in part.names}
            self.trace[name] = dataclasses.replace(
                layer, initial_states=initial, max_abs_error=max_abs_error
            )
        return result

    def beside(self, name, layer):
        """Takes down the attention or the marginals of a layer, as a context."""

        def of_crf(call):
            def watched(inputs, mask=None):
                scores, found = call(inputs, mask=mask), self.trace.marginals
                found[unique_name(name, found)] = as_numpy(layer.marginals(scores))
                return scores

            return watched

        def of_attention(call):
            def watched(inputs, mask=None, return_attention_scores=False):
                pooled, weights = call(inputs, mask=mask, return_attention_scores=True)
                found = self.trace.attention
                found[unique_name(name, found)] = as_numpy(weights)
                return (pooled, weights) if return_attention_scores else pooled

            return watched

        return patched_method(
            layer, "call", of_crf if isinstance(layer, layers.CRF) else of_attention
        )


def as_numpy(tensor):
    """A tensor as an array, float32 at least."""
    array = ops.convert_to_numpy(tensor)
    return array if array.dtype in ("float32", "float64") else array.astype("float32")


def _empty(call, part, step):
    """A `LayerTrace` for all time steps of one part."""

    def room(value):
        one = as_numpy(value)
        return np.empty((len(one), len(call.times), *one.shape[1:]), one.dtype)

    return LayerTrace(
        gates={name: room(gate) for name, gate in step.gates.items()},
        states={name: room(state) for name, state in zip(part.names, step.states)},
        outputs=room(step.output),
        mask=None if call.mask is None else ops.convert_to_numpy(call.mask),
        initial_states={},
        go_backwards=call.layer.go_backwards,
        max_abs_error=0.0,
    )


def _has_values(tensor):
    """Whether a tensor is more than a symbol."""
    try:
        ops.convert_to_numpy(tensor)
    # Each backend has an error of its own for a symbol.
    except (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError):
        return False
    return True


def _check_numbers(call, found):
    """Refuses NaN where it is not masked, and names the first."""
    first = []
    for name, layer in zip(call.names, found):
        arrays = {f"gate {gate!r}": array for gate, array in layer.gates.items()}
        arrays |= {f"state {state!r}": array for state, array in layer.states.items()}
        for place, array in {**arrays, "the output": layer.outputs}.items():
            bad = np.isnan(array).any(axis=tuple(range(2, array.ndim))) & layer.unmasked
            if bad.any():
                order = next(n for n, t in enumerate(call.times) if bad[:, t].any())
                first.append((order, place, name, int(bad[:, call.times[order]].argmax())))
    if not first:
        return
    order, place, name, row = min(first, key=lambda one: one[0])
    t = call.times[order]
    reads = np.isnan(as_numpy(call.sequences[row, t])).any()
    raise InputError(
        f"There is a NaN: first in {place} of the layer {name!r}, at time step {t} of sequence "
        f"{row}, counted from 0; what the layer reads there is "
        + ("NaN too." if reads else "none, so that a weight or a state before it must be one.")
    )
