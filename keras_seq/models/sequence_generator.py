"""Generation of texts and other sequences: from nothing, from their beginning, in a style."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq import decoding
from keras_seq._internal.errors import InputError
from keras_seq._internal.no_gradients import no_gradients
from keras_seq.decoding.suppress import mask_special_tokens
from keras_seq.layers.recurrent.stack import RNNStack
from keras_seq.layers.text.incremental import IncrementalLayer
from keras_seq.layers.text.kneser_ney import KneserNey
from keras_seq.layers.text.tied_logits import TiedLogits
from keras_seq.layers.text.token_embedding import TokenEmbedding
from keras_seq.models.generator_network import GeneratorNetwork, check_parts, check_stateful
from keras_seq.models.language_model import LanguageModel
from keras_seq.models.results import GeneratedSequence
from keras_seq.text.encoder import Text, TextEncoder


@keras.saving.register_keras_serializable(package="keras_seq")
class SequenceGenerator(LanguageModel):
    """Recurrent language model: each token from those before (Mikolov et al. 2010; Graves 2013).

    It trains and predicts on TensorFlow, JAX and torch.

    >>> from keras_seq import layers
    >>> from keras_seq.models import SequenceGenerator
    >>> from keras_seq.text.encoder import TextEncoder
    >>> texts = ["abcabc", "bca"]
    >>> encoder = TextEncoder.from_examples(texts, tokenizer="char", end=True)
    >>> generator = SequenceGenerator(encoder)
    >>> generator.compile("adam")
    >>> history = generator.fit(texts, epochs=2, verbose=0)
    >>> [text] = generator.generate(["ab"], max_length=3, seed=0)
    >>> text.startswith("ab")
    True

    Its parts can be replaced by others, and by a user's own layers:

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

    As a network it maps a dict of "tokens", ids `(batch, timesteps)` with the id of the end before
    each text, to logits of the next token `(batch, timesteps, vocab_size)`. With styles the number
    of a style, "style" `(batch,)`, is a second input: it sets the states before the first step and
    is a feature of every step.

    Args:
        encoder: Encoder of texts to ids, with an end token.
        styles: Different names of styles, or None for a model without.
        embedding: Layer from ids to vectors. Default: a `TokenEmbedding` of width 64. For one-hot
            input: `OneHotTokens(encoder.vocab_size)`.
        stack: Recurrent layers with `return_state=True`. Default: an `RNNStack` of 256 LSTM units
            with variational dropout of 0.3.
        features: Layers whose vectors both the recurrent layers and the logits read, such as
            `CausalNgramFeatures` and `LongestMatchEmbedding`.
        count_model: Counts of n-grams whose probabilities are mixed with those of the network when
            it is not in training. They must be adapted before.
        style_embedding_dim: Width of the embedding of a style.
        tie_embeddings: Whether the embedding of tokens is the kernel of the logits too (Press &
            Wolf 2017).
        stateful_batch_size: If given, the model takes batches of just so many rows, and each goes
            on where the same row of the batch before ended, until `reset_state()`: truncated
            backpropagation through time, see `bptt_batches`. The stack must be stateful too. (On
            JAX, `predict` of Keras 3.15 resets the states before each batch, also those of Keras's
            own layers; a call does not.)
        name: Name of the model.

    Raises:
        InputError: If the encoder has no end token, or the parts do not fit each other.
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
        style_embedding_dim: int = 16,
        tie_embeddings: bool = False,
        stateful_batch_size: int | None = None,
        name: str = "sequence_generator",
    ) -> None:
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
            if not styles or len(set(styles)) < len(styles):
                raise InputError(f"styles must be different names or None, got {[*styles]}.")
            style_embedding = keras.layers.Embedding(
                len(styles), style_embedding_dim, name="style_embedding"
            )
        output_layer: keras.layers.Layer = keras.layers.Dense(encoder.vocab_size, name="logits")
        if tie_embeddings:
            if not isinstance(embedding, TokenEmbedding):
                raise InputError(
                    f"tie_embeddings needs a TokenEmbedding as embedding, not {embedding.name}."
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
        # Kept with the model, so that it ends with it.
        self._decoder = functools.lru_cache(maxsize=32)(self._make_decoder)

    @property
    def token_embedding(self) -> TokenEmbedding | None:
        """The embedding of the tokens, if it is one that is trained, or None."""
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
        """Return texts, each a prompt and what the model generates after it.

        Args:
            prompts: Texts to continue; empty ones by default.
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
        generated = self.generate_tokens(
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
        starts = [""] * len(generated) if prompts is None else prompts
        pairs = zip(starts, generated, strict=True)
        return [self.encoder.append(start, answer.tokens) for start, answer in pairs]

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
        """Return the tokens that follow on prompts; `<UNK>` is never among them.

        Each step reads one token and carries the state on, so that it costs the same however many
        there are already. Only `LongestMatchEmbedding` looks over the prompt and `max_length`
        tokens at each step.

        Args:
            prompts: Texts to continue, or lists of their tokens; empty ones by default.
            styles: Name or number of the style of each, if the model has styles.
            num_sequences: Number of sequences, if neither prompts nor styles tell; 1 by default.
            max_length: Number of tokens to generate, at most.
            temperature: Divisor of the log probabilities. Below 1 it favors what is likely; 0 takes
                the most likely token always.
            top_k: As in `keras_seq.decoding.sample`.
            top_p: As in `keras_seq.decoding.sample`.
            seed: Random seed.
            beam_width: Width of a beam search for the most likely sequence. Nothing is drawn then.
            length_penalty: As in `keras_seq.decoding.beam_search`; needs `beam_width`.

        Raises:
            InputError: If a prompt has an unknown token, if a style is missing or unknown, or if
                `beam_width` is combined with an argument for drawing.
        """
        is_drawn = temperature not in (0, 1) or top_k is not None or top_p is not None
        if beam_width is not None and is_drawn:
            raise InputError(
                "beam_width searches for the most likely sequence: leave out temperature, top_k "
                "and top_p."
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
            numbers = {"temperature": np.float32(temperature), "uniform": uniform}
        else:
            decode = self._decoder(decoding.greedy, max_length)
        with no_gradients():
            outputs = decode(*keras.tree.map_structure(ops.convert_to_tensor, (inputs, numbers)))
        ids, log_probs, *_ = map(ops.convert_to_numpy, outputs)
        ids = ids.reshape(len(prompts), -1)
        tokens = [self.encoder.ids_to_tokens(row) for row in ids]
        if beam_width is not None:
            # One per token, of which the search returns the sum.
            starts = [self.encoder.tokenize(prompt) for prompt in prompts]
            both = [[*start, *more] for start, more in zip(starts, tokens, strict=True)]
            rows = zip(starts, self.log_probs(both, styles), strict=True)
            log_probs = [row[len(start) :] for start, row in rows]
        lengths = (ids > 0).sum(axis=1)
        triples = zip(tokens, log_probs, lengths, strict=True)
        return [GeneratedSequence(more, row[:length]) for more, row, length in triples]

    def _prompt_ids(self, prompts: Sequence[Text]) -> np.ndarray:
        """Return the ids of prompts after the end token, without unknown ones."""
        ids, _ = self.encoder.encode_batch(prompts, start=True)
        for number, place in np.argwhere(ids == self.encoder.unk_id):
            token = self.encoder.tokenize(prompts[number])[place - 1]
            raise InputError(f"Prompt {number + 1} has the unknown token {token!r}.")
        return ids

    def _make_decoder(self, strategy: Callable, max_length: int, **options: Any) -> Callable:
        """Return a function from prompts to ids and log probabilities; on TensorFlow a graph.

        Args:
            strategy: Function of `keras_seq.decoding`.
            max_length: Number of tokens to generate, at most.
            **options: Arguments of the strategy.
        """

        def decode(inputs: dict[str, Any], numbers: dict[str, Any]) -> Any:
            state, start = self.network.init_state(**_named(inputs), max_length=max_length)
            ids = {"start_id": start, "end_id": self.encoder.end_id}
            return strategy(self.step, state, **ids, max_length=max_length, **options, **numbers)

        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            return tf.function(decode, autograph=False, reduce_retracing=True)
        return decode

    def step(self, ids: Any, state: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the log probabilities of the next token, as `keras_seq.decoding` asks for them.

        Args:
            ids: Ids that are read `(batch,)`.
            state: State before them, at first that of `network.init_state`.

        Returns:
            `(batch, vocab_size)`, minus infinity for padding and `<UNK>`; the state after the step.
        """
        logits, state = self.network.step(ids, state)
        return mask_special_tokens(logits), state


def _named(inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs of the model as arguments of its `GeneratorNetwork`."""
    return {"ids": inputs["tokens"], "style": inputs.get("style")}
