"""Reports of a training: lines of text, JSON lines, and what is printed while nothing happens."""

import io
import json
import math
import re
import sys
from pathlib import Path

import pytest
from rich.console import Console

from keras_seq import InputError
from keras_seq.train import outputs
from keras_seq.train import reporter as reporter_module
from keras_seq.train.outputs import JsonReporter, QuietReporter, TextReporter
from keras_seq.train.reporter import INTERVAL, Task

ROOT = Path(__file__).parent.parent.parent


class Clock:
    """Clock that tests set."""

    now = 0.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    """Output that is a terminal."""

    def isatty(self):
        return True


def text_reporter(stream=None):
    console = Console(file=io.StringIO() if stream is None else stream, width=60)
    return TextReporter(console, Clock())


def lines(reporter):
    return reporter.console.file.getvalue().splitlines()


def train(reporter):
    """Report a training of two epochs with two steps each."""
    reporter.start_phase("reading the data")
    reporter.clock.now += 3.25
    reporter.report_text("read a.csv")
    reporter.warn("few examples")
    reporter.start_phase("training")
    reporter.start_task("step", 4, done=1, epochs=2)
    for step in range(1, 5):
        epoch = (step + 1) // 2
        reporter.clock.now += 10
        reporter.advance(step, epoch=epoch, loss=1 / step, is_evaluating=step % 2 == 0)
        reporter.tick()
        if step % 2 == 0:
            reporter.report_epoch({"loss": 1 / step, "val_f1": math.nan, "by": {"A": 1}}, 20.0)
    reporter.start_phase("saving")


def test_lines_of_a_pipe():
    reporter = text_reporter()
    train(reporter)
    assert lines(reporter) == [
        "reading the data",
        "read a.csv",
        "warning: few examples",
        "reading the data took 3.2 s",
        "training",
        "epoch 1/2  loss 0.5000  val_f1 nan  elapsed 0:00:23  left 0:00:40",
        "epoch 2/2  loss 0.2500  val_f1 nan  elapsed 0:00:43  left 0:00:00",
        "training took 40.0 s",
        "saving",
    ]


def test_a_line_after_each_interval_without_one():
    reporter = text_reporter()
    reporter.start_phase("compiling")
    reporter.clock.now = INTERVAL - 1
    assert reporter.tick() == 1 and lines(reporter) == ["compiling"]
    reporter.clock.now = INTERVAL
    assert reporter.tick() == INTERVAL
    reporter.start_task("step", 100, done=1, epochs=2)
    reporter.clock.now = 2 * INTERVAL
    reporter.advance(11, epoch=1, loss=0.5)
    reporter.tick()
    reporter.clock.now = 3 * INTERVAL
    reporter.advance(50, is_evaluating=True)
    reporter.tick()
    assert lines(reporter)[1:] == [
        "still compiling, 30 s",
        "epoch 1/2  step 11/100  loss 0.5000  elapsed 0:01:00  left 0:04:27",
        "epoch 1/2  step 50/100  loss 0.5000  evaluating  elapsed 0:01:30  left 0:01:01",
    ]


def test_trials_are_counted():
    reporter = text_reporter()
    reporter.start_task("trials", 20)
    reporter.advance(2.25)
    reporter.clock.now = 90
    reporter.tick()
    assert lines(reporter) == ["trials 2.25/20  elapsed 0:01:30  left 0:11:50"]


def test_an_error_log_gets_no_phases_but_long_ones(capsys):
    with TextReporter(Console(stderr=True), Clock()) as reporter:
        reporter.start_phase("predicting")
        reporter.start_task("predictions", None)
        reporter.advance(512)
        reporter.clock.now += INTERVAL
        reporter.tick()
    assert capsys.readouterr() == ("", "predictions 512  elapsed 0:00:30\n")


def test_nothing_is_reported_before_work_begins():
    reporter = text_reporter()
    reporter.clock.now = 100
    assert reporter.tick() == INTERVAL and lines(reporter) == []


def test_a_pipe_gets_no_control_characters(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    reporter = text_reporter()
    with reporter:
        train(reporter)
        reporter.report_text("\x1b[31m [bold]red[/] https://a.b/c")
    text = reporter.console.file.getvalue()
    assert "\x1b" not in text and "\r" not in text
    assert r"\x1b[31m [bold]red[/] https://a.b/c" in text


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_a_terminal_gets_a_bar_that_is_ended(error):
    reporter = text_reporter(Terminal())
    try:
        with reporter:
            reporter.start_phase("training")
            reporter.start_task("step", 4, done=1, epochs=2)
            assert "loss" not in reporter.console.file.getvalue()
            reporter.advance(2, epoch=1, loss=0.25)
            reporter.bar.refresh()
            assert "epoch 1/2" in reporter.console.file.getvalue()
            assert "loss 0.2500" in reporter.console.file.getvalue()
            reporter.report_epoch({"loss": 0.25}, 1.5)
            if error:
                raise error
    except KeyboardInterrupt:
        pass
    assert reporter.bar is None
    text = reporter.console.file.getvalue()
    assert "epoch 1/2  loss 0.2500  1.5 s" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is shown again"


def test_json_lines(capsys):
    with JsonReporter(Clock()) as reporter:
        train(reporter)
        print("of a library")
        reporter.report_result("runs/a", {"test": {"accuracy": math.inf}, "names": ["ä"]})
    out, err = capsys.readouterr()
    assert err == "of a library\n" and sys.stdout is not sys.stderr
    events = [json.loads(line) for line in out.splitlines()]
    assert " ".join(event["event"] for event in events) == (
        "phase message warning phase_end phase epoch epoch phase_end phase phase_end result"
    )
    assert events[3] == {"event": "phase_end", "phase": "reading the data", "seconds": 3.25}
    metrics = {"loss": 0.5, "val_f1": None, "by": {"A": 1}}
    times = {"seconds": 20.0, "elapsed": 23.25, "remaining": 40.0}
    assert events[5] == {"event": "epoch", "epoch": 1, "epochs": 2, "metrics": metrics, **times}
    assert events[-1]["metrics"] == {"test": {"accuracy": None}, "names": ["ä"]}


def test_the_page_lists_all_events_and_keys(capsys):
    with JsonReporter(Clock()) as reporter:
        reporter.clock.now += INTERVAL
        reporter.start_phase("searching")
        reporter.clock.now += INTERVAL
        reporter.tick()
        train(reporter)
        reporter.start_task("step", 4, epochs=2)
        reporter.clock.now += INTERVAL
        reporter.tick()
        reporter.report_result("runs/a", {})
    keys = {}
    for line in capsys.readouterr().out.splitlines():
        event = json.loads(line)
        keys[event["event"]] = set(event) - {"event"}
    rows = [
        re.findall("`([a-z_.]+)`", row)
        for row in (ROOT / "docs/runs.md").read_text().splitlines()
        if row.startswith("| `") and "`event`" not in row and row.count("|") == 4
    ]
    assert {row[0]: set(row[1:]) - {"step", "trials", "metrics.json"} for row in rows} == keys


def test_quiet_prints_warnings_alone(capsys):
    with QuietReporter(Clock()) as reporter:
        train(reporter)
    assert capsys.readouterr() == ("", "keras-seq: warning: few examples\n")


def test_the_thread_reports_and_ends(monkeypatch):
    monkeypatch.setattr(reporter_module, "INTERVAL", 0.01)
    console = Console(file=io.StringIO())
    with TextReporter(console) as reporter:
        reporter.start_phase("compiling")
        thread = reporter._thread
        while "still compiling" not in console.file.getvalue():
            thread.join(0.01)
            assert thread.is_alive()
    assert not thread.is_alive()


def test_a_closed_output_ends_the_thread_alone(monkeypatch):
    monkeypatch.setattr(reporter_module, "INTERVAL", 0.01)
    console = Console(file=io.StringIO())
    reporter = TextReporter(console)
    reporter.start_phase("compiling")
    console.file.close()
    with reporter:
        reporter._thread.join(10)
        assert not reporter._thread.is_alive()


def test_an_unknown_output():
    with pytest.raises(InputError, match="There is no output 'jsonl': did you mean 'json'"):
        outputs.make_reporter("jsonl")


def test_the_first_epoch_does_not_count_after_the_second():
    task = Task("step", total=50, done=0, start_time=0.0, epochs=5)
    remaining = []
    for done, now in ((10, 100.0), (20, 102.0), (30, 104.0)):
        task.done = done
        task.end_epoch(now)
        remaining.append(task.remaining(now))
    assert remaining == [400, 6, 4]
