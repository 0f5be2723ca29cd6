"""Recipe `sentiment`: its functions and predictions."""

from collections.abc import Iterator, Sequence
from typing import Any

from keras_seq.batching import RawExamples
from keras_seq.models import SequenceClassifier
from keras_seq.train import recipe
from keras_seq.train.folds import FoldColumns

from . import data, metric, model
from .config import Config


class Recipe(recipe.Recipe[Config, SequenceClassifier]):
    """Sentiment classification of sentences."""

    reads_hf = True
    load = staticmethod(data.load)
    build = build_from = staticmethod(model.build)
    batch_size = staticmethod(model.batch_size)
    encode = staticmethod(model.encode)
    evaluate = staticmethod(metric.evaluate)
    report = staticmethod(metric.report)
    examples = ("A film to fall asleep in.", "I laughed until I cried.")

    def describe_for_folds(self, config: Config, examples: RawExamples) -> FoldColumns:
        """Return the columns for folds; sentences of other domains are in training splits only."""
        is_testable = (examples.targets["weights"] != data.OTHER_DOMAIN_WEIGHT).tolist()
        return super().describe_for_folds(config, examples).replace(is_testable=is_testable)

    def predict(
        self, model: SequenceClassifier, config: Config, inputs: Sequence[str]
    ) -> Iterator[dict[str, Any]]:
        """Predict the label of each sentence, and the three words with the most attention.

        Files of predictions have the probability of each label too.
        """
        for text, prediction in zip(inputs, model.classify(list(inputs)), strict=True):
            row = {
                "text": text,
                "label": prediction.label,
                "probability": prediction.probability,
                "probabilities": prediction.probabilities,
            }
            if prediction.token_weights is not None:
                row["top words"] = sorted(prediction.token_weights, key=lambda pair: -pair[1])[:3]
            yield row
