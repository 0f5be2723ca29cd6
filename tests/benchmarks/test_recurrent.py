"""Comparison with other code by `python -m benchmarks.recurrent --before`."""

from benchmarks.ratios import ratios
from benchmarks.recurrent import slower


def row(ours, before, spread=0.1):
    return {
        "milliseconds": {"ours": ours, "before": before},
        "spread": {"ours": spread, "before": 0.01},
    }


def test_slower_by_more_than_the_spread():
    rows = [row(1.05, 1.0), row(1.2, 1.0), row(0.5, 1.0), {**row(1.2, 1.0), "spread": {}}]
    rows[3]["milliseconds"].pop("before")
    assert slower(rows) == [(rows[1], "ours", 1.2)]
    assert ratios(rows[1]) == {"before": 1.2} and ratios(rows[3]) == {}
