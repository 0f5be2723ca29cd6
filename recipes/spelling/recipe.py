"""Recipe `spelling`: its functions and predictions."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from keras_seq.models import Seq2Seq
from keras_seq.train import plots, recipe

from . import data, metric, model
from .config import Config


class Recipe(recipe.Recipe[Config, Seq2Seq]):
    """Grapheme-to-phoneme conversion."""

    load = staticmethod(data.load)
    build = staticmethod(model.build)
    encode = staticmethod(model.encode)
    evaluate = staticmethod(metric.evaluate)
    report = staticmethod(metric.report)
    examples = ("attention", "seqeval")

    def predict(
        self,
        model: Seq2Seq,
        config: Config,
        inputs: Sequence[str],
        *,
        n_best: int = 1,
        beam_width: int = 5,
        folder: Path = Path("attention"),
    ) -> Iterator[dict[str, Any]]:
        """Predict the n-best pronunciations of each word, and plot the attention of the best.

        Args:
            model: Trained model.
            config: Config of the run.
            inputs: Words.
            n_best: Number of pronunciations per word, at most `beam_width`.
            beam_width: Beam width.
            folder: Folder for the attention plots.
        """
        n_best_lists = model.translate_n_best(
            list(inputs), n_best=n_best, beam_width=beam_width, return_attention_scores=True
        )
        for text, best, plot in plots.attention_per_text(inputs, n_best_lists, folder):
            yield {
                "word": text,
                "phonemes": best.text,
                "score": f"{best.score:.2f}",
                "attention": plot,
            }

    def trace_inputs(
        self, model: Seq2Seq, example: Any, target: Any = None
    ) -> tuple[Any, Sequence[str]]:
        """Return a word, and its first pronunciation, as inputs of the model."""
        return model.trace_inputs(example, target and target[0])
