"""Base class of layers that run over whole sequences, or step by step with a state."""

from __future__ import annotations

import keras
from keras import ops

from keras_seq._internal.types import Tensor


class IncrementalLayer(keras.layers.Layer):
    """Base class of the features of a `SequenceGenerator`: layers over ids that carry a state.

    In training, the layer is called on whole sequences, `layer(ids, style=style)`. It returns one
    vector per time step, which depends only on the ids up to that step. In generation,
    `initial_state` reads the prompts, and each call of `step` reads one more token. Both ways give
    the same vectors.

    >>> import numpy as np
    >>> from keras import ops
    >>> from keras_seq.layers import LongestMatchEmbedding
    >>> layer = LongestMatchEmbedding(5, output_dim=2)
    >>> ids = np.array([[2, 3, 4, 2, 3]])
    >>> vectors = layer(ids)
    >>> state = layer.initial_state(ops.convert_to_tensor(ids[:, :4]), np.array([4]), 2)
    >>> _, state = layer.step(ids[:, 3], state)  # the last id of the prompt
    >>> step_vectors, state = layer.step(ids[:, 4], state)
    >>> bool(ops.all(ops.isclose(step_vectors, vectors[:, 4])))
    True

    A subclass defines `call`, `initial_state` and `step`, and the class attributes below.
    """

    state_names: tuple[str, ...] = ()
    """Names of the state tensors, each `(batch, ...)`."""
    history_names: tuple[str, ...] = ()
    """Names of the state tensors `(batch, timesteps, ...)`, with room for generated tokens."""

    def initial_state(
        self, ids: Tensor, lengths: Tensor, max_length: int | Tensor
    ) -> dict[str, Tensor]:
        """Return the state before the last id of each prompt.

        Args:
            ids: Prompts `(batch, timesteps)`, padded at the end.
            lengths: Number of ids of each prompt `(batch,)`, at least 1.
            max_length: Largest number of tokens that will be generated.

        Returns:
            Mapping from `state_names` to tensors.
        """
        raise NotImplementedError(f"{type(self).__name__} has no initial_state().")

    def step(
        self, ids: Tensor, state: dict[str, Tensor], style: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the vectors of one time step, and the state after it.

        Args:
            ids: Ids of the time step, `(batch,)`.
            state: State before the time step.
            style: Id of the style of each sequence `(batch,)`, or None.

        Returns:
            Vectors `(batch, features)`, and the new state.
        """
        raise NotImplementedError(f"{type(self).__name__} has no step().")


class HistoryLayer(IncrementalLayer):
    """Base class of features that read all tokens so far at each step of a generation.

    A subclass defines `call` and `embed_position`.
    """

    state_names = ("history", "position")
    history_names = ("history",)

    def embed_position(self, ids: Tensor, position: Tensor) -> Tensor:
        """Return the vectors of one time step, `(batch, output_dim)`.

        Args:
            ids: Ids `(batch, timesteps)`. Those after the time step are not read.
            position: Index of the time step in each sequence, `(batch,)`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no embed_position().")

    def initial_state(
        self, ids: Tensor, lengths: Tensor, max_length: int | Tensor
    ) -> dict[str, Tensor]:
        """Return the state: ids with room for `max_length` more, and the position of the last."""
        history = ops.pad(ops.cast(ids, "int32"), [[0, 0], [0, max_length]])
        return {"history": history, "position": ops.cast(lengths, "int32") - 1}

    def step(
        self, ids: Tensor, state: dict[str, Tensor], style: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the vectors of one time step, and the state after it."""
        history, position = state["history"], state["position"]
        is_current = ops.arange(ops.shape(history)[1]) == position[:, None]
        history = ops.where(is_current, ops.cast(ids, "int32")[:, None], history)
        return self.embed_position(history, position), {
            "history": history,
            "position": position + 1,
        }
