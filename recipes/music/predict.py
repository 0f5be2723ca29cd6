"""Composes."""

from pathlib import Path

from keras_seq.data.vocabulary import END
from keras_seq.errors import InputError

from . import data, files


def predict(
    model,
    config,
    inputs,
    *,
    seed: int = 0,
    temperature: float = 0.9,
    prompt: str = "",
    folder: Path = Path("tunes"),
):
    """A tune in each of the styles, given by number or name.

    Parameters
    ----------
    seed
        Of the random numbers; the same seed gives the same tune.
    temperature
        Below 1 favours what is likely; 0 takes the likeliest event always.
    prompt
        How the tune begins, in ABC notation: "M:6/8 K:G GAB c2d"; of a chorale all four voices,
        "K:G V:1 B2 V:2 G2 V:3 D2 V:4 G,2".
    folder
        Where to write the tune as ABC, MIDI, sound and picture.
    """
    begin = data.prompt_of(prompt, 4 if config.data == "chorales" else 1) if prompt else []
    known = set(model.get_config()["vocabulary"])
    if unknown := [token for token in begin if token not in known]:
        raise InputError(
            f"The prompt has {unknown[0]}, which the model does not know (a note is semitones "
            "above the tonic, and quarters)."
        )
    styles = [int(style) if style.isdecimal() else style for style in inputs]
    made = model.generate_tokens(
        [begin] * len(styles), styles, max_length=600, temperature=temperature, seed=seed
    )
    for style, one in zip(styles, made):
        name = model.styles[style] if isinstance(style, int) else style
        path = folder / f"{name.replace(' ', '_')}_{seed}"
        files.write([*begin, *one.tokens], path, f"{name} {seed}", name)
        yield {"style": name, "tune": f"{path}.abc .mid .png .wav"}


def look(model, example, target):
    """A tune, behind the end of the one before; typed, its style and ABC: "0 M:6/8 K:G GAB c2d"."""
    tokens, style = example, target
    if isinstance(example, str):
        number, _, notes = example.partition(" ")
        if not number.isdecimal():
            raise InputError(
                f"{example!r} does not begin with the number of a style; write it as "
                '"0 M:6/8 K:G GAB c2d".'
            )
        tokens, style = data.prompt_of(notes), int(number)
    return model.encode([tokens], [style]).inputs, [END, *tokens]
