"""One to many: sequences made from nothing, from their beginning, or from a number."""

import functools
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from keras_seq import decoding
from keras_seq._internal.errors import InputError
from keras_seq.batching import EncodedDataset, by_length, width
from keras_seq.layers.text.kneser_ney import Ngrams
from keras_seq.losses import MaskedCrossentropy
from keras_seq.models.generator_parts import Parts
from keras_seq.models.sequence_model import SequenceModel, log_probs_to_write
from keras_seq.text.vocabulary import END, Vocabulary

EARLY = 64
"""How many steps the parts of a long sequence overlap."""


class Generated(NamedTuple):
    """Tokens that a model made, and the log probability of each under it."""

    tokens: list
    log_probs: np.ndarray
    """One a token, and one for the end if the sequence has ended."""


@keras.saving.register_keras_serializable(package="keras_seq")
class SequenceGenerator(SequenceModel):
    """A recurrent language model (Mikolov et al. 2010; Graves 2013): each token from those before.

        generator = SequenceGenerator(frequent("".join(texts)), split="text")
        generator.compile("adam", loss=generator.loss_of_tokens)
        examples = generator.encode(texts)
        generator.fit(examples.inputs, examples.targets)
        generator.generate(["Once "], temperature=0.7)

    It is a `keras.Model` from numbers, the sequence behind `<EOS>`, to logits of the next token,
    `(batch, timesteps, tokens)`; `encode` makes numbers and targets. The vocabulary is saved with
    the model. With `styles`, one number a sequence sets the state before the first step and is an
    input of every step.

    Args:
        vocabulary: Tokens that are known, all others are `<UNK>`; `<EOS>` is added.
        styles: Names of the styles, or None for a model without.
        split: How a text becomes tokens: a name of `keras_seq.text.tokenizers.SPLITTERS`,
            or "pieces" for those of words that are in the vocabulary.
        embedding: Width of the embedding of a token, or None for one-hot input.
        style_embedding: Width of the embedding of a style.
        tied: Whether the embedding of tokens is also the kernel of the logits (Press & Wolf 2017).
        cell: Name of the recurrent layer in `keras_seq.layers`.
        units: Units a layer.
        depth: Number of recurrent layers.
        dropout: Share of the features dropped before the first and after each recurrent layer.
        recurrent_dropout: Share of the state dropped from step to step.
        ngrams: Length of the longest run of tokens that has a vector of its own, by hashing, which
            the recurrent layers and the logits both take (Mikolov et al. 2011); 0 for none.
        ngram_rows: Rows of the table of each length, a power of two.
        ngram_embedding: Width of the vector of a run.
        ngram_dropout: Share of the steps at which the runs of one length are dropped in training.
        recall: Width of the vector that says what followed when the sequence was last like this
            (see `keras_seq.layers.Recall`), which recurrent layers and logits both take; 0: none.
        kneser_ney: Tokens of the longest n-gram that is counted, whose probabilities are mixed with
            those of the network when it is not in training (`keras_seq.layers.KneserNey`); 0: none.
        kneser_ney_share: Of the counts in the mixture, from 0 to 1.
        kneser_ney_discount: What is taken off each count, from 0 to 1.
        counted: Sequences, as for `encode`, whose n-grams are counted; of a model that was saved,
            how many there were.
        stateful_batch: If given, the model takes batches of just so many rows, and each goes on
            where the same row of the batch before ended, until `reset_state()`: training by
            truncated backpropagation through time, see `windows`. (On JAX, `predict` of Keras 3.15
            begins each batch anew, with Keras's own layers too; a call goes on.)
    """

    def __init__(
        self,
        vocabulary,
        styles=None,
        *,
        split="text",
        embedding=64,
        style_embedding=16,
        tied=False,
        cell="LSTM",
        units=256,
        depth=1,
        dropout=0.3,
        recurrent_dropout=0.0,
        ngrams=0,
        ngram_rows=2**15,
        ngram_embedding=32,
        ngram_dropout=0.5,
        recall=0,
        kneser_ney=0,
        kneser_ney_share=0.3,
        kneser_ney_discount=0.9,
        counted=None,
        stateful_batch=None,
        name="sequence_generator",
    ):
        arguments = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        if not vocabulary or (styles is not None and not styles):
            raise InputError("A SequenceGenerator needs at least one token, and style if any.")
        if styles is not None and stateful_batch is not None:
            raise InputError("A style begins a sequence: with stateful_batch there can be none.")
        if (ngrams or recall or kneser_ney) and stateful_batch is not None:
            raise InputError(
                "ngrams, recall and kneser_ney do not reach from batch to batch: not with "
                "stateful_batch."
            )
        if kneser_ney and not counted:
            raise InputError("kneser_ney needs sequences to count: give them as counted.")
        if tied and embedding is None:
            raise InputError("A tied output needs an embedding; embedding=None is one-hot.")
        tokens, found = Vocabulary([END, *vocabulary]), None
        if not kneser_ney:
            arguments["counted"] = None  # else the texts would be saved with the model
        elif not isinstance(counted[0], int):
            rows = [[tokens.number(token) for token in (END, *row, END)] for row in counted]
            found = Ngrams(rows, kneser_ney, len(tokens), kneser_ney_discount)
            arguments["counted"] = found.shape
        parts = Parts(arguments, len(tokens), None if styles is None else len(styles))
        shape = {"shape": (None,), "batch_size": stateful_batch, "dtype": "int32"}
        inputs = {"tokens": keras.Input(**shape, name="tokens")}
        if styles is not None:
            inputs["style"] = keras.Input((), stateful_batch, "int32", name="style")
        style = inputs.get("style")
        logits, _ = parts.over_time(inputs["tokens"], style, parts.begin(style))
        super().__init__(inputs, logits, arguments, tokens)
        self._parts = parts
        if found is not None:
            parts.kneser_ney.set_ngrams(found)
        self.styles = None if styles is None else list(styles)
        self.loss_of_tokens = MaskedCrossentropy()

    # From what people read to numbers.

    def encode(self, sequences, styles=None, longest=None):
        """Sequences as the model is trained on them, all padded to the longest.

        Args:
            sequences: Lists of tokens; if every character is one, strings will do.
            styles: The number of the style of each, or its name.
            longest: Sequences with more steps than this are cut into parts that begin 64 steps
                early; these early steps are read, but are no targets a second time.

        Returns:
            `keras_seq.batching.EncodedDataset`: the inputs are `<EOS>` and the sequence, the
            targets the sequence and `<EOS>`.

        Raises:
            InputError: A style is missing or unknown.
        """
        lengths = np.array([len(sequence) + 1 for sequence in sequences], int)
        longest = max(int(lengths.max(initial=1)), EARLY + 1) if longest is None else longest
        if longest <= EARLY:
            raise InputError(f"longest must be more than {EARLY}, got {longest}.")
        # The row in `sequences`, the first step, and the first that is a target.
        parts = []
        for row, length in enumerate(lengths):
            parts.append((row, 0, 0))
            for first in range(longest, length, longest - EARLY):
                parts.append((row, first - EARLY, first))
        wide = min(longest, int(lengths.max(initial=1)))
        before, targets = np.zeros((2, len(parts), wide), "int32")
        for place, (row, begin, first) in enumerate(parts):
            numbers = [self._tokens.number(token) for token in sequences[row]]
            after = [*numbers, self.end][begin : begin + longest]
            before[place, : len(after)] = [self.end, *numbers][begin : begin + longest]
            targets[place, first - begin : len(after)] = after[first - begin :]
        rows = np.array([row for row, _, _ in parts], int)
        begins = np.array([begin for _, begin, _ in parts], int)
        inputs = self._styled(before, styles, len(sequences))
        if "style" in inputs:
            inputs["style"] = inputs["style"][rows]
        steps = np.minimum(lengths[rows] - begins, longest)
        return EncodedDataset(inputs, targets, steps, ["tokens", "targets"])

    @property
    def end(self):
        """The number of `<EOS>`."""
        return self._tokens.number(END)

    def _styled(self, tokens, styles, count):
        if self.styles is None:
            if styles is not None:
                raise InputError("This model knows no styles.")
            return {"tokens": tokens}
        if styles is None:
            raise InputError(f"This model needs a style for each sequence: {self._table()}.")
        numbers = [self._style_number(style) for style in styles]
        if len(numbers) != count:
            raise InputError(f"There are {count} sequences but {len(numbers)} styles.")
        return {"tokens": tokens, "style": np.array(numbers, "int32")}

    def _style_number(self, style):
        if style in self.styles:
            return self.styles.index(style)
        if isinstance(style, (int, np.integer)) and 0 <= style < len(self.styles):
            return int(style)
        raise InputError(f"There is no style {style!r}; there are {self._table()}.")

    def _table(self):
        return ", ".join(f"{number} {name}" for number, name in enumerate(self.styles))

    # What the model says of sequences that exist.

    def log_probs(self, sequences, styles=None, batch_size=64):
        """The log probability (natural) of every token, given those before it.

        Args:
            sequences: Lists of tokens.
            styles: As in `encode`.
            batch_size: Sequences to work on together.

        Returns:
            For each sequence `(tokens + 1,)`, the last that of the end.
        """
        results = [None] * len(sequences)
        examples = self.encode(sequences, styles)
        for rows, wide in by_length(examples.lengths, batch_size):
            inputs, targets = examples.pad_batch(rows, wide)
            scores = _scores(self.predict_on_batch(inputs), targets)
            for row, score in zip(rows, scores):
                results[row] = score[: examples.lengths[row]]
        return results

    def adapting_log_probs(self, sequences, styles=None, learning_rate=1e-4, longest=1024):
        """The same of a model that learns while it reads (dynamic evaluation, Krause et al. 2018).

        After each part of a sequence, once its log probabilities stand, a copy of the model takes
        one step of Adam on it, without dropout. The model itself is not changed.

        Args:
            sequences, styles: As in `log_probs`; their order is that of reading.
            learning_rate: Of the steps.
            longest: Steps a part at most.

        Returns:
            As `log_probs`.
        """
        none = dict.fromkeys(("dropout", "recurrent_dropout", "ngram_dropout"), 0.0)
        reader = type(self)(**{**self._arguments, **none})
        reader.set_weights(self.get_weights())
        reader.compile(keras.optimizers.Adam(learning_rate), loss=reader.loss_of_tokens)
        results = []
        for number, sequence in enumerate(sequences):
            parts = reader.encode([sequence], None if styles is None else [styles[number]], longest)
            found = []
            for row, length in enumerate(parts.lengths):
                inputs, targets = parts.pad_batch([row], width(length))
                scores = _scores(reader.predict_on_batch(inputs), targets)
                found.append(scores[targets > 0])
                reader.train_on_batch(inputs, targets)
            results.append(np.concatenate(found))
        return results

    def next_tokens(self, prompt, style=None, count=10):
        """What may come next.

        Args:
            prompt: Tokens so far.
            style: Number or name, if the model has styles.
            count: How many tokens to name.

        Returns:
            The likeliest tokens with their probabilities, `<EOS>` among them.
        """
        inputs = self.encode([prompt], None if style is None else [style]).inputs
        steps = len(prompt) + 1
        inputs["tokens"] = np.pad(inputs["tokens"], [(0, 0), (0, width(steps) - steps)])
        logits = ops.convert_to_numpy(self(inputs, training=False))[0, len(prompt)]
        p = np.exp(logits - logits.max())
        p /= p.sum()
        best = np.argsort(-p, kind="stable")[:count]
        return [(self._tokens.tokens[n], float(p[n])) for n in best]

    def next_log_probs(self, prompts):
        """The log probability (natural) of every token to be the next.

        Args:
            prompts: Lists of tokens so far, at least one; the model has no styles.

        Returns:
            `(prompts, tokens)`, by the numbers of the tokens.
        """
        lengths = [len(prompt) for prompt in prompts]
        examples = self.encode(prompts)
        inputs, _ = examples.pad_batch(range(len(prompts)), width(max(lengths) + 1))
        logits = self.predict_on_batch(inputs)[np.arange(len(prompts)), lengths]
        return ops.convert_to_numpy(ops.log_softmax(logits, axis=-1))

    def letter_log_probs(self, texts, letters):
        """Return the log probabilities of what follows texts: their end, or one of some letters.

        Args:
            texts: Strings, at least one.
            letters: String of the letters to ask for.

        Returns:
            `(texts, letters + 1)`; column 0 is that of the end.

        Raises:
            InputError: If the model is not one over letters, or has styles.
        """
        config = self.get_config()
        if config.get("split") != "text" or config.get("styles") is not None:
            raise InputError(
                f"{self.name} cannot be the language model: needed is one over letters "
                "(`--tokens characters`), without styles."
            )
        columns = [self.end, *map(self._tokens.number, letters)]
        return self.next_log_probs(texts)[:, columns]

    # What the model makes.

    def generate(self, prompts=None, styles=None, *, count=None, **how):
        """Texts, each the prompt with what the model makes of it.

        Args:
            prompts: Texts to go on with; all empty if not given.
            styles: A number or name for each.
            count: How many, if neither prompts nor styles say so.
            how: See `generate_tokens`.
        """
        given = None if prompts is None else [self.tokens_of(text) for text in prompts]
        made = self.generate_tokens(given, styles, count=count, **how)
        if prompts is None:
            return [self.text_of(one.tokens) for one in made]
        return [self.continued(prompt, one.tokens) for prompt, one in zip(prompts, made)]

    def generate_tokens(
        self,
        prompts=None,
        styles=None,
        *,
        count=None,
        max_length=200,
        temperature=1.0,
        top_k=None,
        top_p=None,
        seed=None,
        beam_width=None,
        length_penalty=0.0,
    ):
        """Tokens that follow on prompts.

        Each step reads one token and carries the state on; it costs the same however much has been
        made already, except that `recall` looks over the prompt and `max_length` tokens each time.

        Args:
            prompts: Lists of tokens; all empty if not given.
            styles: A number or name for each.
            count: How many, if neither prompts nor styles say so; 1 by default.
            max_length: Tokens to make, at most.
            temperature: Below 1 favours what is likely; 0 takes the likeliest token always.
            top_k, top_p, seed: As in `keras_seq.decoding.sample`.
            beam_width, length_penalty: If given, nothing is drawn: the best that
                `keras_seq.decoding.beam_search` finds is taken.

        Returns:
            A list of `Generated`. `<UNK>` is never made.

        Raises:
            InputError: A prompt has a token that the model does not know, a style is missing, or
                `beam_width` comes with what is for drawing.
        """
        drawn = temperature not in (0, 1) or top_k is not None or top_p is not None
        if beam_width is not None and drawn:
            raise InputError(
                "beam_width looks for the likeliest: it goes without temperature, top_k and top_p."
            )
        if beam_width is None and length_penalty:
            raise InputError("length_penalty is for the search with beam_width.")
        if prompts is None:
            count = len(styles) if styles is not None else count or 1
            prompts = [[]] * count
        for number, prompt in enumerate(prompts, 1):
            for token in prompt:
                if token not in self._tokens:
                    raise InputError(f"Prompt {number} has the unknown token {token!r}.")
        if not prompts:
            return []
        wide = 1 + max(map(len, prompts))
        ids = np.zeros((len(prompts), wide), "int32")
        ids[:, 0] = self.end
        ids[:, 1:] = self._tokens.numbers(prompts, wide - 1)
        inputs = self._styled(ids, styles, len(prompts))
        strategy, fixed, numbers = decoding.greedy, {}, {}
        if beam_width is not None:
            strategy, fixed = decoding.beam_search, {"beam_width": beam_width, "n_best": 1}
            numbers = {"length_penalty": np.float32(length_penalty)}
        elif temperature:
            strategy, fixed = decoding.sample, {"top_k": top_k, "top_p": top_p}
            uniform = np.random.default_rng(seed).random((max_length, len(prompts)), "float32")
            numbers = {"temperature": np.float32(temperature), "uniform": uniform}
        run = self._generating(strategy, max_length, **fixed)
        given = ids, inputs.get("style", np.zeros(0, "int32")), numbers
        found = run(*keras.tree.map_structure(ops.convert_to_tensor, given))
        made, log_probs = map(ops.convert_to_numpy, found)
        made = made.reshape(len(prompts), -1)
        names, lengths = self._tokens.tokens, (made > 0).sum(axis=1)
        tokens = [[names[n] for n in row if n not in (0, self.end)] for row in made]
        if beam_width is not None:
            # One a token, which the search has added up.
            whole = self.log_probs([[*p, *after] for p, after in zip(prompts, tokens)], styles)
            log_probs = [row[len(prompt) :] for prompt, row in zip(prompts, whole)]
        return [Generated(t, row[:length]) for t, row, length in zip(tokens, log_probs, lengths)]

    @functools.lru_cache(maxsize=32)  # noqa: B019  (a model lives as long as the program)
    def _generating(self, strategy, max_length, **fixed):
        """A strategy of `keras_seq.decoding` on prompts, as one graph where there are such."""

        def run(ids, style, numbers):
            step, state, start = self._beginning(ids, style, max_length)
            common = {"start_id": start, "end_id": self.end, "max_length": max_length}
            return strategy(step, state, **common, **fixed, **numbers)

        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            return tf.function(run, autograph=False, reduce_retracing=True)
        return run

    def _beginning(self, ids, style, max_length):
        """The seam of `keras_seq.decoding` after a prompt.

        Args:
            ids: Tokens `(rows, timesteps)`, padded at the end; at least one a row.
            style: Numbers `(rows,)`, if there are styles.
            max_length: How many tokens are to be made at most.

        Returns:
            The step, the state before the last token of each row, that token.
        """
        parts, rows = self._parts, ops.shape(ids)[0]
        style = None if self.styles is None else style
        states = parts.begin(style)
        if states is None:
            states = parts.zeros(rows)
        lengths = ops.sum(ops.cast(ids > 0, "int32"), axis=1)
        places = ops.arange(ops.shape(ids)[1])
        _, states = parts.over_time(ids, style, states, mask=places < lengths[:, None] - 1)
        last = ops.take_along_axis(ids, lengths[:, None] - 1, axis=1)[:, 0]
        # No empty parts, which some backends cannot carry through a loop.
        state = {"layers": states} | ({} if style is None else {"style": style})
        if parts.ngrams is not None:
            windows = parts.ngrams.windows(ids)
            at_last = ops.take_along_axis(windows, lengths[:, None, None] - 1, axis=1)[:, 0]
            state["before"] = at_last[:, 1:]
        if parts.recall is not None:
            # All that is read and made, with room for what is to come.
            state["read"] = ops.pad(ids, [[0, 0], [0, max_length]])
            state["place"] = lengths - 1
        if parts.kneser_ney is not None:
            contexts = parts.kneser_ney.contexts(ids)
            before_last = ops.take_along_axis(contexts, lengths[:, None, None] - 1, axis=1)
            state["contexts"] = before_last[:, 0]
        return self._next, state, last

    def _next(self, tokens, state):
        """One step, as `keras_seq.decoding` takes it."""
        logits, state = self._parts.step(tokens, state)
        return log_probs_to_write(logits), state

    # Training over long streams.

    def windows(self, stream, timesteps):
        """A long sequence of tokens as batches for a model with `stateful_batch`.

        The stream is cut into as many parallel rows as a batch has, and these into windows; what
        is left over at the end is left out.

        Args:
            stream: One list of tokens, in which "<EOS>" may stand between sequences.
            timesteps: Steps a window, as far as gradients reach back.

        Returns:
            Inputs and targets, `(windows * batch, timesteps)`, to be taken in their order.
        """
        rows = self._arguments["stateful_batch"]
        if rows is None:
            raise InputError("windows() is for a model with stateful_batch.")
        numbers = np.concatenate([[self.end], self._tokens.numbers([stream])[0]])
        count = (len(numbers) - 1) // (rows * timesteps)
        if count == 0:
            raise InputError(
                f"A stream of {len(stream)} tokens is too short for {rows} rows of {timesteps}."
            )
        size = rows * count * timesteps

        def cut(numbers):
            by_row = numbers[:size].reshape(rows, count, timesteps)
            return by_row.swapaxes(0, 1).reshape(-1, timesteps).astype("int32")

        return {"tokens": cut(numbers)}, cut(numbers[1:])

    def reset_state(self):
        """Forgets what a model with `stateful_batch` has read, as before a new epoch."""
        for layer in self._parts.recurrent:
            layer.reset_state()


def _scores(logits, targets):
    """The log probability of each target: (rows, timesteps)."""
    scores = logits - logits.max(axis=-1, keepdims=True)
    scores = scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))
    return np.take_along_axis(scores, targets[:, :, None], axis=2)[:, :, 0]
