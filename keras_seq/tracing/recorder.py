"""Recorder of the gates, states and outputs of layers while a model runs."""

import contextlib
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops, tree

from keras_seq import layers
from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Array, Tensor
from keras_seq.cells import Step
from keras_seq.tracing.hooks import Call, patched_method, unique_name
from keras_seq.tracing.stepping import CellStepper

if TYPE_CHECKING:
    from keras_seq.tracing.trace import Trace


@dataclasses.dataclass(frozen=True, repr=False)
class LayerTrace:
    """Trace of a recurrent layer: NumPy arrays, in the order of the input's time.

    If the layer goes backwards, its states at step t are those after it has read the steps from
    the last one down to t. Arrays of numbers are float32 or float64.

    >>> import keras
    >>> import keras_seq
    >>> layer = keras_seq.layers.LSTM(4, name="lstm")
    >>> x = keras.random.normal((2, 5, 3))
    >>> _ = layer(x)
    >>> lstm = keras_seq.trace(layer, x)["lstm"]
    >>> list(lstm.gates), lstm.states["c"].shape
    (['input', 'forget', 'candidate', 'output'], (2, 5, 4))

    Its representation has shapes instead of arrays:

    >>> layer = keras_seq.layers.SimpleRNN(4)
    >>> _ = layer(x)
    >>> keras_seq.trace(layer, x)[layer.name]
    LayerTrace(gates={'candidate': (2, 5, 4)}, states={'h': (2, 5, 4)}, outputs=(2, 5, 4))
    """

    gates: dict[str, Array]
    """Gate name to activations `(batch, timesteps, units)`. At masked time steps they are those
    that a computed step would have."""
    states: dict[str, Array]
    """"h", and "c" if the cell has it, to `(batch, timesteps, units)`, after each time step."""
    outputs: Array
    """Outputs `(batch, timesteps, units)`. Those that the layer does not return are recomputed."""
    mask: Array | None
    """Bools `(batch, timesteps)`, False at skipped time steps; None if there is no mask."""
    initial_states: dict[str, Array]
    """State name to the state before the first time step, `(batch, units)`."""
    go_backwards: bool
    """True if the layer started at the last time step."""
    max_abs_error: float
    """Largest absolute difference between an output of the layer and the same output computed step
    by step. It is a rounding error, unless a cell's `call` does more than `project` and `step`."""

    def __repr__(self) -> str:
        gates, states = (
            {name: array.shape for name, array in arrays.items()}
            for arrays in (self.gates, self.states)
        )
        return f"LayerTrace(gates={gates}, states={states}, outputs={self.outputs.shape})"

    @property
    def unmasked(self) -> Array:
        """Bools `(batch, timesteps)`, True for time steps that were not skipped."""
        return np.ones(self.outputs.shape[:2], bool) if self.mask is None else self.mask


class Recorder:
    """Function for `call_with_hooks` that fills a trace.

    Args:
        trace: Trace to fill.
        max_bytes: Maximum size of all arrays in bytes. Beyond it, nothing is recorded.
    """

    def __init__(self, trace: "Trace", max_bytes: int) -> None:
        self.trace, self.max_bytes = trace, max_bytes
        self.num_bytes = 0
        self.called_ids: set[int] = set()
        self.compiled_names: list[str] = []

    def __call__(self, call: Call) -> tuple[Tensor, Tensor, Any]:
        self.called_ids.add(id(call.layer))
        result = call.run_original()
        if not _has_values(result[0]):
            self.compiled_names += call.names
            return result
        traces = self._record_steps(call)
        if traces:
            _check_finite(call, traces)
            self._store(call, traces, *result[:2])
        return result

    def _record_steps(self, call: Call) -> list[LayerTrace]:
        """Return the trace of each cell, without initial states, or none if they are too large."""
        traces: list[LayerTrace] = []
        for t, steps in zip(call.step_order, call.run_steps(), strict=True):
            if not traces:
                arrays = [a for step in steps for a in (*step.gates.values(), *step.states)]
                arrays += [step.output for step in steps]
                step_bytes = sum(as_numpy(array).nbytes for array in arrays)
                self.num_bytes += len(call.step_order) * step_bytes
                if self.num_bytes > self.max_bytes:
                    self.trace.clear()
                    return []
                pairs = zip(call.steppers, steps, strict=True)
                traces = [_allocate(call, stepper, step) for stepper, step in pairs]
            for layer, step in zip(traces, steps, strict=True):
                for name, gate in step.gates.items():
                    layer.gates[name][:, t] = as_numpy(gate)
                for array, state in zip(layer.states.values(), step.states, strict=True):
                    array[:, t] = as_numpy(state)
                layer.outputs[:, t] = as_numpy(step.output)
        return traces

    def _store(
        self, call: Call, traces: list[LayerTrace], last_output: Tensor, outputs: Tensor
    ) -> None:
        """Replace recomputed outputs with the layer's own, and add the traces to the trace."""
        timesteps = slice(None)
        if not call.layer.return_sequences:
            outputs = last_output[:, None]
            timesteps = slice(call.step_order[-1], call.step_order[-1] + 1)
        own = as_numpy(outputs)
        own = own[:, ::-1] if call.layer.go_backwards else own
        computed = traces[-1].outputs[:, timesteps]
        unmasked = traces[-1].unmasked[:, timesteps]
        max_abs_error = float(np.abs(own - computed)[unmasked].max(initial=0))
        computed[:] = own
        states = iter([as_numpy(state) for state in tree.flatten(call.initial_state)])
        for name, stepper, layer in zip(call.names, call.steppers, traces, strict=True):
            self.trace[name] = dataclasses.replace(
                layer,
                initial_states={state: next(states) for state in stepper.state_names},
                max_abs_error=max_abs_error,
            )

    def hook_side_output(self, name: str, layer: Any) -> contextlib.AbstractContextManager[None]:
        """Record the attention scores or the marginals of a layer within the context."""

        def record_marginals(call: Callable[..., Tensor]) -> Callable[..., Tensor]:
            def hooked(inputs: Tensor, mask: Tensor | None = None) -> Tensor:
                scores, marginals = call(inputs, mask=mask), self.trace.marginals
                marginals[unique_name(name, marginals)] = as_numpy(layer.marginals(scores))
                return scores

            return hooked

        def record_attention(call: Callable[..., Any]) -> Callable[..., Any]:
            def hooked(
                inputs: Tensor, mask: Tensor | None = None, return_attention_scores: bool = False
            ) -> Any:
                pooled, scores = call(inputs, mask=mask, return_attention_scores=True)
                attention = self.trace.attention
                attention[unique_name(name, attention)] = as_numpy(scores)
                return (pooled, scores) if return_attention_scores else pooled

            return hooked

        is_crf = isinstance(layer, layers.CRF)
        return patched_method(layer, "call", record_marginals if is_crf else record_attention)


def as_numpy(tensor: Tensor) -> Array:
    """Return a tensor as an array of float32 or float64."""
    array = ops.convert_to_numpy(tensor)
    return array if array.dtype in ("float32", "float64") else array.astype("float32")


def _allocate(call: Call, stepper: CellStepper, step: Step) -> LayerTrace:
    """Return an empty trace of one cell for all time steps."""

    def allocate(tensor: Tensor) -> Array:
        array = as_numpy(tensor)
        return np.empty((len(array), len(call.step_order), *array.shape[1:]), array.dtype)

    states = zip(stepper.state_names, step.states, strict=True)
    return LayerTrace(
        gates={name: allocate(gate) for name, gate in step.gates.items()},
        states={name: allocate(state) for name, state in states},
        outputs=allocate(step.output),
        mask=None if call.mask is None else ops.convert_to_numpy(call.mask),
        initial_states={},
        go_backwards=call.layer.go_backwards,
        max_abs_error=0.0,
    )


def _has_values(tensor: Tensor) -> bool:
    """Return False if a tensor is symbolic."""
    try:
        ops.convert_to_numpy(tensor)
    # Each backend raises a different error for symbolic tensors.
    except (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError):
        return False
    return True


def _check_finite(call: Call, traces: list[LayerTrace]) -> None:
    """Check that there is no NaN at time steps that are not masked.

    Raises:
        InputError: If there is one. The message names the first.
    """
    first = []
    for name, layer in zip(call.names, traces, strict=True):
        arrays = {f"gate {gate!r}": array for gate, array in layer.gates.items()}
        arrays |= {f"state {state!r}": array for state, array in layer.states.items()}
        for place, array in {**arrays, "the output": layer.outputs}.items():
            is_nan = np.isnan(array).any(axis=tuple(range(2, array.ndim))) & layer.unmasked
            if is_nan.any():
                order = next(n for n, t in enumerate(call.step_order) if is_nan[:, t].any())
                sequence = int(is_nan[:, call.step_order[order]].argmax())
                first.append((order, place, name, sequence))
    if not first:
        return
    order, place, name, sequence = min(first, key=lambda entry: entry[0])
    t = call.step_order[order]
    has_nan_input = np.isnan(as_numpy(call.sequences[sequence, t])).any()
    raise InputError(
        f"NaN in {place} of the layer {name!r}, first at sequence {sequence}, time step {t} "
        "(counted from 0). "
        + (
            "Its input is NaN there too."
            if has_nan_input
            else "Its input there is not NaN: check the weights and the previous state."
        )
    )
