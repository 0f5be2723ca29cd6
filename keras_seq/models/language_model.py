"""Base class of language models: encoding, and log probabilities of texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq._internal.buckets import bucket_length
from keras_seq._internal.errors import InputError, check_list
from keras_seq._internal.softmax import log_softmax
from keras_seq._internal.types import Array
from keras_seq.batching import EncodedDataset
from keras_seq.layers.named_weights import AxisNames, NamedWeight
from keras_seq.layers.text.log_linear import fit_log_linear
from keras_seq.losses import MaskedCrossentropy
from keras_seq.models.generator_network import GeneratorNetwork
from keras_seq.models.text_model import TextModel
from keras_seq.text.encoder import Text
from keras_seq.text.vocabulary import END

MAX_FIT_VALUES = 2**24
"""Largest number of tokens times `vocab_size` to which the weights of a mixture are fitted."""
OVERLAP = 64
"""Number of time steps by which the chunks of a long text overlap."""


class LanguageModel(TextModel):
    """Base class of `SequenceGenerator`: encoding, and log probabilities of texts.

    As a `keras.Model`, it maps a dict of "tokens", and of "style" if there are styles, to the
    logits of the next token.
    """

    network: GeneratorNetwork
    styles: list[str] | None
    stateful_batch_size: int | None

    def default_loss(self) -> keras.losses.Loss:
        """Return the cross-entropy of the tokens."""
        return MaskedCrossentropy()

    def named_weights(self) -> list[NamedWeight]:
        """Return the weights whose axes are indexed by tokens or styles."""
        tokens = AxisNames("tokens", self.encoder.tokens)
        styles = None if self.styles is None else AxisNames("styles", self.styles)
        weights = self._weights_by_token(self.network.embedding, *self.features)
        return weights + self.network.named_weights(tokens, styles)

    # From texts to arrays.

    def encode(
        self,
        examples: Sequence[Text],
        styles: Sequence[str | int] | None = None,
        max_length: int | None = None,
    ) -> EncodedDataset:
        """Convert texts to inputs and targets, padded to the longest.

        Args:
            examples: Texts, or lists of their tokens.
            styles: Name or id of the style of each text, if the model has styles.
            max_length: Largest number of time steps, at least 65. A longer text is cut into chunks
                that overlap by 64 steps; each token is a target once. Default: no limit.

        Returns:
            Dataset. Inputs are the end token, then the text; targets are the text, then the end
            token.

        Raises:
            InputError: If a style is missing or unknown, or `max_length` is too small.
        """
        check_list(examples, "texts")
        end = [self.encoder.end_id]
        rows = [[*end, *self.encoder.encode(text), *end] for text in examples]
        longest = max((len(row) - 1 for row in rows), default=1)
        if max_length is None:
            max_length = max(longest, OVERLAP + 1)
        if max_length <= OVERLAP:
            raise InputError(f"max_length must be at least {OVERLAP + 1}, got {max_length}.")
        # For each chunk the index of its text, its first step, and its first step with a target.
        chunks = []
        for number, row in enumerate(rows):
            chunks.append((number, 0, 0))
            for first in range(max_length, len(row) - 1, max_length - OVERLAP):
                chunks.append((number, first - OVERLAP, first))
        tokens, targets = np.zeros((2, len(chunks), min(max_length, longest)), "int32")
        lengths = np.zeros(len(chunks), "int32")
        for row_number, (number, start, first) in enumerate(chunks):
            ids = rows[number][start : start + max_length + 1]
            lengths[row_number] = len(ids) - 1
            tokens[row_number, : len(ids) - 1] = ids[:-1]
            targets[row_number, first - start : len(ids) - 1] = ids[1 + first - start :]
        inputs = {"tokens": tokens}
        if (style_ids := self._style_ids(styles, len(rows))) is not None:
            inputs["style"] = style_ids[[number for number, _, _ in chunks]]
        return EncodedDataset(inputs, targets, lengths, ["tokens", "targets"])

    def trace_inputs(self, example: Text, target: str | int | None = None) -> tuple[Any, list[str]]:
        """Return the inputs of the network for one text, and the tokens that it reads.

        Args:
            example: Text, or the list of its tokens.
            target: Name or id of its style, if the model has styles.
        """
        inputs = self.encode([example], None if target is None else [target]).inputs
        return inputs, [END, *self.encoder.tokenize(example)]

    def _style_ids(self, styles: Sequence[str | int] | None, num_texts: int) -> Array | None:
        """Return the ids of styles `(num_texts,)`, or None if the model has no styles."""
        if self.styles is None:
            if styles is not None:
                raise InputError("This model has no styles: leave out styles.")
            return None
        table = ", ".join(f"{number} {name}" for number, name in enumerate(self.styles))
        if styles is None:
            raise InputError(f"This model needs a style for each sequence. Styles: {table}.")
        check_list(styles, "styles")
        if len(styles) != num_texts:
            raise InputError(f"There are {num_texts} sequences but {len(styles)} styles.")
        ids = []
        for style in styles:
            if style in self.styles:
                ids.append(self.styles.index(style))
            elif isinstance(style, (int, np.integer)) and 0 <= style < len(self.styles):
                ids.append(int(style))
            else:
                raise InputError(f"There is no style {style!r}. Styles: {table}.")
        return np.array(ids, "int32")

    def bptt_batches(self, stream: Text, timesteps: int) -> tuple[dict[str, Array], Array]:
        """Cut a long text into batches for truncated backpropagation through time (BPTT).

        The text is cut into `stateful_batch_size` parallel rows, and each row into windows. The
        remainder is dropped.

        Args:
            stream: Text, or the list of its tokens, in which "<EOS>" may separate texts.
            timesteps: Number of time steps per window. Gradients reach back at most that far.

        Returns:
            Inputs and targets `(windows * stateful_batch_size, timesteps)`, for `fit` with
            `batch_size=stateful_batch_size` and `shuffle=False`.

        Raises:
            InputError: If the model has no `stateful_batch_size`, or the text is too short.
        """
        rows = self.stateful_batch_size
        if rows is None:
            raise InputError("bptt_batches() needs a model with stateful_batch_size.")
        ids = np.array([self.encoder.end_id, *self.encoder.encode(stream)], "int32")
        num_windows = (len(ids) - 1) // (rows * timesteps)
        if num_windows == 0:
            raise InputError(
                f"A text of {len(ids) - 1} tokens is too short for {rows} rows of {timesteps} time "
                "steps."
            )
        size = rows * num_windows * timesteps

        def cut(ids: Array) -> Array:
            by_row = ids[:size].reshape(rows, num_windows, timesteps)
            return by_row.swapaxes(0, 1).reshape(-1, timesteps)

        return {"tokens": cut(ids)}, cut(ids[1:])

    def reset_state(self) -> None:
        """Reset the states of a stateful model to zeros, such as before a new epoch."""
        self.stack.reset_state()

    # Log probabilities.

    def log_probs(
        self,
        examples: Sequence[Text],
        styles: Sequence[str | int] | None = None,
        batch_size: int = 64,
    ) -> list[Array]:
        """Return the natural log probability of each token, given the tokens before it.

        Args:
            examples: Texts, or lists of their tokens.
            styles: As in `encode`.
            batch_size: Largest number of texts per batch.

        Returns:
            For each text `(tokens + 1,)`; the last is that of the end token.
        """
        dataset = self.encode(examples, styles)
        results: list[Any] = [None] * len(dataset)
        for rows, logits in self.predict_by_length(dataset, batch_size):
            for row, row_logits in zip(rows, logits, strict=True):
                length = dataset.lengths[row]
                log_probs = log_softmax(row_logits[:length])
                results[row] = log_probs[np.arange(length), dataset.targets[row, :length]]
        return results

    def fit_interpolation(
        self,
        examples: Sequence[Text],
        styles: Sequence[str | int] | None = None,
        batch_size: int = 64,
    ) -> None:
        """Fit the weights of the count model and the network in their mixture to held-out texts.

        There are two weights per length of the longest counted context, see `KneserNey`. Call this
        after training, with texts that neither the network nor the count model has seen. If there
        are too many, random ones are taken.

        Args:
            examples: Texts, or lists of their tokens.
            styles: As in `encode`.
            batch_size: Largest number of texts per batch.

        Raises:
            InputError: If there are no texts, the model has no count model, or SciPy is not
                installed.
        """
        layer = self.network.count_model
        if layer is None:
            raise InputError(f"{self.name} has no count model: create it with count_model.")
        if not len(examples):
            raise InputError("fit_interpolation() needs at least one text, got none.")
        dataset = self._encode_some(examples, styles)

        def read_lengths(inputs: dict[str, Array]) -> Array:
            return layer.context_lengths(layer.contexts(inputs["tokens"])[:, 1:])

        pairs = zip(dataset.targets, dataset.lengths, strict=True)
        targets = np.concatenate([row[:length] for row, length in pairs])
        lengths = self._run_in_order(dataset, batch_size, read_lengths)
        log_probs = []
        for weights in np.eye(2):  # the network alone, and the counts alone
            layer.mixture_weights.assign(np.tile(weights, (layer.order, 1)))
            log_probs.append(log_softmax(self._run_in_order(dataset, batch_size)))
        fitted = fit_log_linear(
            np.stack(log_probs), targets, lengths, layer.order, layer.initial_weights
        )
        layer.mixture_weights.assign(fitted)

    def _encode_some(
        self, examples: Sequence[Text], styles: Sequence[str | int] | None
    ) -> EncodedDataset:
        """Encode texts, or as many random ones as `MAX_FIT_VALUES` allows, at least one."""
        dataset = self.encode(examples, styles)
        order = np.random.default_rng(0).permutation(len(dataset))
        num_values = np.cumsum(dataset.lengths[order]) * self.encoder.vocab_size
        if num_values[-1] <= MAX_FIT_VALUES:
            return dataset
        chosen = order[: max(1, np.sum(num_values <= MAX_FIT_VALUES))]
        some_styles = None if styles is None else [styles[i] for i in chosen]
        return self.encode([examples[i] for i in chosen], some_styles)

    def _run_in_order(
        self,
        dataset: EncodedDataset,
        batch_size: int,
        function: Callable[[dict[str, Array]], Array] | None = None,
    ) -> Array:
        """Return the outputs of `predict_by_length` at all tokens, in the order of the dataset."""
        outputs: list[Any] = [None] * len(dataset)
        for rows, batch in self.predict_by_length(dataset, batch_size, function):
            for row, output in zip(rows, ops.convert_to_numpy(batch), strict=True):
                outputs[row] = output[: dataset.lengths[row]]
        return np.concatenate(outputs)

    def next_log_probs(
        self, prompts: Sequence[Text], styles: Sequence[str | int] | None = None
    ) -> Array:
        """Return the natural log probability of each token of the vocabulary as the next one.

        Args:
            prompts: Texts so far, at least one, or lists of their tokens.
            styles: As in `encode`.

        Returns:
            `(prompts, vocab_size)`.
        """
        dataset = self.encode(prompts, styles)
        rows, last = range(len(prompts)), dataset.lengths - 1
        inputs, _ = dataset.pad_batch(rows, bucket_length(max(dataset.lengths)))
        return log_softmax(ops.convert_to_numpy(self.predict_on_batch(inputs))[rows, last])

    def next_tokens(
        self, prompt: Text, style: str | int | None = None, num_tokens: int = 10
    ) -> list[tuple[str, float]]:
        """Return the most likely next tokens, which may include `<EOS>`, with their probabilities.

        Args:
            prompt: Text so far, or the list of its tokens.
            style: Name or id of the style, if the model has styles.
            num_tokens: Number of tokens to return.
        """
        [log_probs] = self.next_log_probs([prompt], None if style is None else [style])
        best = np.argsort(-log_probs, kind="stable")[:num_tokens]
        return [(self.encoder.tokens[id_], float(np.exp(log_probs[id_]))) for id_ in best]

    def char_log_probs(self, texts: Sequence[str], characters: str) -> Array:
        """Return the natural log probabilities of the end and of given characters after texts.

        Args:
            texts: Texts so far, at least one.
            characters: Characters to score.

        Returns:
            `(texts, characters + 1)`; column 0 is the end.

        Raises:
            InputError: If the tokens of the model are not characters, or if it has styles.
        """
        if self.encoder.tokenizer != "char" or self.styles is not None:
            raise InputError(
                f"{self.name} cannot score characters: it must be a language model with "
                'tokenizer="char" and without styles.'
            )
        return self.next_log_probs(texts)[:, self.encoder.encode([END, *characters])]
