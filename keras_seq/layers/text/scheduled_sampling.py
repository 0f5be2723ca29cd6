"""Scheduled sampling for decoders."""

from typing import Any

import keras
from keras import ops

from keras_seq._internal.ranges import PositiveInt, Probability, check_arguments
from keras_seq._internal.types import Config, Shape, Tensor


@keras.saving.register_keras_serializable(package="keras_seq")
class ScheduledSampling(keras.layers.Layer):
    """Scheduled sampling: random replacement of target tokens by predicted ones, in training.

    A decoder that reads only correct tokens in training never learns to recover from its own
    mistakes (Bengio et al. 2015). The predicted tokens come from a first pass over the whole
    target, without a gradient (Mihaylova & Martins 2019).

    >>> import numpy as np
    >>> from keras import ops
    >>> from keras_seq.layers import ScheduledSampling
    >>> layer = ScheduledSampling(1.0, ramp_steps=1)
    >>> ids, predicted = np.array([[2, 5, 4, 0]]), np.array([[6, 7, 8, 9]])
    >>> ops.convert_to_numpy(layer(ids, predicted, training=True)).tolist()
    [[2, 6, 7, 0]]

    Args:
        rate: Probability of replacing a token after the ramp, from 0 to 1.
        ramp_steps: Number of training steps in which the probability grows linearly from 0 to
            `rate`, at least 1.

    Call arguments:
        ids: Ids that the decoder reads, `(batch, timesteps)`: the start, then the target. The
            start and padding, which is 0, are not replaced.
        predicted: Most likely next id after each of them, `(batch, timesteps)`.
        training: Whether to replace tokens. Every call in training counts as one step.

    Returns:
        Ids `(batch, timesteps)`.

    Raises:
        InputError: If an argument is out of its range.
    """

    def __init__(self, rate: Probability, ramp_steps: PositiveInt = 1000, **kwargs: Any) -> None:
        check_arguments(ScheduledSampling, locals())
        super().__init__(**kwargs)
        self.rate, self.ramp_steps = rate, ramp_steps
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, ids_shape: Shape, predicted_shape: Shape | None = None) -> None:
        self.step = self.add_weight(
            (), "zeros", dtype="float32", autocast=False, name="step", trainable=False
        )

    def call(self, ids: Tensor, predicted: Tensor, training: bool | None = False) -> Tensor:
        if not training:
            return ids
        self.step.assign_add(1)
        fraction = self.rate * ops.minimum(self.step / self.ramp_steps, 1)
        replacement = ops.concatenate([ids[:, :1], ops.cast(predicted[:, :-1], ids.dtype)], axis=1)
        random = keras.random.uniform(ops.shape(ids), dtype="float32", seed=self.seed_generator)
        return ops.where((random < fraction) & (ids > 0), replacement, ids)

    def compute_output_spec(
        self, ids: Tensor, predicted: Tensor, training: bool | None = False
    ) -> keras.KerasTensor:
        return keras.KerasTensor(ids.shape, ids.dtype)

    def get_config(self) -> Config:
        return {**super().get_config(), "rate": self.rate, "ramp_steps": self.ramp_steps}
