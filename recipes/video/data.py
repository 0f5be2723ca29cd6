"""Clips with what happens in them: acting digits, sets of TFDS, or videos of your own."""

import numpy as np
import tensorflow_datasets as tfds

from keras_seq import InputError, data
from keras_seq.batching import RawExamples
from keras_seq.train.recipe import Splits

from . import actions
from .config import Config

FILMED = 25
"""Frames a second of public sets, which do not say."""


def load(config: Config) -> Splits:
    """Return clips, arrays (frames, *frame) of uint8, and their labels by split.

    Raises:
        InputError: If a label is in the validation or test split but of no training clip.
    """
    if config.data == "builtin":
        builder = _prepared((actions.SIDE, actions.SIDE), _builtin)
    else:
        builder = _filmed(config)
    splits = {}
    for split in builder.info.splits:
        rows = list(tfds.as_numpy(builder.as_dataset(split=split)))
        labels = [row["label"].decode("utf-8") for row in rows]
        splits[split] = RawExamples([row["frames"] for row in rows], labels)
    data.check_labels({split: found.targets for split, found in splits.items()})
    return splits


def _prepared(frame, examples, source="builtin", paths=()):
    frames = tfds.features.Tensor(
        shape=(None, *frame), dtype=np.uint8, encoding=tfds.features.Encoding.BYTES
    )
    features = tfds.features.FeaturesDict({"frames": frames, "label": tfds.features.Text()})

    def rows():
        for frames, label, split in examples():
            yield frames.tobytes(), {"frames": frames, "label": label}, split

    return data.cached_dataset("video", "1.1.0", features, rows, source, paths)


def _builtin():
    for split, frames, action in actions.clips():
        yield frames, action, split


def _filmed(config):
    """Clips of public videos, or of the user's."""
    frame = (
        (config.frame_size, config.frame_size, 3)
        if config.rgb
        else (config.frame_size, config.frame_size)
    )
    if config.data.startswith("tfds:"):
        name = config.data.removeprefix("tfds:")

        def examples():
            return public(name, frame, config.fps, config.max_frames)

        source, paths = config.data, []
    else:
        _, files = data.list_files_by_class(config.data, data.VIDEO_SUFFIXES)

        def examples():
            splits = [(split, file) for file, _, split in files]
            for file, label, split in files:
                clip = data.read_video(file, frame, config.fps, config.max_frames)
                yield clip, label, data.resolve_split(splits, split, clip.tobytes())

        source, paths = data.fingerprint(files), [file for file, *_ in files]
    return _prepared(frame, examples, repr((source, frame, config.fps, config.max_frames)), paths)


def public(name, frame, rate, most):
    """Any set of TFDS with a video and a label, such as ucf101.

    Args:
        name: NAME or NAME/CONFIG as TFDS lists it.
        frame, rate, most: As of `keras_seq.data.read_video`.

    Yields:
        Clip, label and split.

    Raises:
        InputError: The set has no video or no label.
    """
    builder = data.load_tfds(name)
    features = builder.info.features
    if not {"video", "label"} <= set(features):
        raise InputError(
            f"The data set {name} has the features {', '.join(features)}; needed are a video and "
            "a label."
        )
    names = [split for split in builder.info.splits if split in data.SPLITS]
    splits = [(split, None) for split in names]
    for split in names:
        for row in tfds.as_numpy(builder.as_dataset(split=split)):
            video = row["video"][:: max(1, round(FILMED / rate))]
            clip = _scaled(data.subsample(video, most), frame)
            label = features["label"].names[row["label"]]
            yield clip, label, data.resolve_split(splits, split, clip.tobytes())


def _scaled(frames, frame):
    """Colour frames as (frames, *frame), uint8."""
    from PIL import Image

    images = (Image.fromarray(one).resize(frame[1::-1], Image.Resampling.BOX) for one in frames)
    return np.stack([np.asarray(image.convert("RGB" if frame[2:] else "L")) for image in images])
