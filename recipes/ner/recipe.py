"""Recipe `ner`: its functions and predictions."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from keras_seq.batching import RawExamples
from keras_seq.data.report import DataReport, ExampleColumns
from keras_seq.data.summaries import ReadSummary
from keras_seq.models import SequenceTagger
from keras_seq.train import recipe
from keras_seq.train.folds import FoldColumns

from . import data, metric, model
from .config import Config


class Recipe(recipe.Recipe[Config, SequenceTagger]):
    """Named entity recognition."""

    reads_hf = True
    load = staticmethod(data.load)
    batch_size = staticmethod(model.batch_size)
    build = build_from = staticmethod(model.build)
    encode = staticmethod(model.encode)
    evaluate = staticmethod(metric.evaluate)
    report = staticmethod(metric.report)
    examples = ("江泽民在上海会见了新华社记者。", "黄山先生说黄山风景好。")

    def describe(self, config: Config, examples: RawExamples) -> ExampleColumns:
        """Return the columns of the report: sentences and the labels of their entities."""
        rows = examples.targets["tags"]
        if data.tag_scheme(config, rows) != "classes":
            # The first tag of each entity has its label.
            rows = [[tag[2:] for tag in tags if tag[:2] in ("B-", "S-")] for tags in rows]
        return ExampleColumns.of(examples).replace(labels=rows)

    def describe_for_folds(self, config: Config, examples: RawExamples) -> FoldColumns:
        """Return the columns for folds; the labels of entities do not matter."""
        return FoldColumns.of(examples)

    def report_data(
        self, config: Config, splits: recipe.Splits, read: Sequence[ReadSummary] = ()
    ) -> DataReport:
        """Return a report on the examples, with the tokenizer of raw text."""
        report = super().report_data(config, splits, read)
        if "train" not in splits:
            return report
        tokenizer = model.choose(config, splits["train"]).report
        notes = [line for line in (str(tokenizer), tokenizer.warning) if line]
        return dataclasses.replace(report, notes=notes)

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
                    "score": float(span.score),
                }
