"""Time steps that do not count: added to reach another length, and hidden."""

from typing import Any

from keras import ops


def zero_masked(sequences: Any, mask: Any) -> Any:
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


def pad_with_mask(sequences, mask, extra, go_backwards):
    """Sequences and their mask with `extra` masked time steps where the computation begins.

    There they change neither a state nor the last output.
    """
    if mask is None:
        mask = ops.ones(ops.shape(sequences)[:2], dtype="bool")
    return pad_steps(sequences, extra, go_backwards), pad_steps(mask, extra, go_backwards)


def pad_steps(sequence: Any, extra: Any, go_backwards: bool) -> Any:
    """Return a sequence with `extra` steps of zeros where the computation begins.

    Either may be None, for none.
    """
    if sequence is None or extra is None:
        return sequence
    width = [0, extra] if go_backwards else [extra, 0]
    return ops.pad(sequence, [[0, 0], width] + [[0, 0]] * (len(sequence.shape) - 2))


def remove_padding(sequence: Any, extra: Any, go_backwards: bool) -> Any:
    """Return a sequence without the steps that `pad_steps` added."""
    if sequence is None or extra is None:
        return sequence
    return sequence[:, : ops.shape(sequence)[1] - extra] if go_backwards else sequence[:, extra:]


def crop(outputs, timesteps):
    """The outputs, in the order computed, of the sequences as they were."""
    return outputs[:, -timesteps:]
