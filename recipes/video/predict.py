"""What it says of a video file."""

from pathlib import Path

import numpy as np

from keras_seq import data
from keras_seq._internal.errors import InputError
from keras_seq.train import plots

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
        picture = folder / f"{plots.file_name(Path(path).name)}.png"
        plots.filmstrips([(Path(path).name, clip, over_time(model, clip))], picture)
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
    return _frame_by_frame(clip)


def demo(model, config):
    """A video file; how likely each action is, and its frames."""
    import gradio as gr

    from keras_seq.demo import panels

    video = gr.File(label="Video", file_types=["video", ".gif"])
    outputs = [gr.Label(label="What happens"), gr.Image(label="By then", buttons=[])]

    def answer(path):
        if path is None:
            raise InputError("There is no video yet: choose a file.")
        clip = data.read_video(path, model.frame, **model.sampling)
        [seen] = model.classify([clip])
        strip = (Path(path).name, clip, over_time(model, clip))
        values = [seen.probabilities, panels.picture(plots.filmstrips, [strip])]
        return panels.Answer(values, *_frame_by_frame(clip))

    return panels.Panel([video], outputs, answer)


def _frame_by_frame(clip):
    """What the model reads of a clip, a batch of one, and the names of the time steps."""
    inputs = {"frames": clip[None], "mask": np.ones((1, len(clip)), bool)}
    return inputs, [f"frame {number}" for number in range(len(clip))]
