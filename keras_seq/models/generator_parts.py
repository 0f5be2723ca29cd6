"""What a sequence generator is made of."""

import keras
from keras import ops

from keras_seq import layers

STYLED = 3
"""Tokens of the longest run that has a vector for each style."""


class Parts:
    """The layers, and how they go over time or do one step."""

    def __init__(self, arguments, tokens, styles):
        self.cell, units, depth = arguments["cell"], arguments["units"], arguments["depth"]
        width, dropout = arguments["embedding"], arguments["dropout"]
        self.tokens, self.tied = tokens, arguments["tied"]
        stateful = arguments["stateful_batch"] is not None
        make = getattr(layers, self.cell)
        self.recurrent = [
            make(
                units,
                return_sequences=True,
                return_state=True,
                stateful=stateful,
                recurrent_dropout=arguments["recurrent_dropout"],
                name=f"recurrent_{number}",
            )
            for number in range(depth)
        ]
        self.dropouts = [
            keras.layers.Dropout(dropout, (None, 1, None), name=f"dropout_{number}")
            for number in range(depth + 1)
        ]
        self.embedding = self.logits = self.narrow = self.style = self.ngrams = None
        if arguments["ngrams"]:
            how = [arguments[f"ngram_{name}"] for name in ("rows", "embedding", "dropout")]
            self.ngrams = layers.NgramEmbedding(arguments["ngrams"], *how, name="ngrams")
            if styles is not None:
                longest = 1 + min(STYLED, arguments["ngrams"])
                self.styled = layers.NgramEmbedding(longest, *how, name="styled_ngrams")
        self.recall = None
        if arguments["recall"]:
            self.recall = layers.Recall(tokens, arguments["recall"], name="recall")
        self.kneser_ney = None
        if arguments["kneser_ney"]:
            how = [arguments[name] for name in ("kneser_ney", "kneser_ney_share", "counted")]
            self.kneser_ney = layers.KneserNey(tokens, *how, name="kneser_ney")
        if self.tied:
            self.embedding = keras.layers.ReversibleEmbedding(tokens, width, name="embedding")
            self.embedding.supports_masking = True  # else it warns of a mask, which logits need not
            self.narrow = keras.layers.Dense(width, name="narrow")
        else:
            self.logits = keras.layers.Dense(tokens, name="logits")
            if width is not None:
                self.embedding = keras.layers.Embedding(tokens, width, name="embedding")
        if styles is not None:
            width = arguments["style_embedding"]
            self.style = keras.layers.Embedding(styles, width, name="style_embedding")
            self.starts = [
                [
                    keras.layers.Dense(size, "tanh", name=f"start_{number}_{state}")
                    for state, size in enumerate(layer.state_size)
                ]
                for number, layer in enumerate(self.recurrent)
            ]

    def begin(self, style):
        """The states before the first step that styles (rows,) set; None without styles."""
        if style is None:
            return None
        style = self.style(style)
        return [[start(style) for start in starts] for starts in self.starts]

    def zeros(self, rows):
        return [[ops.zeros((rows, n)) for n in layer.state_size] for layer in self.recurrent]

    def over_time(self, ids, style, states, mask=None):
        """Logits (rows, timesteps, tokens) and the states after the last step."""
        x, styles = self.embed(ids), []
        if style is not None:
            # A product: of a sum of (1, n, 1) and (1, 1, n) Keras 3.15 makes one with a bias.
            styles.append(self.style(style)[:, None] * ops.ones_like(x[:, :, :1]))
            style = style[:, None] * ops.ones_like(ids)
        runs = [] if self.ngrams is None else self.of_runs(self.ngrams.windows(ids), style)
        if self.recall is not None:
            runs.append(self.recall(ids))
        x = _beside(x, *runs, *styles)
        after = []
        for number, layer in enumerate(self.recurrent):
            x = self.dropouts[number](x)
            x, *new = layer(x, initial_state=None if states is None else states[number], mask=mask)
            after.append(new)
        logits = self.read_out(_beside(self.dropouts[-1](x), *runs))
        return (logits if self.kneser_ney is None else self.kneser_ney(logits, ids)), after

    def step(self, ids, state):
        """Logits (rows, tokens) and the state after one step."""
        x, runs = self.embed(ids), []
        if self.ngrams is not None:
            window = ops.concatenate([ids[:, None], state["before"]], axis=1)
            state = {**state, "before": window[:, :-1]}
            runs += self.of_runs(window, state.get("style"))
        if self.recall is not None:
            read, place = state["read"], state["place"]
            read = ops.where(ops.arange(ops.shape(read)[1]) == place[:, None], ids[:, None], read)
            state = {**state, "read": read, "place": place + 1}
            runs.append(self.recall.at(read, place))
        x = _beside(x, *runs, *([self.style(state["style"])] if "style" in state else []))
        after = []
        for layer, before in zip(self.recurrent, state["layers"]):
            x, new = layer.cell(x, before)
            after.append(list(new))
        logits, state = self.read_out(_beside(x, *runs)), {**state, "layers": after}
        if self.kneser_ney is not None:
            contexts = self.kneser_ney.after(state["contexts"], ids)
            logits, state = self.kneser_ney.mixed(logits, contexts), {**state, "contexts": contexts}
        return logits, state

    def of_runs(self, windows, style):
        """The vectors of runs of tokens (..., longest), and of the short ones in a style (...)."""
        vectors = [self.ngrams(windows)]
        if style is not None:
            # As if the style were the token after the run.
            windows = ops.concatenate([style[..., None], windows[..., :STYLED]], axis=-1)
            vectors.append(self.styled(windows))
        return vectors

    def embed(self, ids):
        return ops.one_hot(ids, self.tokens) if self.embedding is None else self.embedding(ids)

    def read_out(self, x):
        if self.tied:
            return self.embedding(self.narrow(x), reverse=True)
        return self.logits(x)


def _beside(*features):
    return features[0] if len(features) == 1 else ops.concatenate(features, axis=-1)
