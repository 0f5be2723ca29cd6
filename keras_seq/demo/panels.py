"""What each kind of model takes and shows on the page: one function a kind."""

import io
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import gradio as gr
import numpy as np

from keras_seq import models
from keras_seq._internal.errors import InputError
from keras_seq.data.audio import read_audio
from keras_seq.train import plots

LONGEST = 1_000
"""Characters of the longest text that is read."""

COLOURS = ("red", "blue", "green", "orange", "purple", "teal", "pink", "lime")
"""Of labels, in their order."""


class Answer(NamedTuple):
    """What a model made of what somebody gave it."""

    values: list
    """One for each output of the panel."""
    inputs: Any
    """What the model read, a batch of one."""
    steps: list
    """The names of its time steps."""


class Panel(NamedTuple):
    """The part of the page that is of a kind of model."""

    inputs: list
    """Components of gradio; examples go into the first."""
    outputs: list
    """Components of gradio."""
    answer: Callable
    """From the values of the inputs to an `Answer`; it raises InputError for what is no input."""


def panel_of(recipe, config, model):
    """The panel that the recipe has of its own, or that of the kind of model.

    Raises:
        InputError: There is neither.
    """
    own = recipe.demo(model, config)
    if own is not None:
        return own
    for kind, panel in KINDS.items():
        if isinstance(model, kind):
            return panel(model)
    raise InputError(
        f"A {type(model).__name__} has no demo, only {', '.join(k.__name__ for k in KINDS)}: write "
        f"a method demo(model, config) into the class Recipe of the recipe {recipe.name}."
    )


def tagger(model):
    """A sentence in, its spans in colour out."""
    colours = dict(zip(model.tag_set.labels, itertools.cycle(COLOURS)))
    found = gr.HighlightedText(label="What was found", color_map=colours, show_legend=True)

    def answer(text):
        tokens = read(model, text)
        spans = [
            {"entity": span.label, "start": span.start, "end": span.end}
            for span in model.tag([text])[0]
        ]
        shown = {"text": text, "entities": spans}
        return Answer([shown], model.encode([tokens]).inputs, tokens)

    return Panel([_text("Text")], [found], answer)


def classifier(model):
    """A text in; how likely each label is and, under attention, which words decided, out."""
    outputs = [gr.Label(label="What it is")]
    if model.has_token_weights:
        outputs.append(gr.HighlightedText(label="What decided: the darker, the more"))

    def answer(text):
        tokens = read(model, text)
        [found] = model.classify([text])
        values = [found.probabilities]
        if found.token_weights is not None:
            most = max(weight for _, weight in found.token_weights)
            values.append([(token, weight / most) for token, weight in found.token_weights])
        return Answer(values, model.encode([tokens]).inputs, tokens)

    return Panel([_text("Text")], outputs, answer)


def generator(model):
    """The beginning of a text in, the text as it goes on out."""
    inputs = [_text("Beginning, or nothing")]
    if model.styles is not None:
        inputs.append(style(model))
    inputs += [gr.Slider(50, 500, 200, step=50, label="Tokens at most"), *drawing()]
    found = gr.HighlightedText(label="Text", show_legend=True)

    def answer(text, *given):
        *styles, length, temperature, seed = given
        text = text or ""
        tokens = read(model, text) if text else []
        styles = styles or None
        [made] = model.generate_tokens(
            [tokens], styles, max_length=int(length), temperature=temperature, seed=seed
        )
        whole = model.encoder.append(text, made.tokens)
        shown = [(text, None), (whole[len(text) :], "made")]
        style = styles[0] if styles else None
        return Answer([shown], *model.trace_inputs([*tokens, *made.tokens], style))

    return Panel(inputs, [found], answer)


def seq2seq(model, copy_unknown=False):
    """A text in; the answers of the beam, and where was looked for the best one, out.

    Args:
        model: `keras_seq.models.Seq2Seq`.
        copy_unknown: As of its `translate_n_best`.
    """
    attends = model.decoder.attention is not None
    width = gr.Slider(1, 10, 5, step=1, label="Answers that are followed at a time")
    found = gr.Dataframe(
        label="Answers, best first",
        headers=["answer", "log p"],
        column_widths=["80%", "20%"],
        wrap=True,
    )
    outputs = [found]
    if attends:
        outputs.append(gr.Image(label="Where it looked for the first", buttons=[]))

    def answer(text, width):
        read(model, text)
        width = int(width)
        [best] = model.translate_n_best(
            [text],
            n_best=width,
            beam_width=width,
            copy_unknown=copy_unknown,
            return_attention_scores=attends,
        )
        values = [[[one.text, round(one.score, 2)] for one in best]]
        if attends:
            values.append(picture(plots.attention, best[:1]))
        return Answer(values, *model.trace_inputs(text, best[0].text))

    return Panel([_text("Text"), width], outputs, answer)


def recognizer(model):
    """Sound in, recorded or of a file; what was said, and what was heard when, out."""
    sound = gr.Audio(label="Sound", sources=["microphone", "upload"], type="filepath")
    outputs = [
        gr.Textbox(label="What was said", interactive=False),
        gr.Image(label="What was heard when", buttons=[]),
    ]

    def answer(path):
        if path is None:
            raise InputError("There is no sound yet: record some, or choose a file.")
        recording = read_audio(path, model.sample_rate)
        values = [*model.transcribe([recording]), picture(plots.transcription, model, recording)]
        return Answer(values, *model.trace_inputs(recording))

    return Panel([sound], outputs, answer)


KINDS = {
    models.SequenceTagger: tagger,
    models.SequenceClassifier: classifier,
    models.SequenceGenerator: generator,
    models.Seq2Seq: seq2seq,
    models.CTCRecognizer: recognizer,
}


# What panels have in common.


def read(model, text):
    """The tokens of a text that somebody typed.

    Raises:
        InputError: There are none, or it is too long.
    """
    text = text or ""
    if len(text) > LONGEST:
        raise InputError(
            f"The text has {len(text):,} characters: at most {LONGEST:,} are read here."
        )
    tokens = model.encoder.tokenize(text)
    if not tokens:
        raise InputError("There is no text yet: type one.")
    return tokens


def style(model):
    """The choice of a style, by its number and name."""
    choices = [(f"{number} {name}", number) for number, name in enumerate(model.styles)]
    return gr.Radio(choices, value=0, label="Style")


def drawing():
    """Temperature and seed of what is drawn."""
    return [
        gr.Slider(0, 2, 0.8, step=0.1, label="Temperature: 0 takes the likeliest always"),
        gr.Number(0, precision=0, minimum=0, label="Seed: another one, another answer"),
    ]


def picture(draw, *what):
    """What a function draws into a PNG file, as an array; None if it draws nothing.

    Args:
        draw: Takes what follows, and the file.
    """
    from PIL import Image

    file = io.BytesIO()
    draw(*what, file)
    return np.asarray(Image.open(file)) if file.tell() else None


def _text(label):
    return gr.Textbox(label=label, lines=3)
