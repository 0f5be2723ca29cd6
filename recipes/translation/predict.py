"""What it makes of a sentence."""

from pathlib import Path

from keras_seq.train import plots

EXAMPLES = ["Delete this page?", "The file could not be saved."]


def look(model, example, target):
    """A sentence, and its translation, as inputs of the model."""
    return model.side_by_side(example, target)


def predict(
    model,
    config,
    inputs,
    *,
    n_best: int = 1,
    beam_width: int = 5,
    length_penalty: float = 0.6,
    folder: Path = Path("attention"),
):
    """The translations of every sentence, best first, and a picture of where the model looked.

    Parameters
    ----------
    n_best
        How many translations of a sentence, at most as many as the beam is wide.
    beam_width
        How many translations are followed at a time.
    length_penalty
        More favours long translations.
    folder
        Where to write the pictures.
    """
    found = model.translations(
        list(inputs),
        n_best=n_best,
        beam_width=beam_width,
        length_penalty=length_penalty,
        copy_unknown=True,
        attention=True,
    )
    for text, best, picture in plots.attention_of_each(inputs, found, folder):
        yield {
            "text": text,
            "translation": best.text,
            "score": f"{best.score:.2f}",
            "attention": picture,
        }


def demo(model, config):
    """A sentence in, the translations of the beam out."""
    from keras_seq.demo.panels import seq2seq

    return seq2seq(model, copy_unknown=True)
