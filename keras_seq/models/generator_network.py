"""The layers of a `SequenceGenerator`, over whole sequences and one time step at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq.layers.recurrent.stack import RNNStack
from keras_seq.layers.text.incremental import IncrementalLayer
from keras_seq.layers.text.kneser_ney import KneserNey
from keras_seq.text.encoder import TextEncoder


class GeneratorNetwork:
    """Layers from ids to logits of the next token.

    The state between two time steps is a dict: "layers" has the states of the recurrent layers,
    "style" the numbers of the styles if there are any, and the other names are those that the
    features and the counts give to their own states.

    Args:
        embedding: Layer from ids to vectors.
        stack: Recurrent layers with `return_state=True`.
        features: Layers whose vectors both the recurrent layers and the logits read.
        count_model: Counts that are interpolated, or None.
        output_layer: Layer from vectors to logits.
        style_embedding: Layer from numbers of styles to vectors, or None.
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
                    keras.layers.Dense(size, "tanh", name=f"start_{number}_{place}")
                    for place, size in enumerate(sizes)
                ]
                for number, sizes in enumerate(stack.state_sizes)
            ]
        self.stepped = [*self.features, *([count_model] if count_model is not None else [])]
        self._state_names = _unique_state_names(self.stepped)

    @property
    def history_names(self) -> tuple[str, ...]:
        """Names of the states whose second axis is time."""
        pairs = zip(self.stepped, self._state_names, strict=True)
        return tuple(names[name] for layer, names in pairs for name in layer.history_names)

    def logits(self, ids: Any, style: Any = None) -> Any:
        """Return the logits of the next token at each time step `(batch, timesteps, vocab_size)`.

        Args:
            ids: `(batch, timesteps)`.
            style: Number of the style of each sequence `(batch,)`, or None.
        """
        initial_state = None if style is None else self._styled_states(style)
        outputs, vectors, _ = self._outputs(ids, style, initial_state)
        logits = self.output_layer(_concatenate([outputs, *vectors]))
        return logits if self.count_model is None else self.count_model(logits, ids)

    def init_state(
        self, ids: Any, style: Any = None, max_length: Any = 0
    ) -> tuple[dict[str, Any], Any]:
        """Read prompts; return the state before the last id of each, and that id `(batch,)`.

        Args:
            ids: Prompts `(batch, timesteps)`, padded at the end; at least one id each.
            style: Number of the style of each prompt `(batch,)`, or None.
            max_length: Number of tokens that are generated, at most.
        """
        lengths = ops.sum(ops.cast(ids > 0, "int32"), axis=1)
        mask = ops.arange(ops.shape(ids)[1]) < lengths[:, None] - 1
        if style is None:
            layers = self.stack.get_initial_state(ops.shape(ids)[0])
        else:
            layers = self._styled_states(style)
        _, _, layers = self._outputs(ids, style, layers, mask)
        # No empty parts, which some backends cannot carry through a loop.
        state = {"layers": layers, **({} if style is None else {"style": style})}
        for layer, names in zip(self.stepped, self._state_names, strict=True):
            own = layer.initial_state(ids, lengths, max_length)
            state |= {names[name]: own[name] for name in layer.state_names}
        return state, ops.take_along_axis(ids, lengths[:, None] - 1, axis=1)[:, 0]

    def step(self, ids: Any, state: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the logits of the next token `(batch, vocab_size)`, and the state after one step.

        Args:
            ids: Ids that are read `(batch,)`.
            state: State before them.
        """
        style, after, vectors = state.get("style"), dict(state), []
        for layer, names in zip(self.stepped, self._state_names, strict=True):
            own = {name: state[names[name]] for name in layer.state_names}
            vector, own = layer.step(ids, own, style)
            after |= {names[name]: own[name] for name in layer.state_names}
            vectors.append(vector)
        probabilities = None if self.count_model is None else vectors.pop()
        x = [self.embedding(ids), *vectors]
        if self.style_embedding is not None:
            x.append(self.style_embedding(style))
        output, after["layers"] = self.stack.step(_concatenate(x), state["layers"])
        logits = self.output_layer(_concatenate([output, *vectors]))
        if self.count_model is not None:
            logits = self.count_model.interpolate(logits, probabilities)
        return logits, after

    def _outputs(self, ids: Any, style: Any, initial_state: Any, mask: Any = None) -> Any:
        """Return the outputs of the stack, the vectors of the features, and the final states."""
        embedded = self.embedding(ids)
        vectors = [feature(ids, style=style) for feature in self.features]
        x = [embedded, *vectors]
        if self.style_embedding is not None:
            # Broadcast by a product: Keras 3.15 would turn a sum of these shapes into a bias.
            x.append(self.style_embedding(style)[:, None] * ops.ones_like(embedded[:, :, :1]))
        outputs, states = self.stack(_concatenate(x), initial_state=initial_state, mask=mask)
        return outputs, vectors, states

    def _styled_states(self, style: Any) -> list[list[Any]]:
        """Return the states of the recurrent layers before the first step in each style."""
        assert self.style_embedding is not None
        vector = self.style_embedding(style)
        return [[layer(vector) for layer in layers] for layers in self.start_layers]


def _concatenate(vectors: list[Any]) -> Any:
    return vectors[0] if len(vectors) == 1 else ops.concatenate(vectors, axis=-1)


def _unique_state_names(layers: Sequence[IncrementalLayer]) -> list[dict[str, str]]:
    """Return for each layer its names of states to those among the states of all layers.

    They are the same, unless a layer before has that name too: then the layer's own name is added.
    """
    taken, renamed = {"layers", "style", "token"}, []
    for layer in layers:
        names = {
            name: f"{layer.name}_{name}" if name in taken else name for name in layer.state_names
        }
        taken |= set(names.values())
        renamed.append(names)
    return renamed


def check_parts(encoder: TextEncoder, stack: RNNStack, count_model: KneserNey | None) -> None:
    """Raise an InputError if the parts of a `SequenceGenerator` do not fit each other."""
    if encoder.end_id is None:
        raise InputError("A SequenceGenerator needs an encoder with an end token: end=True.")
    if not (stack.return_sequences and stack.return_state):
        raise InputError(
            f"The stack {stack.name} must return the outputs of all time steps and its states: set "
            "return_sequences=True and return_state=True."
        )
    if stack.bidirectional or stack.go_backwards:
        raise InputError(f"The stack {stack.name} must read forwards only.")
    if count_model is not None and count_model.vocab_size != encoder.vocab_size:
        raise InputError(
            f"{count_model.name} counts {count_model.vocab_size} tokens, but the encoder has "
            f"{encoder.vocab_size}."
        )


def check_stateful(
    stack: RNNStack,
    styles: Sequence[str] | None,
    features: Sequence[IncrementalLayer],
    count_model: KneserNey | None,
) -> None:
    """Raise an InputError if parts cannot carry their state from batch to batch."""
    if styles is not None:
        raise InputError("A style begins a sequence: with stateful_batch_size there can be none.")
    if features or count_model is not None:
        raise InputError(
            "features and count_model do not reach from batch to batch: leave them out, or "
            "stateful_batch_size."
        )
    if not stack.layer_options.get("stateful"):
        raise InputError(
            f"stateful_batch_size needs a stateful stack: give {stack.name} "
            "layer_options={'stateful': True}."
        )
