"""Clips from video files."""

from pathlib import Path

import numpy as np

from keras_seq.errors import InputError

VIDEOS = (".avi", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv")
"""Endings of the files that are read."""


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
    try:
        import av
    except ImportError as error:
        raise InputError(f"Videos need {error.name}: pip install 'keras-seq[data]'.") from error
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    if path.suffix.lower() not in VIDEOS:
        raise InputError(f"{path} is no video: its name must end in {', '.join(VIDEOS)}.")
    pixels = {"width": frame[1], "height": frame[0], "format": "rgb24" if frame[2:] else "gray"}
    taken, due = [], 0.0
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise InputError(f"{path} has no pictures in it.")
            for number, one in enumerate(container.decode(video=0)):
                # Without a clock, as many frames a second as films usually have.
                seconds = number / 25 if one.time is None else one.time
                if number == 0:
                    due = seconds
                if seconds >= due - 1e-3:
                    taken.append(one.reformat(**pixels).to_ndarray())
                    due += 1 / rate
    except av.error.FFmpegError as error:
        raise InputError(f"{path} is not a video that can be read: {error.strerror}.") from None
    if not taken:
        raise InputError(f"{path} has no frames.")
    return np.stack(evenly(taken, most))


def evenly(frames, most):
    """At most so many of the frames, evenly apart, the first among them."""
    if len(frames) <= most:
        return frames
    return [frames[number * len(frames) // most] for number in range(most)]
