"""Recipe `video`: its functions, predictions, and the page of `keras-seq demo`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_seq import InputError
from keras_seq.batching import RawExamples
from keras_seq.data import read_video
from keras_seq.data.report import ExampleColumns
from keras_seq.models import VideoClassifier
from keras_seq.train import plots, recipe

from . import data, metric, model
from .config import Config
from .metric import probabilities_per_frame

if TYPE_CHECKING:
    from keras_seq.demo.panels import Panel


class Recipe(recipe.Recipe[Config, VideoClassifier]):
    """Action classification of video clips."""

    load = staticmethod(data.load)
    build = staticmethod(model.build)
    encode = staticmethod(model.encode)
    evaluate = staticmethod(metric.evaluate)
    report = staticmethod(metric.report)

    def describe(self, config: Config, examples: RawExamples) -> ExampleColumns:
        """Return the columns of the report: clips and their labels."""
        labels = [[label] for label in examples.targets]
        return ExampleColumns.of(examples).replace(
            unit="frames", labels=labels, targets=None, texts=()
        )

    def predict(
        self,
        model: VideoClassifier,
        config: Config,
        inputs: Sequence[str],
        *,
        picture: Path | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Predict the action of each video file or folder of images.

        Args:
            model: Trained model.
            config: Config of the run.
            inputs: Video files, or folders with one image per frame.
            picture: Folder for filmstrips with the probabilities after each frame. Default: none.
        """
        clips = [read_video(path, model.frame_shape, **model.frame_sampling) for path in inputs]
        for path, clip, prediction in zip(inputs, clips, model.classify(clips), strict=True):
            row = {
                "video": path,
                "action": prediction.label,
                "probability": prediction.probability,
                "probabilities": prediction.probabilities,
            }
            if picture is not None:
                filmstrip = plots.plot_path(picture, path, Path(path).name)
                strip = (Path(path).name, clip, probabilities_per_frame(model, clip))
                plots.filmstrips([strip], filmstrip)
                row["filmstrip"] = str(filmstrip)
            yield row

    def trace_inputs(
        self, model: VideoClassifier, example: Any, target: Any = None
    ) -> tuple[Any, list[str]]:
        """Return a clip, video file or folder of images as inputs; time steps are frames."""
        if isinstance(example, str):
            example = read_video(example, model.frame_shape, **model.frame_sampling)
        return model.trace_inputs(example)

    def demo(self, model: VideoClassifier, config: Config) -> "Panel":
        """Return a panel with a video file as input, class probabilities and frames as output."""
        import gradio as gr

        from keras_seq.demo import panels

        video = gr.File(label="Video", file_types=["video", ".gif"])
        outputs = [
            gr.Label(label="Action"),
            gr.Image(label="Probabilities after each frame", buttons=[]),
        ]

        def answer(path: str | None) -> panels.Answer:
            if path is None:
                raise InputError("There is no video yet; choose a file.")
            clip = read_video(path, model.frame_shape, **model.frame_sampling)
            [prediction] = model.classify([clip])
            strip = (Path(path).name, clip, probabilities_per_frame(model, clip))
            values = [prediction.probabilities, panels.to_image(plots.filmstrips, [strip])]
            return panels.Answer(values, *self.trace_inputs(model, clip))

        return panels.Panel([video], outputs, answer)
