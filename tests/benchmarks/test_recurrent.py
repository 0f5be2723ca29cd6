"""Result files of `python -m benchmarks.recurrent`, and its comparison with other code."""

import json

from benchmarks import page
from benchmarks.ratios import ratios
from benchmarks.recurrent import slower
from keras_seq._internal import machine


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


def test_page_has_a_section_per_processor(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "RESULTS", tmp_path)
    content = {"command": "c", "versions": {"python": "3"}}
    timings = {"milliseconds": {"ours": 1.0, "keras": 2.0, "torch": 4.0}, "spread": {"ours": 0.1}}
    row = {"mode": "train", "cell": "LSTM", "shape": [1, 2, 3, 4], **timings}
    for isa in ("avx2", "amx"):
        processor = {"processor": "CPU X", "isa": isa, "cores": 2}
        path = tmp_path / f"recurrent_{machine.slug(processor)}.json"
        path.write_text(json.dumps({**content, "machine": processor, "rows": [row]}))
    lines = page.page().splitlines()
    assert "| mode | cell | X, AMX, 2 cores | X, AVX2, 2 cores |" in lines
    assert "| train | LSTM | 0.50 / 0.25 | 0.50 / 0.25 |" in lines
    assert lines.count("### X, AMX, 2 cores") == lines.count("### X, AVX2, 2 cores") == 1


def test_page_is_current():
    assert page.PAGE.read_text() == page.page()
