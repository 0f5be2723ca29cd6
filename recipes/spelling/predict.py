"""How words are said."""

from pathlib import Path

from keras_seq.train import plots

EXAMPLES = ["attention", "seqeval"]


def look(model, example, target):
    """A word, and what is said of it, as inputs of the model."""
    return model.side_by_side(example, target and target[0])


def predict(
    model,
    config,
    inputs,
    *,
    n_best: int = 1,
    beam_width: int = 5,
    folder: Path = Path("attention"),
):
    """The phonemes of every word, best first, and a picture of where the model looked for the best.

    Parameters
    ----------
    n_best
        How many ways to say a word, at most as many as the beam is wide.
    beam_width
        How many ways are followed at a time.
    folder
        Where to write the pictures.
    """
    found = model.translations(list(inputs), n_best=n_best, beam_width=beam_width, attention=True)
    for text, best, picture in plots.attention_of_each(inputs, found, folder):
        yield {
            "word": text,
            "phonemes": best.text,
            "score": f"{best.score:.2f}",
            "attention": picture,
        }
