"""The recipe: which function does what, and how tunes are composed."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_seq import InputError
from keras_seq.models import SequenceGenerator
from keras_seq.train import recipe

from . import data, files, metric, model, tunes
from .config import Config

if TYPE_CHECKING:
    from keras_seq.demo.panels import Panel


class Recipe(recipe.Recipe[Config, SequenceGenerator]):
    """Tunes of a style, one event after the other."""

    load = staticmethod(data.load)
    build = staticmethod(model.build)
    encode = staticmethod(model.encode)
    evaluate = staticmethod(metric.evaluate)
    report = staticmethod(metric.report)

    def predict(
        self,
        model: SequenceGenerator,
        config: Config,
        inputs: Sequence[str],
        *,
        seed: int = 0,
        temperature: float = 0.9,
        prompt: str = "",
        folder: Path = Path("tunes"),
    ) -> Iterator[dict[str, Any]]:
        """Compose a tune in each of the styles, given by number or name.

        Args:
            model, config, inputs: As for every recipe.
            seed: Random seed; the same seed gives the same tune.
            temperature: Below 1 favours what is likely; 0 takes the likeliest event always.
            prompt: How the tune begins, in ABC notation: "M:6/8 K:G GAB c2d"; of a chorale all four
                voices, "K:G V:1 B2 V:2 G2 V:3 D2 V:4 G,2".
            folder: Where to write the tune as ABC, MIDI, sound and picture.
        """
        styles = [int(style) if style.isdecimal() else style for style in inputs]
        for name, tokens in compose(model, config, styles, prompt, temperature, seed):
            path = folder / f"{name.replace(' ', '_')}_{seed}"
            files.write(tokens, path, f"{name} {seed}", name)
            yield {"style": name, "tune": f"{path}.abc .mid .png .wav"}

    def trace_inputs(
        self, model: SequenceGenerator, example: Any, target: Any = None
    ) -> tuple[Any, list[str]]:
        """Return a tune, behind the end of the one before.

        People type its style and ABC: "0 M:6/8 K:G GAB c2d".
        """
        tokens, style = example, target
        if isinstance(example, str):
            number, _, notes = example.partition(" ")
            if not number.isdecimal():
                raise InputError(
                    f"{example!r} does not begin with the number of a style; write it as "
                    '"0 M:6/8 K:G GAB c2d".'
                )
            tokens, style = data.prompt_of(notes), int(number)
        return model.trace_inputs(tokens, style)

    def demo(self, model: SequenceGenerator, config: Config) -> "Panel":
        """Return a panel with a style and perhaps a beginning in, the tune and its score out."""
        import gradio as gr

        from keras_seq.demo import panels

        begin = gr.Textbox(
            label="How it begins, in ABC notation, or nothing",
            placeholder=data.EXAMPLES[config.data == "chorales"],
        )
        outputs = [
            gr.Audio(label="Tune", editable=False, buttons=["download"]),
            gr.Image(label="Piano roll", buttons=[]),
            gr.Textbox(
                label="Score, in ABC notation", lines=8, buttons=["copy"], interactive=False
            ),
        ]

        def answer(style, prompt, temperature, seed):
            [(name, tokens)] = compose(model, config, [style], prompt or "", temperature, seed)
            title = f"{name} {seed}"
            values = [
                files.sound(tokens),
                panels.to_image(files.draw, tokens, title),
                tunes.abc_of(tokens, title=title, book=name),
            ]
            return panels.Answer(values, *self.trace_inputs(model, tokens, style))

        return panels.Panel(
            [panels.style_choice(model), begin, *panels.sampling_controls()], outputs, answer
        )


def compose(model, config, styles, prompt, temperature, seed):
    """Return a tune in each of the styles.

    Args:
        styles: Numbers or names.
        prompt, temperature, seed: As for `predict`.

    Returns:
        For each the name of the style, and the tokens, those of the prompt among them.
    """
    begin = data.prompt_of(prompt, 4 if config.data == "chorales" else 1) if prompt else []
    known = set(model.encoder.vocabulary)
    if unknown := [token for token in begin if token not in known]:
        raise InputError(
            f"The prompt has {unknown[0]}, which the model does not know (a note is semitones "
            "above the tonic, and quarters)."
        )
    made = model.generate_tokens(
        [begin] * len(styles), styles, max_length=600, temperature=temperature, seed=seed
    )
    names = [model.styles[style] if isinstance(style, int) else style for style in styles]
    return [(name, [*begin, *one.tokens]) for name, one in zip(names, made)]
