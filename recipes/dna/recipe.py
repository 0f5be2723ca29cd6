"""The recipe: which function does what, and what the model says of a sequence."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from keras_seq import InputError
from keras_seq.models import SequenceClassifier
from keras_seq.train import recipe

from . import data, metric, model
from .bases import checked
from .config import Config
from .fasta import is_fasta, read_fasta

if TYPE_CHECKING:
    from keras_seq.demo.panels import Panel


class Recipe(recipe.Recipe[Config, SequenceClassifier]):
    """What a stretch of DNA is."""

    load = staticmethod(data.load)
    build = staticmethod(model.build)
    encode = staticmethod(model.encode)
    evaluate = staticmethod(metric.evaluate)
    report = staticmethod(metric.report)
    # Of the training split: an intron begins in the middle, one ends there, and neither.
    examples = (
        "CCCTCGTGCGCTCCACGACCAAGACCAGCGGTGAGCCACGGGCAGGCTGGGGTCGTGGGG",
        "GGCCTCTCCTTCTCTTCCTTCACTTTGCAGAGGCTGGAAGATGGCAGCCCCCGGACTGGG",
        "TAGTAAAAACACCACTTACTAAATAGCTGATTTGCTAAAGCAGACCTCATTCCATTTAAG",
    )

    def predict(
        self, model: SequenceClassifier, config: Config, inputs: Sequence[str]
    ) -> Iterator[dict[str, Any]]:
        """Tell the class of every sequence, or of those in a FASTA file, with its probability."""
        named = [found for given in inputs for found in _sequences(given, config.encoding)]
        answers = model.classify([sequence for _, sequence in named])
        for (name, _), found in zip(named, answers, strict=True):
            yield {
                "sequence": name,
                "class": found.label,
                "probability": f"{found.probability:.3f}",
            }

    def trace_inputs(
        self, model: SequenceClassifier, example: Any, target: Any = None
    ) -> tuple[Any, list[str]]:
        """Return a sequence; its time steps are runs of bases, by their own letters."""
        if target is None:
            (_, example), *_ = _sequences(example)
        return _runs(model, example)

    def demo(self, model: SequenceClassifier, config: Config) -> "Panel":
        """Return a panel with a sequence in, how likely each class is out."""
        from keras_seq.demo import panels

        panel = panels.classifier(model)

        def answer(text):
            sequence = checked(text or "", "In what you gave")
            return panels.Answer(panel.answer(sequence).values, *_runs(model, sequence))

        return panel._replace(answer=answer)


def _sequences(given: str, encoding: str = "utf-8") -> list[tuple[str, str]]:
    """Return names and sequences of what people type."""
    if is_fasta(given):
        return list(read_fasta(given, encoding))
    sequence = checked(given, f"In {given[:20]!r} (no FASTA file such as x.fa)")
    if not sequence:
        raise InputError("A sequence is empty.")
    return [(sequence, sequence)]


def _runs(model: SequenceClassifier, sequence: str) -> tuple[Any, list[str]]:
    """Return a batch of one, and the letters that each time step has of its own."""
    stride = 1 if model.convolution is None else model.convolution.strides
    runs = [sequence[place : place + stride] for place in range(0, len(sequence), stride)]
    return model.encode([sequence]).inputs, runs
