"""Recipe `music`: its functions, generation of tunes, and the page of `keras-seq demo`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_seq import InputError
from keras_seq.batching import RawExamples
from keras_seq.data.report import ExampleColumns
from keras_seq.models import SequenceGenerator
from keras_seq.train import recipe
from keras_seq.train.config import NonNegativeFloat, NonNegativeInt

from . import data, files, measures, metric, model, notation, prompts
from .config import Config

if TYPE_CHECKING:
    from keras_seq.demo.panels import Answer, Panel

MAX_DRAWS = 4
"""Largest number of times that a tune is drawn if it is stuck in a bar."""
SEED_STEP = 1_000_000
"""Difference between the seeds of these draws, so that other tunes are not the same."""


class Recipe(recipe.Recipe[Config, SequenceGenerator]):
    """Generation of tunes in a given style."""

    load = staticmethod(data.load)
    build = build_from = staticmethod(model.build)
    encode = staticmethod(model.encode)
    evaluate = staticmethod(metric.evaluate)
    report = staticmethod(metric.report)

    def describe(self, config: Config, examples: RawExamples) -> ExampleColumns:
        """Return the columns of the report: tunes and their styles."""
        labels = [[style] for style in examples.targets]
        return ExampleColumns.of(examples).replace(labels=labels, targets=None, texts=())

    def predict(
        self,
        model: SequenceGenerator,
        config: Config,
        inputs: Sequence[str],
        *,
        seed: NonNegativeInt = 0,
        temperature: NonNegativeFloat = 0.9,
        prompt: str = "",
        folder: Path = Path("tunes"),
    ) -> Iterator[dict[str, Any]]:
        """Generate a tune in each of the styles, given by number or name.

        Args:
            model: Trained model.
            config: Config of the run.
            inputs: Numbers or names of styles.
            seed: Random seed for sampling.
            temperature: Softmax temperature for sampling; below 1 favors probable events, 0 is
                greedy.
            prompt: Beginning of the tune in ABC notation, such as "M:6/8 K:G GAB c2d". A chorale
                needs all four voices: "K:G V:1 B2 V:2 G2 V:3 D2 V:4 G,2".
            folder: Folder for the tune as ABC, MIDI, audio and piano roll.
        """
        styles = [int(style) if style.isdecimal() else style for style in inputs]
        for name, tokens in generate_tunes(model, config, styles, prompt, temperature, seed):
            path = folder / f"{name.replace(' ', '_')}_{seed}"
            files.write_tune(tokens, path, f"{name} {seed}", name)
            yield {"style": name, "tune": f"{path}.abc .mid .png .wav"}

    def trace_inputs(
        self, model: SequenceGenerator, example: Any, target: Any = None
    ) -> tuple[Any, list[str]]:
        """Return a tune as inputs, after an end token; time steps are tokens.

        As a string, the example is the number of a style and ABC: "0 M:6/8 K:G GAB c2d".
        """
        tokens, style = example, target
        if isinstance(example, str):
            number, _, notes = example.partition(" ")
            if not number.isdecimal():
                raise InputError(
                    f"{example!r} does not begin with the number of a style; write it as "
                    '"0 M:6/8 K:G GAB c2d".'
                )
            tokens, style = prompts.parse_prompt(notes), int(number)
        return model.trace_inputs(tokens, style)

    def demo(self, model: SequenceGenerator, config: Config) -> "Panel":
        """Return a panel with style and prompt as inputs, and audio and score as outputs."""
        import gradio as gr

        from keras_seq.demo import panels

        prompt_box = gr.Textbox(
            label="Beginning in ABC notation (optional)",
            placeholder=prompts.EXAMPLES[config.data == "chorales"],
        )
        outputs = [
            gr.Audio(label="Tune", editable=False, buttons=["download"]),
            gr.Image(label="Piano roll", buttons=[]),
            gr.Textbox(
                label="Score, in ABC notation", lines=8, buttons=["copy"], interactive=False
            ),
        ]

        def answer(style: int, prompt: str | None, temperature: float, seed: int) -> "Answer":
            [(name, tokens)] = generate_tunes(
                model, config, [style], prompt or "", temperature, seed
            )
            title = f"{name} {seed}"
            values = [
                files.synthesize(tokens),
                panels.to_image(files.draw_piano_roll, tokens, title),
                notation.tokens_to_abc(tokens, title=title, book=name),
            ]
            return panels.Answer(values, *self.trace_inputs(model, tokens, style))

        return panels.Panel(
            [panels.style_choice(model), prompt_box, *panels.sampling_controls()], outputs, answer
        )


def generate_tunes(
    model: SequenceGenerator,
    config: Config,
    styles: Sequence[int | str],
    prompt: str,
    temperature: float,
    seed: int,
) -> list[tuple[str, list[str]]]:
    """Return a tune in each style: the name of the style, and the tokens including the prompt.

    A tune that is stuck in a bar is drawn again with another seed, at most `MAX_DRAWS` times.

    Args:
        model: Trained model.
        config: Config of the run.
        styles: Numbers or names of styles.
        prompt: Beginning of the tune in ABC notation, or "".
        temperature: Softmax temperature for sampling; 0 is greedy.
        seed: Random seed for sampling.

    Raises:
        InputError: If the prompt is not valid, or has an event that is not in the vocabulary.
    """
    start = prompts.parse_prompt(prompt, 4 if config.data == "chorales" else 1) if prompt else []
    known = set(model.encoder.vocabulary)
    if unknown := [token for token in start if token not in known]:
        raise InputError(
            f"The prompt has {unknown[0]}, which is not in the vocabulary of the model (a note is "
            "semitones above the tonic, and quarters)."
        )
    tune_list: list[list[str]] = [[] for _ in styles]
    rows = [*range(len(styles))]
    for draw in range(MAX_DRAWS):
        sequences = model.generate_tokens(
            [start] * len(rows),
            [styles[row] for row in rows],
            max_length=metric.MAX_LENGTH,
            temperature=temperature,
            seed=seed + draw * SEED_STEP,
        )
        for row, sequence in zip(rows, sequences, strict=True):
            tune_list[row] = [*start, *sequence.tokens]
        rows = [row for row in rows if measures.is_stuck(tune_list[row])]
        if not rows or temperature == 0:
            break
    known_styles = model.styles or []
    names = [known_styles[style] if isinstance(style, int) else style for style in styles]
    return list(zip(names, tune_list, strict=True))
