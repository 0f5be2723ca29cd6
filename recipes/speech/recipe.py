"""Recipe `speech`: its functions and predictions."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_seq import InputError
from keras_seq.batching import RawExamples
from keras_seq.data.audio import read_audio
from keras_seq.data.report import ExampleColumns
from keras_seq.models import CTCRecognizer
from keras_seq.train import plots, recipe, runs
from keras_seq.train.config import FiniteFloat, NonNegativeFloat, PositiveFloat, PositiveInt

from . import data, metric, model
from .config import Config


class Recipe(recipe.Recipe[Config, CTCRecognizer]):
    """Speech recognition."""

    reads_hf = True
    load = staticmethod(data.load)
    build = build_from = staticmethod(model.build)
    encode = staticmethod(model.encode)
    evaluate = staticmethod(metric.evaluate)
    report = staticmethod(metric.report)

    def describe(self, config: Config, examples: RawExamples) -> ExampleColumns:
        """Return the columns of the report: recordings, in seconds, and transcripts."""
        seconds = [len(samples) / config.sample_rate for samples in examples.inputs]
        return ExampleColumns.of(examples).replace(unit="seconds", lengths=seconds)

    def predict(
        self,
        model: CTCRecognizer,
        config: Config,
        inputs: Sequence[str],
        *,
        beam_width: PositiveInt | None = None,
        language_model: Path | None = None,
        lm_weight: NonNegativeFloat = 0.5,
        length_bonus: FiniteFloat = 0.0,
        use_lexicon: bool = True,
        chunk_seconds: PositiveFloat | None = None,
        picture: Path | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Transcribe audio files.

        Args:
            model: Trained model.
            config: Config of the run.
            inputs: Audio files.
            beam_width: Beam width. Default: 16 with a lexicon or language model, else greedy.
            language_model: Folder of a `language_model` run over characters that scores the
                transcripts too.
            lm_weight: Weight of the language model's log probability.
            length_bonus: Score added per character in a search with a lexicon or language model.
            use_lexicon: Allow only words of the training transcripts.
            chunk_seconds: Stream each file in chunks of this many seconds, and show the text after
                each chunk. Needs a model trained with `--no-bidirectional`; decoding is greedy.
            picture: Folder for plots of the characters over time. Default: no plots.
        """
        uses_search = beam_width is not None or language_model is not None
        if chunk_seconds is not None and uses_search:
            raise InputError(
                "--chunk-seconds decodes greedily; leave out --beam-width and --language-model."
            )
        options: dict[str, Any] = {"use_lexicon": use_lexicon, "length_bonus": length_bonus}
        if language_model is not None:
            _, _, scorer = runs.Run(language_model).load()
            options |= {"language_model": scorer, "lm_weight": lm_weight}
        # Reading all files first reports a bad one before the first answer.
        recordings = [read_audio(path, model.sample_rate) for path in inputs]
        for path, recording in zip(inputs, recordings, strict=True):
            if chunk_seconds is not None:
                yield from _stream(model, path, recording, chunk_seconds)
                continue
            [text] = model.transcribe([recording], beam_width, **options)
            row = {"file": path, "seconds": len(recording) / model.sample_rate, "text": text}
            if picture is not None:
                plot = plots.plot_path(picture, path, Path(path).stem)
                plots.transcription(model, recording, plot)
                row["plot"] = str(plot)
            yield row

    def trace_inputs(
        self, model: CTCRecognizer, example: Any, target: Any = None
    ) -> tuple[Any, Sequence[str]]:
        """Return an audio file or recording as inputs, and the time of each step."""
        if isinstance(example, str):
            example = read_audio(example, model.sample_rate)
        return model.trace_inputs(example)


def _stream(
    model: CTCRecognizer, path: str, recording: np.ndarray, chunk_seconds: float
) -> Iterator[dict[str, Any]]:
    """Yield the text after each chunk of a recording."""
    stream, text = model.stream(), ""
    chunk_length = max(1, round(chunk_seconds * model.sample_rate))
    for start in range(0, len(recording), chunk_length):
        chunk = recording[start : start + chunk_length]
        text += stream.feed(chunk).text
        if start + chunk_length >= len(recording):
            text += stream.finish().text
        seconds = (start + len(chunk)) / model.sample_rate
        yield {"file": path, "seconds": seconds, "text": text}
