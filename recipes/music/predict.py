"""Composes."""

from pathlib import Path

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
        How the tune begins, in ABC notation: "M:6/8 K:G GAB c2d".
    folder
        Where to write the tune as ABC, MIDI, sound and picture.
    """
    begin = data.melody(prompt) if prompt else []
    styles = [int(style) if style.isdecimal() else style for style in inputs]
    made = model.generate_tokens(
        [begin] * len(styles), styles, max_length=600, temperature=temperature, seed=seed
    )
    for style, one in zip(styles, made):
        name = model.styles[style] if isinstance(style, int) else style
        path = folder / f"{name.replace(' ', '_')}_{seed}"
        files.write([*begin, *one.tokens], path, f"{name} {seed}", name)
        yield {"style": name, "tune": f"{path}.abc .mid .png .wav"}
