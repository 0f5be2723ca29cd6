"""Recurrent language model that generates texts and other sequences."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq import decoding
from keras_seq._internal.errors import InputError, check_list
from keras_seq._internal.no_gradients import no_gradients
from keras_seq._internal.ranges import PositiveInt, Range, check_arguments
from keras_seq._internal.types import Array, Tensor
from keras_seq.decoding.suppress import mask_special_tokens
from keras_seq.layers.recurrent.stack import RNNStack
from keras_seq.layers.text.incremental import IncrementalLayer
from keras_seq.layers.text.kneser_ney import KneserNey
from keras_seq.layers.text.tied_logits import TiedLogits
from keras_seq.layers.text.token_embedding import TokenEmbedding
from keras_seq.models.any_length import compile_for_any_length
from keras_seq.models.generator_network import (
    GeneratorNetwork,
    State,
    check_parts,
    check_stateful,
)
from keras_seq.models.language_model import LanguageModel
from keras_seq.models.results import GeneratedSequence
from keras_seq.text.encoder import Text, TextEncoder


@keras.saving.register_keras_serializable(package="keras_seq")
class SequenceGenerator(LanguageModel):
    """Recurrent language model (Mikolov et al. 2010; Graves 2013).

    It trains and predicts on TensorFlow, JAX and torch.

    >>> from keras_seq import layers
    >>> from keras_seq.models import SequenceGenerator
    >>> from keras_seq.text import TextEncoder
    >>> texts = ["abcabc", "bca"]
    >>> encoder = TextEncoder.from_examples(texts, tokenizer="char", end=True)
    >>> generator = SequenceGenerator(encoder)
    >>> generator.compile("adam")
    >>> generator.fit(texts, epochs=20)  # doctest: +SKIP
    >>> [text] = generator.generate(["ab"], max_length=3, seed=0)
    >>> text.startswith("ab")
    True

    Its layers can be replaced, also by custom ones:

    >>> counts = layers.KneserNey(encoder.vocab_size, order=3)
    >>> counts.adapt(encoder.encode_batch(texts, start=True, end=True).ids)
    >>> generator = SequenceGenerator(
    ...     encoder,
    ...     embedding=layers.TokenEmbedding(encoder, 32),
    ...     stack=layers.RNNStack("GRU", 64, dropout=0.3, return_state=True),
    ...     features=[
    ...         layers.CausalNgramFeatures(4),
    ...         layers.LongestMatchEmbedding(encoder.vocab_size, 8),
    ...     ],
    ...     count_model=counts,
    ... )

    As a `keras.Model`, it maps a dict of "tokens" `(batch, timesteps)` to logits of the next token,
    `(batch, timesteps, vocab_size)`. The end token precedes each text. With styles, there is a
    second input "style" `(batch,)`, the ids of the styles. The style sets the initial states and is
    a feature of every time step.

    Args:
        encoder: Encoder of texts to ids, with an end token.
        styles: Names of styles (labels on which the model is conditioned), all different. Default:
            none.
        embedding: Layer from ids to vectors. Default: a `TokenEmbedding` of width 64. For one-hot
            input: `OneHotTokens(encoder.vocab_size)`.
        stack: Recurrent layers with `return_state=True`. Default: an `RNNStack` of 256 LSTM units
            with variational dropout of 0.3.
        features: Layers whose vectors are inputs of the recurrent layers and of the logits, such as
            `CausalNgramFeatures` and `LongestMatchEmbedding`.
        count_model: `KneserNey` layer whose probabilities are mixed with those of the network,
            except in training. Call its `adapt` first. Default: none.
        style_embedding_dim: Width of the style embedding.
        tie_embeddings: Whether the logits use the token embedding as their kernel (Press & Wolf
            2017).
        stateful_batch_size: Batch size for truncated backpropagation through time, see
            `bptt_batches`. Each row of a batch continues that row of the previous batch, until
            `reset_state()`. The stack must be stateful too. On JAX, `predict` of Keras 3.15 resets
            the states before each batch. Default: not stateful.
        name: Name of the model.

    Raises:
        InputError: If the encoder has no end token, or if the layers are incompatible.
    """

    config_attributes = (
        *("encoder", "styles", "embedding", "stack", "features", "count_model"),
        *("style_embedding_dim", "tie_embeddings", "stateful_batch_size"),
    )

    def __init__(
        self,
        encoder: TextEncoder,
        *,
        styles: Sequence[str] | None = None,
        embedding: keras.layers.Layer | None = None,
        stack: RNNStack | None = None,
        features: Sequence[IncrementalLayer] = (),
        count_model: KneserNey | None = None,
        style_embedding_dim: PositiveInt = 16,
        tie_embeddings: bool = False,
        stateful_batch_size: PositiveInt | None = None,
        name: str = "sequence_generator",
    ) -> None:
        check_arguments(SequenceGenerator, locals())
        if embedding is None:
            embedding = TokenEmbedding(encoder, 64, name="token_embedding")
        if stack is None:
            stack = RNNStack(
                "LSTM",
                256,
                dropout=0.3,
                variational_dropout=True,
                return_state=True,
                layer_options={"stateful": True} if stateful_batch_size else None,
                name="stack",
            )
        check_parts(encoder, stack, count_model)
        if stateful_batch_size is not None:
            check_stateful(stack, styles, features, count_model)
        style_embedding = None
        if styles is not None:
            check_list(styles, "styles")
            if not styles or len(set(styles)) < len(styles):
                raise InputError(f"styles must be different names, or None, got {[*styles]}.")
            style_embedding = keras.layers.Embedding(
                len(styles), style_embedding_dim, name="style_embedding"
            )
        output_layer: keras.layers.Layer = keras.layers.Dense(encoder.vocab_size, name="logits")
        if tie_embeddings:
            if not isinstance(embedding, TokenEmbedding):
                raise InputError(
                    f"tie_embeddings needs a TokenEmbedding as embedding, got {embedding.name}."
                )
            output_layer = TiedLogits(embedding, name="logits")
        network = GeneratorNetwork(
            embedding, stack, features, count_model, output_layer, style_embedding
        )
        options = {"batch_size": stateful_batch_size, "dtype": "int32"}
        inputs = {"tokens": keras.Input((None,), **options, name="tokens")}
        if styles is not None:
            inputs["style"] = keras.Input((), **options, name="style")
        super().__init__(inputs, network.logits(**_named(inputs)), name=name)
        self.network, self.output_layer = network, output_layer
        self.encoder, self.styles = encoder, None if styles is None else list(styles)
        self.embedding, self.stack, self.features = embedding, stack, list(features)
        self.count_model, self.style_embedding_dim = count_model, style_embedding_dim
        self.tie_embeddings, self.stateful_batch_size = tie_embeddings, stateful_batch_size
        # A cache per object is freed with the model.
        self._decoder = functools.lru_cache(maxsize=32)(self._make_decoder)

    @property
    def token_embedding(self) -> TokenEmbedding | None:
        """The embedding if it is a trainable `TokenEmbedding`, otherwise None."""
        is_trained = isinstance(self.embedding, TokenEmbedding) and self.embedding.trainable
        return self.embedding if is_trained else None

    def generate(
        self,
        prompts: Sequence[str] | None = None,
        styles: Sequence[str | int] | None = None,
        *,
        num_sequences: int | None = None,
        max_length: int = 200,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        beam_width: int | None = None,
        length_penalty: float = 0.0,
    ) -> list[str]:
        """Generate texts, each a prompt and its continuation.

        Args:
            prompts: Texts to continue. Default: empty texts.
            styles: As in `generate_tokens`.
            num_sequences: As in `generate_tokens`.
            max_length: As in `generate_tokens`.
            temperature: As in `generate_tokens`.
            top_k: As in `generate_tokens`.
            top_p: As in `generate_tokens`.
            seed: As in `generate_tokens`.
            beam_width: As in `generate_tokens`.
            length_penalty: As in `generate_tokens`.

        Raises:
            InputError: As `generate_tokens`.
        """
        continuations = self.generate_tokens(
            prompts,
            styles,
            num_sequences=num_sequences,
            max_length=max_length,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seed=seed,
            beam_width=beam_width,
            length_penalty=length_penalty,
        )
        prompts = [""] * len(continuations) if prompts is None else prompts
        pairs = zip(prompts, continuations, strict=True)
        return [self.encoder.append(prompt, sequence.tokens) for prompt, sequence in pairs]

    def generate_tokens(
        self,
        prompts: Sequence[Text] | None = None,
        styles: Sequence[str | int] | None = None,
        *,
        num_sequences: int | None = None,
        max_length: int = 200,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        beam_width: int | None = None,
        length_penalty: float = 0.0,
    ) -> list[GeneratedSequence]:
        """Generate the tokens that follow prompts. `<UNK>` is never generated.

        The cost of a step is constant, except that each step of a `LongestMatchEmbedding` compares
        all positions.

        Args:
            prompts: Texts to continue, or lists of their tokens. Default: empty texts.
            styles: Name or id of the style of each sequence, if the model has styles.
            num_sequences: Number of sequences, if neither prompts nor styles are given. Default: 1.
            max_length: Largest number of tokens to generate.
            temperature: Divisor of the log probabilities. Values below 1 favor likely tokens; 0
                means greedy decoding.
            top_k: As in `keras_seq.decoding.sample`.
            top_p: As in `keras_seq.decoding.sample`.
            seed: Random seed.
            beam_width: Number of hypotheses of a beam search for the most likely sequence.
                Default: sampling.
            length_penalty: As in `keras_seq.decoding.beam_search`; needs `beam_width`.

        Raises:
            InputError: If a prompt has an unknown token, if a style is missing or unknown, if
                `temperature` is negative, or if `beam_width` is combined with an argument of
                sampling.
        """
        Range(0).check("temperature", temperature)
        Range(1, is_integer=True).check("max_length", max_length)
        Range().check("length_penalty", length_penalty)
        is_sampled = temperature not in (0, 1) or top_k is not None or top_p is not None
        if beam_width is not None and is_sampled:
            raise InputError(
                "beam_width cannot be combined with temperature, top_k or top_p: leave them out."
            )
        if beam_width is None and length_penalty:
            raise InputError("length_penalty needs beam_width.")
        if prompts is None:
            prompts = [""] * (len(styles) if styles is not None else num_sequences or 1)
        inputs = {"tokens": self._prompt_ids(prompts)}
        if (style_ids := self._style_ids(styles, len(prompts))) is not None:
            inputs["style"] = style_ids
        if not prompts:
            return []
        numbers: dict[str, Any] = {}
        if beam_width is not None:
            decode = self._decoder(
                decoding.beam_search, max_length, beam_width=beam_width, n_best=1
            )
            numbers = {"length_penalty": np.float32(length_penalty)}
        elif temperature:
            decode = self._decoder(decoding.sample, max_length, top_k=top_k, top_p=top_p)
            uniform = np.random.default_rng(seed).random((max_length, len(prompts)), "float32")
            numbers = {"temperature": np.float32(temperature), "uniform": uniform.T}
        else:
            decode = self._decoder(decoding.greedy, max_length)
        with no_gradients():
            outputs = decode(*keras.tree.map_structure(ops.convert_to_tensor, (inputs, numbers)))
        ids, log_probs, *_ = map(ops.convert_to_numpy, outputs)
        ids = ids.reshape(len(prompts), -1)
        tokens = [self.encoder.ids_to_tokens(row) for row in ids]
        if beam_width is not None:
            # The beam search returns only the sum of the log probabilities.
            starts = [self.encoder.tokenize(prompt) for prompt in prompts]
            texts = [[*start, *end] for start, end in zip(starts, tokens, strict=True)]
            rows = zip(starts, self.log_probs(texts, styles), strict=True)
            log_probs = [row[len(start) :] for start, row in rows]
        lengths = (ids > 0).sum(axis=1)
        triples = zip(tokens, log_probs, lengths, strict=True)
        return [GeneratedSequence(row, p[:length]) for row, p, length in triples]

    def _prompt_ids(self, prompts: Sequence[Text]) -> Array:
        """Return the ids of the end token and prompts; raise an InputError for an unknown token."""
        ids, _ = self.encoder.encode_batch(prompts, start=True)
        for number, position in np.argwhere(ids == self.encoder.unk_id):
            token = self.encoder.tokenize(prompts[number])[position - 1]
            raise InputError(f"Prompt {number + 1} has the unknown token {token!r}.")
        return ids

    def _make_decoder(self, strategy: Callable, max_length: int, **options: Any) -> Callable:
        """Return a function from prompts to ids and log probabilities, compiled on TensorFlow.

        Args:
            strategy: Function of `keras_seq.decoding`.
            max_length: Largest number of tokens to generate.
            **options: Arguments of the strategy.
        """

        def decode(inputs: dict[str, Tensor], numbers: dict[str, Tensor]) -> tuple[Tensor, ...]:
            if "uniform" in numbers:
                numbers = {**numbers, "uniform": ops.transpose(numbers["uniform"])}
            state, start = self.network.initial_state(**_named(inputs), max_length=max_length)
            ids = {"start_id": start, "end_id": self.encoder.end_id}
            return strategy(self.step, state, **ids, max_length=max_length, **options, **numbers)

        inputs = {"tokens": keras.KerasTensor((None, None), "int32")}
        if self.styles is not None:
            inputs["style"] = keras.KerasTensor((None,), "int32")
        number = keras.KerasTensor((), "float32")
        uniform = keras.KerasTensor((None, max_length), "float32")
        numbers: dict[Callable, Any] = {decoding.beam_search: {"length_penalty": number}}
        numbers[decoding.sample] = {"temperature": number, "uniform": uniform}
        return compile_for_any_length(decode, inputs, numbers.get(strategy, {}))

    def step(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the log probabilities of the next token, as `keras_seq.decoding` needs them.

        Args:
            ids: Last token of each sequence `(batch,)`.
            state: State before it, initially that of `network.initial_state`.

        Returns:
            `(batch, vocab_size)`, minus infinity for padding and `<UNK>`; and the next state.
        """
        logits, state = self.network.step(ids, state)
        return mask_special_tokens(logits), state


def _named(inputs: dict[str, Tensor]) -> dict[str, Tensor | None]:
    """Return inputs of the model as arguments of its `GeneratorNetwork`."""
    return {"ids": inputs["tokens"], "style": inputs.get("style")}
