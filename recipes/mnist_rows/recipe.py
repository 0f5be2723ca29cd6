"""Recipe `mnist_rows`: its functions, predictions, and the page of `keras-seq demo`."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from keras_seq.batching import RawExamples
from keras_seq.data.report import ExampleColumns
from keras_seq.train import recipe

from . import data, metric, model
from .config import Config
from .drawing import to_mnist_image
from .images import ROWS, read_digit

if TYPE_CHECKING:
    from keras_seq.demo.panels import Panel

PAD_SIZE = 280
"""Height and width of the drawing pad, in pixels."""


class Recipe(recipe.Recipe[Config, keras.Model]):
    """Classification of handwritten digits, read row by row."""

    load = staticmethod(data.load)
    build = staticmethod(model.build)
    encode = staticmethod(model.encode)
    evaluate = staticmethod(metric.evaluate)
    report = staticmethod(metric.report)

    def describe(self, config: Config, examples: RawExamples) -> ExampleColumns:
        """Return the columns of the report: images and their digits."""
        labels = [[str(digit)] for digit in examples.targets]
        return ExampleColumns.of(examples).replace(unit="rows", labels=labels)

    def predict(
        self, model: keras.Model, config: Config, inputs: Sequence[str]
    ) -> Iterator[dict[str, Any]]:
        """Predict the digit of each image file."""
        digits = [read_digit(path) for path in inputs]
        probabilities = predict_probabilities(model, np.stack([digit.pixels for digit in digits]))
        for path, digit, row in zip(inputs, digits, probabilities, strict=True):
            yield {
                "image": path,
                "strokes": digit.strokes,
                "digit": int(row.argmax()),
                "probability": float(row.max()),
                "probabilities": {str(digit): float(value) for digit, value in enumerate(row)},
            }

    def trace_inputs(
        self, model: keras.Model, example: Any, target: Any = None
    ) -> tuple[np.ndarray, list[str]]:
        """Return an image or image file as inputs; time steps are rows."""
        image = read_digit(example).pixels if isinstance(example, str) else example
        return image[None], [f"row {number}" for number in range(ROWS)]

    def demo(self, model: keras.Model, config: Config) -> "Panel":
        """Return a panel with a drawing pad as input and the digit's probabilities as output."""
        import gradio as gr

        from keras_seq.demo.panels import Answer, Panel

        # Gradio selects the brush only if there is a background.
        paper = np.full((PAD_SIZE, PAD_SIZE, 3), 255, "uint8")
        pad = gr.Sketchpad(
            {"background": paper, "layers": [], "composite": None},  # type: ignore[arg-type]
            label="Draw a digit",
            canvas_size=(PAD_SIZE, PAD_SIZE),
            fixed_canvas=True,
            brush=gr.Brush(PAD_SIZE // 24, colors=["#000000"], color_mode="fixed"),
            layers=False,
            transforms=(),
            buttons=[],
        )
        model_input = gr.Image(label="Input of the model", height=PAD_SIZE, buttons=[])

        def answer(drawing: dict[str, Any] | None) -> Answer:
            layers = drawing["layers"] if drawing else []
            ink = [layer[:, :, 3] for layer in layers] or [np.zeros((1, 1), "uint8")]
            image = to_mnist_image(np.max(ink, axis=0))
            [row] = predict_probabilities(model, image[None]).tolist()
            enlarged = np.kron(image, np.ones((PAD_SIZE // ROWS, PAD_SIZE // ROWS), "uint8"))
            values = [{str(digit): p for digit, p in enumerate(row)}, enlarged]
            return Answer(values, *self.trace_inputs(model, image))

        return Panel([pad], [gr.Label(label="Digit", num_top_classes=4), model_input], answer)


def predict_probabilities(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return the probabilities of the digits, `(images, 10)`."""
    logits = model.predict(images, batch_size=256, verbose=0)
    return keras.ops.convert_to_numpy(keras.ops.softmax(logits))
