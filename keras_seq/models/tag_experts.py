"""Experts of a tagger: layers to scores of tags, next to those of the network."""

from collections.abc import Mapping, Sequence

import keras
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Tensor
from keras_seq.models.token_inputs import apply_layer


def expert_scores(
    experts: Sequence[keras.layers.Layer],
    inputs: Mapping[str, Tensor],
    mask: Tensor,
    dtype: str,
) -> dict[str, Tensor]:
    """Return the scores of each expert by its name, minus infinity where masked.

    Args:
        experts: Experts.
        inputs: Inputs of the model, as `make_inputs` returns them.
        mask: Bools `(batch, timesteps)`, False for padding.
        dtype: Data type of the scores.

    Raises:
        InputError: If two experts have the same name, or one has the name of another output.
    """
    names = [expert.name for expert in experts]
    if len({*names}) < len(names) or {*names} & {"tags", "auxiliary"}:
        raise InputError(
            "The experts of a SequenceTagger need different names other than 'tags' and "
            f"'auxiliary', got {names}."
        )
    return {
        expert.name: ops.where(
            mask[:, :, None], ops.cast(apply_layer(expert, inputs), dtype), float("-inf")
        )
        for expert in experts
    }
