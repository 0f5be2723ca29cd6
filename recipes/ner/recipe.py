"""Recipe `ner`: its functions and predictions."""

from collections.abc import Iterator, Sequence
from typing import Any

from keras_seq.models import SequenceTagger
from keras_seq.train import recipe

from . import data, metric, model
from .config import Config


class Recipe(recipe.Recipe[Config, SequenceTagger]):
    """Named entity recognition."""

    load = staticmethod(data.load)
    build = staticmethod(model.build)
    encode = staticmethod(model.encode)
    evaluate = staticmethod(metric.evaluate)
    report = staticmethod(metric.report)
    examples = ("江泽民在上海会见了新华社记者。", "黄山先生说黄山风景好。")

    def predict(
        self, model: SequenceTagger, config: Config, inputs: Sequence[str]
    ) -> Iterator[dict[str, Any]]:
        """Predict the entities of sentences, with positions in characters and probabilities."""
        for text, spans in zip(inputs, model.tag(list(inputs)), strict=True):
            for span in spans:
                yield {
                    "text": text,
                    "entity": span.text,
                    "label": span.label,
                    "start": span.start,
                    "end": span.end,
                    "score": f"{span.score:.3f}",
                }
