import numpy as np

from benchmarks import video_controls


def test_reversed_labels():
    labels = ["moving left", "spinning clockwise", "circling counter-clockwise", "growing"]
    labels += ["moving up", "bouncing", "shaking"]
    reversed_labels = video_controls.reverse_labels(labels)
    assert reversed_labels == [
        "moving right",
        "spinning counter-clockwise",
        "circling clockwise",
        "shrinking",
        "moving down",
        "bouncing",
        "shaking",
    ]
    assert video_controls.reverse_labels(reversed_labels) == labels


def test_single_frames():
    clips = [np.arange(n)[:, None] for n in (3, 5)]
    frames = video_controls.pick_frames(clips, 4, np.random.default_rng(0))
    assert [clip.shape for clip in frames] == [(1, 1)] * 8
    assert {int(clip[0, 0]) for clip in frames[:4]} <= set(range(3))
