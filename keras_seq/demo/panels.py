"""Panels of the demo page: inputs and outputs for each class of models."""

import io
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import gradio as gr
import numpy as np

from keras_seq import models
from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Array
from keras_seq.data.audio import read_audio
from keras_seq.train import plots

if TYPE_CHECKING:
    from keras_seq.train.config import Config
    from keras_seq.train.recipe import Recipe

MAX_TEXT_LENGTH = 1_000
"""Maximum number of characters of a text."""

LABEL_COLORS = ("red", "blue", "green", "orange", "purple", "teal", "pink", "lime")
"""Colors of the labels in order, repeated for more labels."""


class Answer(NamedTuple):
    """Outputs of a panel, and the inputs of the model to trace."""

    values: list[Any]
    """Value for each output component."""
    inputs: Any
    """Inputs of the model, a batch of one."""
    steps: list[str]
    """Names of the time steps."""


class Panel(NamedTuple):
    """Input and output components of the page for one model, and the function between them."""

    inputs: list[Any]
    """Gradio components. The examples of a recipe fill the first one."""
    outputs: list[Any]
    """Gradio components."""
    answer: Callable[..., Answer]
    """Function from the values of the inputs to an `Answer`. It raises `InputError` for invalid
    values."""


def make_panel(recipe: "Recipe", config: "Config", model: Any) -> Panel:
    """Return the panel of the recipe, or the default panel for the class of the model.

    Args:
        recipe: Recipe of the run.
        config: Config of the run.
        model: Trained model.

    Raises:
        InputError: If neither exists.
    """
    own = recipe.demo(model, config)
    if own is not None:
        return own
    for model_class, make in PANELS.items():
        if isinstance(model, model_class):
            return make(model)
    supported = ", ".join(model_class.__name__ for model_class in PANELS)
    raise InputError(
        f"There is no demo for a {type(model).__name__}, only for {supported}: define a method "
        f"demo(model, config) in the Recipe class of the recipe {recipe.name}."
    )


def tagger_panel(model: models.SequenceTagger) -> Panel:
    """Return a panel that highlights the labeled spans of a text."""
    color_map = dict(zip(model.tag_set.labels, itertools.cycle(LABEL_COLORS)))
    highlighted = gr.HighlightedText(label="Spans", color_map=color_map, show_legend=True)

    def answer(text: str | None) -> Answer:
        text, tokens = _tokenize(model, text)
        entities = [
            {"entity": span.label, "start": span.start, "end": span.end}
            for span in model.tag([text])[0]
        ]
        value = {"text": text, "entities": entities}
        return Answer([value], model.encode([tokens]).inputs, tokens)

    return Panel([_textbox("Text")], [highlighted], answer)


def classifier_panel(model: models.SequenceClassifier) -> Panel:
    """Return a panel with label probabilities and, with attention pooling, token weights."""
    outputs: list[Any] = [gr.Label(label="Label")]
    if model.has_token_weights:
        outputs.append(gr.HighlightedText(label="Attention weights, relative to the largest"))

    def answer(text: str | None) -> Answer:
        text, tokens = _tokenize(model, text)
        [prediction] = model.classify([text])
        values: list[Any] = [prediction.probabilities]
        if prediction.token_weights is not None:
            largest = max(weight for _, weight in prediction.token_weights)
            values.append([(token, weight / largest) for token, weight in prediction.token_weights])
        return Answer(values, model.encode([tokens]).inputs, tokens)

    return Panel([_textbox("Text")], outputs, answer)


def generator_panel(model: models.SequenceGenerator) -> Panel:
    """Return a panel that continues a prompt, which may be empty."""
    inputs: list[Any] = [_textbox("Prompt (optional)")]
    if model.styles is not None:
        inputs.append(style_choice(model))
    inputs += [gr.Slider(50, 500, 200, step=50, label="Maximum tokens"), *sampling_controls()]
    highlighted = gr.HighlightedText(label="Text", show_legend=True)

    def answer(text: str | None, *options: Any) -> Answer:
        *style, max_length, temperature, seed = options
        text = text or ""
        tokens = tokenize_text(model, text) if text else []
        [sequence] = model.generate_tokens(
            [tokens],
            style or None,
            max_length=int(max_length),
            temperature=temperature,
            seed=seed,
        )
        continued = model.encoder.append(text, sequence.tokens)
        value = [(text, None), (continued[len(text) :], "generated")]
        style_id = style[0] if style else None
        return Answer([value], *model.trace_inputs([*tokens, *sequence.tokens], style_id))

    return Panel(inputs, [highlighted], answer)


def seq2seq_panel(model: models.Seq2Seq, copy_unknown: bool = False) -> Panel:
    """Return a panel with the hypotheses of a beam search and the attention of the best one.

    Args:
        model: Trained model.
        copy_unknown: If True, copy source tokens in place of unknown target tokens, see
            `Seq2Seq.translate_n_best`.
    """
    has_attention = model.decoder.attention is not None
    beam_width = gr.Slider(1, 10, 5, step=1, label="Beam width")
    table = gr.Dataframe(
        label="Answers, best first",
        headers=["answer", "log probability"],
        column_widths=["80%", "20%"],
        wrap=True,
    )
    outputs: list[Any] = [table]
    if has_attention:
        outputs.append(gr.Image(label="Attention of the best answer", buttons=[]))

    def answer(text: str | None, beam_width: float) -> Answer:
        text, _ = _tokenize(model, text)
        width = int(beam_width)
        [best] = model.translate_n_best(
            [text],
            n_best=width,
            beam_width=width,
            copy_unknown=copy_unknown,
            return_attention_scores=has_attention,
        )
        values: list[Any] = [[[hypothesis.text, round(hypothesis.score, 2)] for hypothesis in best]]
        if has_attention:
            values.append(to_image(plots.attention, best[:1]))
        return Answer(values, *model.trace_inputs(text, best[0].text))

    return Panel([_textbox("Text"), beam_width], outputs, answer)


def recognizer_panel(model: models.CTCRecognizer) -> Panel:
    """Return a panel with the transcript of a recording and its alignment."""
    audio = gr.Audio(label="Audio", sources=["microphone", "upload"], type="filepath")
    outputs = [
        gr.Textbox(label="Transcript", interactive=False),
        gr.Image(label="Alignment", buttons=[]),
    ]

    def answer(path: str | None) -> Answer:
        if path is None:
            raise InputError("There is no audio yet: record some, or upload a file.")
        recording = read_audio(path, model.sample_rate)
        values = [*model.transcribe([recording]), to_image(plots.transcription, model, recording)]
        return Answer(values, *model.trace_inputs(recording))

    return Panel([audio], outputs, answer)


PANELS: dict[type, Callable[[Any], Panel]] = {
    models.SequenceTagger: tagger_panel,
    models.SequenceClassifier: classifier_panel,
    models.SequenceGenerator: generator_panel,
    models.Seq2Seq: seq2seq_panel,
    models.CTCRecognizer: recognizer_panel,
}
"""Functions that make a panel, by class of models."""


# Parts that panels share.


def tokenize_text(model: Any, text: str) -> list[str]:
    """Return the tokens of a text.

    Args:
        model: Model with an `encoder`.
        text: Text from the page.

    Raises:
        InputError: If the text has no tokens, or more than `MAX_TEXT_LENGTH` characters.
    """
    if len(text) > MAX_TEXT_LENGTH:
        raise InputError(
            f"The text has {len(text):,} characters: at most {MAX_TEXT_LENGTH:,} are allowed."
        )
    tokens = model.encoder.tokenize(text)
    if not tokens:
        raise InputError("There is no text yet: type one.")
    return tokens


def style_choice(model: models.SequenceGenerator) -> gr.Radio:
    """Return a component to choose a style."""
    choices = [(f"{style_id} {name}", style_id) for style_id, name in enumerate(model.styles or [])]
    return gr.Radio(choices, value=0, label="Style")


def sampling_controls() -> list[Any]:
    """Return components to choose temperature and seed."""
    return [
        gr.Slider(0, 2, 0.8, step=0.1, label="Temperature (0: always the most likely token)"),
        gr.Number(0, precision=0, minimum=0, label="Random seed"),
    ]


def to_image(draw: Callable[..., None], *args: Any) -> Array | None:
    """Return the image that a function writes as an array, or None if it writes nothing.

    Args:
        draw: Function of the arguments and a binary file.
        *args: Arguments of the function.

    Returns:
        uint8 `(height, width, channels)`.
    """
    from PIL import Image

    file = io.BytesIO()
    draw(*args, file)
    return np.asarray(Image.open(file)) if file.tell() else None


def _tokenize(model: Any, text: str | None) -> tuple[str, list[str]]:
    """Return a text, "" for None, and its tokens."""
    text = text or ""
    return text, tokenize_text(model, text)


def _textbox(label: str) -> gr.Textbox:
    return gr.Textbox(label=label, lines=3)
