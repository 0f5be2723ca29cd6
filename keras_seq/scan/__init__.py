"""Scans: recurrent cells run over whole sequences.

Layers call `scan`, which selects an implementation: cuDNN, the fast path or the general loop, and
in SavedModels that of `keras_seq.scan.exported`. The logger `keras_seq.scan` reports the choice and
its reason at level DEBUG. Within `keras_seq.scan.general_only()`, all cells run in the general
loop.
"""

import contextlib
import contextvars
import functools
import logging
from collections.abc import Iterator
from typing import Any, Literal

import keras

from keras_seq._internal.errors import InputError
from keras_seq._internal.export_target import dispatch_by_target, export_target
from keras_seq._internal.types import States, Tensor
from keras_seq.scan.checkpoint import checkpointed_scan
from keras_seq.scan.cudnn import cudnn_applies, cudnn_scan
from keras_seq.scan.exported import exported_scan
from keras_seq.scan.fast import fast_scan, manages_own_jit, unsupported_reason
from keras_seq.scan.general import general_scan, has_projection
from keras_seq.scan.jax_options import jax_options

__all__ = [
    "cudnn_applies",
    "general_only",
    "general_scan",
    "has_projection",
    "jax_options",
    "manages_own_jit",
    "scan",
]

logger = logging.getLogger(__name__)
_general_only = contextvars.ContextVar("general_only", default=False)


@contextlib.contextmanager
def general_only() -> Iterator[None]:
    """Run all cells in the general loop within a `with` block."""
    token = _general_only.set(True)
    try:
        yield
    finally:
        _general_only.reset(token)


@dispatch_by_target
def scan(
    cell: Any,
    sequences: Tensor,
    initial_state: States,
    mask: Tensor | None = None,
    go_backwards: bool = False,
    unroll: bool = False,
    zero_output_for_mask: bool = False,
    return_sequences: bool = True,
    use_cudnn: bool | Literal["auto"] = False,
    checkpoint: bool = False,
    training: bool | None = False,
) -> tuple[Tensor, Tensor, States]:
    """Run a cell over a sequence.

    Args:
        cell: Cell with `project` and `step`, see `keras_seq.cells.RecurrentCell`.
        sequences: `(batch, timesteps, features)`, after input dropout.
        initial_state: Initial states, each `(batch, units)`.
        mask: None or bools `(batch, timesteps)`, False at steps to skip.
        go_backwards: Whether to start at the last time step.
        unroll: Whether to unroll the loop, which needs a known number of time steps.
        zero_output_for_mask: Whether the outputs of masked steps are zeros. By default they repeat
            the previous output.
        return_sequences: Whether all outputs are needed.
        use_cudnn: True to require cuDNN, "auto" to use it where it applies.
        checkpoint: Whether to recompute activations for the gradient, which saves memory; see
            `keras_seq.scan.checkpoint`.
        training: Whether recurrent dropout applies.

    Returns:
        Last output `(batch, units)`, outputs `(batch, timesteps, units)` in scan order (last time
        step first with `go_backwards`), and final states. Without `return_sequences` the outputs
        are undefined.

    Raises:
        InputError: If cuDNN is required but does not apply.
    """
    if (
        export_target() == "savedmodel"
        and keras.backend.backend() == "tensorflow"
        and not training
        and use_cudnn is not True
        and not _general_only.get()
    ):
        logger.debug("%s: operations of a SavedModel", type(cell).__name__)
        return exported_scan(
            cell,
            sequences,
            initial_state,
            mask,
            go_backwards,
            zero_output_for_mask,
            return_sequences,
        )
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
    cell: Any,
    sequences: Tensor,
    initial_state: States,
    mask: Tensor | None,
    go_backwards: bool,
    unroll: bool,
    zero_output_for_mask: bool,
    return_sequences: bool,
    use_cudnn: bool | Literal["auto"],
    training: bool | None,
) -> tuple[Tensor, Tensor, States]:
    """Run a cell over a sequence without checkpoints, with the fastest implementation."""
    name = type(cell).__name__
    has_cudnn = bool(use_cudnn) and cudnn_applies(cell, unroll, mask is not None)
    if has_cudnn and not _general_only.get():
        try:
            result = cudnn_scan(
                cell,
                sequences,
                initial_state,
                mask=mask,
                go_backwards=go_backwards,
                zero_output_for_mask=zero_output_for_mask,
                return_sequences=return_sequences,
            )
            logger.debug("%s: cuDNN", name)
            return result
        except NotImplementedError:
            has_cudnn = False
    if use_cudnn is True and not has_cudnn:
        raise InputError(
            f"use_cudnn=True, but cuDNN cannot run this {name} here: it needs a GPU, default "
            "activations, a bias, no recurrent dropout, no unroll and, except for an LSTM on JAX, "
            "no mask. Use use_cudnn='auto' to run without cuDNN where it does not apply."
        )
    if _general_only.get():
        reason: str | None = "general_only() is active"
    else:
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
