"""Forward and backward passes of the cells over a batch, and over its shards."""

import dataclasses
import functools
import operator
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any, NamedTuple

from keras import ops

from keras_seq import cells
from keras_seq._internal.types import States, Tensor
from keras_seq.scan import compiled
from keras_seq.scan.bptt import gru, lstm, peephole_lstm, simple_rnn
from keras_seq.scan.bptt.lstm import Residuals
from keras_seq.scan.derivatives import Tensors
from keras_seq.scan.loop import differentiable_loops
from keras_seq.scan.padding import pad_steps, remove_padding

PASSES = {
    cells.SimpleRNNCell: simple_rnn,
    cells.GRUCell: gru,
    cells.LSTMCell: lstm,
    cells.PeepholeLSTMCell: peephole_lstm,
    cells.DiagonalPeepholeLSTMCell: lstm,
}
"""Modules with the passes of each class of cells."""


def cell_weights(cell: Any, dtype: Any) -> list[Any]:
    """Return the weights of a cell in the order of its passes, with zeros for a missing bias.

    Args:
        cell: Cell that is a key of `PASSES`.
        dtype: Data type of a missing bias.
    """
    bias = cell.bias
    if bias is None:
        columns = cell.kernel.shape[1]
        shape = (2, columns) if isinstance(cell, cells.GRUCell) else (columns,)
        bias = ops.zeros(shape, dtype)
    peepholes = []
    if isinstance(cell, cells.DiagonalPeepholeLSTMCell):
        gates = ("input", "forget", "output")
        peepholes = [getattr(cell, f"{gate}_gate_peephole_weights") for gate in gates]
    return [cell.kernel, cell.recurrent_kernel, bias, *peepholes]


@dataclasses.dataclass(frozen=True)
class Passes:
    """Forward and backward pass of one cell class with one set of options.

    They start from the projected inputs and end with the gradient for these. The products over the
    whole sequence are left to the backend, which computes them on all cores. `y` is what the layer
    returns: all outputs in scan order, or the last one. `weights` are those without the kernel.
    `padding` is None, or the number of padding steps at the start of the scan. They are skipped, so
    that one program serves several lengths.
    """

    module: ModuleType
    go_backwards: bool
    zero_output_for_mask: bool
    return_sequences: bool

    def infer(
        self,
        projected: Tensor,
        weights: Sequence[Tensor],
        states: Sequence[Tensor],
        mask: Tensor | None,
        padding: Tensor | None = None,
    ) -> tuple[Tensor, States, Residuals]:
        """Run the forward pass without residuals; arguments as in `forward`."""
        return self.forward(projected, weights, states, mask, padding, keep_residuals=False)

    def forward(
        self,
        projected: Tensor,
        weights: Sequence[Tensor],
        states: Sequence[Tensor],
        mask: Tensor | None,
        padding: Tensor | None = None,
        keep_residuals: bool = True,
    ) -> tuple[Tensor, States, Residuals]:
        """Run the forward pass.

        Args:
            projected: Inputs times the kernel, `(batch, timesteps, n)`.
            weights: Weights of the cell without the kernel.
            states: Initial states, each `(batch, units)`.
            mask: None, or ones and zeros `(batch, timesteps, 1)`.
            padding: Number of padding steps, or None.
            keep_residuals: Whether `backward` follows.

        Returns:
            y, the final states and the residuals, if they are kept. A program that XLA compiles
            would otherwise write even those that nothing uses.
        """
        step_range = None if padding is None else (padding, ops.shape(projected)[1])
        hs, finals, residuals = self.module.forward(
            weights, projected, states, mask, self.go_backwards, keep_residuals, step_range
        )
        y = self._in_scan_order(hs) if self.return_sequences else finals[0]
        return self._mask_outputs(y, mask), finals, residuals if keep_residuals else ()

    def backward(
        self,
        weights: Sequence[Tensor],
        mask: Tensor | None,
        residuals: Residuals,
        d_y: Tensor,
        d_states: States,
        padding: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None, list[Tensor], States]:
        """Run the backward pass.

        Args:
            weights: As in `forward`.
            mask: As in `forward`.
            residuals: Residuals that `forward` returned.
            d_y: Gradient for y.
            d_states: Gradients for the final states.
            padding: As in `forward`.

        Returns:
            As `keras_seq.scan.bptt.lstm.backward`.
        """
        step_range = None if padding is None else (0, ops.shape(residuals[-1])[1] - padding)
        d_y, d_outputs = self._mask_outputs(d_y, mask), None
        if self.return_sequences:
            d_outputs = self._in_scan_order(d_y)
        else:
            d_states = [d_states[0] + d_y, *d_states[1:]]
        return self.module.backward(
            weights, mask, self.go_backwards, residuals, d_outputs, d_states, step_range
        )

    def _in_scan_order(self, sequence: Tensor) -> Tensor:
        return ops.flip(sequence, 1) if self.go_backwards else sequence

    def _mask_outputs(self, y: Tensor, mask: Tensor | None) -> Tensor:
        """Return y, or its gradient, with zeros where the output is not the state."""
        if mask is None:
            return y
        mask = self._in_scan_order(mask)
        if not self.zero_output_for_mask:
            mask = ops.cast(ops.cumsum(mask, axis=1) > 0, mask.dtype)
        return y * (mask if self.return_sequences else mask[:, -1])


class ShardedPasses(NamedTuple):
    """Passes of a cell over the shards of a batch, as the functions of a `CustomGradient`.

    Their arguments are the sequences, the weights of the cell and the initial states. Their
    constants are the mask, if there is one, and the number of padding steps, if `is_padded`.
    """

    passes: Passes
    programs: Sequence[Callable[..., Any]]
    """`infer`, `forward` and `backward` of the passes."""
    num_shards: int
    num_states: int
    training: bool | None
    """True to keep residuals for a gradient; otherwise a gradient reruns the forward pass."""
    is_padded: bool
    """True if lengths are padded to buckets. Sequences longer than `compiled.MIN_BUCKET_LENGTH`
    include the padding. Shorter ones are padded after their projection, since the products over the
    whole sequence would otherwise take several times as long."""

    def forward(self, arguments: Tensors, constants: Tensors) -> tuple[Tensors, Any]:
        """Return y and the final states, and the residuals."""
        infer, forward, _ = self.programs
        _, _, weights, states = self._unpack(arguments)
        mask, padding, own_padding = self._unpack_constants(arguments, constants)
        projected = pad_steps(self._project(arguments), own_padding, self.passes.go_backwards)
        shards = self._split(projected, states, mask)
        run = forward if self.training else infer
        ys, finals, residuals = zip(*(run(z, weights, s, m, padding) for z, s, m in shards))
        y = compiled.join_shards(ys)
        if self.passes.return_sequences:
            y = remove_padding(y, own_padding, False)
        results = y, *map(compiled.join_shards, zip(*finals))
        return results, residuals if self.training else (projected,)

    def backward(
        self, arguments: Tensors, constants: Tensors, residuals: Any, upstream: Tensors
    ) -> Tensors:
        """Return the gradients for the arguments."""
        _, forward, backward = self.programs
        x, kernel, weights, states = self._unpack(arguments)
        input_dtype, compute_dtype = x.dtype, states[0].dtype
        mask, padding, own_padding = self._unpack_constants(arguments, constants)
        if not self.training:
            shards = self._split(residuals[0], states, mask)
            residuals = [forward(z, weights, s, m, padding)[2] for z, s, m in shards]
        d_y, *d_finals = upstream
        if self.passes.return_sequences:
            d_y = pad_steps(d_y, own_padding, False)
        xs = compiled.split_batch(x, self.num_shards)
        d_shards = self._split(d_y, d_finals, mask)
        gradients = []
        for kept, shard_x, (d_shard_y, d_shard_finals, m) in zip(residuals, xs, d_shards):
            d_z, d_u, d_rest, d_states = backward(
                weights, m, kept, d_shard_y, d_shard_finals, padding
            )
            factor, d_z, d_u = (
                remove_padding(s, own_padding, self.passes.go_backwards)
                for s in (kept[-1], d_z, d_u)
            )
            d_z = ops.cast(d_z, input_dtype)
            d_u = d_z if d_u is None else ops.cast(d_u, input_dtype)
            d_recurrent = _weight_gradient(ops.cast(factor, input_dtype), d_u)
            d_weights = (
                _weight_gradient(shard_x, d_z),
                ops.cast(d_recurrent, compute_dtype),
                *d_rest,
            )
            gradients.append((_product(d_z, ops.transpose(kernel)), d_weights, d_states))
        d_x, d_weights, d_states = zip(*gradients)
        return (
            compiled.join_shards(d_x),
            *(functools.reduce(operator.add, d) for d in zip(*d_weights)),
            *map(compiled.join_shards, zip(*d_states)),
        )

    def reference(self, arguments: Tensors, constants: Tensors) -> Tensors:
        """Return y and the final states from a loop that is differentiable to any order."""
        _, _, weights, states = self._unpack(arguments)
        mask, padding, own_padding = self._unpack_constants(arguments, constants)
        projected, input_padding = self._project(arguments), None
        if padding is not None:
            input_padding = padding - own_padding
            projected = remove_padding(projected, input_padding, self.passes.go_backwards)
            mask = remove_padding(mask, padding, self.passes.go_backwards)
        with differentiable_loops():
            y, finals, _ = self.passes.infer(projected, weights, states, mask)
        if self.passes.return_sequences:
            y = pad_steps(y, input_padding, False)
        return y, *finals

    def _unpack(self, arguments: Tensors) -> tuple[Tensor, Tensor, Tensors, Tensors]:
        """Return the sequences, the kernel, the other weights and the states."""
        x, kernel, *rest = arguments
        return x, kernel, rest[: -self.num_states], rest[-self.num_states :]

    def _unpack_constants(
        self, arguments: Tensors, constants: Tensors
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Return the mask of the padded sequences, the padding, and the part of it to add here."""
        if not self.is_padded:
            return constants[0] if constants else None, None, None
        *mask, padding = constants
        timesteps = ops.shape(arguments[0])[1]
        own_padding = ops.maximum(compiled.MIN_BUCKET_LENGTH - timesteps, 0)
        padded_mask = pad_steps(mask[0] if mask else None, own_padding, self.passes.go_backwards)
        return padded_mask, padding, own_padding

    def _project(self, arguments: Tensors) -> Tensor:
        x, kernel, _, states = self._unpack(arguments)
        # In mixed precision, only the products over the whole sequence are in bfloat16.
        return ops.cast(_product(x, kernel), states[0].dtype)

    def _split(
        self, sequence: Tensor, states: Iterable[Tensor], mask: Tensor | None = None
    ) -> list[tuple[Tensor, States, Tensor | None]]:
        """Return the sequence, the states and the mask of each shard."""
        split_states = zip(*(compiled.split_batch(state, self.num_shards) for state in states))
        sequences, masks = (compiled.split_batch(s, self.num_shards) for s in (sequence, mask))
        return list(zip(sequences, map(list, split_states), masks))


def _product(sequence: Tensor, matrix: Tensor) -> Tensor:
    """Multiply `(batch, timesteps, n)` by a matrix, all time steps at once."""
    batch, timesteps, n = ops.shape(sequence)
    product = ops.matmul(ops.reshape(sequence, (batch * timesteps, n)), matrix)
    return ops.reshape(product, (batch, timesteps, matrix.shape[1]))


def _weight_gradient(factor: Tensor, d_product: Tensor) -> Tensor:
    """Return the gradient for a matrix, from its factor and the gradient for the product."""
    factor, d_product = (ops.reshape(s, (-1, s.shape[-1])) for s in (factor, d_product))
    return ops.matmul(ops.transpose(factor), d_product)
