"""How a cell runs over a sequence.

`scan` is the one door: layers hand it a cell and a whole sequence, and it picks the way to run.
"""

from keras_seq.errors import InputError
from keras_seq.scan.cudnn import cudnn_applies, cudnn_scan
from keras_seq.scan.general import general_scan, projects

__all__ = ["cudnn_applies", "general_scan", "projects", "scan"]


def scan(
    cell,
    sequences,
    initial_state,
    mask=None,
    go_backwards=False,
    unroll=False,
    zero_output_for_mask=False,
    return_sequences=True,
    use_cudnn=False,
):
    """Runs a cell over a sequence.

    Args:
        cell: A cell with `project` and `step` (see `keras_seq.cells.RecurrentCell`).
        sequences: `(batch, timesteps, features)`, input dropout already applied.
        initial_state: List of tensors `(batch, units)`.
        mask: None or bools `(batch, timesteps)`; False where a step is to be skipped.
        go_backwards: Whether to start at the last time step.
        unroll: Whether to write the loop out; needs a known number of time steps.
        zero_output_for_mask: Whether masked steps put out zeros, not the output before them.
        return_sequences: Whether all outputs are wanted.
        use_cudnn: True to insist on cuDNN, "auto" to use it where it applies.

    Returns:
        Last output `(batch, units)`, outputs `(batch, timesteps, units)` in the order computed,
        and the list of final states. Without `return_sequences` the outputs are undefined.
    """
    if use_cudnn and mask is None and cudnn_applies(cell, unroll):
        try:
            return cudnn_scan(cell, sequences, initial_state, go_backwards, return_sequences)
        except NotImplementedError:
            pass
    if use_cudnn is True:
        raise InputError(
            f"use_cudnn=True, but cuDNN cannot run this {type(cell).__name__} here: it needs a "
            "GPU, default activations, a bias, no recurrent dropout, no unroll and no mask; "
            "use_cudnn='auto' runs it in another way."
        )
    return general_scan(
        cell,
        sequences,
        initial_state,
        mask=mask,
        go_backwards=go_backwards,
        unroll=unroll,
        zero_output_for_mask=zero_output_for_mask,
        return_sequences=return_sequences,
    )
