"""Suppression of special tokens in generation."""

import numpy as np
from keras import ops

from keras_seq._internal.types import ArrayLike, Tensor


def mask_special_tokens(logits: ArrayLike) -> Tensor:
    """Return log probabilities in which padding and `<UNK>` have minus infinity.

    The other tokens keep their probabilities, which then add up to less than 1.

    >>> import numpy as np
    >>> from keras_seq.decoding.suppress import mask_special_tokens
    >>> np.exp(mask_special_tokens(np.zeros((1, 4)))).tolist()
    [[0.0, 0.0, 0.25, 0.25]]

    Args:
        logits: `(rows, vocab_size)`. Id 0 is padding, and 1 is `<UNK>`.

    Returns:
        float32 `(rows, vocab_size)`.
    """
    mask = np.zeros(logits.shape[-1], "float32")
    mask[[0, 1]] = float("-inf")
    return ops.log_softmax(ops.cast(logits, "float32"), axis=-1) + mask
