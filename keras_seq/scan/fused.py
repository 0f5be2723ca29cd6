"""Forward passes of the peephole cells as one kernel in Pallas, for JAX on a GPU.

A loop of XLA launches several kernels per time step. Here one kernel runs all steps of 16 rows of
the batch, as in FlashRNN (Poeppel et al. 2025, arXiv:2412.07752). The recurrent weights are read
once and kept on the chip if they fit, up to 128 units. Larger ones are read in tiles in every step,
from the cache that all processors of the GPU share. The gradient is that of the hand-derived
passes, from gates that the kernel stores.

The kernel has run in Pallas's interpreter only. JAX translates it for a GPU, and Triton compiles
the result (docs/gpu.md), but it has never run on a GPU. It is off by default;
`keras_seq.scan.jax_options(fused=True)` turns it on.
"""

import dataclasses
import functools
import operator
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

from keras import ops

from keras_seq._internal.types import States, Tensor
from keras_seq.scan.bptt import lstm, peephole_lstm
from keras_seq.scan.bptt.lstm import Residuals
from keras_seq.scan.loop import StepRange, shift

if TYPE_CHECKING:
    from jax.experimental import pallas as pl

ROWS = 16
"""Rows of the batch per program, the least that Triton multiplies."""
TILE = 128
"""Largest number of units of a tile of the recurrent weights, a power of two."""
CHIP_BYTES = 200_000
"""Largest size of recurrent weights that stay on the chip. A processor of an H100 or H200 has 227
KiB of shared memory."""
MAX_UNITS = 256
"""Largest number of units with a kernel. Its program grows with the square of the number of tiles,
and the states of the rows must fit into registers."""
NUM_WARPS = 8
INPUT, FORGET, CANDIDATE, OUTPUT = range(4)
"""Gates in the order of the weights."""

Tiles: TypeAlias = list[Any]
"""Arrays `(ROWS, tile)`, one per tile of the units."""


@dataclasses.dataclass(frozen=True)
class FusedPasses:
    """Passes of a cell whose forward pass is a kernel.

    It stands in for a module of `keras_seq.scan.bptt`.

    >>> from keras_seq.scan.bptt import peephole_lstm
    >>> from keras_seq.scan.fused import FusedPasses
    >>> FusedPasses(peephole_lstm).backward is peephole_lstm.backward
    True

    Args:
        module: `keras_seq.scan.bptt.peephole_lstm`, or `keras_seq.scan.bptt.lstm` for diagonal
            peepholes.
    """

    module: ModuleType

    @property
    def backward(self) -> Callable[..., Any]:
        """Hand-derived backward pass."""
        return self.module.backward

    def forward(
        self,
        weights: Sequence[Tensor],
        projected: Tensor,
        states: States,
        mask: Tensor | None,
        reverse: bool,
        keep_residuals: bool,
        step_range: StepRange | None = None,
    ) -> tuple[Tensor, States, Residuals]:
        """Run the forward pass, as `keras_seq.scan.bptt.lstm.forward`, for all steps."""
        # GPUs multiply no tiles of float64 numbers.
        if projected.dtype == "float64" or states[0].shape[1] > MAX_UNITS:
            return self.module.forward(
                weights, projected, states, mask, reverse, keep_residuals, step_range
            )
        is_diagonal = self.module is lstm
        hs, finals, kept = _run_kernel(
            weights, projected, states, mask, reverse, keep_residuals, is_diagonal
        )
        if not keep_residuals:
            return hs, finals, []
        gates, cs_previous = kept
        if is_diagonal:
            return hs, finals, [gates, cs_previous, shift(states[0], hs, reverse)]
        units = states[0].shape[1]
        i_f, g, o = ops.split(gates, [2 * units, 3 * units], axis=-1)
        return hs, finals, [i_f, g, o, cs_previous]


def get_passes(module: ModuleType, num_weights: int) -> Any:
    """Return passes with a fused forward pass, or the module itself if there is no kernel.

    Args:
        module: Module of `keras_seq.scan.bptt`.
        num_weights: Number of weights of the cell without the kernel. An LSTM has fewer than an
            LSTM with peepholes, which has the same module.
    """
    has_kernel = module is peephole_lstm or (module is lstm and num_weights > 2)
    return FusedPasses(module) if has_kernel else module


def _run_kernel(
    weights: Sequence[Any],
    projected: Any,
    states: States,
    mask: Any,
    reverse: bool,
    keep_residuals: bool,
    is_diagonal: bool,
) -> tuple[Any, States, Sequence[Any]]:
    """Return outputs, final states, and with `keep_residuals` the gates and the states before.

    Sizes are padded to what the kernel supports. Padded units stay zero.
    """
    import jax
    from jax import numpy as jnp
    from jax.experimental import pallas as pl
    from jax.experimental.pallas import triton

    recurrent_kernel, bias, *peepholes = weights
    gates = [INPUT, FORGET, CANDIDATE, OUTPUT] if is_diagonal else [INPUT, FORGET, OUTPUT]
    batch, timesteps, _ = projected.shape
    units, dtype = states[0].shape[1], projected.dtype
    product_dtype = _product_dtype(dtype)
    tile = choose_tile(units, len(gates), jnp.dtype(product_dtype).itemsize)
    rows_padding, units_padding = -batch % ROWS, -units % tile
    padded_units = units + units_padding

    def pad(array: Any, has_rows: bool = True) -> Any:
        """Pad the units, on the last axis, and the rows."""
        widths = [(0, 0)] * array.ndim
        widths[-1] = (0, units_padding)
        if has_rows:
            widths[0] = (0, rows_padding)
        return jnp.pad(array, widths)

    matrices = jnp.stack(jnp.split(recurrent_kernel, len(gates), axis=1))
    matrices = jnp.pad(matrices, [(0, 0), (0, units_padding), (0, units_padding)])
    projected = pad((projected + bias).reshape(batch, timesteps, 4, units))
    inputs = [projected, *map(pad, states), matrices]
    if peepholes:
        inputs.append(pad(jnp.stack(peepholes), has_rows=False))
    if mask is not None:
        inputs.append(jnp.pad(mask.astype(dtype), [(0, rows_padding), (0, 0), (0, 0)]))

    def rows_of(array: Any) -> "pl.BlockSpec":
        rest = (0,) * (array.ndim - 1)
        return pl.BlockSpec((ROWS, *array.shape[1:]), lambda block: (block, *rest))

    def all_of(array: Any) -> "pl.BlockSpec":
        return pl.BlockSpec(array.shape, lambda _: (0,) * array.ndim)

    rows = batch + rows_padding
    sequence = jax.ShapeDtypeStruct((rows, timesteps, padded_units), dtype)
    state = jax.ShapeDtypeStruct((rows, padded_units), dtype)
    outputs = [sequence, state, state]
    if keep_residuals:
        outputs += [jax.ShapeDtypeStruct(projected.shape, dtype), sequence]
    shared = inputs[3 : 5 if peepholes else 4]
    kernel = functools.partial(
        _kernel,
        gates=gates,
        tile=tile,
        reverse=reverse,
        is_masked=mask is not None,
        product_dtype=product_dtype,
    )
    hs, h, c, *kept = pl.pallas_call(
        kernel,
        out_shape=outputs,
        grid=(rows // ROWS,),
        in_specs=[all_of(a) if any(a is s for s in shared) else rows_of(a) for a in inputs],
        out_specs=list(map(rows_of, outputs)),
        interpret=jax.default_backend() != "gpu",
        compiler_params=triton.CompilerParams(num_warps=NUM_WARPS, num_stages=1),
    )(*inputs)
    hs, h, c = (array[:batch, ..., :units] for array in (hs, h, c))
    if keep_residuals:
        all_gates, cs_previous = (array[:batch, ..., :units] for array in kept)
        kept = [all_gates.reshape(batch, timesteps, 4 * units), cs_previous]
    return hs, [h, c], kept


def choose_tile(units: int, num_gates: int, num_bytes: int) -> int:
    """Return the number of units of a tile, at least 16, the least that Triton multiplies.

    Args:
        units: Number of hidden units.
        num_gates: Number of gates with a recurrent matrix.
        num_bytes: Size of a weight.
    """
    tile = min(TILE, max(16, 1 << (units - 1).bit_length()))
    is_whole = units <= tile
    return tile // 2 if is_whole and num_gates * tile**2 * num_bytes > CHIP_BYTES else tile


def _product_dtype(dtype: Any) -> Any:
    """Return the data type of the factors of the recurrent products.

    As elsewhere on JAX, products of float32 numbers are in TF32 unless JAX's default precision is
    "highest".
    """
    import jax

    config: Any = jax.config
    is_bfloat16 = config.jax_default_matmul_precision == "bfloat16"
    return "bfloat16" if is_bfloat16 else dtype


def _kernel(
    *refs: Any,
    gates: Sequence[int],
    tile: int,
    reverse: bool,
    is_masked: bool,
    product_dtype: Any,
) -> None:
    """Run all time steps of a block of rows.

    Args:
        *refs: References to projected inputs `(ROWS, timesteps, 4, units)`, h and c `(ROWS,
            units)`, recurrent matrices `(gates, units, units)`, peepholes `(3, units)` if all gates
            read h, and a mask `(ROWS, timesteps, 1)` if `is_masked`. Then to the results: outputs
            `(ROWS, timesteps, units)`, h and c; and, if residuals are kept, gates and c before
            every step.
        gates: Gates that have a recurrent matrix.
        tile: Number of units of a tile.
        reverse: Whether to start at the last time step.
        is_masked: Whether there is a mask.
        product_dtype: Data type of the factors of the products.
    """
    from jax import lax
    from jax import numpy as jnp

    z_ref, h_ref, c_ref, matrices_ref, *refs_left = refs
    is_diagonal = CANDIDATE in gates
    peepholes_ref: Any = refs_left.pop(0) if is_diagonal else None
    mask_ref = refs_left.pop(0) if is_masked else None
    hs_ref, last_h_ref, last_c_ref, *kept_refs = refs_left
    timesteps, units = hs_ref.shape[1:]
    tiles = [slice(start, start + tile) for start in range(0, units, tile)]

    def read(gate: int, rows: slice, columns: slice) -> Any:
        return matrices_ref[gates.index(gate), rows, columns].astype(product_dtype)

    # A matrix of one tile is read before the loop, and stays on the chip.
    on_chip = {gate: read(gate, *tiles, *tiles) for gate in gates if len(tiles) == 1}

    def product(factors: Tiles, gate: int, columns: slice) -> Any:
        products = (
            jnp.dot(
                factor.astype(product_dtype),
                on_chip[gate] if on_chip else read(gate, rows, columns),
                preferred_element_type=jnp.float32,
            )
            for factor, rows in zip(factors, tiles)
        )
        return functools.reduce(operator.add, products)

    def step(count: Any, carry: tuple[Tiles, Tiles]) -> tuple[Tiles, Tiles]:
        t = timesteps - 1 - count if reverse else count
        factors = carry[0] if is_diagonal else carry[1]
        new_hs, new_cs = [], []
        for h, c, columns in zip(*carry, tiles):
            z = [z_ref[:, t, gate, columns] for gate in range(4)]
            for gate in gates:
                z[gate] = z[gate] + product(factors, gate, columns)
            peepholes = [peepholes_ref[k, columns] for k in range(3)] if is_diagonal else []
            new_h, new_c, activations = _activate(z, c, peepholes)
            _store_residuals(kept_refs, t, columns, activations, c)
            if mask_ref is not None:
                is_unmasked = mask_ref[:, t, :] > 0
                new_h, new_c = jnp.where(is_unmasked, new_h, h), jnp.where(is_unmasked, new_c, c)
            hs_ref[:, t, columns] = new_h
            new_hs.append(new_h)
            new_cs.append(new_c)
        return new_hs, new_cs

    carry = [h_ref[:, columns] for columns in tiles], [c_ref[:, columns] for columns in tiles]
    last_hs, last_cs = lax.fori_loop(0, timesteps, step, carry)
    for h, c, columns in zip(last_hs, last_cs, tiles):
        last_h_ref[:, columns] = h
        last_c_ref[:, columns] = c


def _store_residuals(
    refs: Sequence[Any], t: Any, columns: slice, activations: Sequence[Any], c: Any
) -> None:
    """Store the gates and the previous c of a time step, if residuals are kept."""
    if refs:
        gates_ref, cs_ref = refs
        cs_ref[:, t, columns] = c
        for gate, value in enumerate(activations):
            gates_ref[:, t, gate, columns] = value


def _activate(z: Sequence[Any], c: Any, peepholes: Sequence[Any]) -> tuple[Any, Any, Sequence[Any]]:
    """Return h, c and the gates of a step, from the pre-activations and the previous c."""
    from jax import numpy as jnp

    def sigmoid(z: Any) -> Any:
        return jnp.tanh(0.5 * z) * 0.5 + 0.5

    z_i, z_f, z_g, z_o = z
    if peepholes:
        z_i, z_f = z_i + peepholes[0] * c, z_f + peepholes[1] * c
    i, f, g = sigmoid(z_i), sigmoid(z_f), jnp.tanh(z_g)
    c = f * c + i * g
    o = sigmoid(z_o + peepholes[2] * c if peepholes else z_o)
    return o * jnp.tanh(c), c, (i, f, g, o)
