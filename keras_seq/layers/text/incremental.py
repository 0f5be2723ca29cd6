"""Layers over ids that go over whole sequences, or one time step at a time with a state."""

from __future__ import annotations

from typing import Any

import keras


class IncrementalLayer(keras.layers.Layer):
    """Base of the features of a `SequenceGenerator`: layers over ids that carry a state.

    In training a layer is called on whole sequences, `layer(ids, style=style)`, and returns one
    vector per time step, which depends on the ids up to this step alone. Text is generated one
    token at a time: `initial_state` reads the prompts, and each `step` reads one more token. Both
    ways give the same vectors.

    >>> import numpy as np
    >>> from keras import ops
    >>> from keras_seq.layers import LongestMatchEmbedding
    >>> layer = LongestMatchEmbedding(5, output_dim=2)
    >>> ids = np.array([[2, 3, 4, 2, 3]])
    >>> whole = layer(ids)
    >>> state = layer.initial_state(ops.convert_to_tensor(ids[:, :4]), np.array([4]), 2)
    >>> _, state = layer.step(ids[:, 3], state)  # the last id of the prompt
    >>> vectors, state = layer.step(ids[:, 4], state)
    >>> bool(ops.all(ops.isclose(vectors, whole[:, 4])))
    True

    A subclass defines `call`, `initial_state` and `step`, and the class attributes below.
    """

    state_names: tuple[str, ...] = ()
    """Names of the tensors of the state; the first axis of each is the batch."""
    history_names: tuple[str, ...] = ()
    """Names of those among them whose second axis is time, with room for the tokens to come."""

    def initial_state(self, ids: Any, lengths: Any, max_length: Any) -> dict[str, Any]:
        """Return the state before the last id of each prompt.

        Args:
            ids: Prompts `(batch, timesteps)`, padded at the end.
            lengths: Number of ids of each prompt `(batch,)`, at least 1.
            max_length: Number of tokens that are generated, at most.

        Returns:
            Name to tensor.
        """
        raise NotImplementedError(f"{type(self).__name__} has no initial_state().")

    def step(
        self, ids: Any, state: dict[str, Any], style: Any = None
    ) -> tuple[Any, dict[str, Any]]:
        """Return the vectors of one time step, and the state after it.

        Args:
            ids: The ids that are read `(batch,)`.
            state: State before them.
            style: Number of the style of each sequence `(batch,)`, or None.

        Returns:
            Vectors `(batch, features)`, and the new state.
        """
        raise NotImplementedError(f"{type(self).__name__} has no step().")
