"""Trace of a model: gates, states and outputs of its recurrent layers at every time step."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Array, Tensor
from keras_seq.tracing import gate_statistics, gradients
from keras_seq.tracing.gate_statistics import GateStatistics
from keras_seq.tracing.hooks import Layers, call_with_hooks, select_layers
from keras_seq.tracing.recorder import LayerTrace, Recorder


class Trace(dict[str, LayerTrace]):
    """Traces of the recurrent layers of a model: layer name to `LayerTrace`.

    `keras_seq.trace` creates it. It keeps the model and the inputs for `gradient_norms` and
    `jacobian_norms`, which run the model again with its current weights.

    >>> import keras
    >>> from keras import ops
    >>> import keras_seq
    >>> layer = keras_seq.layers.GRU(4, name="gru")
    >>> x = keras.random.normal((2, 5, 3))
    >>> _ = layer(x)
    >>> trace = keras_seq.trace(layer, x)
    >>> trace["gru"].gates["update"].shape
    (2, 5, 4)
    >>> trace.gradient_norms(ops.sum)["gru"]["h"].shape, trace.memory_length()["gru"].shape
    ((2, 5), (4,))
    """

    def __init__(self, model: keras.layers.Layer, inputs: Any, recurrent: Layers) -> None:
        super().__init__()
        self._model, self._inputs, self._recurrent = model, inputs, recurrent
        self.outputs: Any = None
        """Outputs of the model, as arrays in its structure."""
        self.attention: dict[str, Array] = {}
        """Name of each `AttentionPooling` to its attention scores, `(batch, timesteps)`."""
        self.marginals: dict[str, Array] = {}
        """Name of each `CRF` to the probability of each tag, `(batch, timesteps, tags)`."""

    def __missing__(self, name: str) -> LayerTrace:
        raise InputError(f"There is no layer {name!r} in the trace. It has {', '.join(self)}.")

    @property
    def rows_per_sequence(self) -> int:
        """Number of successive batch rows per sequence, as in a `CTCRecognizer` with offsets."""
        return getattr(self._model, "num_offsets", 1)

    @property
    def nbytes(self) -> int:
        """Size of the arrays of all layers in bytes."""
        return sum(
            array.nbytes
            for layer in self.values()
            for array in (*layer.gates.values(), *layer.states.values(), layer.outputs)
        )

    def gradient_norms(self, loss: Callable[[Any], Tensor]) -> dict[str, dict[str, Array]]:
        """Return the norms of the gradients of a loss, dL/dh_t and dL/dc_t.

        They are those of backpropagation through time: the gradient from step t+1 plus that of the
        output at step t. h_t and c_t are separate variables, so dL/dc_t excludes the path from c_t
        to h_t of the same step.

        Args:
            loss: Function from the model's outputs to a scalar, written with `keras.ops`, such as
                `lambda y: loss_function(targets, y)`.

        Returns:
            Layer name to state name to norms `(batch, timesteps)`, in the order of the input's
            time. They are 0 where the input is masked.

        Raises:
            InputError: If the loss does not return a scalar.
        """
        return gradients.gradient_norms(self, self._model, self._inputs, self._recurrent, loss)

    def jacobian_norms(self, name: str) -> dict[str, Array]:
        """Return the spectral norms of the Jacobians dh_T/dh_t and dh_T/dc_t of a layer.

        T is the time step that the layer computes last. The norm falls with the distance where
        gradients vanish, and grows where they explode (Pascanu, Mikolov & Bengio 2013). h and c are
        separate variables, as in `gradient_norms`. The cost is `units` backward passes per
        sequence.

        Args:
            name: Name of the layer.

        Returns:
            State name to norms `(batch, timesteps)`, in the order of the input's time. They are 0
            where the input is masked.

        Raises:
            InputError: If the trace has no such layer.
        """
        self[name]  # raises the error
        return gradients.jacobian_norms(self._model, self._inputs, self._recurrent, name)

    def gate_statistics(self) -> dict[str, dict[str, GateStatistics]]:
        """Return mean and saturation of each gate: layer name to gate name to statistics."""
        return {name: gate_statistics.statistics_by_gate(layer) for name, layer in self.items()}

    def memory_length(self) -> dict[str, Array]:
        """Return the memory length of each unit, see `gate_statistics.memory_length`.

        Returns:
            Layer name to lengths `(units,)` in time steps. Layers without a forget or update gate
            are left out.
        """
        lengths = {name: gate_statistics.memory_length(layer) for name, layer in self.items()}
        return {name: length for name, length in lengths.items() if length is not None}


def trace(
    model: keras.layers.Layer,
    inputs: Any,
    layers: Sequence[str] | None = None,
    max_bytes: int = 2**32,
) -> Trace:
    """Run a model and record its recurrent layers at every time step.

        trace = keras_seq.trace(model, x)
        trace["lstm"].gates["forget"]  # (batch, timesteps, units)
        trace["bidirectional/backward"].states["c"]  # in the order of the input's time
        trace.outputs  # those of model(x, training=False)

    Gates are known for layers of `keras_seq.layers`, for LSTM, GRU and SimpleRNN of Keras, and for
    any cell with `project` and `step`. Other cells show their states only. Names are paths:
    `encoder/lstm` within the layer `encoder`, `both/forward` and `both/backward` in the
    Bidirectional layer `both`, `rnn/0` and `rnn/1` for stacked cells. A layer that runs a second
    time has `#2` after its name.

    Weights, states of stateful layers and random seeds of the model do not change.

    Args:
        model: Built model or layer.
        inputs: One batch of inputs of the model.
        layers: Names of the layers to record. A name includes all layers within it. Default: all.
        max_bytes: Maximum size of all arrays in bytes.

    Raises:
        InputError: If the model has no recurrent layer, or none of `layers`; if the inputs do not
            fit; if the arrays would be larger than `max_bytes`; if there is a NaN. The message
            names the first time step and gate with a NaN.
    """
    if not isinstance(model, keras.layers.Layer) or not model.built:
        raise InputError(
            f"trace() takes a built model or layer, got {model!r}. Build it or call it first."
        )
    recurrent, others = select_layers(model, layers)
    result = Trace(model, inputs, recurrent)
    recorder = Recorder(result, max_bytes)
    hooks = [recorder.hook_side_output(name, layer) for name, layer in others.items()]
    try:
        with _no_gradients():
            outputs = call_with_hooks(model, inputs, recurrent, recorder, hooks)
    except Exception as error:
        _check_shapes(model, inputs, error)
        raise
    if recorder.compiled_names:
        raise InputError(
            f"The model {model.name!r} runs {', '.join(recorder.compiled_names)} inside a compiled "
            "or vectorized function, where tensors have no values. Trace it without compilation."
        )
    idle = [name for name, layer in recurrent.items() if id(layer) not in recorder.called_ids]
    if idle and (layers is not None or not recorder.called_ids):
        raise InputError(f"These layers of {model.name!r} did not run: {', '.join(idle)}.")
    if recorder.num_bytes > max_bytes:
        raise InputError(
            f"The trace would take {_gigabytes(recorder.num_bytes)}, but max_bytes is "
            f"{_gigabytes(max_bytes)}. Trace fewer sequences, select layers, or increase max_bytes."
        )
    result.outputs = tree.map_structure(ops.convert_to_numpy, outputs)
    return result


@contextlib.contextmanager
def _no_gradients() -> Iterator[None]:
    """Record no gradients within the context. Only torch needs it."""
    if keras.backend.backend() != "torch":
        yield
        return
    import torch

    with torch.no_grad():
        yield


def _check_shapes(model: Any, inputs: Any, error: Exception) -> None:
    """Check the shapes of inputs after an error.

    Raises:
        InputError: If they do not fit the model.
    """
    expected = {x.name: tuple(x.shape) for x in getattr(model, "inputs", None) or ()}
    if not expected:
        return
    named = inputs
    if not isinstance(inputs, dict):
        named = dict(zip(expected, tree.flatten(inputs), strict=False))
    shapes = {name: np.shape(array) for name, array in named.items()}
    if expected.keys() != shapes.keys() or not all(
        len(shape) == len(shapes[name])
        and all(a in (None, b) for a, b in zip(shape, shapes[name], strict=True))
        for name, shape in expected.items()
    ):
        raise InputError(
            f"The model {model.name!r} takes inputs of the shapes {expected}, got {shapes}."
        ) from error


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.3g} GB"
