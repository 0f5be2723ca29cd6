"""Log probabilities of tokens that may be written."""

from typing import Any

import numpy as np
from keras import ops


def mask_special_tokens(logits: Any) -> Any:
    """Return log probabilities in which padding and unknown tokens are minus infinity.

    The probabilities of the other tokens are not raised in return.

    >>> import numpy as np
    >>> from keras_seq.decoding.suppress import mask_special_tokens
    >>> np.exp(mask_special_tokens(np.zeros((1, 4)))).tolist()
    [[0.0, 0.0, 0.25, 0.25]]

    Args:
        logits: `(rows, tokens)`; 0 is padding, and 1 stands for all unknown tokens.

    Returns:
        float32 `(rows, tokens)`.
    """
    mask = np.zeros(logits.shape[-1], "float32")
    mask[[0, 1]] = float("-inf")
    return ops.log_softmax(ops.cast(logits, "float32"), axis=-1) + mask
