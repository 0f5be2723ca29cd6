"""The recipe: which function does what, and what the model says of a digit."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from keras_seq.train import recipe

from . import data, metric, model
from .config import Config
from .data import ROWS, read_image
from .drawing import as_digit

if TYPE_CHECKING:
    from keras_seq.demo.panels import Panel

PAD = 280
"""Pixels of either side of what a digit is drawn on."""


class Recipe(recipe.Recipe[Config, keras.Model]):
    """Digits, read row by row."""

    load = staticmethod(data.load)
    build = staticmethod(model.build)
    encode = staticmethod(model.encode)
    evaluate = staticmethod(metric.evaluate)
    report = staticmethod(metric.report)

    def predict(
        self, model: keras.Model, config: Config, inputs: Sequence[str]
    ) -> Iterator[dict[str, Any]]:
        """Name the most likely digit of every image file, and how sure the model is."""
        images = np.stack([read_image(path) for path in inputs])
        for path, row in zip(inputs, probabilities(model, images), strict=True):
            yield {"image": path, "digit": int(row.argmax()), "probability": f"{row.max():.3f}"}

    def trace_inputs(
        self, model: keras.Model, example: Any, target: Any = None
    ) -> tuple[np.ndarray, list[str]]:
        """Return an image, or an image file, row by row."""
        image = read_image(example) if isinstance(example, str) else example
        return image[None], [f"row {number}" for number in range(ROWS)]

    def demo(self, model: keras.Model, config: Config) -> "Panel":
        """Return a panel on which a digit is drawn; it shows what the model read of it."""
        import gradio as gr

        from keras_seq.demo.panels import Answer, Panel

        # With something to draw on the brush is in the hand already.
        paper = np.full((PAD, PAD, 3), 255, "uint8")
        pad = gr.Sketchpad(
            {"background": paper, "layers": [], "composite": None},  # type: ignore[arg-type]
            label="Draw a digit",
            canvas_size=(PAD, PAD),
            fixed_canvas=True,
            brush=gr.Brush(PAD // 24, colors=["#000000"], color_mode="fixed"),
            layers=False,
            transforms=(),
            buttons=[],
        )
        seen = gr.Image(label="What the model reads", height=PAD, buttons=[])

        def answer(drawn):
            layers = drawn["layers"] if drawn else []
            ink = [layer[:, :, 3] for layer in layers] or [np.zeros((1, 1), "uint8")]
            image = as_digit(np.max(ink, axis=0))
            [likely] = probabilities(model, image[None]).tolist()
            larger = np.kron(image, np.ones((PAD // ROWS, PAD // ROWS), "uint8"))
            values = [{str(digit): p for digit, p in enumerate(likely)}, larger]
            return Answer(values, *self.trace_inputs(model, image))

        return Panel([pad], [gr.Label(label="Digit", num_top_classes=4), seen], answer)


def probabilities(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return the probability of each digit, `(images, 10)`."""
    logits = model.predict(images, batch_size=256, verbose=0)
    return keras.ops.convert_to_numpy(keras.ops.softmax(logits))
