"""Recipe `spelling`: its functions and predictions."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from keras_seq.models import Seq2Seq
from keras_seq.train import plots, recipe
from keras_seq.train.config import PositiveInt

from . import data, metric, model
from .config import Config


class Recipe(recipe.Recipe[Config, Seq2Seq]):
    """Grapheme-to-phoneme conversion."""

    load = staticmethod(data.load)
    build = build_from = staticmethod(model.build)
    encode = staticmethod(model.encode)
    calibrate = staticmethod(model.calibrate)
    evaluate = staticmethod(metric.evaluate)
    report = staticmethod(metric.report)
    examples = ("attention", "seqeval")

    def predict(
        self,
        model: Seq2Seq,
        config: Config,
        inputs: Sequence[str],
        *,
        n_best: PositiveInt = 1,
        beam_width: PositiveInt = 5,
        picture: Path | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Predict the n-best pronunciations of each word, the best first.

        Args:
            model: Trained model.
            config: Config of the run.
            inputs: Words.
            n_best: Number of pronunciations per word, at most `beam_width`.
            beam_width: Beam width.
            picture: Folder for plots of the attention of the best. Default: no plots.
        """
        n_best_lists = model.translate_n_best(
            list(inputs),
            n_best=n_best,
            beam_width=beam_width,
            return_attention_scores=picture is not None,
        )
        for text, candidates in zip(inputs, n_best_lists, strict=True):
            plot = {}
            if picture is not None:
                path = plots.plot_path(picture, text)
                plots.attention(candidates[:1], path)
                plot = {"attention": str(path) if path.is_file() else "no output"}
            for candidate in candidates:
                yield {
                    "word": text,
                    "phonemes": candidate.text,
                    "score": float(candidate.score),
                    **plot,
                }

    def trace_inputs(
        self, model: Seq2Seq, example: Any, target: Any = None
    ) -> tuple[Any, Sequence[str]]:
        """Return a word, and its first pronunciation, as inputs of the model."""
        return model.trace_inputs(example, target and target[0])
