"""Labeled clips: synthetic actions of digits, TFDS datasets, or your own videos."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from keras_seq import InputError, data
from keras_seq.batching import RawExamples
from keras_seq.train.recipe import Splits

from . import actions
from .config import Config

TFDS_FPS = 25
"""Frames per second assumed for TFDS videos, which do not state it."""

Clips = Iterable[tuple[np.ndarray, str, str | None]]
"""Frames, label, and split of each clip."""
FrameShape = tuple[int, ...]
"""`(height, width)` or `(height, width, 3)`."""


def load(config: Config) -> Splits:
    """Return clips `(frames, *frame_shape)`, uint8, by split, with their labels as targets.

    Raises:
        InputError: If a label of the validation or test split has no training clip.
    """
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
        _, files = data.list_files_by_class(config.data, data.VIDEO_SUFFIXES)
        source, paths = data.fingerprint(files), [file for file, *_ in files]

        def clips() -> Clips:
            splits = [(split, file) for file, _, split in files]
            for file, label, split in files:
                clip = data.read_video(file, frame_shape, config.fps, config.max_frames)
                yield clip, label, data.resolve_split(splits, split, clip.tobytes())

    key = repr((source, frame_shape, config.fps, config.max_frames))
    return _cached_clips(frame_shape, clips, key, paths)


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
