"""What it says of an image file."""

import keras
import numpy as np

from .data import ROWS, read_image


def predict(model, config, inputs):
    """The most likely digit of every image file, and how sure the model is."""
    images = np.stack([read_image(path) for path in inputs])
    probabilities = keras.ops.convert_to_numpy(
        keras.ops.softmax(model.predict(images, batch_size=256, verbose=0))
    )
    for path, row in zip(inputs, probabilities, strict=True):
        yield {"image": path, "digit": int(row.argmax()), "probability": f"{row.max():.3f}"}


def look(model, example, target):
    """An image, or an image file, row by row."""
    image = read_image(example) if isinstance(example, str) else example
    return image[None], [f"row {number}" for number in range(ROWS)]
