"""A decoder's step that looks at what was read."""

import keras
from keras import ops, tree

from keras_seq._internal.errors import InputError, unknown_name
from keras_seq._internal.keras_compat import rnn
from keras_seq.layers.recurrent.rnn import RNN
from keras_seq.scan import manages_own_jit
from keras_seq.scan.padding import zero_masked

SCORES = ("additive", "dot")
NO_MEMORY = (
    "An AttentionDecoderCell needs something to look at: give the layer that runs it "
    "`initial_state=cell.start(memory)`."
)


@keras.saving.register_keras_serializable(package="keras_seq")
class AttentionDecoderCell(keras.layers.Layer):
    """Any cell, and attention over a memory m_1 ... m_n, such as the outputs of an encoder.

        h_t, s_t = cell(x_t, s_{t-1})
        weight_tj = softmax_j score(h_t, k_j)
        c_t = sum_j weight_tj m_j
        a_t = activation(W_a [c_t; h_t])

    a_t is the output. The score is h . k ("dot") or v . tanh(W_q h + k) ("additive"). The keys k
    are the memory as it is, or what a Dense layer made of it, once a sentence: "dot" then is the
    score "general" of Luong et al. (2015), "additive" that of Bahdanau et al. (2015). With input
    feeding the cell reads [x_t; a_{t-1}], so that it knows where it has looked.

    The states are those of the cell, then a_{t-1} if it is fed, then the memory: keys, values and
    mask. `start` makes them, and any recurrent layer takes them:

        cell = AttentionDecoderCell(keras_seq.cells.LSTMCell(256))
        decoder = keras.layers.RNN(cell, return_sequences=True)
        keys = keras.layers.Dense(256, use_bias=False)(encoded)
        outputs = decoder(embedded, initial_state=cell.start(encoded, keys, mask))

    `over_time` computes the same. Without input feeding it does so in much less time: the cell runs
    over the whole sequence by itself, on the fast path if it has one, and then looks for all steps
    at once.

    Args:
        cell: A recurrent cell, of `keras_seq.cells` or any other.
        score: "additive" or "dot".
        units: Width of a_t; that of the cell's output if not given.
        input_feeding: Whether the cell reads a_{t-1}; it must then drop nothing itself.
        memory_units: Features of the memory; if not given, those that `start` meets first.
        activation: Applied to a_t. Default: "tanh"; `None` is linear, as in TensorFlow Addons.
        key_units: Features of the keys with the score "additive". Default: the width of the
            cell's output, which "dot" needs.

    Weights: of the cell; `query` W_q and `attention` v, if additive; `combine` W_a.
    """

    def __init__(
        self,
        cell,
        score="dot",
        units=None,
        input_feeding=False,
        memory_units=None,
        activation="tanh",
        key_units=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if score not in SCORES:
            raise unknown_name("attention score", score, SCORES)
        if input_feeding and (getattr(cell, "dropout", 0) or getattr(cell, "recurrent_dropout", 0)):
            raise InputError("With input_feeding, the cell must have no dropout of its own.")
        policy = self.dtype_policy
        self.over = RNN(cell, return_sequences=True, return_state=True, dtype=policy, name="over")
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
        # Of the memory, any size will do.
        self.state_size = [*self._sizes, *[self.units] * input_feeding, None, None, None]
        self.query = None
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
            self.supports_jit = False  # see keras_seq.layers.recurrent.cell_layers

    @property
    def cell(self):
        """The cell that is inside."""
        return self.over.cell

    def build(self, input_shape):
        if self.memory_units is None:
            raise InputError(NO_MEMORY)
        fed = self.units if self.input_feeding else 0
        self.over.build((None, None, input_shape[-1] + fed))
        if self.query is not None:
            self.query.build((None, None, self._width))
        keys = (None, None, self.key_units)
        self.attention.build([keys, (None, None, self.memory_units), keys])
        self.combine.build((None, None, self.memory_units + self._width))

    def start(self, memory, keys=None, mask=None, states=None):
        """The states before the first step.

        Args:
            memory: What there is to look at, `(batch, n, features)`.
            keys: What it is found by, `(batch, n, key_units)`; the memory, if not given.
            mask: Bools `(batch, n)`, False where nothing is: there the weight is 0.
            states: Of the cell; zeros if not given.

        Raises:
            InputError: The keys do not have `key_units` features, or the memory not as before.
        """
        keys = memory if keys is None else keys
        if self.memory_units is None:
            self.memory_units = memory.shape[-1]
        for name, found, wanted in (
            ("memory", memory.shape[-1], self.memory_units),
            ("keys", keys.shape[-1], self.key_units),
        ):
            if found != wanted:
                raise InputError(
                    f"AttentionDecoderCell: the {name} must have {wanted} features, got {found}."
                )

        def zeros(size):
            if isinstance(size, int):
                return ops.repeat(ops.zeros_like(memory[:, 0, :1]), size, axis=1)
            return [zeros(part) for part in size]

        states = zeros(self._sizes) if states is None else states
        fed = [zeros(self.units)] if self.input_feeding else []
        seen = ops.ones_like(memory[:, :, 0]) if mask is None else ops.cast(mask, memory.dtype)
        if mask is not None:
            # Zeros, so that a row which is masked as a whole has the context 0.
            keys, memory = zero_masked(keys, mask), zero_masked(memory, mask)
        return [*states, *fed, keys, memory, seen]

    def attend(self, outputs, memory):
        """The vectors a_t and the weights, of any number of steps at once.

        Args:
            outputs: h_t of the cell, `(rows, timesteps, units)`. There may be several rows, one
                after the other, to each of the memory, as in a beam search.
            memory: The last three of the states: `(batch, n, ...)`.

        Returns:
            `(rows, timesteps, units)` and `(rows, timesteps, n)`.
        """
        keys, values, seen = memory
        rows, timesteps = ops.shape(outputs)[:2]
        looking = ops.reshape(outputs, (ops.shape(keys)[0], -1, self._width))
        context, weights = self.attention(
            [looking if self.query is None else self.query(looking), values, keys],
            mask=[None, ops.cast(seen, "bool")],
            return_attention_scores=True,
        )
        vectors = self.combine(ops.concatenate([context, looking], axis=-1))
        weights = weights * seen[:, None, :]
        return (
            ops.reshape(vectors, (rows, timesteps, self.units)),
            ops.reshape(weights, (rows, timesteps, ops.shape(keys)[1])),
        )

    def call(self, inputs, states):
        _, vector, _, own = self.step(inputs, states[:-3], states[-3:])
        return vector, [*own, *states[-3:]]

    def step(self, inputs, own, memory):
        """One step, with what Keras's contract of cells has no place for.

        Args:
            inputs: `(rows, features)`.
            own: The states without the memory.
            memory: As in `attend`.

        Returns:
            h_t and a_t, `(rows, units)`; the weights `(rows, n)`; the new states without the
            memory.
        """
        if self.input_feeding:
            *own, fed = own
            inputs = ops.concatenate([inputs, fed], axis=-1)
        output, own = self.cell(inputs, list(own))
        own = list(own) if tree.is_nested(own) else [own]
        vector, weights = (looked[:, 0] for looked in self.attend(output[:, None], memory))
        return output, vector, weights, [*own, vector] if self.input_feeding else own

    def over_time(self, sequences, states):
        """All steps of sequences that are known.

        Args:
            sequences: `(batch, timesteps, features)`.
            states: As `start` makes them.

        Returns:
            a_t of all steps, `(batch, timesteps, units)`; the weights, `(batch, timesteps, n)`.
        """
        own, memory = states[:-3], states[-3:]
        if not self.input_feeding:
            outputs = self.over(sequences, initial_state=own)[0]
            return self.attend(outputs, memory)

        def step(inputs, own):
            output, vector, _, own = self.step(inputs, own, memory)
            return ops.concatenate([output, vector], axis=-1), own

        _, both, _ = rnn(step, sequences, list(own), input_length=sequences.shape[1])
        outputs, vectors = ops.split(both, [self._width], axis=-1)
        return vectors, self.attend(outputs, memory)[1]

    def get_initial_state(self, batch_size=None):
        raise InputError(NO_MEMORY)

    def get_config(self):
        names = ("score", "units", "input_feeding", "memory_units", "key_units")
        return {
            **super().get_config(),
            "cell": keras.saving.serialize_keras_object(self.cell),
            "activation": keras.activations.serialize(self.combine.activation),
            **{name: getattr(self, name) for name in names},
        }

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "cell": keras.saving.deserialize_keras_object(config["cell"])})
