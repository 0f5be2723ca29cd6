"""Masked time steps: added to reach another length, and hidden."""

from typing import Any

from keras import ops


def hide_masked(sequences: Any, mask: Any) -> Any:
    """Return sequences with zeros where they are masked.

    A derivative there is zero, but NaN times zero is NaN.

    Args:
        sequences: `(batch, timesteps, ...)`.
        mask: Bools `(batch, timesteps)`.
    """
    kept = ops.cast(mask, "bool")
    while len(kept.shape) < len(sequences.shape):
        kept = ops.expand_dims(kept, -1)
    return ops.where(kept, sequences, ops.zeros_like(sequences))


def padded(sequences, mask, extra, go_backwards):
    """Sequences and their mask with `extra` masked time steps where the computation begins.

    There they change neither a state nor the last output.
    """
    if mask is None:
        mask = ops.ones(ops.shape(sequences)[:2], dtype="bool")
    width = [0, extra] if go_backwards else [extra, 0]
    return ops.pad(sequences, [[0, 0], width, [0, 0]]), ops.pad(mask, [[0, 0], width])


def unpadded(outputs, timesteps):
    """The outputs, in the order computed, of the sequences as they were."""
    return outputs[:, -timesteps:]
