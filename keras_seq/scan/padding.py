"""Padding of sequences in time, and zeros at masked time steps."""

from keras import ops

from keras_seq._internal.types import Tensor


def zero_masked(sequences: Tensor, mask: Tensor) -> Tensor:
    """Return sequences with zeros at masked time steps.

    The derivative there is zero, but NaN times zero would be NaN.

    Args:
        sequences: `(batch, timesteps, ...)`.
        mask: Bools `(batch, timesteps)`.
    """
    kept = ops.cast(mask, "bool")
    while len(kept.shape) < len(sequences.shape):
        kept = ops.expand_dims(kept, -1)
    return ops.where(kept, sequences, ops.zeros_like(sequences))


def pad_with_mask(
    sequences: Tensor, mask: Tensor | None, num_steps: Tensor, go_backwards: bool
) -> tuple[Tensor, Tensor]:
    """Pad sequences with masked time steps on the side where a scan starts.

    Masked there, they change neither a state nor the last output.

    Args:
        sequences: `(batch, timesteps, features)`.
        mask: None or bools `(batch, timesteps)`.
        num_steps: Number of time steps to add.
        go_backwards: Whether the scan starts at the last time step.

    Returns:
        The sequences and the mask, both padded.
    """
    if mask is None:
        mask = ops.ones(ops.shape(sequences)[:2], dtype="bool")
    return pad_steps(sequences, num_steps, go_backwards), pad_steps(mask, num_steps, go_backwards)


def pad_steps(
    sequence: Tensor | None, num_steps: Tensor | None, go_backwards: bool
) -> Tensor | None:
    """Pad a sequence with zeros on the side where a scan starts.

    Args:
        sequence: `(batch, timesteps, ...)`, or None, which is returned.
        num_steps: Number of time steps to add; None for none.
        go_backwards: Whether the scan starts at the last time step.
    """
    if sequence is None or num_steps is None:
        return sequence
    width = [0, num_steps] if go_backwards else [num_steps, 0]
    return ops.pad(sequence, [[0, 0], width] + [[0, 0]] * (len(sequence.shape) - 2))


def remove_padding(
    sequence: Tensor | None, num_steps: Tensor | None, go_backwards: bool
) -> Tensor | None:
    """Return a sequence without the time steps that `pad_steps` added with the same arguments."""
    if sequence is None or num_steps is None:
        return sequence
    if go_backwards:
        return sequence[:, : ops.shape(sequence)[1] - num_steps]
    return sequence[:, num_steps:]


def crop(outputs: Tensor, timesteps: Tensor) -> Tensor:
    """Return the last outputs in scan order, which are those of the unpadded sequences.

    Args:
        outputs: `(batch, padded timesteps, units)` in scan order.
        timesteps: Number of time steps before padding.
    """
    return outputs[:, -timesteps:]
