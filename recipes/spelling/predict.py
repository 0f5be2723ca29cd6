"""How words are said."""

from pathlib import Path

from keras_seq import pictures


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
    folder.mkdir(parents=True, exist_ok=True)
    found = model.translations(list(inputs), n_best=n_best, beam_width=beam_width, attention=True)
    for word, ways in zip(inputs, found):
        path = folder / f"{pictures.file_name(word)}.png"
        pictures.attention(ways[:1], path)
        for way in ways:
            yield {
                "word": word,
                "phonemes": way.text,
                "score": f"{way.score:.2f}",
                "attention": str(path),
            }
