"""Labeled clips: synthetic actions of digits, TFDS datasets, or your own videos."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from keras_seq import InputError, data
from keras_seq.batching import RawExamples
from keras_seq.data import summaries
from keras_seq.data.files import list_inputs_by_class
from keras_seq.data.opening import list_folder
from keras_seq.data.videos import list_clips, list_frames
from keras_seq.layers import ApplicationFrameEncoder
from keras_seq.train.recipe import Splits

from . import actions
from .config import Config

TFDS_FPS = 25
"""Frames per second assumed for TFDS videos, which do not state it."""

CLIPS = f"{', '.join(data.VIDEO_SUFFIXES)} files, or folders with one image per frame"

Clips = Iterable[tuple[np.ndarray, str, str | None]]
"""Frames, label, and split of each clip."""
FrameShape = tuple[int, ...]
"""`(height, width)` or `(height, width, 3)`."""


def load(config: Config) -> Splits:
    """Return clips `(frames, *frame_shape)`, uint8, by split, with their labels as targets.

    Raises:
        InputError: If a label of the validation or test split has no training clip, or Keras has no
            such encoder.
    """
    if config.encoder != "small":
        # The constructor checks the name, before clips are read.
        ApplicationFrameEncoder(config.encoder, config.feature_dim)
    if config.data == "builtin":
        builder = _cached_clips((actions.SIDE, actions.SIDE), _builtin_clips)
    else:
        builder = _video_dataset(config)
    splits = {}
    for split in builder.info.splits:
        rows = list(tfds.as_numpy(builder.as_dataset(split=split)))
        labels = [row["label"].decode("utf-8") for row in rows]
        splits[split] = RawExamples([row["frames"] for row in rows], labels)
    data.check_labels({split: examples.targets for split, examples in splits.items()})
    return splits


def _cached_clips(
    frame_shape: FrameShape,
    clips: Callable[[], Clips],
    source: str = "builtin",
    paths: Sequence[Path] = (),
) -> tfds.core.DatasetBuilder:
    frames = tfds.features.Tensor(
        shape=(None, *frame_shape), dtype=np.uint8, encoding=tfds.features.Encoding.BYTES
    )
    features = tfds.features.FeaturesDict({"frames": frames, "label": tfds.features.Text()})

    def examples() -> Iterator[tuple[bytes, dict[str, Any], str | None]]:
        for frames, label, split in clips():
            yield frames.tobytes(), {"frames": frames, "label": label}, split

    return data.cached_dataset("video", "1.1.0", features, examples, source, paths)


def _builtin_clips() -> Clips:
    for split, frames, action in actions.generate_clips():
        yield frames, action, split


def _video_dataset(config: Config) -> tfds.core.DatasetBuilder:
    """Return the clips of a TFDS dataset, or of the user's videos."""
    size = config.frame_size
    frame_shape = (size, size, 3) if config.rgb else (size, size)
    if config.data.startswith("tfds:"):
        name = config.data.removeprefix("tfds:")
        source, paths = config.data, []

        def clips() -> Clips:
            return read_tfds_clips(name, frame_shape, config.fps, config.max_frames)
    else:
        _, clip_paths = list_inputs_by_class(config.data, list_clips, CLIPS)
        files = [(file, *row) for row in clip_paths for file in _list_files(row[0])]
        source, paths = data.fingerprint(files), [file for file, *_ in files]

        def clips() -> Clips:
            return read_clips(clip_paths, frame_shape, config)

    key = repr((source, frame_shape, config.fps, config.max_frames, config.image_fps))
    return _cached_clips(frame_shape, clips, key, paths)


def _list_files(clip: Path) -> list[Path]:
    """Return the files of a clip, one for each frame of a folder."""
    return list_frames(clip) if clip.is_dir() else [clip]


def read_clips(
    clips: Sequence[tuple[Path, str, str | None]], frame_shape: FrameShape, config: Config
) -> Clips:
    """Yield frames, label and split of each of the user's clips.

    Args:
        clips: Path, label and split of each clip.
        frame_shape: As in `keras_seq.data.read_video`.
        config: Config of the run.

    Raises:
        InputError: If a clip is damaged or too large.
    """
    splits, bad_clips = [(split, path) for path, _, split in clips], data.BadRows()
    used = {file for path, *_ in clips for file in _list_files(path)}
    for path, label, split in clips:
        with bad_clips:
            clip = data.read_video(
                path, frame_shape, config.fps, config.max_frames, config.image_fps
            )
            yield clip, label, data.resolve_split(splits, split, clip.tobytes())
    num_folders = sum(path.is_dir() for path, *_ in clips)
    kind = f"{num_folders:,} folders of images ({config.image_fps:g} frames per second)"
    all_files = (file for file in list_folder(Path(config.data), "**/*") if not file.is_dir())
    num_other = sum(file not in used for file in all_files)
    summary = data.ReadSummary(
        config.data,
        f"{len(clips) - num_folders:,} video files" + f" and {kind}" * (num_folders > 0),
        bad_clips.num_good,
        left_out={"files that are not clips": num_other} if num_other else {},
    )
    summaries.add(bad_clips.finish(summary))


def read_tfds_clips(name: str, frame_shape: FrameShape, fps: float, max_frames: int) -> Clips:
    """Yield frames, label and split of each clip of a TFDS dataset, such as ucf101.

    Args:
        name: Name of the dataset, or NAME/CONFIG.
        frame_shape: As in `keras_seq.data.read_video`.
        fps: As in `keras_seq.data.read_video`.
        max_frames: As in `keras_seq.data.read_video`.

    Raises:
        InputError: If the dataset has no feature `video` or `label`.
    """
    builder = data.load_tfds(name)
    features = builder.info.features
    if not {"video", "label"} <= set(features):
        raise InputError(
            f"The dataset {name} has the features {', '.join(features)}; it needs video and label."
        )
    names = [split for split in builder.info.splits if split in data.SPLITS]
    splits = [(split, None) for split in names]
    for split in names:
        for row in tfds.as_numpy(builder.as_dataset(split=split)):
            video = row["video"][:: max(1, round(TFDS_FPS / fps))]
            clip = _resize(data.subsample(video, max_frames), frame_shape)
            label = features["label"].names[row["label"]]
            yield clip, label, data.resolve_split(splits, split, clip.tobytes())


def _resize(frames: Iterable[np.ndarray], frame_shape: FrameShape) -> np.ndarray:
    """Return RGB frames as `(frames, *frame_shape)`, uint8."""
    from PIL import Image

    height, width, *channels = frame_shape
    size, mode = (width, height), "RGB" if channels else "L"
    images = (Image.fromarray(frame).resize(size, Image.Resampling.BOX) for frame in frames)
    return np.stack([np.asarray(image.convert(mode)) for image in images])
