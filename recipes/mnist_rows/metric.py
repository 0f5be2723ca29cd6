"""How good it is: the share of digits named right."""

import numpy as np

from keras_seq.train import plots


def evaluate(model, splits, name):
    """Accuracy and mean cross-entropy of a split."""
    images, digits = splits[name][:2]
    metrics = model.evaluate(images, digits, batch_size=256, verbose=0, return_dict=True)
    return {"accuracy": metrics["accuracy"], "loss": metrics["loss"]}


def show(model, splits, name, folder):
    """Draws which digits were taken for which."""
    images, digits = splits[name][:2]
    predicted = np.argmax(model.predict(images, batch_size=256, verbose=0), axis=-1)
    plots.confusion_matrix(digits, predicted, range(10), folder / "confusion_matrix.png")
