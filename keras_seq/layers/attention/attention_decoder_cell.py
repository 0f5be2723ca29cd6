"""Recurrent cell with attention over a memory."""

from collections.abc import Sequence
from typing import Any, Literal, cast

import keras
from keras import ops, tree

from keras_seq._internal.errors import InputError, unknown_name
from keras_seq._internal.keras_compat import rnn
from keras_seq._internal.types import Activation, Config, Shape, States, Tensor
from keras_seq.layers.recurrent.rnn import RNN
from keras_seq.scan import manages_own_jit
from keras_seq.scan.padding import zero_masked

SCORES = ("additive", "dot")
NO_MEMORY = (
    "An AttentionDecoderCell needs a memory: give the layer that runs it "
    "`initial_state=cell.initial_state(memory)`."
)


@keras.saving.register_keras_serializable(package="keras_seq")
class AttentionDecoderCell(keras.layers.Layer):
    """Recurrent cell with attention over a memory m_1 ... m_n, such as the outputs of an encoder.

        h_t, s_t = cell(x_t, s_{t-1})
        weight_tj = softmax_j score(h_t, k_j)
        c_t = sum_j weight_tj m_j
        a_t = activation(W_a [c_t; h_t])

    a_t is the output. The score is h . k ("dot") or v . tanh(W_q h + k) ("additive"). The keys k_j
    are the memory itself, or a projection of it by a `Dense` layer. With a projection, "dot" is the
    score "general" of Luong et al. (2015), and "additive" that of Bahdanau et al. (2015). With
    input feeding (Luong et al. 2015) the cell reads [x_t; a_{t-1}].

    The states are those of the inner cell, then a_{t-1} with input feeding, then keys, values and
    mask of the memory. `initial_state` returns them for any recurrent layer:

    >>> import numpy as np
    >>> from keras import layers, ops
    >>> from keras_seq.cells import LSTMCell
    >>> from keras_seq.layers import AttentionDecoderCell
    >>> memory, inputs = ops.ones((2, 5, 6)), ops.ones((2, 3, 4))
    >>> keys = layers.Dense(8, use_bias=False)(memory)
    >>> cell = AttentionDecoderCell(LSTMCell(8))
    >>> decoder = layers.RNN(cell, return_sequences=True)
    >>> tuple(decoder(inputs, initial_state=cell.initial_state(memory, keys)).shape)
    (2, 3, 8)

    `call_sequence` computes the same. Without input feeding it is much faster: the inner cell runs
    over the whole sequence first, then attention is computed for all time steps at once.

    Args:
        cell: Inner recurrent cell h_t, s_t = cell(x_t, s_{t-1}), of `keras_seq.cells` or any other.
        score: "additive" or "dot".
        units: Width of a_t. Default: the width of h_t.
        input_feeding: Whether the inner cell also reads a_{t-1}. It must then have no dropout.
        memory_units: Number of features of the memory. Default: set by the first call of
            `initial_state`.
        activation: Activation of a_t. None is linear, as in TensorFlow Addons.
        key_units: Number of features of the keys. Default: the width of h_t, which the score "dot"
            requires.

    Call arguments:
        inputs: x_t, `(batch, features)`.
        states: As `initial_state` or the previous call returned them.

    Returns:
        a_t `(batch, units)`, and the new states.

    Weights: those of the inner cell; `query` W_q and `attention` v, if "additive"; `combine` W_a.

    Raises:
        InputError: If an argument has a wrong value, if arguments contradict each other, or if the
            cell is used without a memory.
    """

    def __init__(
        self,
        cell: Any,
        score: Literal["additive", "dot"] = "dot",
        units: int | None = None,
        input_feeding: bool = False,
        memory_units: int | None = None,
        activation: Activation = "tanh",
        key_units: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if score not in SCORES:
            raise unknown_name("attention score", score, SCORES)
        rates = [getattr(cell, name, 0) for name in ("dropout", "recurrent_dropout")]
        if input_feeding and any(rates):
            raise InputError(
                "AttentionDecoderCell: with input_feeding the cell must have no dropout of its own."
            )
        policy = self.dtype_policy
        self.rnn = RNN(cell, return_sequences=True, return_state=True, dtype=policy, name="rnn")
        sizes = cell.state_size
        self._sizes = [sizes] if isinstance(sizes, int) else list(sizes)
        self._width = getattr(cell, "output_size", None) or tree.flatten(self._sizes)[0]
        self.score, self.input_feeding, self.memory_units = score, input_feeding, memory_units
        self.key_units = self._width if key_units is None else key_units
        if score == "dot" and self.key_units != self._width:
            raise InputError(
                f"AttentionDecoderCell: the score 'dot' needs keys of {self._width} features, the "
                f"width of the cell's output, got key_units={key_units}."
            )
        self.units = self.output_size = self._width if units is None else units
        # None: the memory may have any number of time steps and features.
        self.state_size = [*self._sizes, *[self.units] * input_feeding, None, None, None]
        self.query = None
        self.attention: keras.layers.Attention
        if score == "additive":
            self.query = keras.layers.Dense(
                self.key_units, use_bias=False, dtype=policy, name="query"
            )
            self.attention = keras.layers.AdditiveAttention(dtype=policy, name="attention")
        else:
            self.attention = keras.layers.Attention(dtype=policy, name="attention")
        self.combine = keras.layers.Dense(
            self.units, activation, use_bias=False, dtype=policy, name="combine"
        )
        if manages_own_jit(cell):
            self.supports_jit = False  # see keras_seq.layers.recurrent.cell_layer

    @property
    def cell(self) -> Any:
        """The inner cell."""
        return self.rnn.cell

    def build(self, input_shape: Shape) -> None:
        if self.memory_units is None:
            raise InputError(NO_MEMORY)
        attended_width = self.units if self.input_feeding else 0
        self.rnn.build((None, None, cast(int, input_shape[-1]) + attended_width))
        if self.query is not None:
            self.query.build((None, None, self._width))
        keys = (None, None, self.key_units)
        self.attention.build([keys, (None, None, self.memory_units), keys])
        self.combine.build((None, None, self.memory_units + self._width))

    def initial_state(
        self,
        memory: Tensor,
        keys: Tensor | None = None,
        mask: Tensor | None = None,
        cell_states: States | None = None,
    ) -> States:
        """Return the states before the first time step.

        Args:
            memory: `(batch, n, features)`.
            keys: `(batch, n, key_units)`. Default: the memory.
            mask: Bools `(batch, n)`, False where the attention weight is 0.
            cell_states: States of the inner cell. Default: zeros.

        Raises:
            InputError: If the keys do not have `key_units` features, or the memory does not have
                `memory_units`.
        """
        keys = memory if keys is None else keys
        if self.memory_units is None:
            self.memory_units = memory.shape[-1]
        for name, width, expected in (
            ("memory", memory.shape[-1], self.memory_units),
            ("keys", keys.shape[-1], self.key_units),
        ):
            if width != expected:
                raise InputError(
                    f"AttentionDecoderCell: the {name} must have {expected} features, got {width}."
                )

        def zeros(size: Any) -> Any:
            if isinstance(size, int):
                return ops.repeat(ops.zeros_like(memory[:, 0, :1]), size, axis=1)
            return [zeros(width) for width in size]

        cell_states = zeros(self._sizes) if cell_states is None else cell_states
        attended = [zeros(self.units)] if self.input_feeding else []
        unmasked = ops.ones_like(memory[:, :, 0]) if mask is None else ops.cast(mask, memory.dtype)
        if mask is not None:
            # With zeros, a row that is masked as a whole has the context 0.
            keys, memory = zero_masked(keys, mask), zero_masked(memory, mask)
        return [*cell_states, *attended, keys, memory, unmasked]

    def attend(self, outputs: Tensor, memory: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the attention vectors a_t and the attention weights for given outputs of the cell.

        Args:
            outputs: h_t, `(rows, timesteps, features)`. In a beam search, several consecutive rows
                share a row of the memory.
            memory: Keys, values and mask, the last three states, `(batch, n, ...)`.

        Returns:
            a_t `(rows, timesteps, units)`, and attention weights `(rows, timesteps, n)`.
        """
        keys, values, unmasked = memory
        rows, timesteps = ops.shape(outputs)[:2]
        queries = ops.reshape(outputs, (ops.shape(keys)[0], -1, self._width))
        context, weights = self.attention(
            [queries if self.query is None else self.query(queries), values, keys],
            mask=[None, ops.cast(unmasked, "bool")],
            return_attention_scores=True,
        )
        vectors = self.combine(ops.concatenate([context, queries], axis=-1))
        weights = weights * unmasked[:, None, :]
        return (
            ops.reshape(vectors, (rows, timesteps, self.units)),
            ops.reshape(weights, (rows, timesteps, ops.shape(keys)[1])),
        )

    def call(self, inputs: Tensor, states: States) -> tuple[Tensor, States]:
        _, vector, _, cell_states = self.step(inputs, states[:-3], states[-3:])
        return vector, [*cell_states, *states[-3:]]

    def step(
        self, inputs: Tensor, cell_states: States, memory: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor, Tensor, States]:
        """Run one time step; unlike a call, return h_t and the attention weights too.

        Args:
            inputs: `(rows, features)`.
            cell_states: States without the memory.
            memory: As in `attend`.

        Returns:
            h_t `(rows, features)`, a_t `(rows, units)`, the attention weights `(rows, n)`, and the
            new states without the memory.
        """
        cell_states = list(cell_states)
        if self.input_feeding:
            attended = cell_states.pop()
            inputs = ops.concatenate([inputs, attended], axis=-1)
        output, new_states = self.cell(inputs, cell_states)
        new_states = list(new_states) if tree.is_nested(new_states) else [new_states]
        vectors, weights = self.attend(output[:, None], memory)
        vector = vectors[:, 0]
        if self.input_feeding:
            new_states.append(vector)
        return output, vector, weights[:, 0], new_states

    def call_sequence(self, sequences: Tensor, states: States) -> tuple[Tensor, Tensor]:
        """Return the outputs and the attention weights for whole sequences.

        Args:
            sequences: `(batch, timesteps, features)`.
            states: As `initial_state` returns them.

        Returns:
            a_t `(batch, timesteps, units)`, and attention weights `(batch, timesteps, n)`.
        """
        cell_states, memory = states[:-3], states[-3:]
        if not self.input_feeding:
            outputs = self.rnn(sequences, initial_state=cell_states)[0]
            return self.attend(outputs, memory)

        def step(inputs: Tensor, cell_states: States) -> tuple[Tensor, States]:
            output, vector, _, cell_states = self.step(inputs, cell_states, memory)
            return ops.concatenate([output, vector], axis=-1), cell_states

        _, both, _ = rnn(step, sequences, list(cell_states), input_length=sequences.shape[1])
        outputs, vectors = ops.split(both, [self._width], axis=-1)
        return vectors, self.attend(outputs, memory)[1]

    def get_initial_state(self, batch_size: int | None = None) -> States:
        raise InputError(NO_MEMORY)

    def get_config(self) -> Config:
        names = ("score", "units", "input_feeding", "memory_units", "key_units")
        return {
            **super().get_config(),
            "cell": keras.saving.serialize_keras_object(self.cell),
            "activation": keras.activations.serialize(self.combine.activation),
            **{name: getattr(self, name) for name in names},
        }

    @classmethod
    def from_config(cls, config: Config) -> "AttentionDecoderCell":
        return cls(**{**config, "cell": keras.saving.deserialize_keras_object(config["cell"])})
