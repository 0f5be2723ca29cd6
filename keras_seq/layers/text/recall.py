"""What followed when the sequence was last like this."""

import keras
from keras import ops

from keras_seq._internal.errors import InputError

LEVELS = (2, 4, 8)
"""Tokens that must agree for each level of likeness."""


@keras.saving.register_keras_serializable(package="keras_seq")
class Recall(keras.layers.Layer):
    """Looks, at each step, for the place before it that is most like it, and says what came next.

    The place is where the longest run of tokens up to there equals the run up to this step, of
    equally long ones the last. A vector stands for the token that followed it, one for each level
    of likeness: 2, 4 and 8 tokens that agree. Tunes repeat their bars and texts their names; a
    recurrent state must keep all of it in mind, this needs only to look (as the match model of
    compressors does, Mahoney 2005).

    Args:
        tokens: How many there are.
        output_dim: Width of the vectors.

    Input: integers `(batch, timesteps)`, 0 for padding at the end. Output: `(batch, timesteps,
    output_dim)`, zeros where no two tokens agree. Takes memory for `batch * timesteps ** 2`.

    Weights: `table` (levels * tokens, output_dim).
    """

    def __init__(self, tokens, output_dim, **kwargs):
        super().__init__(**kwargs)
        if tokens < 1 or output_dim < 1:
            raise InputError(f"Recall takes positive numbers, got {tokens} and {output_dim}.")
        self.tokens, self.output_dim = tokens, output_dim

    def build(self, input_shape):
        self.table = self.add_weight(
            shape=(len(LEVELS) * self.tokens, self.output_dim),
            name="table",
            initializer=keras.initializers.RandomUniform(-0.05, 0.05),
        )

    def call(self, inputs):
        ids = ops.cast(inputs, "int32")
        timesteps = ops.shape(ids)[1]
        t = ops.arange(timesteps)
        agree = (ids[:, :, None] == ids[:, None, :]) & (ids > 0)[:, None, :]
        agree = agree & (t[:, None] > t)
        run, length = agree, ops.cast(agree, "int32")
        for _ in range(LEVELS[-1] - 1):
            run = ops.pad(run[:, :-1, :-1], [[0, 0], [1, 0], [1, 0]]) & agree
            length = length + ops.cast(run, "int32")
        return self._vectors(ids, length, timesteps)

    def at(self, ids, place):
        """The vector of one step alone: `(batch, output_dim)`.

        Args:
            ids: As in the call; what is behind the step does not count.
            place: Number of the step in each sequence, `(batch,)`.
        """
        ids, place = (ops.cast(ops.convert_to_tensor(a), "int32") for a in (ids, place))
        timesteps = ops.shape(ids)[1]
        t, length = ops.arange(timesteps), ops.zeros_like(ids)
        run = t < place[:, None]
        for n in range(LEVELS[-1]):
            before = ops.pad(ids, [[0, 0], [n, 0]])[:, :timesteps]
            newest = ops.take_along_axis(ids, ops.maximum(place - n, 0)[:, None], axis=1)
            run = run & (before == newest) & (before > 0) & (place >= n)[:, None]
            length = length + ops.cast(run, "int32")
        return self._vectors(ids, length[:, None], timesteps)[:, 0]

    def _vectors(self, ids, length, timesteps):
        """The vectors, given how many tokens agree up to each place: (batch, steps, places)."""
        best = ops.argmax(length * timesteps + ops.arange(timesteps), axis=-1)
        best = ops.cast(best, "int32")
        longest = ops.take_along_axis(length, best[:, :, None], axis=2)[:, :, 0]
        followed = ops.take_along_axis(ids, ops.minimum(best + 1, timesteps - 1), axis=1)
        level = sum(ops.cast(longest >= least, "int32") for least in LEVELS)
        row = ops.maximum(level - 1, 0) * self.tokens + followed
        return ops.where((level > 0)[:, :, None], ops.take(self.table, row, axis=0), 0)

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.output_dim)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "tokens": self.tokens, "output_dim": self.output_dim}
