"""Speed of recurrent layers in several libraries: `python -m benchmarks.recurrent`.

For every cell, shape and mode, it times our layer, Keras's layer with and without XLA, our cell in
`keras.layers.RNN`, torch, ONNX Runtime (forward only) and the matrix products alone, in turn. Each
library has its own process. Writes one file per processor, named by the processor, its instruction
set and the number of cores, such as `benchmarks/results/recurrent_intel_xeon_avx512_2_cores.json`,
a plot of the same name and `docs/speed.md`. `--before FOLDER` adds the layers of another checkout
of this repository, and lists the shapes that have become slower by more than their spread.
"""

import argparse
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks import page
from benchmarks.interleaved import Peer, compare, spread
from benchmarks.ratios import ratios, summary
from keras_seq._internal import machine

CELLS = ["SimpleRNN", "GRU", "LSTM", "PeepholeLSTM", "DiagonalPeepholeLSTM"]
SHAPES = [
    (32, 100, 128, 128),
    (64, 28, 28, 128),
    (64, 200, 256, 256),
    (1, 100, 128, 128),
    (16, 500, 64, 64),
]
"""Batch, timesteps, features, units."""
PEERS = {
    "ours": "with_tensorflow",
    "ours jit": "with_tensorflow",
    "ours float32": "with_tensorflow",
    "keras": "with_tensorflow",
    "keras jit": "with_tensorflow",
    "cell": "with_tensorflow",
    "cell jit": "with_tensorflow",
    "torch": "with_torch",
    "products": "with_torch",
    "onnxruntime": "with_onnxruntime",
}
BEFORE = {"before": "ours", "before jit": "ours jit"}
"""Contestants from another checkout, and the contestant that they run there."""
MODES = ["train", "forward", "train bfloat16"]


def contestants(cell: str, mode: str) -> tuple[str, ...]:
    """Return the contestants that support a cell in a mode."""
    # Keras has no peephole layers, so its loop runs our cells.
    of_keras = ("cell", "cell jit") if "Peephole" in cell else ("keras", "keras jit")
    if mode == "train bfloat16":
        return ("ours", *of_keras, "ours float32")
    forward = ("onnxruntime",) if mode == "forward" and cell != "PeepholeLSTM" else ()
    return ("ours", "ours jit", *of_keras, "torch", "products", *forward)


def measure(
    cells: list[str], modes: list[str], turns: int, before: Path | None = None
) -> list[page.Row]:
    """Return rows with cell, mode, shape and the milliseconds of every contestant."""
    peers = {m: Peer(f"benchmarks.peers.{m}") for m in sorted(set(PEERS.values()))}
    if before:
        peers["before"] = Peer("benchmarks.peers.with_tensorflow", before)
    rows = []
    for mode in modes:
        for cell in cells:
            for shape in SHAPES:
                task: dict[str, Any] = {"cell": cell, "mode": mode, "shape": shape}
                tasks = {
                    contestant: (peers[PEERS[contestant]], {**task, "how": contestant})
                    for contestant in contestants(cell, mode)
                }
                if before:
                    tasks |= {
                        contestant: (peers["before"], {**task, "how": ours})
                        for contestant, ours in BEFORE.items()
                        if ours in tasks
                    }
                timings, errors = compare(tasks, turns)
                row = {
                    **task,
                    "milliseconds": {
                        contestant: 1e3 * t.median for contestant, t in timings.items()
                    },
                    "spread": {contestant: spread(t.turns) for contestant, t in timings.items()},
                    "first_call_seconds": {
                        contestant: t.first for contestant, t in timings.items()
                    },
                    "errors": errors,
                }
                rows.append(row)
                print(_line(row), flush=True)
    for peer in peers.values():
        peer.close()
    return rows


def draw(rows: list[page.Row], path: Path) -> None:
    """Plot our time over each peer's, one panel per mode and one point per shape."""
    modes = list(dict.fromkeys(row["mode"] for row in rows))
    figure = Figure(figsize=(7 * len(modes), 4), layout="constrained")
    for axes, mode in zip(figure.subplots(1, len(modes), squeeze=False)[0], modes):
        for offset, contestant in enumerate(("keras", "torch", "products")):
            points = [
                (CELLS.index(row["cell"]) + 0.2 * (offset - 1), ratios(row)[contestant])
                for row in rows
                if row["mode"] == mode and contestant in ratios(row)
            ]
            if points:
                axes.scatter(*zip(*points), s=18, label=f"ours / {contestant}")
        axes.axhline(1, color="black", linewidth=0.8)
        axes.set(yscale="log", title=mode, xticks=range(len(CELLS)), xticklabels=CELLS)
        axes.tick_params(axis="x", rotation=20)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=120)


def slower(rows: list[page.Row]) -> list[tuple[page.Row, str, float]]:
    """Return the rows and contestants that are slower than before by more than their spread.

    Args:
        rows: Rows of a result file of this benchmark.

    Returns:
        Tuples (row, contestant, ratio). The spread is the larger one of both contestants.
    """
    result = []
    for row in rows:
        for before, ours in BEFORE.items():
            if before in row["milliseconds"]:
                ratio = row["milliseconds"][ours] / row["milliseconds"][before]
                if ratio > 1 + max(row["spread"][ours], row["spread"][before]):
                    result.append((row, ours, ratio))
    return result


def _line(row: page.Row) -> str:
    columns = "  ".join(f"/{contestant} {ratio:.2f}" for contestant, ratio in ratios(row).items())
    shape = ",".join(map(str, row["shape"]))
    failed = f"  failed: {', '.join(row['errors'])}" if row["errors"] else ""
    ours = row["milliseconds"]["ours"]
    return f"{row['mode']:8}{row['cell']:22}{shape:18}{ours:9.2f} ms  {columns}{failed}"


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", nargs="+", default=CELLS, choices=CELLS)
    parser.add_argument("--modes", nargs="+", default=MODES, choices=MODES)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--before", type=Path, help="another checkout to compare with")
    parser.add_argument("--dry", action="store_true", help="print, but write no file")
    options = parser.parse_args()
    rows = measure(options.cells, options.modes, options.turns, options.before)
    if not options.dry:
        name = f"recurrent_{machine.slug(machine.describe())}"
        page.write(name, rows)
        draw(rows, page.RESULTS / f"{name}.png")
    for line in summary(rows):
        print({k: round(v, 2) if isinstance(v, float) else v for k, v in line.items()})
    for row, contestant, ratio in slower(rows):
        case = f"{row['mode']}, {row['cell']}, {row['shape']}, {contestant}"
        print(f"slower than before: {case}: {ratio:.2f}")


if __name__ == "__main__":
    main()
