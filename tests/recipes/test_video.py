"""Recipe `video`: built-in clips, own videos, a mocked TFDS dataset, training and metrics."""

import json

import numpy as np
import pytest
from keras_seq_recipes.video import actions, data, metric
from keras_seq_recipes.video.config import Config
from PIL import Image

from keras_seq import cli
from keras_seq._internal.errors import InputError
from keras_seq.data import collect_summaries, hash_split, limits, read_video, row_errors

av = pytest.importorskip("av")

SMALL = [
    "--frame-size",
    "8",
    "--conv-filters",
    "2",
    "--feature-dim",
    "4",
    "--units",
    "4",
    "--steps",
    "2",
]


def test_single_frames_do_not_reveal_the_action():
    # For each action, position, size and angle are uniform in the first and the last frame: the
    # deciles of 500 clips are within five standard errors.
    whole = {"x": actions.SIDE, "y": actions.SIDE, "size": 1, "angle": 2 * np.pi}
    deciles = np.arange(1, 10) / 10
    for number, action in enumerate(actions.ACTIONS):
        random = np.random.default_rng(number)
        paths = [actions.generate_path(random, action, np.array([0, 11]), 0.8) for _ in range(500)]
        for name, range_ in whole.items():
            values = np.array([path[name] for path in paths]) / range_
            shares = (values[:, :, None] < deciles).mean(axis=0)
            assert abs(shares - deciles).max() < 5 * np.sqrt(0.25 / 500), (action, name)


def displacements(action, speed=0.5, frames=12):
    path = actions.generate_path(np.random.default_rng(3), action, np.arange(frames), speed)
    step = np.diff([path["x"], path["y"]], axis=1)
    step = np.mod(step + actions.SIDE / 2, actions.SIDE) - actions.SIDE / 2
    size = np.mod(np.diff(path["size"]) + 0.5, 1) - 0.5
    turned = np.mod(np.diff(path["angle"]) + np.pi, 2 * np.pi) - np.pi
    return *step, size, turned


def test_directions_of_actions():
    for action, (x, y) in {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}.items():
        across, down, *_ = displacements(f"moving {action}")
        np.testing.assert_allclose(across, x * 0.8 * 3**0.5, atol=1e-6)
        np.testing.assert_allclose(down, y * 0.8 * 3**0.5, atol=1e-6)
    for sense, sign in {"clockwise": 1, "counter-clockwise": -1}.items():
        across, down, *_ = displacements(f"circling {sense}")
        # y points down, so a turn to the right is clockwise.
        assert (sign * (across[:-1] * down[1:] - down[:-1] * across[1:]) > 0).all()
        assert (sign * displacements(f"spinning {sense}")[3] > 0).all()
    assert (displacements("growing")[2] > 0).all() and (displacements("shrinking")[2] < 0).all()
    across, down, *_ = displacements("shaking")
    assert across.any() and not down.any() and abs(across.sum()) < 6
    across, down, *_ = displacements("bouncing")
    assert down.any() and not across.any()


def test_paint():
    image = np.zeros((14, 14))
    image[2:5, 7] = 1  # a stroke above the centre, which is between four pixels
    frames = np.zeros((2, 32, 32), "float32")
    ones = np.ones(2)
    actions.paint(frames, image, 31.5 * ones, 16.5 * ones, ones, np.array([0, np.pi / 2]))
    expected = np.zeros((2, 32, 32))
    expected[0, 12:15, 0] = 1  # over the edge
    expected[1, 17, 2:5] = 1  # turned clockwise, to the right
    np.testing.assert_allclose(frames, expected, atol=1e-6)


@pytest.mark.slow
def test_builtin_clips(workplace, monkeypatch):
    monkeypatch.setattr(actions, "CLIPS", {"train": 24, "validation": 12, "test": 12})
    splits = data.load(Config())
    clips = list(actions.generate_clips())
    for name, examples in splits.items():
        times = 2 if name == "train" else 1
        assert sorted(examples.targets) == sorted([*actions.ACTIONS] * times)
        expected = {frames.tobytes(): action for split, frames, action in clips if split == name}
        keys = (clip.tobytes() for clip in examples.inputs)
        assert dict(zip(keys, examples.targets)) == expected
    clips = splits["train"].inputs
    assert {clip.dtype for clip in clips} == {np.dtype("uint8")}
    assert all(12 <= len(clip) <= 20 and clip.shape[1:] == (32, 32) for clip in clips)


@pytest.mark.slow
def test_splits_have_different_digits_and_speeds():
    digits = {
        split: {image.tobytes() for image in images}
        for split, images in actions._load_digits().items()
    }
    assert [len(images) for images in digits.values()] == [4047, 483, 470]
    assert not digits["train"] & (digits["validation"] | digits["test"])
    random = np.random.default_rng(0)
    speed_bins = {
        split: {int(10 * actions.draw_speed(random, split)) for _ in range(200)} for split in digits
    }
    assert speed_bins["test"] == {2, 7} and speed_bins["validation"] == {4}
    assert speed_bins["train"] == {0, 1, 3, 5, 6, 8, 9}


def write_video(path, frames, rate=8, codec="mpeg4"):
    """Write frames `(time, height, width)` as a video file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = frames.shape[1:]
        stream.pix_fmt = "yuv420p"
        container.start_encoding()
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "gray")))
        container.mux(stream.encode())
    return path


def moving_bar(rows, count=8, step=1):
    """Return frames of 32 x 48 with a bright bar that moves down or up."""
    frames = np.zeros((count, 32, 48), "uint8")
    for time in range(count):
        frames[time, (rows + step * 3 * time) % 32 :][:4] = 250
    return frames


def folder_of_videos(root, classes=("falls", "rises"), each=12):
    for step, name in zip((1, -1), classes):
        for number in range(each):
            write_video(root / name / f"{number}.mp4", moving_bar(number, 5 + number % 4, step))
    return root


def test_frames_of_a_video(workplace):
    frames = np.repeat(np.arange(0, 250, 10, dtype="uint8"), 16 * 16).reshape(25, 16, 16)
    path = write_video(workplace / "a.mp4", frames, rate=25)

    def levels(**sampling):
        clip = read_video(path, (4, 6), **sampling)
        assert clip.shape[1:] == (4, 6) and clip.dtype == np.uint8
        return [round(float(frame.mean()) / 10) for frame in clip]

    assert levels(fps=5) == [0, 5, 10, 15, 20]
    assert levels(fps=100, max_frames=50) == list(range(25))
    assert levels(fps=100, max_frames=5) == [0, 5, 10, 15, 20]
    assert read_video(path, (4, 6, 3)).shape == (8, 4, 6, 3)


@pytest.mark.slow
def test_own_videos_end_to_end(workplace, capsys):
    folder_of_videos(workplace / "mine")
    assert cli.main(["train", "video", "--data", "mine", *SMALL]) == 0
    run = workplace / "runs/video/default"
    metrics = json.loads((run / "metrics.json").read_text())
    assert 0 <= metrics["test"]["accuracy"] <= 1 and metrics["test"]["cross_entropy"] > 0
    for name in ("confusion_matrix.png", "filmstrips.png"):
        assert (run / name).stat().st_size > 500
    gif = next(run.glob("row_*.gif"))
    write_video(workplace / "one.mp4", moving_bar(3, 1))
    capsys.readouterr()
    assert cli.main(["predict", str(run), str(gif), "one.mp4", "--picture", "strips"]) == 0
    shown = capsys.readouterr().out
    assert "falls" in shown or "rises" in shown
    assert next((workplace / "strips").glob("one_mp4_*.png")).stat().st_size > 500
    # A GIF that the run wrote is read as the same clip.
    row = int(gif.stem.removeprefix("row_"))
    clip = data.load(Config(data="mine", frame_size=8))["test"].inputs[row]
    np.testing.assert_array_equal(read_video(gif, (8, 8)), clip)
    assert cli.main(["trace", str(run), "one.mp4"]) == 0
    [page] = run.glob("trace_one_mp4*.html")
    assert "frame 0" in page.read_text()
    (workplace / "bad.mp4").write_bytes(b"no video" * 99)
    assert cli.main(["predict", str(run), "bad.mp4"]) == 2
    assert "bad.mp4 is damaged or is not a video" in capsys.readouterr().err


def write_frames(folder, frames, name="frame{}.png", **options):
    """Write frames as images whose numbers have no leading zeros."""
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / name.format(number), **options)
    return folder


def test_folders_of_images_are_clips(workplace):
    frames = np.repeat(np.arange(0, 250, 10, dtype="uint8"), 16 * 16).reshape(25, 16, 16)
    folder = write_frames(workplace / "clip", frames)
    (folder / "._frame3.png").write_bytes(b"resource fork")

    def levels(**sampling):
        return [round(float(frame.mean()) / 10) for frame in read_video(folder, (4, 6), **sampling)]

    assert levels(fps=100, max_frames=50) == list(range(25))
    assert levels(fps=5) == levels(fps=5, image_fps=25) == [0, 5, 10, 15, 20]
    assert levels(fps=5, image_fps=5) == list(range(25))
    assert levels(fps=25, max_frames=5) == [0, 5, 10, 15, 20]
    with limits.override(max_video_frames=24), pytest.raises(InputError, match="number of frames"):
        read_video(folder, (4, 6))
    rgba = np.full((2, 4, 4, 4), [200, 100, 50, 255], "uint8")
    rgba[:, :2, :, 3] = 0
    clip = read_video(write_frames(workplace / "rgba", rgba), (4, 4, 3), image_fps=1)
    assert clip.shape == (2, 4, 4, 3) and clip[0, :, 0].tolist() == 2 * [[0] * 3] + 2 * [
        [200, 100, 50]
    ]
    assert (clip[0] == read_video(folder.with_name("rgba"), (4, 4, 3))[0]).all()
    (workplace / "empty").mkdir()
    with pytest.raises(InputError, match=r"The folder empty has no frames; their names must end"):
        read_video("empty", (4, 4))
    (folder / "frame9.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"clip/frame9\.png is damaged or is not an image"):
        read_video(folder, (4, 6), fps=25)


def test_an_animation_is_a_video(workplace):
    frames = [Image.fromarray(frame) for frame in moving_bar(0, 6)]
    frames[0].save("a.gif", save_all=True, append_images=frames[1:], duration=125)
    clip = read_video("a.gif", (32, 48), fps=50)
    np.testing.assert_allclose(clip, moving_bar(0, 6), atol=8)
    frames[0].save("b.gif")
    assert read_video("b.gif", (32, 48)).shape == (1, 32, 48)


def test_folders_with_clips_of_several_kinds(workplace):
    for step, name in zip((1, -1), ("falls", "rises")):
        write_video(workplace / "mine" / name / "a.mp4", moving_bar(3, 5, step))
        write_video(workplace / "mine" / name / "day 1/b.mp4", moving_bar(4, 5, step))
        write_frames(workplace / "mine" / name / "day 2/c", moving_bar(5, 5, step))
        (workplace / "mine" / name / "day 1/preview.jpg").write_bytes(b"")
        (workplace / "mine" / name / "Thumbs.db").write_bytes(b"")
    (workplace / "mine/notes.txt").write_text("Filmed in May.")
    with row_errors.policy("skip"), collect_summaries() as summaries:
        splits = data.load(Config(data="mine", frame_size=8, image_fps=8))
        assert sum(len(split.inputs) for split in splits.values()) == 6
        (workplace / "mine/falls/day 2/c/frame2.png").write_bytes(b"")
        splits = data.load(Config(data="mine", frame_size=8, image_fps=8))
        assert sum(len(split.inputs) for split in splits.values()) == 5
    first, second = summaries
    assert first.format == "4 video files and 2 folders of images (8 frames per second)"
    assert first.left_out == {"files that are not clips": 3} and first.num_rows == 6
    assert second.left_out == {"files that are not clips": 3, "bad rows": 1}


def with_empty_folder(root):
    (folder_of_videos(root, each=1) / "stands").mkdir()


def with_damaged_file(root):
    (folder_of_videos(root, each=1) / "falls/x.mp4").write_bytes(bytes(99))


def without_frames(root):
    write_video(folder_of_videos(root, each=1) / "falls/x.avi", moving_bar(0, 1)[:0])


def with_unknown_suffix(root):
    folder_of_videos(root, each=1)
    for file in (root / "rises").iterdir():
        file.rename(file.with_suffix(".txt"))


def with_one_class(root):
    folder_of_videos(root, classes=("falls",), each=1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (with_empty_folder, "The folder mine/stands has no .avi"),
        (with_damaged_file, "mine/falls/x.mp4 is damaged or is not a video"),
        (without_frames, "mine/falls/x.avi has no frames"),
        (with_unknown_suffix, "The folder mine/rises has no .avi"),
        (with_one_class, "at least two classes"),
        (lambda root: None, "There is no file or folder mine"),
    ],
)
def test_invalid_folders(workplace, capsys, make, message):
    make(workplace / "mine")
    capsys.readouterr()
    assert cli.main(["train", "video", "--data", "mine", *SMALL]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (workplace / "runs").exists() and not list(workplace.glob("tfds/video/*/*.*.*"))


def test_files_that_are_not_videos(workplace):
    (workplace / "a.txt").write_text("moving")
    with pytest.raises(ValueError, match=r"a\.txt is not a video: its name must end in \.avi"):
        read_video("a.txt", (4, 4))
    with pytest.raises(ValueError, match=r"There is no file b\.mp4"):
        read_video("b.mp4", (4, 4))
    with av.open("sound.mp4", "w") as container:
        stream = container.add_stream("aac", rate=8000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), "float32"), "fltp", "mono")
        silence.rate = 8000
        container.mux(stream.encode(silence))
        container.mux(stream.encode())
    with pytest.raises(ValueError, match=r"sound\.mp4 has no video stream"):
        read_video("sound.mp4", (4, 4))


def read_mocked_rows(builder, split=None, **_):
    import tensorflow as tf

    names = builder.info.features["label"].names

    def rows():
        for number in range(20):
            bar = moving_bar(number, 20 + number % 3, -1 if number % 2 else 1)
            label = names.index(["Archery", "Biking"][number % 2])
            yield {"video": np.stack([bar] * 3, axis=-1), "label": label}

    shapes = {
        "video": tf.TensorSpec([None, 32, 48, 3], tf.uint8),
        "label": tf.TensorSpec([], tf.int64),
    }
    return tf.data.Dataset.from_generator(rows, output_signature=shapes)


def test_mocked_tfds_dataset(workplace, mock_public, monkeypatch):
    read_tfds_clips = data.read_tfds_clips

    def mocked(*args):
        with mock_public(("train", "test"), as_dataset_fn=read_mocked_rows):
            return list(read_tfds_clips(*args))

    monkeypatch.setattr(data, "read_tfds_clips", mocked)
    splits = data.load(Config(data="tfds:ucf101/ucf101_1", frame_size=8, fps=12.5, max_frames=9))
    assert set(splits) == {"train", "validation", "test"}
    assert [len(splits["test"].inputs), sum(len(s.targets) for s in splits.values())] == [20, 40]
    assert {clip.shape for clip in splits["test"].inputs} == {(9, 8, 8)}
    assert set(splits["train"].targets) == {"Archery", "Biking"}
    held = [hash_split(clip.tobytes()) for clip in splits["validation"].inputs]
    assert set(held) == {"validation"}


def test_tfds_dataset_without_videos(workplace, mock_public, capsys):
    with (
        mock_public(),
        pytest.raises(ValueError, match="mnist has the features image, label; it needs video"),
    ):
        list(data.read_tfds_clips("mnist", (8, 8), 8, 9))


def test_label_without_training_clip(workplace, capsys):
    folder_of_videos(workplace / "mine/train", each=2)
    folder_of_videos(workplace / "mine/test", classes=("falls", "stands"), each=1)
    assert cli.main(["train", "video", "--data", "mine", *SMALL]) == 2
    assert "The test split has the label 'stands'" in capsys.readouterr().err


class FixedModel:
    """A model with given probabilities of the label "a"."""

    labels = ["a", "b"]

    def __init__(self, chances):
        self.chances = chances

    def classify(self, clips):
        from keras_seq.models.results import Prediction

        return [
            Prediction("a" if p > 0.5 else "b", max(p, 1 - p), {"a": p, "b": 1 - p})
            for p in self.chances
        ]


def test_metrics_by_hand():
    from keras_seq.batching import RawExamples

    splits = {"test": RawExamples([None] * 4, ["a", "a", "b", "b"])}
    metrics = metric.evaluate(FixedModel([0.9, 0.2, 0.2, 0.1]), splits, "test")
    assert metrics["accuracy"] == 0.75
    assert metrics["cross_entropy"] == pytest.approx(-np.log([0.9, 0.2, 0.8, 0.9]).mean())
