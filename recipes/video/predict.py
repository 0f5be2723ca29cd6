"""What it says of a video file."""

from pathlib import Path

import numpy as np

from keras_seq import data, pictures

from .metric import over_time


def predict(model, config, inputs, *, folder: Path = Path("filmstrips")):
    """The action of every video file, and how sure the model is.

    Parameters
    ----------
    folder
        Where to draw the frames of each, with what the model thought of it by then.
    """
    clips = [data.read_video(path, model.frame, **model.sampling) for path in inputs]
    folder.mkdir(parents=True, exist_ok=True)
    for path, clip, seen in zip(inputs, clips, model.classify(clips)):
        picture = folder / f"{pictures.file_name(Path(path).name)}.png"
        pictures.filmstrips([(Path(path).name, clip, over_time(model, clip))], picture)
        yield {
            "video": path,
            "action": seen.label,
            "probability": f"{seen.probability:.3f}",
            "filmstrip": str(picture),
        }


def look(model, example, target):
    """A clip, or a video file, frame by frame."""
    clip = example
    if isinstance(example, str):
        clip = data.read_video(example, model.frame, **model.sampling)
    inputs = {"frames": clip[None], "mask": np.ones((1, len(clip)), bool)}
    return inputs, [f"frame {number}" for number in range(len(clip))]
