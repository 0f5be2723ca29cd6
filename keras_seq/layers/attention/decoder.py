"""Decoder of a sequence-to-sequence model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras
from keras import ops, tree

from keras_seq._internal.errors import InputError, unknown_name
from keras_seq._internal.ranges import PositiveInt, Probability, check_arguments
from keras_seq._internal.serialization import serialize_nested
from keras_seq._internal.types import Config, Shape, States, Tensor
from keras_seq.layers.attention.attention_decoder_cell import AttentionDecoderCell
from keras_seq.layers.named_weights import AxisNames, NamedWeight, dense_weights
from keras_seq.layers.recurrent import layer_factory as factory
from keras_seq.layers.recurrent.stack import RNNStack
from keras_seq.layers.text.scheduled_sampling import ScheduledSampling
from keras_seq.layers.text.tied_logits import TiedLogits
from keras_seq.layers.text.token_embedding import TokenEmbedding

ATTENTIONS = ("additive", "dot", "general")
SAVED = (
    *("units", "num_layers", "attention", "input_feeding", "tie_embeddings", "dropout"),
    "recurrent_dropout",
)
"""Arguments that the configuration contains unchanged."""


@keras.saving.register_keras_serializable(package="keras_seq")
class Decoder(keras.layers.Layer):
    """Recurrent decoder with attention: embedding, recurrent layers, and logits of the next token.

    It follows Bahdanau et al. (2015) and Luong et al. (2015). Each state of a recurrent layer
    starts from `tanh(W summary + b)`, with its own W and b. With attention, the last layer is an
    `AttentionDecoderCell`.

    >>> import numpy as np
    >>> from keras_seq import layers
    >>> from keras_seq.text import TextEncoder
    >>> encoder = TextEncoder(["un", "deux"], end=True)
    >>> decoder = layers.Decoder(layers.TokenEmbedding(encoder, 8), "GRU", 16)
    >>> memory = np.random.normal(size=(1, 7, 12))  # outputs of an encoder
    >>> logits = decoder(encoder.encode_batch(["un deux"], start=True).ids, memory, memory[:, -1])
    >>> tuple(logits.shape)  # (batch, timesteps, vocab_size)
    (1, 3, 5)

    `step` computes the same token by token, without dropout:

    >>> state, memory = decoder.initial_state(memory, memory[:, -1])
    >>> logits, attention, state = decoder.step(np.array([encoder.start_id]), state, memory)
    >>> tuple(logits.shape), tuple(attention.shape)
    ((1, 5), (1, 7))

    Args:
        embedding: Layer from ids to vectors: a `keras.layers.Embedding`, such as `TokenEmbedding`,
            or a layer with a `vocab_size`, such as `OneHotTokens`.
        cell: Recurrent cell, as in `RNNStack`.
        units: Number of hidden units per layer.
        num_layers: Number of recurrent layers.
        attention: "additive" (Bahdanau), "dot" or "general" (Luong), or None for a decoder that
            reads only the summary. "dot" needs a memory of `units` features; the others project it.
        input_feeding: Whether the last layer also reads the attention vector of the previous time
            step. Training then runs step by step.
        tie_embeddings: Whether the logits use the embedding as their kernel (Press & Wolf 2017).
        dropout: Fraction of the features to drop before the first and after each recurrent layer
            in training. One mask is used for all time steps.
        recurrent_dropout: Fraction of the state to drop between time steps in training. With
            `input_feeding` the last layer has no recurrent dropout.
        sampling: Scheduled sampling, by which the decoder reads some of its own predictions in
            training. Default: none.

    Call arguments:
        ids: Ids of the previous tokens `(batch, timesteps)`: the start token, then the target
            without its last token. Padding, which is 0, comes last.
        memory: Sequences to attend to, such as the outputs of an encoder, `(batch, n, features)`.
        summary: Vectors for the initial states, such as the last states of an encoder, `(batch,
            features)`.
        memory_mask: Bools `(batch, n)`, False where the memory is padding.
        training: Whether dropout and scheduled sampling apply.

    Returns:
        Logits `(batch, timesteps, vocab_size)`.

    Raises:
        InputError: If an argument has a wrong value, or if arguments contradict each other.
    """

    def __init__(
        self,
        embedding: keras.layers.Layer,
        cell: factory.Cell = "LSTM",
        units: PositiveInt = 256,
        num_layers: PositiveInt = 1,
        *,
        attention: Literal["additive", "dot", "general"] | None = "general",
        input_feeding: bool = False,
        tie_embeddings: bool = False,
        dropout: Probability = 0.2,
        recurrent_dropout: Probability = 0.0,
        sampling: ScheduledSampling | None = None,
        **kwargs: Any,
    ) -> None:
        check_arguments(Decoder, locals())
        super().__init__(**kwargs)
        if attention not in (None, *ATTENTIONS):
            raise unknown_name("attention", attention, ATTENTIONS)
        if input_feeding and attention is None:
            raise InputError("Decoder: input_feeding needs attention; set input_feeding=False.")
        if tie_embeddings and not isinstance(embedding, keras.layers.Embedding):
            raise InputError(
                "Decoder: tie_embeddings needs an embedding layer, such as TokenEmbedding, got "
                f"{type(embedding).__name__}."
            )
        self.embedding, self.units, self.num_layers = embedding, units, num_layers
        self.attention, self.input_feeding = attention, input_feeding
        self.tie_embeddings, self.dropout = tie_embeddings, dropout
        self.recurrent_dropout, self.sampling = recurrent_dropout, sampling
        self.vocab_size = _vocab_size(embedding)
        self._cell_name, policy = factory.layer_name(cell), self.dtype_policy
        num_below = num_layers if attention is None else num_layers - 1
        self.stack = self.attention_cell = self.keys = None
        if num_below:
            self.stack = RNNStack(
                cell,
                units,
                num_below,
                dropout=dropout,
                recurrent_dropout=recurrent_dropout,
                variational_dropout=True,
                dtype=policy,
                name="stack",
            )
        if attention is not None:
            rate = 0.0 if input_feeding else recurrent_dropout
            last = factory.make_layer(cell, units, rate, {}, dtype=policy, name="recurrent")
            self.attention_cell = AttentionDecoderCell(
                last.cell,
                "additive" if attention == "additive" else "dot",
                units=embedding.output_dim if tie_embeddings else units,
                input_feeding=input_feeding,
                dtype=policy,
                name="attention_cell",
            )
            if attention != "dot":
                self.keys = keras.layers.Dense(units, use_bias=False, dtype=policy, name="keys")
        # One after the attention, and one before it unless the stack ends with its own.
        num_dropouts = (attention is not None) + (self.stack is None)
        self.dropouts = [
            keras.layers.Dropout(dropout, (None, 1, None), dtype=policy)
            for _ in range(num_dropouts)
        ]
        self.output_layer: keras.layers.Layer
        if tie_embeddings:
            # The attention vectors have the width of the embedding already.
            self.output_layer = TiedLogits(
                embedding, project=attention is None, dtype=policy, name="logits"
            )
        else:
            self.output_layer = keras.layers.Dense(self.vocab_size, dtype=policy, name="logits")
        self.bridges = [
            keras.layers.Dense(size, "tanh", dtype=policy, name=f"bridge_{layer}_{state}")
            for layer, sizes in enumerate(self.state_sizes)
            for state, size in enumerate(sizes)
        ]

    @property
    def state_sizes(self) -> list[list[int]]:
        """Widths of the states of each recurrent layer."""
        sizes = [] if self.stack is None else self.stack.state_sizes
        if self.attention_cell is None:
            return sizes
        return [*sizes, factory.state_sizes(self.attention_cell.rnn)]

    def build(self, ids_shape: Shape, memory_shape: Shape, summary_shape: Shape) -> None:
        if self.attention == "dot" and memory_shape[-1] != self.units:
            raise InputError(
                f"Decoder: attention='dot' needs a memory of {self.units} features, as many as "
                f"units, got {memory_shape[-1]}; change units, or use attention='general'."
            )
        if not self.embedding.built:
            self.embedding.build(ids_shape)
        ids = keras.KerasTensor((None, None), "int32")
        width = self.embedding.compute_output_spec(ids).shape[-1]
        if self.stack is not None:
            self.stack.build((None, None, width))
            width = self.stack.output_size
        if self.attention_cell is not None:
            self.attention_cell.memory_units = memory_shape[-1]
            self.attention_cell.build((None, width))
            width = self.attention_cell.units
        self.output_layer.build((None, None, width))
        if self.keys is not None:
            self.keys.build(memory_shape)
        for bridge in self.bridges:
            bridge.build(summary_shape)
        if self.sampling is not None:
            self.sampling.build(ids_shape)

    def call(
        self,
        ids: Tensor,
        memory: Tensor,
        summary: Tensor,
        memory_mask: Tensor | None = None,
        training: bool | None = False,
    ) -> Tensor:
        state, memory = self.initial_state(memory, summary, memory_mask)
        if training and self.sampling is not None:
            logits, _ = self.call_sequence(ids, state, memory, training=True)
            ids = self.sampling(ids, ops.argmax(logits, axis=-1), training=True)
        return self.call_sequence(ids, state, memory, training=training)[0]

    def initial_state(
        self, memory: Tensor, summary: Tensor, memory_mask: Tensor | None = None
    ) -> tuple[list[States], list[Tensor]]:
        """Return the state before the first token, and the memory as `step` takes it.

        Args:
            memory: As in a call.
            summary: As in a call.
            memory_mask: As in a call.

        Returns:
            A list of states `(batch, units)` for each recurrent layer; and keys, values and mask of
            the memory, `(batch, n, ...)`, or an empty list without attention.
        """
        memory, summary = (ops.cast(tensor, self.compute_dtype) for tensor in (memory, summary))
        flat = [bridge(summary) for bridge in self.bridges]
        states = tree.pack_sequence_as(self.state_sizes, flat)
        if self.attention_cell is None:
            return states, []
        keys = None if self.keys is None else self.keys(memory)
        last = self.attention_cell.initial_state(memory, keys, memory_mask, states[-1])
        return [*states[:-1], last[:-3]], last[-3:]

    def call_sequence(
        self,
        ids: Tensor,
        state: Sequence[States],
        memory: Sequence[Tensor],
        training: bool | None = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the logits of all time steps, and the attention weights.

        Args:
            ids: As in a call.
            state: As `initial_state` returns it.
            memory: As `initial_state` returns it.
            training: Whether dropout applies.

        Returns:
            Logits `(batch, timesteps, vocab_size)`, and attention weights `(batch, timesteps, n)`,
            None without attention.
        """
        x, weights = self.embedding(ids), None
        if self.stack is not None:
            states = list(state[: self.stack.num_layers])
            x = self.stack(x, initial_state=states, training=training)
        if self.attention_cell is not None:
            for layer in self.dropouts[:-1]:
                x = layer(x, training=training)
            x, weights = self.attention_cell.call_sequence(x, [*state[-1], *memory])
            x = self.dropouts[-1](x, training=training)
        return self.output_layer(x), weights

    def step(
        self, ids: Tensor, state: Sequence[States], memory: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor | None, list[States]]:
        """Return the logits and the attention weights of one time step, and the new state.

        Args:
            ids: Ids of the previous tokens, `(rows,)`. In a beam search, several consecutive rows
                share a row of the memory.
            state: As `initial_state` or the previous step returned it.
            memory: As `initial_state` returned it.

        Returns:
            Logits `(rows, vocab_size)`; attention weights `(rows, n)`, None without attention; and
            the new state.
        """
        x, weights = self.embedding(ids), None
        new_state: list[States] = []
        if self.stack is not None:
            x, new_state = self.stack.step(x, list(state[: self.stack.num_layers]))
        if self.attention_cell is not None:
            _, x, weights, last = self.attention_cell.step(x, state[-1], memory)
            new_state = [*new_state, last]
        return self.output_layer(x), weights, new_state

    def named_weights(self, tokens: AxisNames) -> list[NamedWeight]:
        """Return the weights whose axes are indexed by tokens.

        Args:
            tokens: Tokens in the order of their ids.
        """
        weights = dense_weights(self.output_layer, tokens)
        if isinstance(self.embedding, TokenEmbedding):
            weights += self.embedding.named_weights(tokens)
        return weights

    def get_config(self) -> Config:
        layers = None
        if self._cell_name is None:  # A function cannot be saved, but its layers can.
            layers = [] if self.stack is None else [*self.stack.recurrent_layers]
            layers += [] if self.attention_cell is None else [self.attention_cell.rnn]
            layers = [factory.serialize_layer(layer) for layer in layers]
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in SAVED},
            "cell": self._cell_name,
            "layers": layers,
            "embedding": serialize_nested(self.embedding),
            "sampling": serialize_nested(self.sampling),
        }

    @classmethod
    def from_config(cls, config: Config) -> Decoder:
        config = dict(config)
        layers = keras.saving.deserialize_keras_object(config.pop("layers"))
        for name in ("embedding", "sampling"):
            config[name] = keras.saving.deserialize_keras_object(config[name])
        if layers is not None:
            config["cell"] = factory.SavedLayers(layers)
        return super().from_config(config)


def _vocab_size(embedding: keras.layers.Layer) -> int:
    """Return the vocabulary size of an embedding."""
    if isinstance(embedding, keras.layers.Embedding):
        return embedding.input_dim
    if not hasattr(embedding, "vocab_size"):
        raise InputError(
            "Decoder: the embedding must be a keras.layers.Embedding, or have a vocab_size; got "
            f"{embedding!r}."
        )
    return embedding.vocab_size
