"""Speed of recurrent layers on Keras's torch backend: `python -m benchmarks.torch_backend`.

For every cell, shape and mode, it times our layer and the layer of torch in turn, in one process,
without a mask and with sequences of random lengths: a mask for ours, packed sequences for torch.
`--general-loop` also times our general loop. Writes `benchmarks/results/torch_backend.json` and
`docs/speed.md`.
"""

import argparse
from typing import Any

from benchmarks import page
from benchmarks.interleaved import Peer, compare, spread
from benchmarks.recurrent import CELLS, SHAPES

MODES = ["train", "forward"]


def measure(cells: list[str], modes: list[str], turns: int, general: bool) -> list[page.Row]:
    """Return rows with cell, mode, mask, shape and the milliseconds of every contestant."""
    peer = Peer("benchmarks.peers.with_torch_backend")
    contestants = ["ours", "torch"] + ["general loop"] * general
    rows = []
    for mode in modes:
        for cell in cells:
            for is_masked in (False, True):
                for shape in SHAPES:
                    task: dict[str, Any] = {
                        "cell": cell,
                        "mode": mode,
                        "is_masked": is_masked,
                        "shape": shape,
                    }
                    tasks = {how: (peer, {**task, "how": how}) for how in contestants}
                    timings, errors = compare(tasks, turns)
                    row = {
                        **task,
                        "milliseconds": {how: 1e3 * t.median for how, t in timings.items()},
                        "spread": {how: spread(t.turns) for how, t in timings.items()},
                        "errors": errors,
                    }
                    rows.append(row)
                    times = "  ".join(f"{h} {t:.2f}" for h, t in row["milliseconds"].items())
                    print(mode, cell, shape, "masked" * is_masked, times, errors or "", flush=True)
    peer.close()
    return rows


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", nargs="+", default=CELLS, choices=CELLS)
    parser.add_argument("--modes", nargs="+", default=MODES, choices=MODES)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--general-loop", action="store_true", help="time the general loop too")
    parser.add_argument("--dry", action="store_true", help="print, but write no file")
    options = parser.parse_args()
    rows = measure(options.cells, options.modes, options.turns, options.general_loop)
    if not options.dry:
        page.write("torch_backend", rows)


if __name__ == "__main__":
    main()
