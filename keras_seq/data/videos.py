"""Clips from video files."""

import contextlib
import importlib.util
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_seq._internal.errors import InputError
from keras_seq.data import limits
from keras_seq.data.opening import reading, regular_file

if TYPE_CHECKING:
    import av

VIDEOS = (".avi", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv")
"""Endings of the files that are read."""

FORMATS = "asf,avi,gif,m4v,matroska,mov,mpeg,mpegts,mpegvideo"
"""Formats that these files may have, as FFmpeg names them: none that names other files to open."""


def read_video(path, frame, rate=8.0, most=32):
    """Some frames of a video, scaled to one size.

    Args:
        path: A file with one of the endings `VIDEOS`.
        frame: Shape of a frame: (height, width) for grey, (height, width, 3) for colours.
        rate: Frames a second to take, if there are as many.
        most: Frames to take at most: of a longer video fewer a second, evenly apart.

    Returns:
        (frames, *frame), uint8.

    Raises:
        InputError: There is no such file, it is no video, or it has no frame.
    """
    if importlib.util.find_spec("av") is None:
        raise InputError("Videos need av: pip install 'keras-seq[data]'.")
    path = regular_file(path)
    if path.suffix.lower() not in VIDEOS:
        raise InputError(f"{path} is no video: its name must end in {', '.join(VIDEOS)}.")
    pixels = {"width": frame[1], "height": frame[0], "format": "rgb24" if frame[2:] else "gray"}
    taken, due = [], 0.0
    for number, one in enumerate(_frames(path)):
        # Without a clock, as many frames a second as films usually have.
        seconds = number / 25 if one.time is None else one.time
        if number == 0:
            due = seconds
        if seconds >= due - 1e-3:
            with _decoding(path):
                taken.append(one.reformat(**pixels).to_ndarray())
            due += 1 / rate
    if not taken:
        raise InputError(f"{path} has no frames.")
    return np.stack(evenly(taken, most))


def _frames(path: Path) -> "Iterator[av.VideoFrame]":
    """Decode the frames of a video, as long as they are within the limits."""
    import av

    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        with _decoding(path):
            options = {"format_whitelist": FORMATS}
            container = stack.enter_context(av.open(str(path), options=options))
        if not container.streams.video:
            raise InputError(f"{path} has no pictures in it.")
        stream = container.streams.video[0]
        duration = (container.duration or 0) / av.time_base
        limits.check("max_video_seconds", duration, path, "the duration in seconds")
        limits.check("max_video_frames", stream.frames, path, "the number of frames")
        if stream.codec_context is None:
            raise InputError(f"{path} is damaged or has pictures of an unknown kind.")
        _check_size(stream.codec_context, path)
        # A stream may change the size of its frames, and decoders round sizes up.
        most = 2 * limits.get().max_pixels + 2**20
        stream.codec_context.options = {"max_pixels": str(most)}
        frames, first = container.decode(stream), None
        for number in itertools.count(1):
            with _decoding(path):
                frame = next(frames, None)
            if frame is None:
                return
            _check_size(frame, path)
            limits.check("max_video_frames", number, path, "the number of frames")
            if frame.time is not None:
                first = frame.time if first is None else first
                limits.check("max_video_seconds", frame.time - first, path, "the time of a frame")
            seconds = time.monotonic() - begun
            limits.check("max_decoding_seconds", seconds, path, "the time to decode it in seconds")
            yield frame


def _decoding(path: Path) -> contextlib.AbstractContextManager[None]:
    """Return a context for calls of PyAV, which raises its own exceptions and those of Python."""
    import av

    damage = (ArithmeticError, EOFError, LookupError, MemoryError, OSError, ValueError)
    return reading(path, "a video", (av.FFmpegError, *damage))


def _check_size(frame: Any, path: Path) -> None:
    pixels = frame.width * frame.height
    limits.check("max_pixels", pixels, path, "width times height of a frame")


def evenly(frames, most):
    """At most so many of the frames, evenly apart, the first among them."""
    if len(frames) <= most:
        return frames
    return [frames[number * len(frames) // most] for number in range(most)]
