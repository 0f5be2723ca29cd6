"""Beam search of a `Seq2Seq`, with coverage penalty, attention weights and copied tokens."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from keras_seq import decoding
from keras_seq._internal.errors import InputError
from keras_seq._internal.no_gradients import no_gradients
from keras_seq.batching import EncodedDataset, bucket_length
from keras_seq.models.results import Translation
from keras_seq.text.encoder import Text
from keras_seq.text.vocabulary import END, UNKNOWN

if TYPE_CHECKING:
    from keras_seq.models.seq2seq import Seq2Seq

BEAM_WIDTH = 5
"""Default number of hypotheses that a search goes on with."""

MAX_PROGRAMS = 32
"""Number of compiled searches that a model keeps."""


@dataclasses.dataclass(frozen=True)
class SearchOptions:
    """Options of a search, see `Seq2Seq.translate_n_best`; a program is compiled for each of them.

    Raises:
        InputError: If an option is out of its range.
    """

    beam_width: int = BEAM_WIDTH
    n_best: int = 1
    length_penalty: float = 0.0
    coverage_penalty: float = 0.0
    min_length: int = 0
    max_length: int | None = None
    copy_unknown: bool = False

    def __post_init__(self) -> None:
        if self.beam_width < 1:
            raise InputError(f"beam_width must be at least 1, got {self.beam_width}.")
        if not 1 <= self.n_best <= self.beam_width:
            raise InputError(
                f"n_best must lie between 1 and beam_width, {self.beam_width}, got {self.n_best}."
            )
        if self.max_length is not None and self.max_length < 1:
            raise InputError(f"max_length must be at least 1, got {self.max_length}.")


def max_target_lengths(ids: Any) -> Any:
    """Return the largest number of tokens to write for each source, `(batch,)`.

    Args:
        ids: Ids of sources `(batch, timesteps)`.
    """
    return 2 * ops.sum(ops.cast(ids > 0, "int32"), axis=1) + 16


def search(model: Seq2Seq, ids: Any, options: SearchOptions) -> tuple[Any, Any, Any]:
    """Return the best sequences for sources, as `keras_seq.decoding.beam_search` does.

    Args:
        model: Model.
        ids: Ids of sources `(batch, timesteps)`, the end last.
        options: Options.

    Returns:
        Ids `(batch, n_best, max_length)`, best first; scores `(batch, n_best)`, minus infinity
        where there is none; bools `(batch,)`: whether no sequence is better than the first.
    """
    max_lengths, max_length = None, options.max_length
    if max_length is None:
        max_length = 2 * ops.shape(ids)[1] + 16
        max_lengths = max_target_lengths(ids)
    layers, memory = model.init_state(ids)
    state, coverage = {"layers": layers}, None
    if options.coverage_penalty:
        mask = memory[2]
        state["attended"] = ops.zeros_like(mask)

        def coverage(state):
            """Return the sum of log(attention) over the source (Wu et al. 2016)."""
            attended = ops.reshape(state["attended"], (ops.shape(ids)[0], -1, ops.shape(ids)[1]))
            logs = ops.log(ops.clip(attended, 1e-9, 1.0)) * mask[:, None]
            return options.coverage_penalty * ops.reshape(ops.sum(logs, axis=-1), (-1,))

    def step(tokens, state):
        logits, weights, layers = model.decoder.step(tokens, state["layers"], memory)
        after = {"layers": layers}
        if options.coverage_penalty:
            after["attended"] = state["attended"] + weights
        return ops.log_softmax(ops.cast(logits, "float32"), axis=-1), after

    encoder = model.target_encoder
    special = [encoder.pad_id] if options.copy_unknown else [encoder.pad_id, encoder.unk_id]
    return decoding.beam_search(
        step,
        state,
        start_id=encoder.start_id,
        end_id=encoder.end_id,
        beam_width=options.beam_width,
        n_best=options.n_best,
        max_length=max_length,
        min_length=options.min_length,
        length_penalty=options.length_penalty,
        coverage=coverage,
        max_lengths=max_lengths,
        suppress_tokens=special,
    )


class Translator:
    """Searches of one model, which are compiled once for each set of options.

    Args:
        model: Model.
    """

    def __init__(self, model: Seq2Seq) -> None:
        self.model = model
        # A cache of this object, so that it goes with the model.
        self._search = functools.lru_cache(MAX_PROGRAMS)(self._compile_search)
        self._attend = functools.cache(self._compile_attention)

    def __call__(
        self, texts: Sequence[Text], options: SearchOptions, attention: bool, batch_size: int
    ) -> list[list[Translation]]:
        """Return the translations of texts, best first.

        Args:
            texts: Texts, or lists of their tokens.
            options: Options.
            attention: Whether to return the attention weights too.
            batch_size: Number of texts per batch, at most.

        Raises:
            InputError: If weights are needed and the model has no attention.
        """
        needs_weights = attention or options.copy_unknown or options.coverage_penalty != 0
        if needs_weights and self.model.decoder.attention_cell is None:
            raise InputError("This model has no attention: there are no weights to return or use.")
        encoder = self.model.source_encoder
        ids, lengths = encoder.encode_batch(texts, end=True)
        sources = [encoder.tokenize(text) for text in texts]
        results: list[Any] = [None] * len(sources)
        # Where a greedy search finds the best for certain, no beam is needed.
        widths = sorted({1, options.beam_width}) if options.n_best == 1 else [options.beam_width]
        remaining = list(range(len(sources)))
        for beam_width in widths:
            rows, remaining = remaining, []
            dataset = EncodedDataset({"source": ids[rows]}, None, lengths[rows], ["source"])
            here = dataclasses.replace(options, beam_width=beam_width)
            found = self.search(dataset, here, attention or options.copy_unknown, batch_size)
            for number, *arrays, is_best in found:
                row = rows[number]
                results[row] = self._read(sources[row], options.copy_unknown, attention, *arrays)
                if not is_best:
                    remaining.append(row)
        return results

    def search(
        self, dataset: EncodedDataset, options: SearchOptions, weights: bool, batch_size: int
    ) -> Iterator[tuple[int, Any, Any, Any, bool]]:
        """Yield for each source its number and what was found.

        Args:
            dataset: Encoded sources.
            options: Options.
            weights: Whether to compute attention weights.
            batch_size: Number of sources per batch, at most.

        Yields:
            Number of the source; ids `(n_best, max_length)`; scores `(n_best,)`; attention weights
            `(n_best, timesteps, source)` or None; whether no sequence is better than the first.
        """

        def run(inputs):
            ids = ops.convert_to_tensor(inputs["source"])
            with no_gradients():
                found = tuple(map(ops.convert_to_numpy, self._search(options)(ids)))
                return (*found, self.attention_weights(ids, found[0])) if weights else found

        for rows, arrays in self.model.predict_by_length(dataset, batch_size, run):
            for row, sequences, scores, is_best, *attended in zip(rows, *arrays):
                yield row, sequences, scores, attended[0] if attended else None, bool(is_best)

    def attention_weights(self, ids: Any, sequences: np.ndarray) -> np.ndarray:
        """Return the attention weights `(batch, n, timesteps, source)` of sequences.

        Args:
            ids: Ids of sources `(batch, source)`.
            sequences: Ids `(batch, n, timesteps)` that were written for each of them.
        """
        longest = int((sequences > 0).sum(axis=-1).max())
        sequences = sequences[:, :, : bucket_length(longest, 4)]
        batch, count, timesteps = sequences.shape
        before = np.full((batch * count, timesteps), self.model.target_encoder.start_id, "int32")
        before[:, 1:] = sequences.reshape(batch * count, timesteps)[:, :-1]
        weights = self._attend()(ids, ops.convert_to_tensor(before))
        return ops.convert_to_numpy(weights).reshape(batch, count, timesteps, -1)

    def _read(
        self, source: list[str], copy: bool, attention: bool, sequences: Any, scores: Any, all_: Any
    ) -> list[Translation]:
        """Return the translations of one source, from arrays with a row for each."""
        encoder, translations = self.model.target_encoder, []
        for number in np.flatnonzero(scores > -np.inf):
            tokens = encoder.ids_to_tokens(sequences[number])
            weights = None
            if all_ is not None:
                weights = all_[number, : len(tokens), : len(source) + 1]
            if copy and source and weights is not None:
                for place, token in enumerate(tokens):
                    if token == UNKNOWN:
                        tokens[place] = source[int(weights[place, :-1].argmax())]
            translations.append(
                Translation(
                    encoder.detokenize(tokens),
                    float(scores[number]),
                    tokens,
                    [*source, END],
                    weights if attention else None,
                )
            )
        return translations

    def _compile_search(self, options: SearchOptions) -> Callable[[Any], Any]:
        return compile_graph(lambda ids: search(self.model, ids, options), 1)

    def _compile_attention(self) -> Callable[[Any, Any], Any]:
        def run(ids, before):
            state, memory = self.model.init_state(ids)
            count = ops.shape(before)[0] // ops.shape(ids)[0]
            state = keras.tree.map_structure(lambda rows: ops.repeat(rows, count, axis=0), state)
            return self.model.decoder.call_sequence(before, state, memory)[1]

        return compile_graph(run, 2)


def compile_graph(function: Callable[..., Any], num_arguments: int) -> Callable[..., Any]:
    """Return a function of ids `(rows, timesteps)` as one graph for all shapes, on TensorFlow."""
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    spec = tf.TensorSpec([None, None], tf.int32)
    return tf.function(function, input_signature=[spec] * num_arguments, autograph=False)
