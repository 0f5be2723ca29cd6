"""Arithmetic of a train step of an LSTM on an H200: `python -m benchmarks.gpu.paper`.

Computes operations, bytes and kernel launches of the hand-derived passes, which of them bounds the
time, and the speed-up by data parallelism. Writes the tables of `docs/gpu.md`; `--check` compares
them instead. The rates are those of NVIDIA's data sheet. The times per launch and per step are
assumptions, since no GPU was available.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.gpu.tasks import SHAPES, Shape

PAGE = Path(__file__).parents[2] / "docs" / "gpu.md"
BEGIN, END = "<!-- paper: written by `python -m benchmarks.gpu.paper` -->", "<!-- end of paper -->"

FLOPS = {"bfloat16": 989e12, "tf32": 494.5e12, "float32": 67e12}
"""Operations per second of dense products, by precision."""
NUM_BYTES = {"bfloat16": 2, "tf32": 4, "float32": 4}
"""Bytes per number, by precision."""
MEMORY_RATE = 4.8e12
"""Bytes per second between the memory and the chip."""
LINK_RATE = 450e9
"""Bytes per second that a GPU sends to others by NVLink."""
NUM_PROCESSORS, SHARED_BYTES = 132, 227 * 1024
LAUNCH_SECONDS = 2.5e-6
"""Assumed time between two kernels of a loop."""
SYNC_SECONDS = 1.5e-6
"""Assumed time in which all processors exchange a state within one kernel."""
KERNELS_PER_STEP = 2
"""Least number of kernels per step and pass: a matrix product, and all that follows it."""
GATES = 4


class Cost(NamedTuple):
    """Cost of a train step of an LSTM layer.

    >>> from benchmarks.gpu.paper import compute_cost
    >>> compute_cost((32, 100, 128, 128), "float32").launches
    400
    """

    operations: float
    """Operations of all matrix products, forward and backward."""
    bytes: float
    """Bytes that the memory reads or writes, if the weights of the loop stay on the chip."""
    launches: int
    """Kernels that depend on each other."""
    recurrent_bytes: float
    """Size of the recurrent weights."""
    seconds: dict[str, float]
    """Time that each part takes at least: "arithmetic", "memory", "launches", and "steps" for a
    single kernel whose processors exchange the state in every step."""

    @property
    def bound(self) -> str:
        """The part that takes longest if every step launches kernels."""
        return max(("arithmetic", "memory", "launches"), key=self.seconds.__getitem__)

    @property
    def total(self) -> float:
        """Seconds of a loop that launches kernels.

        Launches overlap with nothing, since every step waits for the one before. Of arithmetic and
        memory, the longer counts.
        """
        return max(self.seconds["arithmetic"], self.seconds["memory"]) + self.seconds["launches"]

    @property
    def fused(self) -> float:
        """Seconds if each pass is one kernel with the recurrent weights on the chip."""
        return max(self.seconds["arithmetic"], self.seconds["memory"]) + self.seconds["steps"]


def compute_cost(shape: Shape, precision: str) -> Cost:
    """Return the cost of a train step of an LSTM layer.

    Args:
        shape: Batch, timesteps, features and units.
        precision: Key of `FLOPS`.
    """
    batch, timesteps, features, units = shape
    steps = batch * timesteps
    columns = GATES * units
    # The product with each of the two kernels, and for both factors its gradient.
    operations = 3 * 2 * steps * (features + units) * columns
    # Forward: inputs, projection (written and read), outputs, gates and c. Backward: gates, c and
    # gradient of the outputs; gradient of the projection (written, then read for three products);
    # inputs, outputs; gradient of the inputs.
    forward = features + 2 * columns + units + columns + units
    backward = columns + units + units + 4 * columns + features + units + features
    num_bytes = steps * (forward + backward) * NUM_BYTES[precision]
    launches = 2 * KERNELS_PER_STEP * timesteps
    seconds = {
        "arithmetic": operations / FLOPS[precision],
        "memory": num_bytes / MEMORY_RATE,
        "launches": launches * LAUNCH_SECONDS,
        "steps": 2 * timesteps * SYNC_SECONDS,
    }
    recurrent_bytes = units * columns * NUM_BYTES[precision]
    return Cost(operations, num_bytes, launches, recurrent_bytes, seconds)


def compute_speedup(shape: Shape, precision: str, num_gpus: int, grow: bool) -> float:
    """Return how many times more examples per second several GPUs train than one.

    Every GPU has all weights and a share of the batch. The gradients of the weights, in float32,
    are summed over NVLink after the step.

    Args:
        shape: Shape on one GPU.
        precision: Key of `FLOPS`.
        num_gpus: Number of GPUs.
        grow: Whether every GPU gets a batch of the full size; otherwise the batch is divided.
    """
    batch, timesteps, features, units = shape
    rows = batch if grow else max(1, batch // num_gpus)
    num_weights = (features + units + 1) * GATES * units
    reduce_seconds = 2 * (num_gpus - 1) / num_gpus * 4 * num_weights / LINK_RATE
    share = compute_cost((rows, timesteps, features, units), precision).total + reduce_seconds
    examples = rows * min(num_gpus, batch if not grow else num_gpus)
    return examples / share / (batch / compute_cost(shape, precision).total)


def render() -> str:
    """Return the tables in Markdown."""
    rows = []
    for shape in SHAPES:
        for precision in ("float32", "tf32", "bfloat16"):
            cost = compute_cost(shape, precision)
            per_processor = cost.recurrent_bytes / SHARED_BYTES
            row = [
                ", ".join(map(str, shape)),
                precision,
                f"{cost.operations / 1e9:,.1f}",
                f"{cost.bytes / 1e6:,.0f}",
                f"{cost.launches:,}",
                *(f"{1e3 * cost.seconds[p]:,.3f}" for p in ("arithmetic", "memory", "launches")),
                cost.bound,
                f"{1e3 * cost.fused:,.2f}",
                f"{per_processor:,.1f}",
            ]
            rows.append(row)
    head = [
        *("B, T, D, H", "precision", "GFLOP", "MB", "launches", "arithmetic (ms)", "memory (ms)"),
        *("launches (ms)", "bound by", "one kernel per pass (ms)", "processors for U"),
    ]
    lines = [*_table(head, rows), ""]
    rows = []
    for shape in SHAPES:
        speedups = [
            f"{compute_speedup(shape, 'bfloat16', n, grow):.1f}"
            for grow in (False, True)
            for n in (2, 4, 8)
        ]
        rows.append([", ".join(map(str, shape)), *speedups])
    head = ["B, T, D, H", *(f"{n} GPUs, {k}" for k in ("batch B", "B each") for n in (2, 4, 8))]
    return "\n".join([*lines, *_table(head, rows)])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def update(text: str) -> str:
    """Return the page with new tables.

    Args:
        text: Content of the page.
    """
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{render()}\n\n{END}{rest.split(END)[1]}"


def main() -> None:
    """Write the tables, or check that they are up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, but write no file")
    old = PAGE.read_text()
    new = update(old)
    if parser.parse_args().check:
        sys.exit("docs/gpu.md is not up to date" if new != old else 0)
    PAGE.write_text(new)


if __name__ == "__main__":
    main()
