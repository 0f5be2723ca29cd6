"""What it says of an image file, and of a digit that is drawn."""

import keras
import numpy as np

from .data import ROWS, read_image
from .drawing import as_digit

PAD = 280
"""Pixels of either side of what a digit is drawn on."""


def predict(model, config, inputs):
    """The most likely digit of every image file, and how sure the model is."""
    images = np.stack([read_image(path) for path in inputs])
    for path, row in zip(inputs, probabilities(model, images), strict=True):
        yield {"image": path, "digit": int(row.argmax()), "probability": f"{row.max():.3f}"}


def probabilities(model, images):
    """Of each digit, `(images, 10)`."""
    logits = model.predict(images, batch_size=256, verbose=0)
    return keras.ops.convert_to_numpy(keras.ops.softmax(logits))


def look(model, example, target):
    """An image, or an image file, row by row."""
    image = read_image(example) if isinstance(example, str) else example
    return image[None], [f"row {number}" for number in range(ROWS)]


def demo(model, config):
    """A digit is drawn; how likely each is, and what the model read."""
    import gradio as gr

    from keras_seq.demo.panels import Answer, Panel

    # With something to draw on the brush is in the hand already.
    paper = np.full((PAD, PAD, 3), 255, "uint8")
    pad = gr.Sketchpad(
        {"background": paper, "layers": [], "composite": None},
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
        return Answer(values, *look(model, image, None))

    return Panel([pad], [gr.Label(label="Digit", num_top_classes=4), seen], answer)
