"""Network of a `SequenceGenerator`, for whole sequences and for single time steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import keras
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Tensor
from keras_seq.layers.named_weights import AxisNames, NamedWeight, dense_weights
from keras_seq.layers.recurrent.stack import RNNStack
from keras_seq.layers.text.causal_ngrams import CausalNgramFeatures
from keras_seq.layers.text.incremental import IncrementalLayer
from keras_seq.layers.text.kneser_ney import KneserNey
from keras_seq.text.encoder import TextEncoder

State: TypeAlias = dict[str, Any]
"""State between two time steps: "layers", the states of the recurrent layers; "style", the ids of
styles, if there are any; and the states of features and count model."""


class GeneratorNetwork:
    """Network from ids to the logits of the next token.

    Args:
        embedding: Layer from ids to vectors.
        stack: Recurrent layers with `return_state=True`.
        features: Layers whose vectors are inputs of recurrent layers and output layer.
        count_model: N-gram model to interpolate with, or None.
        output_layer: Layer from vectors to logits.
        style_embedding: Layer from ids of styles to vectors, or None.
    """

    def __init__(
        self,
        embedding: keras.layers.Layer,
        stack: RNNStack,
        features: Sequence[IncrementalLayer],
        count_model: KneserNey | None,
        output_layer: keras.layers.Layer,
        style_embedding: keras.layers.Layer | None,
    ) -> None:
        self.embedding, self.stack, self.features = embedding, stack, list(features)
        self.count_model, self.output_layer = count_model, output_layer
        self.style_embedding = style_embedding
        self.start_layers: list[list[keras.layers.Layer]] = []
        if style_embedding is not None:
            self.start_layers = [
                [
                    keras.layers.Dense(size, "tanh", name=f"start_{number}_{state}")
                    for state, size in enumerate(sizes)
                ]
                for number, sizes in enumerate(stack.state_sizes)
            ]
        self.incremental_layers = [
            *self.features,
            *([count_model] if count_model is not None else []),
        ]
        self._state_names = _unique_state_names(self.incremental_layers)

    @property
    def history_names(self) -> tuple[str, ...]:
        """Names of the states `(batch, timesteps, ...)`, see `IncrementalLayer`."""
        pairs = zip(self.incremental_layers, self._state_names, strict=True)
        return tuple(names[name] for layer, names in pairs for name in layer.history_names)

    def named_weights(self, tokens: AxisNames, styles: AxisNames | None) -> list[NamedWeight]:
        """Return the weights that depend on outputs or styles.

        Args:
            tokens: Tokens in the order of their ids.
            styles: Styles in the order of their ids, or None.
        """
        weights = dense_weights(self.output_layer, tokens)
        if styles is not None and self.style_embedding is not None:
            weights.append(NamedWeight(self.style_embedding.embeddings, (styles, None)))
            for feature in self.features:
                if isinstance(feature, CausalNgramFeatures) and feature.styled is not None:
                    tables = feature.styled.tables
                    weights.append(NamedWeight(tables, (None, None), hashed=(tokens, styles)))
        return weights

    def logits(self, ids: Tensor, style: Tensor | None = None) -> Tensor:
        """Return the logits of the next token at each time step `(batch, timesteps, vocab_size)`.

        Args:
            ids: `(batch, timesteps)`.
            style: Id of the style of each sequence `(batch,)`, or None.
        """
        initial_state = None if style is None else self._styled_states(style)
        outputs, vectors, _ = self._outputs(ids, style, initial_state)
        logits = self.output_layer(_concatenate([outputs, *vectors]))
        return logits if self.count_model is None else self.count_model(logits, ids)

    def initial_state(
        self, ids: Tensor, style: Tensor | None = None, max_length: int | Tensor = 0
    ) -> tuple[State, Tensor]:
        """Return the state before the last id of each prompt, and these ids.

        Args:
            ids: Prompts `(batch, timesteps)`, padded at the end, with at least one id each.
            style: Id of the style of each prompt `(batch,)`, or None.
            max_length: Largest number of tokens that will be generated.

        Returns:
            The state, and the last ids `(batch,)`.
        """
        lengths = ops.sum(ops.cast(ids > 0, "int32"), axis=1)
        mask = ops.arange(ops.shape(ids)[1]) < lengths[:, None] - 1
        if style is None:
            layers = self.stack.get_initial_state(ops.shape(ids)[0])
        else:
            layers = self._styled_states(style)
        _, _, layers = self._outputs(ids, style, layers, mask)
        # Some backends cannot carry empty structures through a loop.
        state = {"layers": layers, **({} if style is None else {"style": style})}
        for layer, names in zip(self.incremental_layers, self._state_names, strict=True):
            layer_state = layer.initial_state(ids, lengths, max_length)
            state |= {names[name]: layer_state[name] for name in layer.state_names}
        return state, ops.take_along_axis(ids, lengths[:, None] - 1, axis=1)[:, 0]

    def step(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the logits of the next token `(batch, vocab_size)`, and the next state.

        Args:
            ids: Last id of each sequence `(batch,)`.
            state: State before it.
        """
        style, new_state, vectors = state.get("style"), dict(state), []
        for layer, names in zip(self.incremental_layers, self._state_names, strict=True):
            layer_state = {name: state[names[name]] for name in layer.state_names}
            vector, layer_state = layer.step(ids, layer_state, style)
            new_state |= {names[name]: layer_state[name] for name in layer.state_names}
            vectors.append(vector)
        contexts = None if self.count_model is None else vectors.pop()
        x = [self.embedding(ids), *vectors]
        if self.style_embedding is not None:
            x.append(self.style_embedding(style))
        output, new_state["layers"] = self.stack.step(_concatenate(x), state["layers"])
        logits = self.output_layer(_concatenate([output, *vectors]))
        if self.count_model is not None:
            logits = self.count_model.interpolate(logits, contexts)
        return logits, new_state

    def _outputs(
        self, ids: Tensor, style: Tensor | None, initial_state: Any, mask: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor], list[list[Tensor]]]:
        """Return the outputs of the stack, the vectors of the features, and the final states."""
        embedded = self.embedding(ids)
        vectors = [feature(ids, style=style) for feature in self.features]
        x = [embedded, *vectors]
        if self.style_embedding is not None:
            # A product, since Keras 3.15 would fuse a sum of these shapes into a bias.
            x.append(self.style_embedding(style)[:, None] * ops.ones_like(embedded[:, :, :1]))
        outputs, states = self.stack(_concatenate(x), initial_state=initial_state, mask=mask)
        return outputs, vectors, states

    def _styled_states(self, style: Tensor | None) -> list[list[Tensor]]:
        """Return the initial states of the recurrent layers for styles `(batch,)`."""
        assert self.style_embedding is not None
        vector = self.style_embedding(style)
        return [[layer(vector) for layer in layers] for layers in self.start_layers]


def _concatenate(vectors: list[Tensor]) -> Tensor:
    return vectors[0] if len(vectors) == 1 else ops.concatenate(vectors, axis=-1)


def _unique_state_names(layers: Sequence[IncrementalLayer]) -> list[dict[str, str]]:
    """Return a dict from state names to unique names for each layer.

    A name that is taken gets the name of the layer as a prefix.
    """
    used, renamed = {"layers", "style", "token"}, []
    for layer in layers:
        names = {
            name: f"{layer.name}_{name}" if name in used else name for name in layer.state_names
        }
        used |= set(names.values())
        renamed.append(names)
    return renamed


def check_parts(encoder: TextEncoder, stack: RNNStack, count_model: KneserNey | None) -> None:
    """Raise an InputError if encoder and layers of a `SequenceGenerator` are incompatible."""
    if encoder.end_id is None:
        raise InputError("A SequenceGenerator needs an encoder with an end token: end=True.")
    if not (stack.return_sequences and stack.return_state):
        raise InputError(
            f"The stack {stack.name} must return the outputs of all time steps and its states: set "
            "return_sequences=True and return_state=True."
        )
    if stack.bidirectional or stack.go_backwards:
        raise InputError(
            f"The stack {stack.name} must read forwards: set bidirectional=False and leave out "
            "go_backwards."
        )
    if count_model is not None and count_model.vocab_size != encoder.vocab_size:
        raise InputError(
            f"{count_model.name} has vocab_size={count_model.vocab_size}, but the encoder has "
            f"{encoder.vocab_size} tokens."
        )


def check_stateful(
    stack: RNNStack,
    styles: Sequence[str] | None,
    features: Sequence[IncrementalLayer],
    count_model: KneserNey | None,
) -> None:
    """Raise an InputError if a layer cannot carry its state from batch to batch."""
    if styles is not None:
        raise InputError(
            "styles and stateful_batch_size cannot be combined: leave one of them out."
        )
    if features or count_model is not None:
        raise InputError(
            "stateful_batch_size cannot be combined with features or count_model, whose state does "
            "not continue in the next batch: leave one of them out."
        )
    if not stack.layer_options.get("stateful"):
        raise InputError(
            f"stateful_batch_size needs a stateful stack: give {stack.name} "
            "layer_options={'stateful': True}."
        )
