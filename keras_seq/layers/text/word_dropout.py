"""Word dropout."""

from typing import Any

import keras
from keras import ops

from keras_seq._internal.ranges import NonNegativeInt, Probability, check_arguments
from keras_seq._internal.types import Config, Tensor


@keras.saving.register_keras_serializable(package="keras_seq")
class WordDropout(keras.layers.Layer):
    """Word dropout: random replacement of tokens by `<UNK>` in training (Iyyer et al. 2015).

    >>> import numpy as np
    >>> from keras import ops
    >>> from keras_seq.layers import WordDropout
    >>> ops.convert_to_numpy(WordDropout(1.0)(np.array([[5, 3, 0]]), training=True)).tolist()
    [[1, 1, 0]]

    Args:
        rate: Probability of replacing a token, from 0 to 1.
        unk_id: Id of `<UNK>`.
        seed: Random seed.

    Call arguments:
        inputs: Ids `(batch, timesteps)`. Padding, which is 0, is not replaced.
        training: Whether to replace tokens.

    Returns:
        Ids `(batch, timesteps)`.
    """

    def __init__(
        self, rate: Probability, unk_id: NonNegativeInt = 1, seed: int | None = None, **kwargs: Any
    ) -> None:
        check_arguments(WordDropout, locals())
        super().__init__(**kwargs)
        self.rate, self.unk_id, self.seed = rate, unk_id, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: Tensor, training: bool | None = False) -> Tensor:
        if not training or not self.rate:
            return inputs
        random = keras.random.uniform(ops.shape(inputs), seed=self.seed_generator)
        return ops.where((random < self.rate) & (inputs > 0), self.unk_id, inputs)

    def compute_output_spec(
        self, inputs: Tensor, training: bool | None = False
    ) -> keras.KerasTensor:
        return keras.KerasTensor(inputs.shape, inputs.dtype)

    def get_config(self) -> Config:
        names = ("rate", "unk_id", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
