"""What it says of a sequence, or of those in a FASTA file."""

from keras_seq._internal.errors import InputError

from .bases import checked
from .fasta import is_fasta, read_fasta

# Of the training split: an intron begins in the middle, one ends there, and neither.
EXAMPLES = [
    "CCCTCGTGCGCTCCACGACCAAGACCAGCGGTGAGCCACGGGCAGGCTGGGGTCGTGGGG",
    "GGCCTCTCCTTCTCTTCCTTCACTTTGCAGAGGCTGGAAGATGGCAGCCCCCGGACTGGG",
    "TAGTAAAAACACCACTTACTAAATAGCTGATTTGCTAAAGCAGACCTCATTCCATTTAAG",
]


def predict(model, config, inputs):
    """The class of every sequence, or of every one in a FASTA file, and how sure the model is."""
    named = [found for given in inputs for found in _sequences(given, config.encoding)]
    answers = model.classify_tokens([sequence for _, sequence in named])
    for (name, _), found in zip(named, answers, strict=True):
        yield {"sequence": name, "class": found.label, "probability": f"{found.probability:.3f}"}


def _sequences(given, encoding="utf-8"):
    """Names and sequences of what people type."""
    if is_fasta(given):
        return list(read_fasta(given, encoding))
    sequence = checked(given, f"In {given[:20]!r} (no FASTA file such as x.fa)")
    if not sequence:
        raise InputError("A sequence is empty.")
    return [(sequence, sequence)]


def look(model, example, target):
    """A sequence as the model reads it; its time steps are runs of bases, by their own letters."""
    if target is None:
        (_, example), *_ = _sequences(example)
    return _runs(model, example)


def demo(model, config):
    """A sequence in, how likely each class is out; the time steps below are runs of bases."""
    from keras_seq.demo import panels

    panel = panels.classifier(model)

    def answer(text):
        sequence = checked(text or "", "In what you gave")
        return panels.Answer(panel.answer(sequence).values, *_runs(model, sequence))

    return panel._replace(answer=answer)


def _runs(model, sequence):
    """A batch of one, and the letters that each time step has of its own."""
    convolutions = (layer for layer in model.layers if layer.name == "convolution")
    stride = next((layer.strides[0] for layer in convolutions), 1)
    runs = [sequence[place : place + stride] for place in range(0, len(sequence), stride)]
    return model.encode([sequence]).inputs, runs
