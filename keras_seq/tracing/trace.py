"""A model opened while it reads: every gate, state and output of its recurrent layers."""

import contextlib

import keras
import numpy as np
from keras import ops, tree

from keras_seq._internal.errors import InputError
from keras_seq.tracing import gate_statistics, gradients
from keras_seq.tracing.hooks import call_with_hooks, select_layers
from keras_seq.tracing.recorder import Recorder


class Trace(dict):
    """What the recurrent layers of a model computed: layer name to `LayerTrace`.

    Made by `keras_seq.trace`. It keeps the model and the inputs, for `gradients` and `jacobians`,
    which run the model again as it is then.
    """

    def __init__(self, model, inputs, recurrent):
        super().__init__()
        self._model, self._inputs, self._recurrent = model, inputs, recurrent
        self.outputs = None
        """What the model returned, as arrays in its structure."""
        self.attention = {}
        """Name of an `AttentionPooling` to its weights, `(batch, timesteps)`."""
        self.marginals = {}
        """Name of a `CRF` to the probability of each tag, `(batch, timesteps, tags)`."""

    def __missing__(self, name):
        raise InputError(f"There is no layer {name!r} in the trace; there are {', '.join(self)}.")

    @property
    def rows_per_sequence(self):
        """How often layers read each sequence; a polyphase `CTCRecognizer` hears several times."""
        return getattr(self._model, "num_offsets", 1)

    @property
    def nbytes(self):
        """Bytes of the arrays of all layers."""
        return sum(
            array.nbytes
            for layer in self.values()
            for array in (*layer.gates.values(), *layer.states.values(), layer.outputs)
        )

    def gradient_norms(self, loss):
        """How much a loss depends on each state at each time step: the norms of dL/dh_t, dL/dc_t.

        They are those of backpropagation through time: what step t+1 hands back to step t, and
        what the output at t adds. So h_t and c_t are two variables here, and dL/dc_t does not
        count that h_t was computed from c_t.

        Args:
            loss: A function of the model's outputs (tensors), written with `keras.ops`, that
                returns one number, such as `lambda y: loss_function(targets, y)`.

        Returns:
            Dict of layer name to a dict of state name to `(batch, timesteps)`, in the order of
            the input's time, 0 where masked.
        """
        return gradients.gradient_norms(self, self._model, self._inputs, self._recurrent, loss)

    def jacobian_norms(self, name):
        """How much the last h of a layer depends on its states at each time step before.

        That is the largest singular value of dh_T/dh_t and of dh_T/dc_t, where T is the time step
        that the layer computes last. It falls with the distance where gradients vanish, and grows
        where they explode (Pascanu, Mikolov & Bengio 2013). h and c are two variables, as in
        `gradients`. The cost is that of `units` backward passes for each sequence.

        Args:
            name: Of the layer.

        Returns:
            Dict of state name to `(batch, timesteps)`, in the order of the input's time, 0 where
            masked.
        """
        self[name]
        return gradients.jacobian_norms(self._model, self._inputs, self._recurrent, name)

    def gate_statistics(self):
        """Layer name to gate name to `keras_seq.tracing.gate_statistics.GateStatistics`."""
        return {name: gate_statistics.statistics_by_gate(layer) for name, layer in self.items()}

    def memory_length(self):
        """Layer name to how long each unit remembers: see `gate_statistics.memory_length`.

        Layers whose cell has no gate that keeps are left out.
        """
        found = {name: gate_statistics.memory_length(layer) for name, layer in self.items()}
        return {name: timesteps for name, timesteps in found.items() if timesteps is not None}


def trace(model, inputs, layers=None, max_bytes=2**32):
    """Runs a model and opens its recurrent layers, each at every time step.

        trace = keras_seq.trace(model, x)
        trace["lstm"].gates["forget"]                  # (batch, timesteps, units)
        trace["bidirectional/backward"].states["c"]    # in the order of the input's time
        trace.outputs                                  # as of model(x, training=False)

    Layers of `keras_seq.layers`, our cells in `keras.layers.RNN`, Keras's own LSTM, GRU and
    SimpleRNN, and cells of your own with `project` and `step` show their gates; other cells their
    states alone. A layer within another is named by its path: `encoder/lstm`, `both/forward` and
    `both/backward` in the Bidirectional layer `both`, `rnn/0` and `rnn/1` for cells stacked in the
    layer `rnn`; what runs a second time has `#2` at its end.

    The model is called as it is and not changed: neither its weights, nor the states of stateful
    layers, nor seeds.

    Args:
        model: A model or layer that is built.
        inputs: What it takes, in one batch.
        layers: Names of the layers to open; a name stands for all layers within it. Default: all.
        max_bytes: Bytes that the arrays may take.

    Returns:
        A `Trace`.

    Raises:
        InputError: The model has no recurrent layer, or none of a name in `layers`; it does not
            take such inputs; the arrays would be larger than `max_bytes`; or there is a NaN, whose
            first time step and gate are named.
    """
    if not isinstance(model, keras.layers.Layer) or not model.built:
        raise InputError(
            f"trace() takes a model or layer that has its weights, got {model!r}: build it or call "
            "it first."
        )
    recurrent, others = select_layers(model, layers)
    result = Trace(model, inputs, recurrent)
    recorder = Recorder(result, max_bytes)
    hooks = [recorder.beside(name, layer) for name, layer in others.items()]
    try:
        with _no_gradients():
            outputs = call_with_hooks(model, inputs, recurrent, recorder, hooks)
    except Exception as error:
        _refuse_misfit(model, inputs, error)
        raise
    if recorder.hidden:
        raise InputError(
            "Inside of a compiled or vectorized function there are no values to see; the model "
            f"{model.name!r} runs there: {', '.join(recorder.hidden)}."
        )
    idle = [name for name, layer in recurrent.items() if id(layer) not in recorder.ran]
    if idle and (layers is not None or not recorder.ran):
        raise InputError(f"These layers of {model.name!r} did not run: {', '.join(idle)}.")
    if recorder.needed > max_bytes:
        raise InputError(
            f"The trace would take {_gigabytes(recorder.needed)}, max_bytes is "
            f"{_gigabytes(max_bytes)}: trace fewer sequences, name some of the layers, or give a "
            "higher max_bytes."
        )
    result.outputs = tree.map_structure(ops.convert_to_numpy, outputs)
    return result


@contextlib.contextmanager
def _no_gradients():
    """On torch, no graph is kept."""
    if keras.backend.backend() != "torch":
        yield
        return
    import torch

    with torch.no_grad():
        yield


def _refuse_misfit(model, inputs, error):
    """Says what the model takes, if that is why there was an error."""
    wanted = {one.name: tuple(one.shape) for one in getattr(model, "inputs", None) or ()}
    if not wanted:
        return
    given = inputs if isinstance(inputs, dict) else dict(zip(wanted, tree.flatten(inputs)))
    given = {name: np.shape(array) for name, array in given.items()}
    if wanted.keys() != given.keys() or not all(
        len(shape) == len(given[name])
        and all(a in (None, b) for a, b in zip(shape, given[name], strict=True))
        for name, shape in wanted.items()
    ):
        raise InputError(
            f"The model {model.name!r} takes inputs of the shapes {wanted}, got {given}."
        ) from error


def _gigabytes(count):
    return f"{count / 1e9:.3g} GB"
