"""Decoder of a sequence-to-sequence model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras
from keras import ops, tree

from keras_seq._internal.errors import InputError, unknown_name
from keras_seq._internal.serialization import serialize_nested
from keras_seq._internal.types import Config, Shape, Tensor
from keras_seq.layers.attention.attention_decoder_cell import AttentionDecoderCell
from keras_seq.layers.recurrent import layer_factory as factory
from keras_seq.layers.recurrent.stack import RNNStack
from keras_seq.layers.text.scheduled_sampling import ScheduledSampling
from keras_seq.layers.text.tied_logits import TiedLogits

ATTENTIONS = ("additive", "dot", "general")
SAVED = (
    *("units", "num_layers", "attention", "input_feeding", "tie_embeddings", "dropout"),
    "recurrent_dropout",
)
"""Arguments that are saved as they are."""


@keras.saving.register_keras_serializable(package="keras_seq")
class Decoder(keras.layers.Layer):
    """Embedding, recurrent layers, attention over a memory, and logits of the next token.

    After Bahdanau et al. (2015) and Luong et al. (2015). The recurrent layers start from
    `tanh(W summary + b)`, with a W and b for each of their states. The last of them runs in an
    `AttentionDecoderCell`.

    >>> import numpy as np
    >>> from keras_seq import layers
    >>> from keras_seq.text import TextEncoder
    >>> encoder = TextEncoder(["un", "deux"], end=True)
    >>> decoder = layers.Decoder(layers.TokenEmbedding(encoder, 8), "GRU", 16)
    >>> memory = np.random.normal(size=(1, 7, 12))  # what an encoder read
    >>> logits = decoder(encoder.encode_batch(["un deux"], start=True).ids, memory, memory[:, -1])
    >>> tuple(logits.shape)  # (batch, timesteps, tokens)
    (1, 3, 5)

    Token by token it computes the same, without dropout:

    >>> state, memory = decoder.initial_state(memory, memory[:, -1])
    >>> logits, attention, state = decoder.step(np.array([encoder.start_id]), state, memory)
    >>> tuple(logits.shape), tuple(attention.shape)
    ((1, 5), (1, 7))

    Args:
        embedding: Layer from ids to vectors, such as `TokenEmbedding` or `OneHotTokens`. It tells
            the number of tokens.
        cell: Recurrent cell, as `RNNStack` takes it.
        units: Number of hidden units per layer.
        num_layers: Number of recurrent layers.
        attention: "additive" (Bahdanau), "dot" or "general" (Luong), or None for a decoder that
            reads the summary alone. All but "dot" multiply the memory by a matrix, so that it may
            have any width.
        input_feeding: Whether the last layer also reads the attention vector of the time step
            before. Training then runs one step after the other.
        tie_embeddings: Whether the embedding is also the kernel of the logits (Press & Wolf 2017).
        dropout: Fraction of the features that is dropped before the first and after each recurrent
            layer, the same at all time steps.
        recurrent_dropout: Fraction of the state that is dropped from step to step. With input
            feeding there is none in the last layer.
        sampling: A `ScheduledSampling`, by which the decoder reads some of its own tokens in
            training.

    Call arguments:
        ids: Ids `(batch, timesteps)` of the tokens before those to predict: the start, then the
            target. Padding, which is 0, comes last.
        memory: `(batch, n, features)`, what attention reads, such as the outputs of an encoder.
        summary: `(batch, features)`, such as the last states of an encoder.
        memory_mask: Bools `(batch, n)`, False where there is no memory.
        training: Whether dropout and scheduled sampling apply.

    Returns:
        Logits `(batch, timesteps, tokens)`.

    Raises:
        InputError: If an argument has a wrong value, or they contradict each other.
    """

    def __init__(
        self,
        embedding: keras.layers.Layer,
        cell: factory.Cell = "LSTM",
        units: int = 256,
        num_layers: int = 1,
        *,
        attention: Literal["additive", "dot", "general"] | None = "general",
        input_feeding: bool = False,
        tie_embeddings: bool = False,
        dropout: float = 0.2,
        recurrent_dropout: float = 0.0,
        sampling: ScheduledSampling | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if attention not in (None, *ATTENTIONS):
            raise unknown_name("attention", attention, ATTENTIONS)
        if num_layers < 1:
            raise InputError(f"Decoder: num_layers must be at least 1, got {num_layers}.")
        if input_feeding and attention is None:
            raise InputError("Without attention there is nothing to feed: input_feeding=False.")
        if tie_embeddings and not isinstance(embedding, keras.layers.Embedding):
            raise InputError("tie_embeddings needs an embedding, such as a TokenEmbedding.")
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
        # Those after the attention and, without layers below, before it.
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
            keras.layers.Dense(size, "tanh", dtype=policy, name=f"bridge_{number}_{place}")
            for number, sizes in enumerate(self.state_sizes)
            for place, size in enumerate(sizes)
        ]

    @property
    def state_sizes(self) -> list[list[int]]:
        """Return the widths of the states of each recurrent layer."""
        sizes = [] if self.stack is None else self.stack.state_sizes
        if self.attention_cell is None:
            return sizes
        return [*sizes, factory.state_sizes(self.attention_cell.rnn)]

    def build(self, ids_shape: Shape, memory_shape: Shape, summary_shape: Shape) -> None:
        if self.attention == "dot" and memory_shape[-1] != self.units:
            raise InputError(
                f"attention='dot' needs an encoder as wide as the decoder, {self.units} features, "
                f"got {memory_shape[-1]}: choose other units, or attention='general'."
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
    ) -> tuple[list[list[Any]], list[Any]]:
        """Return the state before the first token, and what attention reads at each step.

        Args:
            memory: As in a call.
            summary: As in a call.
            memory_mask: As in a call.

        Returns:
            For each recurrent layer a list of states `(batch, units)`; and keys, values and mask of
            the memory, `(batch, n, ...)`, or an empty list without attention.
        """
        memory, summary = (ops.cast(tensor, self.compute_dtype) for tensor in (memory, summary))
        first = [bridge(summary) for bridge in self.bridges]
        states = tree.pack_sequence_as(self.state_sizes, first)
        if self.attention_cell is None:
            return states, []
        keys = None if self.keys is None else self.keys(memory)
        last = self.attention_cell.initial_state(memory, keys, memory_mask, states[-1])
        return [*states[:-1], last[:-3]], last[-3:]

    def call_sequence(
        self, ids: Tensor, state: Sequence, memory: Sequence, training: bool | None = False
    ) -> tuple[Any, Any]:
        """Return the logits of all time steps, and the attention weights.

        Args:
            ids: As in a call.
            state: As `initial_state` returns it.
            memory: As `initial_state` returns it.
            training: Whether dropout applies.

        Returns:
            Logits `(batch, timesteps, tokens)` and weights `(batch, timesteps, n)`, or None without
            attention.
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

    def step(self, ids: Tensor, state: Sequence, memory: Sequence) -> tuple[Any, Any, list]:
        """Return the logits of one time step, the attention weights, and the state after it.

        There may be several rows, one after the other, to each row of the memory, as in a beam
        search.

        Args:
            ids: Ids `(rows,)` of the tokens before.
            state: As `initial_state` or the step before returned it.
            memory: As `initial_state` returned it.

        Returns:
            Logits `(rows, tokens)`; weights `(rows, n)`, or None without attention; the state.
        """
        x, weights = self.embedding(ids), None
        after: list[Any] = []
        if self.stack is not None:
            x, after = self.stack.step(x, list(state[: self.stack.num_layers]))
        if self.attention_cell is not None:
            _, x, weights, last = self.attention_cell.step(x, state[-1], memory)
            after = [*after, last]
        return self.output_layer(x), weights, after

    def get_config(self) -> Config:
        own = None  # A function cannot be saved, but the layers that it made can.
        if self._cell_name is None:
            own = [] if self.stack is None else [*self.stack.recurrent_layers]
            own += [] if self.attention_cell is None else [self.attention_cell.rnn]
            own = [factory.serialize_layer(layer) for layer in own]
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in SAVED},
            "cell": self._cell_name,
            "layers": own,
            "embedding": serialize_nested(self.embedding),
            "sampling": serialize_nested(self.sampling),
        }

    @classmethod
    def from_config(cls, config: Config) -> Decoder:
        config = dict(config)
        own = keras.saving.deserialize_keras_object(config.pop("layers"))
        parts = ("embedding", "sampling")
        config |= {name: keras.saving.deserialize_keras_object(config[name]) for name in parts}
        if own is not None:
            config["cell"] = factory.SavedLayers(own)
        return super().from_config(config)


def _vocab_size(embedding: Any) -> int:
    """Return the number of ids of an embedding of Keras, or of a layer that tells it."""
    if isinstance(embedding, keras.layers.Embedding):
        return embedding.input_dim
    if not hasattr(embedding, "vocab_size"):
        raise InputError(
            f"The embedding of a Decoder must be a keras.layers.Embedding, or have a vocab_size; "
            f"got {embedding!r}."
        )
    return embedding.vocab_size
