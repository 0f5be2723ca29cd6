"""Tasks that are timed on a GPU, the most important ones first, and their contestants."""

import dataclasses
from collections.abc import Iterator

Shape = tuple[int, int, int, int]
"""Batch, timesteps, features, units."""

CELLS = ("LSTM", "PeepholeLSTM", "DiagonalPeepholeLSTM", "GRU", "SimpleRNN")
PRECISIONS = ("tf32", "bfloat16", "float32")
"""Precision of matrix products. The rest is in float32, except for layers of torch in bfloat16."""
SHAPES: tuple[Shape, ...] = (
    (64, 200, 256, 256),
    (32, 100, 128, 128),
    (1, 100, 128, 128),
    (256, 500, 512, 512),
    (64, 1000, 1024, 1024),
)
QUICK_SHAPES: tuple[Shape, ...] = ((4, 6, 8, 8), (1, 5, 8, 16))
"""Shapes of `--quick`, which a test runs on the CPU."""
MODES = ("forward", "train")


@dataclasses.dataclass(frozen=True)
class Task:
    """One layer on one shape.

    >>> from benchmarks.gpu.tasks import Task
    >>> Task("LSTM", "tf32", (32, 100, 128, 128), ("ours", "keras")).contestants
    ('ours', 'keras')

    Args:
        cell: Name of a layer.
        precision: One of `PRECISIONS`.
        shape: Batch, timesteps, features and units.
        contestants: Names of implementations.
        part: Name of the measurement: "shapes" or "scaling".
    """

    cell: str
    precision: str
    shape: Shape
    contestants: tuple[str, ...]
    part: str = "shapes"


def jax_contestants(cell: str, precision: str, units: int) -> tuple[str, ...]:
    """Return the implementations on JAX, of which the first is the reference.

    - keras: Keras's layer; cell: `keras.layers.RNN` with our cell
    - ours: our layer; passes: the same without cuDNN
    - unroll 8: the passes with 8 time steps per iteration
    - fused: the kernel of the peephole cells; with bfloat16 also "fused bfloat16", whose recurrent
      products are in bfloat16 too

    Args:
        cell: Name of a layer.
        precision: One of `PRECISIONS`.
        units: Number of units. The kernel supports at most 256.
    """
    has_peepholes = "Peephole" in cell
    names = ["cell" if has_peepholes else "keras", "ours"]
    names += ["passes"] if cell == "LSTM" else []
    names += ["unroll 8"] if precision == "tf32" else []
    if has_peepholes and units <= 256:
        names += ["fused", *(["fused bfloat16"] if precision == "bfloat16" else [])]
    return tuple(names)


def torch_contestants(cell: str) -> tuple[str, ...]:
    """Return the implementations on torch.

    - torch: the layer of torch, which uses cuDNN; peephole cells are compared with its LSTM
    - products: only the matrix products, as a graph of CUDA
    - the others are those of `jax_contestants`, on Keras's torch backend
    """
    return ("torch", "products", "cell" if "Peephole" in cell else "keras", "ours")


def make_tasks(library: str, quick: bool) -> Iterator[Task]:
    """Yield all tasks of a library, the most important ones first.

    Args:
        library: "jax" or "torch".
        quick: Whether to use shapes and cells for a test on the CPU.
    """
    shapes = QUICK_SHAPES[:1] if quick else SHAPES
    cells = CELLS[:2] if quick else CELLS
    for precision in PRECISIONS[:1] if quick else PRECISIONS:
        for shape in shapes:
            for cell in cells:
                names = (
                    jax_contestants(cell, precision, shape[-1])
                    if library == "jax"
                    else torch_contestants(cell)
                )
                yield Task(cell, precision, shape, names)


def make_scaling_tasks(library: str, quick: bool) -> Iterator[Task]:
    """Yield tasks with growing numbers of time steps, then of rows.

    Args:
        library: "jax" or "torch".
        quick: As for `make_tasks`.
    """
    shapes: list[Shape] = [(64, timesteps, 256, 256) for timesteps in (25, 50, 100, 400, 800, 1600)]
    shapes += [(rows, 100, 256, 256) for rows in (1, 4, 16, 256, 1024)]
    for shape in QUICK_SHAPES[1:] if quick else shapes:
        for cell in CELLS[:2]:
            peephole = ("fused",) if "Peephole" in cell else ()
            names = ("ours", *peephole) if library == "jax" else ("torch",)
            yield Task(cell, "tf32", shape, names, "scaling")
