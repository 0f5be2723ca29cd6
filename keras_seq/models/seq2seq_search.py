"""Beam search of a `Seq2Seq`, with coverage penalty, attention weights and copied tokens."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_seq import decoding
from keras_seq._internal.buckets import bucket_length
from keras_seq._internal.errors import InputError
from keras_seq._internal.no_gradients import no_gradients
from keras_seq._internal.ranges import (
    FiniteFloat,
    NonNegativeInt,
    PositiveInt,
    check_fields,
)
from keras_seq._internal.types import Array, Tensor
from keras_seq.batching import EncodedDataset
from keras_seq.models.any_length import compile_for_any_length
from keras_seq.models.results import Translation
from keras_seq.text.encoder import Text
from keras_seq.text.vocabulary import END, UNKNOWN

if TYPE_CHECKING:
    from keras_seq.models.seq2seq import Seq2Seq

BEAM_WIDTH = 5
"""Default number of hypotheses of a beam search."""

IDS = keras.KerasTensor((None, None), "int32", name="ids")
"""Argument of compiled functions: ids `(rows, timesteps)`."""
MAX_PROGRAMS = 32
"""Number of compiled searches in the cache of a model."""


@dataclasses.dataclass(frozen=True)
class SearchOptions:
    """Options of `Seq2Seq.translate_n_best`; each combination is compiled once.

    Raises:
        InputError: If an option is out of its range.
    """

    beam_width: PositiveInt = BEAM_WIDTH
    n_best: PositiveInt = 1
    length_penalty: FiniteFloat = 0.0
    coverage_penalty: FiniteFloat = 0.0
    min_length: NonNegativeInt = 0
    max_length: PositiveInt | None = None
    copy_unknown: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        if self.n_best > self.beam_width:
            raise InputError(
                f"n_best must be at most beam_width, {self.beam_width}, got {self.n_best}."
            )


def max_target_lengths(ids: Tensor) -> Tensor:
    """Return the default `max_length` of each source text, `(batch,)`.

    Args:
        ids: Ids of source texts `(batch, source)`.
    """
    return 2 * ops.sum(ops.cast(ids > 0, "int32"), axis=1) + 16


def search(model: Seq2Seq, ids: Tensor, options: SearchOptions) -> decoding.BeamSearchResult:
    """Run a beam search on source texts.

    If the model has a count model, it ranks the hypotheses of a search with more than one.

    Args:
        model: Model.
        ids: Ids of source texts `(batch, source)`, with the end token.
        options: Search options.

    Returns:
        As `keras_seq.decoding.beam_search`.
    """
    max_lengths, max_length = None, options.max_length
    if max_length is None:
        max_length = 2 * ops.shape(ids)[1] + 16
        max_lengths = max_target_lengths(ids)
    layers, memory = model.initial_state(ids)
    state: dict[str, Any] = {"layers": layers}
    coverage = None
    if options.coverage_penalty:
        mask = memory[2]
        state["attended"] = ops.zeros_like(mask)

        def coverage(state: dict[str, Any]) -> Tensor:
            """Return the coverage penalty `(rows,)` (Wu et al. 2016)."""
            attended = ops.reshape(state["attended"], (ops.shape(ids)[0], -1, ops.shape(ids)[1]))
            logs = ops.log(ops.clip(attended, 1e-9, 1.0)) * mask[:, None]
            return options.coverage_penalty * ops.reshape(ops.sum(logs, axis=-1), (-1,))

    def step(tokens: Tensor, state: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        logits, weights, layers = model.decoder.step(tokens, state["layers"], memory)
        new_state = {"layers": layers}
        if options.coverage_penalty:
            new_state["attended"] = state["attended"] + weights
        return ops.log_softmax(ops.cast(logits, "float32"), axis=-1), new_state

    encoder = model.target_encoder
    assert encoder.end_id is not None  # as checked by the constructor of the model
    suppressed = [encoder.pad_id] if options.copy_unknown else [encoder.pad_id, encoder.unk_id]
    count_model = model.count_model if options.beam_width > 1 else None
    result = decoding.beam_search(
        step,
        state,
        start_id=encoder.start_id,
        end_id=encoder.end_id,
        beam_width=options.beam_width,
        n_best=options.n_best if count_model is None else options.beam_width,
        max_length=max_length,
        min_length=options.min_length,
        length_penalty=options.length_penalty,
        coverage=coverage,
        max_lengths=max_lengths,
        suppress_tokens=suppressed,
    )
    if count_model is None:
        return result
    sequences, scores = count_model.rank(ids, result.sequences, result.scores)
    return decoding.BeamSearchResult(
        sequences[:, : options.n_best], scores[:, : options.n_best], result.is_optimal
    )


class SourceResult(NamedTuple):
    """Result of a search for one source text."""

    sequences: Array
    """Ids `(n_best, max_length)`, best first."""
    scores: Array
    """Scores `(n_best,)`, minus infinity where there is no sequence."""
    is_optimal: Array
    """Bool `()`: whether the first sequence provably has the highest score of all."""
    weights: Array | None = None
    """Attention weights `(n_best, timesteps, source)`, if they were requested."""


class Translator:
    """Translation by compiled beam searches, one per combination of options.

    Args:
        model: Model.
    """

    def __init__(self, model: Seq2Seq) -> None:
        self.model = model
        # Caches per object are freed with the model.
        self._search = functools.lru_cache(MAX_PROGRAMS)(self._compile_search)
        self._attend = functools.cache(self._compile_attention)

    def __call__(
        self, texts: Sequence[Text], options: SearchOptions, attention: bool, batch_size: int
    ) -> list[list[Translation]]:
        """Return the translations of texts, best first.

        Args:
            texts: Texts, or lists of their tokens.
            options: Search options.
            attention: Whether to return the attention weights too.
            batch_size: Largest number of texts per batch.

        Raises:
            InputError: If attention weights are needed and the model has no attention.
        """
        needs_weights = attention or options.copy_unknown or options.coverage_penalty != 0
        if needs_weights and self.model.decoder.attention_cell is None:
            raise InputError(
                "This model has no attention: leave out return_attention_scores, copy_unknown and "
                "coverage_penalty."
            )
        encoder = self.model.source_encoder
        ids, lengths = encoder.encode_batch(texts, end=True)
        sources = [encoder.tokenize(text) for text in texts]
        results: list[Any] = [None] * len(sources)
        widths = [options.beam_width]
        if options.n_best == 1 and self.model.count_model is None:
            # A text whose greedy translation is optimal needs no beam search.
            widths = sorted({1, options.beam_width})
        remaining = list(range(len(sources)))
        for beam_width in widths:
            rows, remaining = remaining, []
            dataset = EncodedDataset({"source": ids[rows]}, None, lengths[rows], ["source"])
            options = dataclasses.replace(options, beam_width=beam_width)
            weights = attention or options.copy_unknown
            for number, result in self.search(dataset, options, weights, batch_size):
                row = rows[number]
                results[row] = self._to_translations(
                    sources[row], result, options.copy_unknown, attention
                )
                if not result.is_optimal:
                    remaining.append(row)
        return results

    def search(
        self, dataset: EncodedDataset, options: SearchOptions, weights: bool, batch_size: int
    ) -> Iterator[tuple[int, SourceResult]]:
        """Run beam searches on encoded source texts.

        Args:
            dataset: Encoded source texts.
            options: Search options.
            weights: Whether to compute attention weights.
            batch_size: Largest number of texts per batch.

        Yields:
            Index of a source text, and its result.
        """

        def run(inputs: dict[str, Any]) -> tuple[Array, ...]:
            ids = ops.convert_to_tensor(inputs["source"])
            with no_gradients():
                result = tuple(map(ops.convert_to_numpy, self._search(options)(ids)))
                return (*result, self.attention_weights(ids, result[0])) if weights else result

        for rows, arrays in self.model.predict_by_length(dataset, batch_size, run):
            for row, *values in zip(rows, *arrays):
                yield row, SourceResult(*values)

    def attention_weights(self, ids: Tensor, sequences: Array) -> Array:
        """Return the attention weights of generated sequences.

        Args:
            ids: Ids of source texts `(batch, source)`.
            sequences: Generated ids `(batch, n_best, max_length)`.

        Returns:
            `(batch, n_best, timesteps, source)`, cropped to the bucket length of the longest
            sequence.
        """
        longest = int((sequences > 0).sum(axis=-1).max())
        sequences = sequences[:, :, : bucket_length(longest, 4)]
        batch, n_best, timesteps = sequences.shape
        decoder_ids = np.full(
            (batch * n_best, timesteps), self.model.target_encoder.start_id, "int32"
        )
        decoder_ids[:, 1:] = sequences.reshape(batch * n_best, timesteps)[:, :-1]
        weights = self._attend()(ids, ops.convert_to_tensor(decoder_ids))
        return ops.convert_to_numpy(weights).reshape(batch, n_best, timesteps, -1)

    def _to_translations(
        self, source: list[str], result: SourceResult, copy_unknown: bool, attention: bool
    ) -> list[Translation]:
        """Return the translations of a source text from the result of its search."""
        encoder, translations = self.model.target_encoder, []
        for number in np.flatnonzero(result.scores > -np.inf):
            tokens = encoder.ids_to_tokens(result.sequences[number])
            weights = None
            if result.weights is not None:
                weights = result.weights[number, : len(tokens), : len(source) + 1]
            if copy_unknown and source and weights is not None:
                attended = weights[:, :-1].argmax(axis=1)
                tokens = [
                    source[best] if token == UNKNOWN else token
                    for token, best in zip(tokens, attended)
                ]
            translations.append(
                Translation(
                    encoder.detokenize(tokens),
                    float(result.scores[number]),
                    tokens,
                    [*source, END],
                    weights if attention else None,
                )
            )
        return translations

    def _compile_search(
        self, options: SearchOptions
    ) -> Callable[[Tensor], decoding.BeamSearchResult]:
        return compile_for_any_length(lambda ids: search(self.model, ids, options), IDS)

    def _compile_attention(self) -> Callable[[Tensor, Tensor], Tensor]:
        def run(ids: Tensor, decoder_ids: Tensor) -> Tensor:
            state, memory = self.model.initial_state(ids)
            n_best = ops.shape(decoder_ids)[0] // ops.shape(ids)[0]
            state = keras.tree.map_structure(lambda rows: ops.repeat(rows, n_best, axis=0), state)
            return self.model.decoder.call_sequence(decoder_ids, state, memory)[1]

        return compile_for_any_length(run, IDS, IDS)
