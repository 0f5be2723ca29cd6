"""The recipe: which function does what, and what the model hears in sound files."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from keras_seq import InputError
from keras_seq.data.audio import read_audio
from keras_seq.models import CTCRecognizer
from keras_seq.train import plots, recipe, runs

from . import data, metric, model
from .config import Config


class Recipe(recipe.Recipe[Config, CTCRecognizer]):
    """Speech to text."""

    load = staticmethod(data.load)
    build = staticmethod(model.build)
    encode = staticmethod(model.encode)
    evaluate = staticmethod(metric.evaluate)
    report = staticmethod(metric.report)

    def predict(
        self,
        model: CTCRecognizer,
        config: Config,
        inputs: Sequence[str],
        *,
        beam_width: int | None = None,
        language_model: Path | None = None,
        weight: float = 0.5,
        bonus: float = 0.0,
        any_words: bool = False,
        pieces: float | None = None,
        folder: Path = Path("heard"),
    ) -> Iterator[dict[str, Any]]:
        """Write down what is said in every sound file, and draw what was heard when.

        Args:
            model, config, inputs: As for every recipe.
            beam_width: Number of texts that are followed at a time; by default 16, or without a
                lexicon and a language model the likeliest alignment is taken.
            language_model: Folder of a run of language_model, over characters, that judges texts
                too.
            weight: Weight of the language model.
            bonus: Score for each letter, in a search by the lexicon or a language model: the more,
                the longer the texts.
            any_words: Write words that are not in the lexicon, too.
            pieces: Hear the file in pieces of so many seconds, and show the text after each
                (--no-bidirectional models); the likeliest alignment is taken, whatever words it
                spells.
            folder: Where to write the pictures.
        """
        searched = beam_width is not None or language_model is not None
        if pieces is not None and (searched or pieces <= 0):
            raise InputError("--pieces are seconds, more than 0, and go without a search.")
        how: dict[str, Any] = {"use_lexicon": not any_words, "length_bonus": bonus}
        if language_model is not None:
            _, _, scorer = runs.Run(language_model).load()
            how |= {"language_model": scorer, "lm_weight": weight}
        # All are read before the first is answered: a mistake is known at once.
        recordings = [read_audio(path, model.sample_rate) for path in inputs]
        for path, recording in zip(inputs, recordings, strict=True):
            if pieces is not None:
                yield from _in_pieces(model, path, recording, pieces)
                continue
            picture = folder / f"{plots.file_name(Path(path).stem)}.png"
            folder.mkdir(parents=True, exist_ok=True)
            plots.transcription(model, recording, picture)
            [text] = model.transcribe([recording], beam_width, **how)
            seconds = f"{len(recording) / model.sample_rate:.2f}"
            yield {"file": path, "seconds": seconds, "text": text, "picture": str(picture)}

    def trace_inputs(
        self, model: CTCRecognizer, example: Any, target: Any = None
    ) -> tuple[Any, Sequence[str]]:
        """Return a sound file or a recording, step by step."""
        if isinstance(example, str):
            example = read_audio(example, model.sample_rate)
        return model.trace_inputs(example)


def _in_pieces(
    model: CTCRecognizer, path: str, recording: Any, seconds: float
) -> Iterator[dict[str, Any]]:
    stream, text, count = model.stream(), "", max(1, round(seconds * model.sample_rate))
    for begin in range(0, len(recording), count):
        piece = recording[begin : begin + count]
        text += stream.feed(piece).text
        if begin + count >= len(recording):
            text += stream.finish().text
        until = f"{(begin + len(piece)) / model.sample_rate:.2f}"
        yield {"file": path, "until": until, "text": text}
