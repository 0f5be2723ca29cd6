"""Masked time steps before those that count, for who needs sequences of another length."""

from keras import ops


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
