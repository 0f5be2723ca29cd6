"""Names and order of tests do not depend on time and place of their collection."""

import gzip
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LATER = """
import time

now = time.time
time.time = lambda: now() + 40_000_000
"""


def test_no_name_has_an_address_or_a_temporary_path(request):
    volatile = re.compile(f"0x[0-9a-f]{{6}}|{re.escape(tempfile.gettempdir())}")
    assert not [item.nodeid for item in request.session.items if volatile.search(item.nodeid)]


def test_no_name_is_made_of_bytes(request):
    def name(value):
        make = request.config.hook.pytest_make_parametrize_id
        return make(config=request.config, val=value, argname="content")

    assert name(gzip.compress(b"")) == "content"
    assert name("text") is None  # as pytest has it


@pytest.mark.slow
def test_names_and_order_are_the_same_at_another_time_and_place(tmp_path):
    """Two workers that disagree end a run before its first test."""
    (tmp_path / "later.py").write_text(LATER)
    command = ["-m", "pytest", "--rootdir", ROOT, "-c", ROOT / "setup.cfg", "--collect-only", "-q"]
    command += ["-p", "no:cacheprovider", "-m", "slow or not slow", ROOT / "tests"]
    started = []
    for place, more, seed in (("first", [], "0"), ("second", ["-p", "later"], "1")):
        (tmp_path / place).mkdir()
        changed = {"PYTHONHASHSEED": seed, "PYTHONPATH": tmp_path, "TMPDIR": tmp_path / place}
        started += [
            subprocess.Popen(
                [sys.executable, *command, *more],
                cwd=tmp_path / place,
                env={**os.environ, **{name: str(value) for name, value in changed.items()}},
                stdout=subprocess.PIPE,
                text=True,
            )
        ]
    outputs = [process.communicate()[0] for process in started]
    first, second = ([line for line in out.splitlines() if "::" in line] for out in outputs)
    assert len(first) > 1_000, outputs[0][-2_000:]
    assert first == second
