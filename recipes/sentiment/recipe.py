"""The recipe: which function does what, and what the model says of a sentence."""

from collections.abc import Iterator, Sequence
from typing import Any

from keras_seq.models import SequenceClassifier
from keras_seq.train import recipe

from . import data, metric, model
from .config import Config


class Recipe(recipe.Recipe[Config, SequenceClassifier]):
    """Whether a sentence is for or against."""

    load = staticmethod(data.load)
    build = staticmethod(model.build)
    encode = staticmethod(model.encode)
    evaluate = staticmethod(metric.evaluate)
    report = staticmethod(metric.report)
    examples = ("A film to fall asleep in.", "I laughed until I cried.")

    def predict(
        self, model: SequenceClassifier, config: Config, inputs: Sequence[str]
    ) -> Iterator[dict[str, Any]]:
        """Tell the label of every sentence, how sure the model is, and the words that decided."""
        for text, found in zip(inputs, model.classify(list(inputs)), strict=True):
            row = {"text": text, "label": found.label, "probability": f"{found.probability:.3f}"}
            if found.token_weights is not None:
                best = sorted(found.token_weights, key=lambda pair: -pair[1])[:3]
                row["decided by"] = "  ".join(f"{token} {weight:.2f}" for token, weight in best)
            yield row
