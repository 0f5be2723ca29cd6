"""Recipe `dna`: its functions, predictions, and the page of `keras-seq demo`."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from keras_seq import InputError
from keras_seq.batching import RawExamples
from keras_seq.data.report import ExampleColumns
from keras_seq.models import SequenceClassifier
from keras_seq.train import recipe
from keras_seq.train.folds import FoldColumns, make_key

from . import data, metric, model
from .bases import normalize_sequence, reverse_complement
from .config import Config
from .sequences import SequenceFile, is_sequence_file

if TYPE_CHECKING:
    from keras_seq.demo.panels import Panel


class Recipe(recipe.Recipe[Config, SequenceClassifier]):
    """Classification of DNA sequences."""

    reads_hf = True
    load = staticmethod(data.load)
    build = staticmethod(model.build)
    encode = staticmethod(model.encode)
    evaluate = staticmethod(metric.evaluate)
    report = staticmethod(metric.report)
    # From the training split, in the order EI, IE, N.
    examples = (
        "CCCTCGTGCGCTCCACGACCAAGACCAGCGGTGAGCCACGGGCAGGCTGGGGTCGTGGGG",
        "GGCCTCTCCTTCTCTTCCTTCACTTTGCAGAGGCTGGAAGATGGCAGCCCCCGGACTGGG",
        "TAGTAAAAACACCACTTACTAAATAGCTGATTTGCTAAAGCAGACCTCATTCCATTTAAG",
    )

    def describe(self, config: Config, examples: RawExamples) -> ExampleColumns:
        """Return the columns of the report: sequences and their labels."""
        return ExampleColumns.of(examples).replace(unit="bases")

    def describe_for_folds(self, config: Config, examples: RawExamples) -> FoldColumns:
        """Return the columns for folds; both strands of a sequence are in the same fold."""
        columns = super().describe_for_folds(config, examples)
        if config.strands == "one":
            return columns
        keys = [make_key(min(text, reverse_complement(text))) for text in examples.inputs]
        return columns.replace(keys=keys)

    def predict(
        self, model: SequenceClassifier, config: Config, inputs: Sequence[str]
    ) -> Iterator[dict[str, Any]]:
        """Predict the class of each sequence, given as letters or in FASTA or FASTQ files."""
        records = [record for text in inputs for record in _read_sequences(text, config.encoding)]
        predictions = model.classify([sequence for _, sequence in records])
        for (name, _), prediction in zip(records, predictions, strict=True):
            yield {
                "sequence": name,
                "class": prediction.label,
                "probability": prediction.probability,
                "probabilities": prediction.probabilities,
            }

    def read_example(self, config: Config, text: str) -> str:
        """Return the first sequence of a file, or the sequence itself."""
        (_, sequence), *_ = _read_sequences(text, config.encoding)
        return sequence

    def trace_inputs(
        self, model: SequenceClassifier, example: Any, target: Any = None
    ) -> tuple[Any, list[str]]:
        """Return a sequence as inputs, and the bases that each time step advances by."""
        if target is None:
            (_, example), *_ = _read_sequences(example)
        return _encode_steps(model, example)

    def demo(self, model: SequenceClassifier, config: Config) -> "Panel":
        """Return a panel with a sequence as input and the class probabilities as output."""
        from keras_seq.demo import panels

        panel = panels.classifier_panel(model)

        def answer(text: str | None) -> panels.Answer:
            sequence = normalize_sequence(text or "", "The input")
            return panels.Answer(panel.answer(sequence).values, *_encode_steps(model, sequence))

        return panel._replace(answer=answer)


def _read_sequences(text: str, encoding: str = "utf-8") -> list[tuple[str, str]]:
    """Return names and sequences, given a sequence or the path of a FASTA or FASTQ file."""
    if is_sequence_file(text):
        records = SequenceFile(text, encoding)
        return [(record.header, record.sequence) for record in records]
    sequence = normalize_sequence(text, f"{text[:20]!r} (not a FASTA file such as x.fa)")
    if not sequence:
        raise InputError("A sequence is empty; give at least one base.")
    return [(sequence, sequence)]


def _encode_steps(model: SequenceClassifier, sequence: str) -> tuple[Any, list[str]]:
    """Return a batch of one sequence, and the bases that each time step advances by."""
    strides = 1 if model.convolution is None else model.convolution.strides
    names = [sequence[start : start + strides] for start in range(0, len(sequence), strides)]
    return model.encode([sequence]).inputs, names
