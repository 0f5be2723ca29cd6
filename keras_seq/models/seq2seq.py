"""Many to many, unaligned: a text from another text."""

import functools
import inspect
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_seq import decoding, layers
from keras_seq._internal.errors import InputError, unknown
from keras_seq.batching import EncodedDataset, by_length, pad_rows, width
from keras_seq.layers.attention.decoder import Decoder
from keras_seq.losses import OverTokens
from keras_seq.models.sequence_model import SequenceModel
from keras_seq.text.subwords import splitter
from keras_seq.text.vocabulary import END, UNKNOWN, Vocabulary

LEAST = 8
"""To how many time steps a batch is cut at least."""

BEAM = 5
"""How many translations are followed at a time, if not said."""

ATTENTIONS = ("additive", "dot", "general")


class Translation(NamedTuple):
    """What a model made of a text."""

    text: str
    score: float
    """Its log probability (natural), under the length penalty."""
    tokens: list
    source: list
    """The tokens of the text that was read, `<EOS>` last."""
    attention: Any
    """The weight of each token of the source for each token, `(tokens, source)`, or None."""


@keras.saving.register_keras_serializable(package="keras_seq")
class Seq2Seq(SequenceModel):
    """An encoder that reads, a decoder that writes and looks at what was read.

        model = Seq2Seq(frequent("".join(words)), frequent(chain(*phonemes)), split="characters")
        model.compile("adam", loss=model.loss_of_tokens)
        examples = model.encode(words, phonemes)
        model.fit(examples.inputs, examples.targets)
        model.translate(["attention"])

    It is a `keras.Model` from numbers, those of the source and, behind `<EOS>`, those of the
    target, to logits of the next token of the target, `(batch, timesteps, tokens)` (teacher
    forcing); `encode` makes the numbers. Both vocabularies are saved with the model. After
    Bahdanau et al. (2015) and Luong et al. (2015); see `keras_seq.layers.AttentionDecoderCell`.

    Args:
        source_vocabulary: Tokens that are known, all others are `<UNK>`; `<EOS>` is added.
        target_vocabulary: The same of what is written.
        split: How a text that is read becomes tokens: "characters", "text", "words", "spaced",
            "marked" (words; a mark says where blanks are) or "pieces" (of words, those that are in
            the vocabulary).
        target_split: The same of what is written.
        lower: Whether capitals are read as small letters.
        embedding: Width of the embeddings of tokens, or None for one-hot input.
        tied: Whether the embedding of the target is also the kernel of the logits (Press & Wolf
            2017).
        ngrams: Length of the longest run of source tokens that has vectors of its own, one for the
            token it ends with and one for that it begins with; 0 for none. See
            `keras_seq.layers.NgramEmbedding`.
        ngram_rows: Rows of the table of each length, a power of two.
        ngram_embedding: Width of the vector of a run.
        ngram_dropout: Share of the steps at which the runs of one length are dropped in training.
        cell: Name of the recurrent layer in `keras_seq.layers`.
        units: Units a layer and direction.
        depth: Number of recurrent layers of the encoder.
        decoder_depth: Number of recurrent layers of the decoder.
        bidirectional: Whether the encoder reads from both ends.
        attention: "additive" (Bahdanau), "dot" or "general" (Luong), or None for a decoder that
            has the last states of the encoder alone.
        input_feeding: Whether the last layer of the decoder reads where it looked the step before:
            training then takes one step after the other.
        dropout: Share of the features dropped before the first and after each recurrent layer.
        recurrent_dropout: Share of the state dropped from step to step; with input feeding, none
            in the last layer of the decoder.
        scheduled_sampling: Share of the target's tokens that are, in training, the model's own
            (Bengio et al. 2015); it finds them in a first pass over the target, without a gradient
            (Mihaylova & Martins 2019).
        sampling_updates: Over how many updates that share grows from 0.
        label_smoothing: Share of the probability that `loss_of_tokens` spreads over all tokens.
        length_penalty: Of `keras_seq.decoding.beam_search`, if not said otherwise.
    """

    def __init__(
        self,
        source_vocabulary,
        target_vocabulary,
        *,
        split="words",
        target_split="words",
        lower=False,
        embedding=128,
        tied=False,
        ngrams=0,
        ngram_rows=2**14,
        ngram_embedding=32,
        ngram_dropout=0.3,
        cell="LSTM",
        units=256,
        depth=1,
        decoder_depth=1,
        bidirectional=True,
        attention="general",
        input_feeding=False,
        dropout=0.2,
        recurrent_dropout=0.0,
        scheduled_sampling=0.0,
        sampling_updates=1000,
        label_smoothing=0.0,
        length_penalty=0.6,
        name="seq2seq",
    ):
        arguments = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        if attention not in (None, *ATTENTIONS):
            raise unknown("attention", attention, ATTENTIONS)
        if not source_vocabulary or not target_vocabulary:
            raise InputError("A Seq2Seq needs at least one known token on either side.")
        if tied and embedding is None:
            raise InputError("A tied output needs an embedding; embedding=None is one-hot.")
        if input_feeding and attention is None:
            raise InputError("Without attention there is nothing to feed: input_feeding=False.")
        source = Texts(source_vocabulary, split, lower)
        target = Texts(target_vocabulary, target_split)
        memory_units = units * (2 if bidirectional else 1)
        decoder = Decoder(
            len(target.known),
            embedding=embedding,
            tied=tied,
            cell=cell,
            units=units,
            depth=decoder_depth,
            score="dot" if attention == "general" else attention,
            input_feeding=input_feeding,
            memory_units=memory_units,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            sampling=scheduled_sampling,
            sampling_updates=sampling_updates,
            name="decoder",
        )
        ids = keras.Input((None,), dtype="int32", name="source")
        mask = ops.not_equal(ids, 0)
        if embedding is None:
            x = ops.one_hot(ids, len(source.known))
        else:
            x = keras.layers.Embedding(len(source.known), embedding, name="embedding")(ids)
        if ngrams:
            sizes = ngrams, ngram_rows, ngram_embedding, ngram_dropout
            before = layers.NgramEmbedding(*sizes, name="ngrams_before")
            after = layers.NgramEmbedding(*sizes, name="ngrams_after")
            runs = after(after.windows(ops.flip(ids, axis=1)))
            x = ops.concatenate([x, before(before.windows(ids)), ops.flip(runs, axis=1)], axis=-1)
        for number in range(depth):
            x = keras.layers.Dropout(dropout, (None, 1, None), name=f"dropout_{number}")(x)
            layer = getattr(layers, cell)(
                units,
                return_sequences=True,
                return_state=True,
                recurrent_dropout=recurrent_dropout,
                name=f"recurrent_{number}",
            )
            if bidirectional:
                layer = keras.layers.Bidirectional(layer, name=f"bidirectional_{number}")
            x, *last = layer(x, mask=mask)
        memory = keras.layers.Dropout(dropout, (None, 1, None), name=f"dropout_{depth}")(x)
        keys = memory
        if attention in ("additive", "general"):
            keys = keras.layers.Dense(units, use_bias=False, name="keys")(memory)
        elif attention == "dot" and memory_units != units:
            raise InputError(
                "attention='dot' needs an encoder as wide as the decoder: bidirectional=False, or "
                "attention='general'."
            )
        # The bridge: what was read last is where writing begins.
        last = ops.concatenate(last, axis=-1)
        states = [
            [
                keras.layers.Dense(size, "tanh", name=f"bridge_{number}_{state}")(last)
                for state, size in enumerate(sizes)
            ]
            for number, sizes in enumerate(decoder.state_sizes)
        ]
        written = keras.Input((None,), dtype="int32", name="target")
        read = [memory, keys, mask, states]
        inputs, logits = {"source": ids, "target": written}, decoder(written, *read)
        super().__init__(inputs, logits, arguments, source.known)
        self._encoder = keras.Model(ids, read)
        self._decoder, self._source, self._target = decoder, source, target
        self.loss_of_tokens = TokenCrossentropy(label_smoothing)

    # From what people read to numbers.

    def encode(self, sources, targets=None):
        """Pairs as the model is trained on them, all padded to the longest of either side.

        Args:
            sources: Lists of tokens; if every character is one, strings will do.
            targets: The same, one a source.

        Returns:
            `keras_seq.batching.EncodedDataset`; `targets` is None without targets.

        Raises:
            InputError: A side is empty, or there are not as many of one as of the other; the
                message gives the number of the pair, from 1.
        """
        for side, sequences in (("source", sources), ("target", targets or ())):
            for number, sequence in enumerate(sequences, 1):
                if not sequence:
                    raise InputError(f"The {side} of pair {number} is empty.")
        lengths = np.array([len(source) + 1 for source in sources], int)
        if targets is None:
            wide = int(lengths.max(initial=1))
            inputs = {"source": self._source.numbers(sources, wide)}
            return EncodedDataset(inputs, None, lengths, ["source"])
        if len(sources) != len(targets):
            raise InputError(f"There are {len(sources)} sources but {len(targets)} targets.")
        lengths = np.maximum(lengths, [len(target) + 1 for target in targets])
        wide = int(lengths.max(initial=1))
        after = self._target.numbers(targets, wide)
        before = np.roll(after, 1, axis=1)
        before[before == self.end] = 0
        before[:, 0] = self.end
        inputs = {"source": self._source.numbers(sources, wide), "target": before}
        sequences = ["source", "target", "targets"]
        return EncodedDataset(inputs, after, lengths, sequences, min_length=LEAST)

    def side_by_side(self, text, translation=None):
        """A text and its translation, a batch of one, for a look inside.

        Args:
            text: String.
            translation: String; the model's own if not given.

        Returns:
            The inputs, and the names of the time steps: the token that the encoder reads and the
            one that the decoder does.
        """
        if translation is None:
            [translation] = self.translate([text])
        sides = self.tokens_of(text), self.target_tokens(translation)
        inputs = self.encode(*([side or [UNKNOWN]] for side in sides)).inputs
        known = self._source.known.tokens, self._target.known.tokens
        read, written = ([names[n] for n in inputs[s][0]] for s, names in zip(inputs, known))
        return inputs, [f"{one} | {other}" for one, other in zip(read, written)]

    @property
    def end(self):
        """The number of `<EOS>`, the same on both sides."""
        return self._target.end

    def tokens_of(self, text):
        """The tokens of a text that is to be read."""
        return self._source.tokens(text)

    def target_tokens(self, text):
        """The tokens of a text that is to be written."""
        return self._target.tokens(text)

    # What the model makes.

    def translate(self, texts, **how):
        """What the model makes of texts: strings.

        Args:
            texts: Strings; of an empty one, it makes what it holds likeliest.
            how: See `translations`.
        """
        return [found[0].text for found in self.translations(texts, **how)]

    def translations(
        self,
        texts,
        *,
        n_best=1,
        beam_width=BEAM,
        length_penalty=None,
        coverage_penalty=0.0,
        min_length=0,
        max_length=None,
        copy_unknown=False,
        attention=False,
        batch_size=64,
    ):
        """The best of what the model makes of texts.

        Args:
            texts: Strings.
            n_best: How many translations of each, at most `beam_width`.
            beam_width: How many are followed at a time; 1 takes the likeliest token always. If one
                translation is enough, texts of which that is certain to find the best are done.
            length_penalty: Of `keras_seq.decoding.beam_search`; that of the model by default.
            coverage_penalty: How much it counts against a translation if it has not looked at all
                of the source: times the sum, over the source, of the logarithm of the weight that a
                token got in all, at most 1 (Wu et al. 2016).
            min_length: Tokens at least.
            max_length: Tokens at most; by default a few more than twice those of the source.
            copy_unknown: Whether `<UNK>` may be written; in its place comes the token of the source
                that has the highest weight (Luong et al. 2015). If not, it is never written.
            attention: Whether to return the weights too.
            batch_size: Texts to work on together; those of like length are.

        Returns:
            For each text a list of `Translation`, best first: `n_best`, or all there are.

        Raises:
            InputError: A number is out of its range, or the model has no attention to speak of.
        """
        weighted = attention or copy_unknown or coverage_penalty != 0
        self._check(texts, n_best, beam_width, max_length, weighted)
        sources = [self._source.tokens(text) for text in texts]
        how = (n_best, length_penalty, coverage_penalty, min_length, bool(copy_unknown))
        results, left = [None] * len(sources), range(len(sources))
        for beam in sorted({1, beam_width}) if n_best == 1 else [beam_width]:
            uncertain = []
            here = [sources[row] for row in left]
            for place, found, certain in self._found(
                here, batch_size, max_length, attention, copy_unknown, beam, *how
            ):
                results[left[place]] = found
                if not certain:
                    uncertain.append(left[place])
            left = uncertain
        return results

    def _found(self, sources, batch_size, max_length, attention, copy_unknown, *how):
        """Of each source its place, a list of `Translation`, and whether there is none better."""
        lengths = [len(source) + 1 for source in sources]
        ids = self._source.numbers(sources, max(lengths, default=1))
        for rows, wide in by_length(lengths, batch_size):
            run = self._writing(max_length, *how)
            batch = ops.convert_to_tensor(pad_rows(ids, rows, wide))
            made, scores, certain = map(ops.convert_to_numpy, run(batch))
            weights = self._weights(batch, made) if attention or copy_unknown else None
            for place, row in enumerate(rows):
                found = []
                for n in np.flatnonzero(scores[place] > -np.inf):
                    here = None if weights is None else weights[place, n]
                    tokens, here = self._read(made[place, n], sources[row], here, copy_unknown)
                    found.append(
                        Translation(
                            self._target.split.joined(tokens),
                            float(scores[place, n]),
                            tokens,
                            [*sources[row], END],
                            here if attention else None,
                        )
                    )
                yield row, found, certain[place]

    def _check(self, texts, n_best, beam_width, max_length, attention):
        if isinstance(texts, str):
            raise InputError("translate() takes a list of texts, not one text alone.")
        if beam_width < 1:
            raise InputError(f"beam_width must be at least 1, got {beam_width}.")
        if not 1 <= n_best <= beam_width:
            raise InputError(
                f"n_best must lie between 1 and beam_width, {beam_width}, got {n_best}."
            )
        if max_length is not None and max_length < 1:
            raise InputError(f"max_length must be at least 1, got {max_length}.")
        if attention and self._decoder.attending is None:
            raise InputError("This model has no attention: there are no weights to return or use.")

    def _read(self, ids, source, weights, copy_unknown):
        """The tokens of one translation, and its weights without what is padding."""
        length = int(((ids > 0) & (ids != self.end)).sum())
        tokens = [self._target.known.tokens[n] for n in ids[:length]]
        if weights is not None:
            weights = weights[:length, : len(source) + 1]
        if copy_unknown and source:
            for place, token in enumerate(tokens):
                if token == UNKNOWN:
                    tokens[place] = source[int(weights[place, :-1].argmax())]
        return tokens, weights

    @functools.lru_cache(maxsize=32)  # noqa: B019  (a model lives as long as the program)
    def _writing(self, *how):
        """Compiled: from sources to what `keras_seq.decoding.beam_search` returns."""
        return _compiled(lambda ids: self._write(ids, *how))

    def _write(
        self,
        ids,
        max_length,
        beam_width,
        n_best,
        length_penalty=None,
        coverage_penalty=0.0,
        min_length=0,
        may_be_unknown=False,
    ):
        limits = None
        if max_length is None:
            max_length = 2 * ops.shape(ids)[1] + 16
            limits = _limits(ids)
        if length_penalty is None:
            length_penalty = self._arguments["length_penalty"]
        state, memory = self._begin(ids)
        state, coverage = {"layers": state}, None
        if coverage_penalty:
            state["looked"], seen = ops.zeros_like(memory[2]), memory[2]

            def coverage(state):
                looked = ops.reshape(state["looked"], (ops.shape(ids)[0], -1, ops.shape(ids)[1]))
                logs = ops.log(ops.clip(looked, 1e-9, 1.0)) * seen[:, None]
                return coverage_penalty * ops.reshape(ops.sum(logs, axis=-1), (-1,))

        def step(tokens, state):
            logits, weights, after = self._decoder.step(tokens, state["layers"], memory)
            after = {"layers": after}
            if coverage_penalty:
                after["looked"] = state["looked"] + weights
            return ops.log_softmax(ops.cast(logits, "float32"), axis=-1), after

        return decoding.beam_search(
            step,
            state,
            start_id=self.end,
            end_id=self.end,
            beam_width=beam_width,
            n_best=n_best,
            max_length=max_length,
            min_length=min_length,
            length_penalty=length_penalty,
            coverage=coverage,
            limits=limits,
            forbidden=(0,) if may_be_unknown else (0, 1),
            certain=True,
        )

    def _begin(self, ids):
        """What was read: the state before the first step, and the memory to look at, if any."""
        return self._decoder.start(*self._encoder(ids, training=False))

    def _weights(self, ids, made):
        """The attention weights `(rows, beam, timesteps, n)` of what was made."""
        made = made[:, :, : width(int((made > 0).sum(axis=-1).max()), 4)]
        rows, beam, timesteps = made.shape
        before = np.full((rows * beam, timesteps), self.end, "int32")
        before[:, 1:] = made.reshape(rows * beam, timesteps)[:, :-1]
        weights = ops.convert_to_numpy(self._looking(ids, ops.convert_to_tensor(before)))
        return weights.reshape(rows, beam, timesteps, -1)

    @functools.cached_property
    def _looking(self):
        def run(ids, before):
            state, memory = self._begin(ids)
            beam = ops.shape(before)[0] // ops.shape(ids)[0]
            state = keras.tree.map_structure(lambda part: ops.repeat(part, beam, axis=0), state)
            return self._decoder.over_time(before, state, memory)[1]

        return _compiled(run)


class Texts:
    """The texts of one side: how they become tokens and numbers, and tokens texts.

    Args:
        vocabulary, split, lower: As in `Seq2Seq`.
    """

    def __init__(self, vocabulary, split, lower=False):
        self.known, self.lower = Vocabulary([END, *vocabulary]), lower
        self.end = self.known.number(END)
        self.split = splitter(split, self.known)

    def tokens(self, text):
        text = text.lower() if self.lower else text
        return [token for token, _, _ in self.split(text)]

    def numbers(self, sequences, wide):
        """Tokens as numbers, the end after the last, `(sequences, wide)`."""
        if self.lower:
            sequences = [[token.lower() for token in sequence] for sequence in sequences]
        return self.known.numbers([[*sequence, END] for sequence in sequences], wide)

    def reader(self):
        """For TensorFlow graphs: from texts to numbers, `(batch, timesteps)`, as in `numbers`."""
        import tensorflow as tf

        table = self.known.table()

        def read(texts):
            if self.lower:
                texts = tf.strings.lower(texts, encoding="utf-8")
            tokens = self.split.in_graph(texts)
            ids = tokens.with_flat_values(table.lookup(tokens.flat_values))
            end = tf.fill([tf.size(texts), 1], self.end)
            return tf.concat([ids, end], axis=1).to_tensor()

        return read

    def writer(self):
        """For TensorFlow graphs: from numbers `(rows, timesteps)` to texts."""
        import tensorflow as tf

        names = tf.constant(self.known.tokens)

        def write(ids):
            tokens = tf.ragged.boolean_mask(tf.gather(names, ids), (ids > 0) & (ids != self.end))
            return self.split.joined_in_graph(tokens)

        return write


@keras.saving.register_keras_serializable(package="keras_seq")
class TokenCrossentropy(OverTokens, keras.losses.Loss):
    """The cross-entropy of tokens, the mean over those that are no padding.

    Args:
        label_smoothing: Share of the probability that is spread evenly over all tokens (Szegedy et
            al. 2016).

    Call arguments:
        y_true: Numbers of tokens `(batch, timesteps)`, 0 for padding.
        y_pred: Logits `(batch, timesteps, tokens)`.
    """

    def __init__(self, label_smoothing=0.0, name="token_crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)
        if not 0 <= label_smoothing < 1:
            raise InputError(f"label_smoothing must be in [0, 1), got {label_smoothing}.")
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        losses = keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)
        if self.label_smoothing:
            spread = ops.logsumexp(y_pred, axis=-1) - ops.mean(y_pred, axis=-1)
            losses = losses + self.label_smoothing * (spread - losses)
        seen = ops.cast(y_true > 0, losses.dtype)
        return losses * seen / ops.maximum(ops.mean(seen), 1e-9)

    def get_config(self):
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


def _limits(ids):
    """How many tokens are made of each source at most, `(batch,)`."""
    return 2 * ops.sum(ops.cast(ids > 0, "int32"), axis=1) + 16


def _compiled(run):
    """`run`, whose arguments are numbers of tokens `(rows, timesteps)`, in one graph for all."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        numbers = tf.TensorSpec([None, None], tf.int32)
        count = len(inspect.signature(run).parameters)
        return tf.function(run, input_signature=[numbers] * count, autograph=False)
    return run
