"""Removal of folders of killed processes, but not of live ones."""

import os
import subprocess
import sys
import time

from keras_seq._internal import folder_locks
from keras_seq._internal.files import write_json


def age(folder, seconds):
    """Make a folder look older."""
    then = time.time() - seconds
    os.utime(folder, (then, then))


def test_a_new_write_removes_folders_of_killed_processes(tmp_path):
    left, held, young, other = (
        tmp_path / name
        for name in (".writing-killed_1", ".writing-alive_01", ".writing-young_01", ".writing-o")
    )
    for folder in (left, held, young, other):
        folder.mkdir()
        (folder / "half").touch()
        age(folder, 2 * folder_locks.MIN_AGE_SECONDS)
    age(young, 0)
    with folder_locks.hold(held):
        write_json(tmp_path / "new.json", {})
    actual = {path.name for path in tmp_path.iterdir()}
    assert actual == {held.name, young.name, other.name, "new.json"}


def test_a_lock_ends_with_its_process(tmp_path):
    hold = (
        "import sys; from pathlib import Path; from keras_seq._internal import folder_locks\n"
        "with folder_locks.hold(Path(sys.argv[1])): print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", hold, tmp_path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        with folder_locks.hold(tmp_path, wait=False) as held:
            assert not held
        process.kill()
    with folder_locks.hold(tmp_path, wait=False) as held:
        assert held


def test_without_locks_the_age_decides(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_locks, "fcntl", None)
    for name, seconds in {
        "new": 2 * folder_locks.MIN_AGE_SECONDS,
        "old": 2 * folder_locks.STALE_AGE_SECONDS,
    }.items():
        (tmp_path / name).mkdir()
        age(tmp_path / name, seconds)
    folder_locks.remove_unlocked(tmp_path, "new|old")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    with folder_locks.hold(tmp_path, wait=False) as held:
        assert held


def test_links_are_not_removed(tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    age(target, 2 * folder_locks.STALE_AGE_SECONDS)
    link = tmp_path / "link"
    link.symlink_to(target)
    folder_locks.remove_unlocked(tmp_path, "link")
    assert link.is_symlink() and target.is_dir()
    folder_locks.remove_unlocked(tmp_path / "nowhere", "link")
