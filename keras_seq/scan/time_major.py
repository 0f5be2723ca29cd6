"""Layout of sequences for TensorFlow operators that run over all time steps."""

from typing import Any

from keras_seq._internal.types import Tensor


class TimeMajor:
    """Conversion of sequences to time-major layout, and of an operator's results back.

    The operators have no masks. The conversion therefore moves the unmasked steps of each sequence
    to its start, in scan order, and repeats results at masked steps. The mask may be False at any
    step. One gather does this together with the transposition.

    Args:
        sequences: `(batch, timesteps, features)`.
        mask: None or bools `(batch, timesteps)`, False at steps to skip.
        go_backwards: Whether the scan starts at the last time step.
    """

    def __init__(self, sequences: Tensor, mask: Tensor | None, go_backwards: bool) -> None:
        import tensorflow as tf

        self._sequences, self._go_backwards = sequences, go_backwards
        # From the mask, so that TensorFlow merges equal operations for all sequences of a mask.
        size = tf.shape(sequences)[:2] if mask is None else tf.shape(mask)
        self._batch, self._timesteps = tf.unstack(size)
        self._is_unmasked: Any = None
        self.num_steps = self._timesteps
        """Number of steps that must run: those of the longest sequence, at least 1."""
        if mask is None:
            return
        mask = tf.cast(mask, tf.bool)
        self._is_unmasked = mask[:, ::-1] if go_backwards else mask
        self._flags = tf.cast(self._is_unmasked, tf.int32)
        self._counts = tf.cumsum(self._flags, axis=1)
        self._lengths = self._counts[:, -1]
        self._rows = tf.range(self._batch)
        self.num_steps = tf.maximum(tf.reduce_max(self._lengths), 1)

    def inputs(self) -> Tensor:
        """Return the sequences as `(timesteps, batch, features)` in scan order."""
        import tensorflow as tf

        x = self._sequences
        if self._is_unmasked is None:
            x = tf.transpose(x, (1, 0, 2))
            return x[::-1] if self._go_backwards else x
        ranks = self._flags * self._timesteps - tf.range(self._timesteps)
        order = tf.math.top_k(ranks, self._timesteps).indices
        if self._go_backwards:
            order = self._timesteps - 1 - order
        order += self._rows[:, None] * self._timesteps
        return tf.gather(tf.reshape(x, (-1, x.shape[-1])), tf.transpose(order))

    def is_last_step(self) -> Tensor:
        """Return which steps are the last of their sequence, bools `(timesteps, batch)`."""
        import tensorflow as tf

        steps = tf.range(self.num_steps)[:, None]
        last = self._timesteps - 1 if self._is_unmasked is None else self._lengths - 1
        return steps == tf.broadcast_to(last, (self._batch,))

    def outputs(self, results: Tensor, zero_output_for_mask: bool) -> Tensor:
        """Return the outputs of all steps `(batch, timesteps, units)` in scan order.

        Args:
            results: Results of the operator, `(timesteps, batch, units)`.
            zero_output_for_mask: Whether the outputs of masked steps are zeros. Otherwise they
                repeat the previous output.
        """
        import tensorflow as tf

        if self._is_unmasked is None:
            return tf.transpose(results, (1, 0, 2))
        steps = self._gather(results, self._counts, self._rows[:, None])
        is_output = self._is_unmasked if zero_output_for_mask else self._counts > 0
        return tf.where(is_output[:, :, None], steps, 0)

    def last_output(self, results: Tensor, zero_output_for_mask: bool) -> Tensor:
        """Return the output of the last step, `(batch, units)`; arguments as in `outputs`."""
        import tensorflow as tf

        if self._is_unmasked is None:
            return results[-1]
        last = self._gather(results, self._lengths, self._rows)
        is_output = self._is_unmasked[:, -1] if zero_output_for_mask else self._lengths > 0
        return tf.where(is_output[:, None], last, 0)

    def final_state(self, results: Tensor, initial: Tensor) -> Tensor:
        """Return the state after the last unmasked step, `(batch, units)`.

        Args:
            results: States of all steps as the operator returns them, `(timesteps, batch, units)`.
            initial: Initial state `(batch, units)`.
        """
        import tensorflow as tf

        if self._is_unmasked is None:
            return results[-1]
        last = self._gather(results, self._lengths, self._rows)
        return tf.where(self._lengths[:, None] > 0, last, initial)

    def _gather(self, results: Tensor, counts: Tensor, rows: Tensor) -> Tensor:
        """Return the results of the steps with these counts of unmasked steps; any for a 0."""
        import tensorflow as tf

        index = tf.maximum(counts - 1, 0) * self._batch + rows
        return tf.gather(tf.reshape(results, (-1, results.shape[-1])), index)
