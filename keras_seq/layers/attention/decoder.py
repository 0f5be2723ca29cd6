"""The half of `Seq2Seq` that writes."""

import keras
from keras import ops

from keras_seq import cells, layers


class Decoder(keras.layers.Layer):
    """Recurrent layers over what was written, of which the last looks at what was read.

    Args:
        tokens: How many there are to write.
        embedding: Width of the embedding of a token, or None for one-hot input.
        tied: Whether the embedding of tokens is also the kernel of the logits.
        cell: Name of the recurrent layer in `keras_seq.layers`.
        units: Units a layer.
        depth: Number of recurrent layers.
        score: "additive" or "dot", by which the last of them looks at what was read; or None.
        input_feeding: Whether it reads where it looked the step before.
        memory_units: Features of what was read.
        dropout: Share of the features dropped before the first and after each recurrent layer.
        recurrent_dropout: Share of the state dropped from step to step.
        sampling: Share of the tokens that are the model's own in training, once it has grown.
        sampling_updates: Over how many updates the share grows from 0.
    """

    def __init__(
        self,
        tokens,
        *,
        embedding,
        tied,
        cell,
        units,
        depth,
        score,
        input_feeding,
        memory_units,
        dropout,
        recurrent_dropout,
        sampling,
        sampling_updates,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.tokens, self.sampling = tokens, sampling
        self.sampling_updates = sampling_updates
        self.recurrent = [
            getattr(layers, cell)(
                units,
                return_sequences=True,
                return_state=True,
                recurrent_dropout=recurrent_dropout,
                name=f"recurrent_{number}",
            )
            for number in range(depth if score is None else depth - 1)
        ]
        self.attending = None
        if score is not None:
            rate = 0.0 if input_feeding else recurrent_dropout
            self.attending = layers.AttentionDecoderCell(
                getattr(cells, f"{cell}Cell")(units, recurrent_dropout=rate),
                score,
                units=embedding if tied else units,
                input_feeding=input_feeding,
                memory_units=memory_units,
                name="attending",
            )
        self.narrow = None
        if tied and score is None:
            self.narrow = keras.layers.Dense(embedding, name="narrow")
        self.dropouts = [
            keras.layers.Dropout(dropout, (None, 1, None), name=f"dropout_{number}")
            for number in range(depth + 1)
        ]
        self.embedding = self.logits = None
        if tied:
            self.embedding = keras.layers.ReversibleEmbedding(tokens, embedding, name="embedding")
        elif embedding is not None:
            self.embedding = keras.layers.Embedding(tokens, embedding, name="embedding")
        if not tied:
            self.logits = keras.layers.Dense(tokens, name="logits")
        over = [self.attending.over] if self.attending else []
        self.state_sizes = [list(layer.state_size) for layer in [*self.recurrent, *over]]

    def build(self, ids_shape, memory_shape, keys_shape, seen_shape, states_shape):
        width = self.tokens
        if self.embedding is not None:
            self.embedding.build((None, None))
            width = self.embedding.output_dim
        for layer in self.recurrent:
            layer.build((None, None, width))
            width = layer.units
        if self.attending is not None:
            self.attending.build((None, width))
            width = self.attending.units
        for layer in (self.narrow, self.logits):
            if layer is not None:
                layer.build((None, None, width))
        if self.sampling:
            self.updates = self.add_weight((), "zeros", name="updates", trainable=False)
            self.seeds = keras.random.SeedGenerator()

    def call(self, ids, memory, keys, seen, states, training=False):
        """Logits `(batch, timesteps, tokens)` of the token after each of `ids`.

        Args:
            ids: Tokens `(batch, timesteps)`, the end of what was before first, 0 for padding.
            memory, keys, seen: As `AttentionDecoderCell.start` takes them.
            states: A list of states for each layer.
            training: Whether tokens are dropped in favour of the model's own.
        """
        state, memory = self.start(memory, keys, seen, states)
        if training and self.sampling:
            ids = self._mixed(ids, state, memory)
        return self.over_time(ids, state, memory)[0]

    def start(self, memory, keys, seen, states):
        """The states of all layers before the first step, and the memory to look at, if any."""
        if self.attending is None:
            return states, None
        last = self.attending.start(memory, keys, seen, states[-1])
        return [*states[:-1], last[:-3]], last[-3:]

    def over_time(self, ids, state, memory):
        """Logits `(rows, timesteps, tokens)` and weights `(rows, timesteps, n)`, or None."""
        x, weights = self._embed(ids), None
        for dropout, layer, own in zip(self.dropouts, self.recurrent, state):
            x = layer(dropout(x), initial_state=own)[0]
        if self.attending is not None:
            x = self.dropouts[-2](x)
            x, weights = self.attending.over_time(x, [*state[-1], *memory])
        return self._read_out(self.dropouts[-1](x)), weights

    def step(self, ids, state, memory):
        """Logits `(rows, tokens)`, weights `(rows, n)` or None, the states after one step."""
        x, weights, after = self._embed(ids), None, []
        for layer, own in zip(self.recurrent, state):
            x, own = layer.cell(x, own)
            after.append(list(own))
        if self.attending is not None:
            _, x, weights, own = self.attending.step(x, state[-1], memory)
            after.append(own)
        return self._read_out(x), weights, after

    def _mixed(self, ids, state, memory):
        """Tokens of which some are those that the model holds likeliest, after the ones given."""
        self.updates.assign_add(1)
        share = self.sampling * ops.minimum(self.updates / self.sampling_updates, 1)
        likeliest = ops.argmax(self.over_time(ids, state, memory)[0], axis=-1)
        own = ops.concatenate([ids[:, :1], ops.cast(likeliest[:, :-1], ids.dtype)], axis=1)
        drawn = keras.random.uniform(ops.shape(ids), seed=self.seeds)
        return ops.where((drawn < share) & (ids > 0), own, ids)

    def _embed(self, ids):
        return ops.one_hot(ids, self.tokens) if self.embedding is None else self.embedding(ids)

    def _read_out(self, x):
        x = x if self.narrow is None else self.narrow(x)
        return self.embedding(x, reverse=True) if self.logits is None else self.logits(x)
