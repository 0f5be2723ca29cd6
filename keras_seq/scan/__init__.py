"""How a cell runs over a sequence.

`scan` is the one door: layers hand it a cell and a whole sequence, and it picks the way to run:
cuDNN, the fast path or the general loop. Which one, and why, is logged at level DEBUG by the
logger `keras_seq.scan`; `keras_seq.scan.general_only()` keeps to the general loop.
"""

import contextlib
import contextvars
import functools
import logging

from keras_seq._internal.errors import InputError
from keras_seq._internal.export_target import dispatch_by_target
from keras_seq.scan.checkpoint import checkpointed_scan
from keras_seq.scan.cudnn import cudnn_applies, cudnn_scan
from keras_seq.scan.fast import fast_scan, manages_own_jit, unsupported_reason
from keras_seq.scan.general import general_scan, has_projection

__all__ = [
    "cudnn_applies",
    "general_only",
    "general_scan",
    "has_projection",
    "manages_own_jit",
    "scan",
]

logger = logging.getLogger(__name__)
_general_only = contextvars.ContextVar("general_only", default=False)


@contextlib.contextmanager
def general_only():
    """Within this context all cells run by the general loop, the one that holds in every case."""
    token = _general_only.set(True)
    try:
        yield
    finally:
        _general_only.reset(token)


@dispatch_by_target
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
    checkpoint=False,
    training=False,
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
        checkpoint: Whether to compute again, chunk by chunk, what the gradient needs.
        training: Whether recurrent dropout applies.

    Returns:
        Last output `(batch, units)`, outputs `(batch, timesteps, units)` in the order computed,
        and the list of final states. Without `return_sequences` the outputs are undefined.
    """
    run = functools.partial(
        _scan,
        cell,
        go_backwards=go_backwards,
        unroll=unroll,
        zero_output_for_mask=zero_output_for_mask,
        return_sequences=return_sequences,
        use_cudnn=use_cudnn,
        training=training,
    )
    if not checkpoint:
        return run(sequences, initial_state, mask)
    return checkpointed_scan(
        run,
        cell.variables,
        sequences,
        initial_state,
        mask,
        go_backwards,
        return_sequences,
        zero_output_for_mask,
    )


def _scan(
    cell,
    sequences,
    initial_state,
    mask,
    go_backwards,
    unroll,
    zero_output_for_mask,
    return_sequences,
    use_cudnn,
    training,
):
    """As `scan`, in one go: by cuDNN, the fast path or the general loop."""
    name = type(cell).__name__
    if use_cudnn and mask is None and cudnn_applies(cell, unroll):
        try:
            result = cudnn_scan(cell, sequences, initial_state, go_backwards, return_sequences)
            logger.debug("%s: cuDNN", name)
            return result
        except NotImplementedError:
            pass
    if use_cudnn is True:
        raise InputError(
            f"use_cudnn=True, but cuDNN cannot run this {name} here: it needs a GPU, default "
            "activations, a bias, no recurrent dropout, no unroll and no mask; "
            "use_cudnn='auto' runs it in another way."
        )
    reason = "it was asked for"
    if not _general_only.get():
        reason = unsupported_reason(cell, sequences, unroll, training)
    if reason is None:
        logger.debug("%s: fast path", name)
        return fast_scan(
            cell,
            sequences,
            initial_state,
            mask=mask,
            go_backwards=go_backwards,
            zero_output_for_mask=zero_output_for_mask,
            return_sequences=return_sequences,
            training=training,
        )
    logger.debug("%s: general loop, since %s", name, reason)
    return general_scan(
        cell,
        sequences,
        initial_state,
        mask=mask,
        go_backwards=go_backwards,
        unroll=unroll,
        zero_output_for_mask=zero_output_for_mask,
        return_sequences=return_sequences,
        training=training,
    )
