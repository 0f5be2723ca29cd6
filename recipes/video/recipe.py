"""The recipe: which function does what, and what the model says of a video file."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_seq import InputError
from keras_seq.data import read_video
from keras_seq.models import VideoClassifier
from keras_seq.train import plots, recipe

from . import data, metric, model
from .config import Config
from .metric import over_time

if TYPE_CHECKING:
    from keras_seq.demo.panels import Panel


class Recipe(recipe.Recipe[Config, VideoClassifier]):
    """Actions in videos."""

    load = staticmethod(data.load)
    build = staticmethod(model.build)
    encode = staticmethod(model.encode)
    evaluate = staticmethod(metric.evaluate)
    report = staticmethod(metric.report)

    def predict(
        self,
        model: VideoClassifier,
        config: Config,
        inputs: Sequence[str],
        *,
        folder: Path = Path("filmstrips"),
    ) -> Iterator[dict[str, Any]]:
        """Name the action of every video file, with its probability.

        Args:
            model, config, inputs: As for every recipe.
            folder: Where to draw the frames of each, with what the model thought of it by then.
        """
        clips = [read_video(path, model.frame_shape, **model.frame_sampling) for path in inputs]
        folder.mkdir(parents=True, exist_ok=True)
        for path, clip, seen in zip(inputs, clips, model.classify(clips), strict=True):
            picture = folder / f"{plots.file_name(Path(path).name)}.png"
            plots.filmstrips([(Path(path).name, clip, over_time(model, clip))], picture)
            yield {
                "video": path,
                "action": seen.label,
                "probability": f"{seen.probability:.3f}",
                "filmstrip": str(picture),
            }

    def trace_inputs(
        self, model: VideoClassifier, example: Any, target: Any = None
    ) -> tuple[Any, list[str]]:
        """Return a clip, or a video file, frame by frame."""
        if isinstance(example, str):
            example = read_video(example, model.frame_shape, **model.frame_sampling)
        return model.trace_inputs(example)

    def demo(self, model: VideoClassifier, config: Config) -> "Panel":
        """Return a panel with a video file in; how likely each action is, and its frames, out."""
        import gradio as gr

        from keras_seq.demo import panels

        video = gr.File(label="Video", file_types=["video", ".gif"])
        outputs = [gr.Label(label="What happens"), gr.Image(label="By then", buttons=[])]

        def answer(path):
            if path is None:
                raise InputError("There is no video yet: choose a file.")
            clip = read_video(path, model.frame_shape, **model.frame_sampling)
            [seen] = model.classify([clip])
            strip = (Path(path).name, clip, over_time(model, clip))
            values = [seen.probabilities, panels.to_image(plots.filmstrips, [strip])]
            return panels.Answer(values, *self.trace_inputs(model, clip))

        return panels.Panel([video], outputs, answer)
