"""Clips: video files, and folders with one image per frame."""

import contextlib
import importlib.util
import itertools
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from keras_seq._internal.errors import InputError
from keras_seq._internal.subsampling import subsample
from keras_seq._internal.types import Array
from keras_seq.data import ffmpeg, limits
from keras_seq.data.files import natural_key
from keras_seq.data.images import IMAGE_SUFFIXES, flatten, read_image
from keras_seq.data.opening import check_regular_file, list_folder

if TYPE_CHECKING:
    import av

Frame = TypeVar("Frame")

VIDEO_SUFFIXES = (".avi", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv")
"""Suffixes of the files that `read_video` accepts."""

FFMPEG_FORMATS = "asf,avi,gif,m4v,matroska,mov,mpeg,mpegts,mpegvideo"
"""FFmpeg's names of the accepted formats, none of which can refer to other files."""

FRAME_SUFFIXES = tuple(suffix for suffix in IMAGE_SUFFIXES if suffix not in VIDEO_SUFFIXES)
"""Suffixes of the images in a folder that is a clip."""

DEFAULT_FPS = 25.0
"""Frame rate of a video without time stamps, and of a folder of images."""


def read_video(
    path: str | os.PathLike[str],
    frame_shape: Sequence[int],
    fps: float = 8.0,
    max_frames: int = 32,
    image_fps: float = DEFAULT_FPS,
) -> Array:
    """Read frames of a video or of a folder of images, resized to one shape.

    Args:
        path: File with one of `VIDEO_SUFFIXES`, or folder of images with `FRAME_SUFFIXES`. Images
            are sorted by the numbers in their names, and transparent pixels are black.
        frame_shape: Shape of a frame: `(height, width)` for gray, `(height, width, 3)` for RGB.
        fps: Number of frames to take per second, at most those that the video has.
        max_frames: Maximum number of frames. If there are more, evenly spaced ones are taken.
        image_fps: Frame rate of a folder of images.

    Returns:
        uint8 `(frames, *frame_shape)`.

    Raises:
        InputError: If the path does not exist, is not a video, or has no frames.
        LimitError: If the video exceeds one of the `DataLimits`.
    """
    path = Path(path)
    if path.is_dir():
        return np.stack(_read_folder(path, frame_shape, fps, max_frames, image_fps))
    return np.stack(subsample(_read_file(path, frame_shape, fps), max_frames))


def list_clips(folder: Path) -> list[Path]:
    """Return the video files in a folder and its sub-folders, and the sub-folders with images.

    Images are frames only in a sub-folder without video files. Elsewhere they may be previews.

    Args:
        folder: Folder of a class.
    """
    files = [file for file in list_folder(folder, "**/*") if not file.is_dir()]
    videos = [file for file in files if file.suffix.lower() in VIDEO_SUFFIXES]
    folders = {file.parent for file in files if file.suffix.lower() in FRAME_SUFFIXES}
    return sorted([*videos, *folders - {folder, *(file.parent for file in videos)}])


def list_frames(folder: Path) -> list[Path]:
    """Return the images in a folder, sorted by the numbers in their names.

    Args:
        folder: Folder with one image per frame.

    Raises:
        InputError: If it has no images.
    """
    files = [file for file in list_folder(folder) if file.suffix.lower() in FRAME_SUFFIXES]
    if not files:
        raise InputError(
            f"The folder {folder} has no frames; their names must end in "
            f"{', '.join(FRAME_SUFFIXES)}."
        )
    return sorted(files, key=natural_key)


def _read_folder(
    folder: Path, frame_shape: Sequence[int], fps: float, max_frames: int, image_fps: float
) -> list[Array]:
    from PIL import Image

    files, start_time = list_frames(folder), time.monotonic()
    limits.check("max_video_frames", len(files), folder, "the number of frames")
    duration = len(files) / image_fps
    limits.check("max_video_seconds", duration, folder, "the duration in seconds")
    (height, width), mode = frame_shape[:2], "RGB" if frame_shape[2:] else "L"
    taken = list(_sample(((i / image_fps, file) for i, file in enumerate(files)), fps))
    images = []
    for file in subsample(taken, max_frames):
        image = flatten(read_image(file).pixels).convert(mode)
        images.append(np.asarray(image.resize((width, height), Image.Resampling.BILINEAR)))
        seconds = time.monotonic() - start_time
        limits.check("max_decoding_seconds", seconds, folder, "the time to decode it in seconds")
    return images


def _read_file(path: Path, frame_shape: Sequence[int], fps: float) -> list[Array]:
    if importlib.util.find_spec("av") is None:
        raise InputError("Reading videos requires PyAV: pip install 'keras-seq[data]'.")
    path = check_regular_file(path)
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        raise InputError(
            f"{path} is not a video: its name must end in {', '.join(VIDEO_SUFFIXES)}."
        )
    height, width = frame_shape[:2]
    pixel_format = "rgb24" if frame_shape[2:] else "gray"
    # A frame may have no time stamp: assume a common frame rate.
    timed = (
        (index / DEFAULT_FPS if frame.time is None else frame.time, frame)
        for index, frame in enumerate(_frames(path))
    )
    images: list[Array] = []
    for frame in _sample(timed, fps):
        with _decoding(path):
            image = frame.reformat(width=width, height=height, format=pixel_format)
            images.append(image.to_ndarray())
    if not images:
        raise InputError(f"{path} has no frames.")
    return images


def _sample(timed: Iterable[tuple[float, Frame]], fps: float) -> Iterator[Frame]:
    """Yield at most `fps` frames per second, given frames with their times in seconds."""
    next_time: float | None = None
    for seconds, frame in timed:
        next_time = seconds if next_time is None else next_time
        if seconds >= next_time - 1e-3:
            yield frame
            next_time += 1 / fps


def _frames(path: Path) -> "Iterator[av.VideoFrame]":
    """Decode the frames of a video, and check the limits for the file and for each frame."""
    import av

    start_time = time.monotonic()
    with contextlib.ExitStack() as stack:
        with _decoding(path):
            container = stack.enter_context(ffmpeg.open_container(path, FFMPEG_FORMATS))
        if not container.streams.video:
            raise InputError(f"{path} has no video stream.")
        stream = container.streams.video[0]
        duration = (container.duration or 0) / av.time_base
        limits.check("max_video_seconds", duration, path, "the duration in seconds")
        limits.check("max_video_frames", stream.frames, path, "the number of frames")
        if stream.codec_context is None:
            raise InputError(f"{path} is damaged or has an unknown video codec.")
        _check_size(stream.codec_context, path)
        # A stream may change the size of its frames, and decoders round sizes up.
        max_decoded_pixels = 2 * limits.get().max_pixels + 2**20
        stream.codec_context.options = {"max_pixels": str(max_decoded_pixels)}
        frames, first_time = container.decode(stream), None
        for count in itertools.count(1):
            with _decoding(path):
                frame = next(frames, None)
            if frame is None:
                return
            _check_size(frame, path)
            limits.check("max_video_frames", count, path, "the number of frames")
            if frame.time is not None:
                first_time = frame.time if first_time is None else first_time
                duration = frame.time - first_time
                limits.check("max_video_seconds", duration, path, "the duration in seconds")
            seconds = time.monotonic() - start_time
            limits.check("max_decoding_seconds", seconds, path, "the time to decode it in seconds")
            yield frame


def _decoding(path: Path) -> contextlib.AbstractContextManager[None]:
    return ffmpeg.translate_decoding_errors(path, "a video")


def _check_size(frame: Any, path: Path) -> None:
    pixels = frame.width * frame.height
    limits.check("max_pixels", pixels, path, "width times height of a frame")
